"""The videos that models learn from: which are for training, and a cache of decoded pieces of them.

Training draws small patches at random. Decoding a video for each would leave the trainer waiting, so a number
of short segments of every video is decoded once, in parallel, into a cache of memory-mapped arrays.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vpbench.errors import UsageError, VpbenchError
from vpbench.files import is_folder, lock_folder, make_folder, remove_leftovers, write_atomic, write_json
from vpbench.parallel.processes import make_executor, map_in_order
from vpbench.video import flow
from vpbench.video.decoding import VIDEO_SUFFIXES, natural_key, open_video

# UCF101's file names carry the group that a video was cut from. Test list 01 is groups 1–7.
_UCF101 = re.compile(r"^v_.+_g(\d\d)_c\d\d$")
TEST_GROUPS = range(1, 8)
TRAINING_GROUPS = range(8, 22)
VALIDATION_GROUPS = range(22, 26)
# Of footage that is not UCF101, one video in this many is kept for validation, by a hash of its name.
VALIDATION_SHARE = 20
_LAYOUT = 1


@dataclass(frozen=True)
class Footage:
    """Videos found under a folder, divided.

    Attributes:
        folder: where they are.
        training: videos to train on.
        validation: videos to choose by.
        contaminated: whether test videos of UCF101 are among those for training.
        left_out: number of UCF101's test videos that were left out.
    """

    folder: Path
    training: tuple[Path, ...]
    validation: tuple[Path, ...]
    contaminated: bool
    left_out: int

    def describe(self) -> str:
        """One line for manifests."""
        what = "UCF101 groups 8–21" if _group(self.training[0]) is not None else "own videos"
        mark = " and test groups 1–7" if self.contaminated else ""
        return f"{what}{mark}, {len(self.training)} videos"


def _group(video: Path) -> int | None:
    found = _UCF101.match(video.stem)
    return int(found[1]) if found else None


def find_footage(folder: Path, include_test: bool = False) -> Footage:
    """Find the videos under a folder, at any depth, and divide them.

    UCF101's groups 8–21 are for training, 22–25 for validation, and 1–7, which are the test list, are left out
    unless forced. Of other videos one in twenty, chosen by its name, is for validation.

    Args:
        folder: the folder.
        include_test: train on UCF101's test groups too; the results are then marked as contaminated.

    Raises:
        UsageError: no folder, no videos in it, or none that may be trained on; a pipe or a device among them.
    """
    if not is_folder(folder):
        raise UsageError(f"--data {folder}: there is no such folder.")
    named = [
        path for path in folder.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir()
    ]
    videos = [path for path in named if path.is_file()]
    odd = next((path for path in named if path.exists() and not path.is_file()), None)
    if odd is not None:
        raise UsageError(f"{odd} is no file but a pipe or a device, and cannot be trained on. Remove it.")
    if not videos:
        kinds = " ".join(sorted(VIDEO_SUFFIXES))
        raise UsageError(f"--data {folder}: no videos in it, at any depth ({kinds}).")
    videos.sort(key=lambda path: natural_key(str(path.relative_to(folder))))
    training: list[Path] = []
    validation: list[Path] = []
    test: list[Path] = []
    for video in videos:
        group = _group(video)
        if group is None:
            digest = hashlib.sha256(video.name.encode()).digest()
            (validation if digest[0] % VALIDATION_SHARE == 0 else training).append(video)
        elif group in TEST_GROUPS:
            test.append(video)
        else:
            (training if group in TRAINING_GROUPS else validation).append(video)
    if include_test:
        training += test
    if not training:
        raise UsageError(
            f"--data {folder}: none of its {len(videos)} videos may be trained on: {len(test)} are of UCF101's "
            f"test groups 1–7 and {len(validation)} are for validation. Give a folder with groups 8–21, or "
            "--include-test-groups, which marks the results as contaminated."
        )
    return Footage(
        folder,
        tuple(training),
        tuple(validation),
        include_test and bool(test),
        0 if include_test else len(test),
    )


def decode_segments(video: Path, count: int, length: int) -> NDArray[np.uint8]:
    """Decode up to ``count`` segments of ``length`` frames, spread evenly over a video, from its first frame on.

    Args:
        video: a video file.
        count: most segments.
        length: frames in each.

    Returns:
        uint8 ``(segments, length, H, W, 3)`` RGB; no segments where the video is too short or unreadable.
    """
    frames: dict[int, NDArray[np.uint8]] = {}
    starts: list[int] = []
    with suppress(VpbenchError), open_video(video) as capture:
        total = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        count = min(count, total // length)
        starts = [round(index * (total - length) / max(1, count - 1)) for index in range(count)]
        wanted = {start + offset for start in starts for offset in range(length)}
        for position in range(max(wanted, default=-1) + 1):
            if not capture.grab():
                break
            if position in wanted:
                picture = cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB)
                frames[position] = np.asarray(picture, dtype=np.uint8)
    segments = [
        np.stack([frames[start + offset] for offset in range(length)])
        for start in starts
        if all(start + offset in frames for offset in range(length))
    ]
    if not segments or len({frame.shape for frame in frames.values()}) > 1:
        return np.zeros((0, length, 0, 0, 3), np.uint8)
    return np.stack(segments)


@dataclass(frozen=True)
class Segments:
    """A cache of decoded segments, one memory-mapped array for each video; videos without a segment are left out.

    Attributes:
        videos: the videos.
        files: for each, its array ``(segments, length, H, W, 3)``.
        folder: the cache folder.
    """

    videos: tuple[Path, ...]
    files: tuple[Path, ...]
    folder: Path

    def open(self, index: int) -> NDArray[np.uint8]:
        """Map the array of one video."""
        array: NDArray[np.uint8] = np.load(self.files[index], mmap_mode="r")
        return array


def cache_segments(
    videos: Sequence[Path],
    folder: Path,
    count: int,
    length: int,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Segments:
    """Decode segments of the videos into a cache folder, or find them there.

    The work resumes where it was interrupted; a video's array is written whole or not at all.

    Args:
        videos: video files.
        folder: parent of the cache folder, which is named by a hash of the videos and the numbers below.
        count: most segments of a video.
        length: frames in each.
        workers: processes that decode.
        progress: called with (videos done, videos).

    Raises:
        VpbenchError: the disk is full; or no video has a segment of that length.
    """
    identity = hashlib.sha256(f"{_LAYOUT} {count} {length}".encode())
    for video in videos:
        identity.update(f"\n{video.resolve()} {video.stat().st_size}".encode())
    home = folder / f"segments-{identity.hexdigest()[:16]}"
    make_folder(home)
    files = [home / f"{index:06d}.npy" for index in range(len(videos))]
    with lock_folder(home, wait=True):
        remove_leftovers(home)
        todo = [
            (video, file, count, length)
            for video, file in zip(videos, files, strict=True)
            if not file.exists()
        ]
        done = len(videos) - len(todo)
        if todo:
            write_json(home / "videos.json", {"videos": [str(video) for video in videos], "length": length})
            with make_executor(min(workers, len(todo))) as executor:
                for _ in map_in_order(executor, _decode_to, todo, window=4 * workers):
                    done += 1
                    if progress:
                        progress(done, len(videos))
    usable = [(video, file) for video, file in zip(videos, files, strict=True) if _segment_count(file)]
    if not usable:
        raise VpbenchError(
            f"None of the {len(videos)} videos for training has {length} frames that can be decoded "
            f"(the first is {videos[0]})."
        )
    return Segments(tuple(v for v, _ in usable), tuple(f for _, f in usable), home)


def _decode_to(video: Path, file: Path, count: int, length: int) -> None:
    save_array(file, decode_segments(video, count, length))


def windows_of(segments: NDArray[np.uint8], frames: int) -> list[tuple[int, int]]:
    """Every window of ``frames`` consecutive frames: (segment, first frame), in the order of all window caches.

    Args:
        segments: ``(segments, length, H, W, 3)``.
        frames: frames of a window.
    """
    count, length = segments.shape[:2]
    return [(segment, start) for segment in range(count) for start in range(length - frames + 1)]


def cache_beside(
    segments: Segments,
    suffix: str,
    function: Callable[[NDArray[np.uint8]], NDArray[np.generic]],
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Compute an array from every video's segments, or find it cached beside them.

    Args:
        segments: the cache.
        suffix: of the files' names, without the dot; it names everything that the arrays depend on.
        function: from ``(segments, length, H, W, 3)`` to the array; made for a worker process.
        workers: processes.
        progress: called with (videos done, videos).

    Returns:
        For each video a ``.npy`` file.

    Raises:
        VpbenchError: the disk is full; and whatever ``function`` raises.
    """
    files = [file.with_suffix(f".{suffix}.npy") for file in segments.files]
    with lock_folder(segments.folder, wait=True):
        todo = [
            (source, file, function)
            for source, file in zip(segments.files, files, strict=True)
            if not file.exists()
        ]
        done = len(files) - len(todo)
        if todo:
            with make_executor(min(workers, len(todo))) as executor:
                for _ in map_in_order(executor, _compute_to, todo, window=4 * workers):
                    done += 1
                    if progress:
                        progress(done, len(files))
    return files


def _compute_to(
    source: Path, file: Path, function: Callable[[NDArray[np.uint8]], NDArray[np.generic]]
) -> None:
    save_array(file, function(np.load(source, mmap_mode="r")))


def flow_key(estimators: Sequence[str], *rest: object) -> str:
    """A hash for the name of a cache of flows: of everything that fixes them, and what else the cache depends on.

    Args:
        estimators: names of flow estimators; their parameters and OpenCV's version are part of the hash.
        rest: JSON data.
    """
    what = [[flow.describe(name) for name in estimators], *rest]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]


def save_array(file: Path, array: NDArray[np.generic]) -> None:
    """Write a ``.npy`` file whole or not at all."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    write_atomic(file, buffer.getvalue(), crowded=True)


def _segment_count(file: Path) -> int:
    return int(np.load(file, mmap_mode="r").shape[0]) if file.stat().st_size > 128 else 0
