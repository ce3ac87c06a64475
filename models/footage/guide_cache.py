"""A cache of what guides the motion network, for every window of the decoded segments.

Neighbouring windows share most of their flows, so each flow is estimated and kept once: about 0.5 MB a frame of
320×240, since only the flows that are sampled most finely are kept in full resolution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vpbench.files import lock_folder, make_folder, remove_leftovers
from vpbench.models.footage.frame_errors import moving_pixels
from vpbench.models.footage.guides import (
    ESTIMATORS,
    FACTS,
    FIELDS,
    FINE,
    INPUTS,
    Field,
    doubled,
    guide,
    halved,
    pairs_of,
    warped,
)
from vpbench.models.footage.videos import Segments, flow_key, save_array
from vpbench.parallel.processes import make_executor, map_in_order
from vpbench.video import flow, repeats

# Raised when what is computed from the same flows changes.
_LAYOUT = 1
# Frames for which the error of the refined baseline is kept.
TARGETS = 2
_WINDOW = np.dtype(
    [("rows", "<i4", (FIELDS,)), ("facts", "<f4", (len(FACTS),)), ("errors", "<f4", (TARGETS,))]
)


@dataclass(frozen=True)
class Guides:
    """What guides the network in the windows of one video.

    Attributes:
        windows: for each segment and first frame of a window: rows of its flows in ``fine`` and ``coarse``, −1
            for one that does not move; facts; and the refined baseline's errors, NaN beyond the segment.
        fine: float16 ``(rows, H, W, 2)``, pixels.
        coarse: float16 ``(rows, h, w, 2)``, in half resolution.
    """

    windows: NDArray[np.void]
    fine: NDArray[np.float16]
    coarse: NDArray[np.float16]

    @classmethod
    def open(cls, path: Path) -> Guides:
        """Map the files of one video; ``path`` is one of those that :func:`cache_guides` returns."""
        fine, coarse = (np.load(_beside(path, part), mmap_mode="r") for part in ("fine", "coarse"))
        return cls(np.load(path), fine, coarse)

    def fields(self, segment: int, start: int, rows: slice, columns: slice) -> NDArray[np.float32]:
        """A part of the flows of a window: float32 ``(FIELDS, h, w, 2)``, pixels."""
        size = rows.stop - rows.start, columns.stop - columns.start
        fields = np.zeros((FIELDS, *size, 2), np.float32)
        for index, row in enumerate(self.windows[segment, start]["rows"]):
            if row < 0:
                continue
            if index < FINE:
                fields[index] = self.fine[row, rows, columns]
            else:
                fields[index] = _crop(self.coarse[row], size, rows.start, columns.start)
        return fields


def _crop(coarse: NDArray[np.float16], size: tuple[int, int], top: int, left: int) -> Field:
    """A part of a flow in full resolution; only what it needs of the file is read."""
    first = [max(0, start // 2 - 1) for start in (top, left)]
    last = [(start + extent) // 2 + 1 for start, extent in zip((top, left), size, strict=True)]
    part = coarse[first[0] : last[0], first[1] : last[1]]
    return doubled(part, size, top - 2 * first[0], left - 2 * first[1])


def cache_guides(
    segments: Segments, workers: int = 1, progress: Callable[[int, int], None] | None = None
) -> list[Path]:
    """Find what guides the network in every window of the segments, or find it cached.

    The cache lies in a folder of its own beside the segments, named by a hash of all that the flows depend on. The
    work resumes where it was interrupted.

    Args:
        segments: the decoded segments.
        workers: processes.
        progress: called with (videos done, videos).

    Returns:
        For each video a file that :meth:`Guides.open` opens.

    Raises:
        VpbenchError: the disk is full, or an estimator failed.
    """
    key = flow_key(ESTIMATORS, _LAYOUT, repeats.LEAST_DIFFERENCE, FACTS)
    home = segments.folder / f"guides-{key}"
    make_folder(home)
    files = [home / f"{file.stem}.windows.npy" for file in segments.files]
    with lock_folder(home, wait=True):
        remove_leftovers(home)
        todo = [pair for pair in zip(segments.files, files, strict=True) if not pair[1].exists()]
        done = len(files) - len(todo)
        if todo:
            with make_executor(min(workers, len(todo))) as executor:
                for _ in map_in_order(executor, _write, todo, window=4 * workers):
                    done += 1
                    if progress:
                        progress(done, len(files))
    return files


def _write(source: Path, file: Path) -> None:
    """Write the files of one video, last the one by which it is known to be done."""
    guides = guides_of(np.load(source, mmap_mode="r"))
    save_array(_beside(file, "fine"), guides.fine)
    save_array(_beside(file, "coarse"), guides.coarse)
    save_array(file, guides.windows)


def _beside(windows: Path, part: str) -> Path:
    return windows.with_name(windows.name.replace(".windows.", f".{part}."))


def guides_of(segments: NDArray[np.uint8]) -> Guides:
    """What guides the network in every window of one video.

    Args:
        segments: ``(segments, length, H, W, 3)``, length ≥ INPUTS.
    """
    count, length, height, width, _ = segments.shape
    windows = np.zeros((count, max(0, length - INPUTS + 1)), _WINDOW)
    kept: tuple[list[NDArray[np.float16]], ...] = ([], [])
    for segment in range(count):
        flows = _Flows(np.asarray(segments[segment]))
        rows: dict[tuple[bool, str, int, int], int] = {}
        for start in range(windows.shape[1]):
            window = windows[segment, start]
            found = guide(flows.frames[start : start + INPUTS], flows.from_frame(start))
            window["facts"] = found.facts
            window["errors"] = _errors(flows.frames[start:], found.fields[0])
            for index, pair in enumerate(pairs_of(flows.frames[start : start + INPUTS])):
                if pair is None:
                    window["rows"][index] = -1
                    continue
                name, first, last = pair
                part = int(index >= FINE)
                key = bool(part), name, start + first, start + last
                if key not in rows:
                    rows[key] = len(kept[part])
                    field = flows.estimated(*key[1:])
                    kept[part].append((halved(field) if part else field).astype(np.float16))
                window["rows"][index] = rows[key]
    sizes = (height, width), ((height + 1) // 2, (width + 1) // 2)
    fine, coarse = (
        np.stack(fields) if fields else np.zeros((0, *size, 2), np.float16)
        for fields, size in zip(kept, sizes, strict=True)
    )
    return Guides(windows, fine, coarse)


class _Flows:
    """The flows between the frames of one segment, each estimated once."""

    def __init__(self, frames: NDArray[np.uint8]) -> None:
        self.frames = frames
        self._estimated: dict[tuple[str, int, int], Field] = {}

    def estimated(self, name: str, start: int, end: int) -> Field:
        """The flow between two frames of the segment."""
        key = name, start, end
        if key not in self._estimated:
            self._estimated[key] = flow.estimate(name, self.frames[start], self.frames[end])
        return self._estimated[key]

    def from_frame(self, first: int) -> Callable[[str, int, int], Field]:
        """The same, for positions counted from a frame on."""
        return lambda name, start, end: self.estimated(name, first + start, first + end)


def _errors(frames: NDArray[np.uint8], back: Field) -> NDArray[np.float32]:
    """The refined baseline's mean squared errors over the pixels of its targets that move, as values in [−1, 1].

    Args:
        frames: the window and what follows it, ``(T, H, W, 3)``.
        back: flow from the last input to the last distinct one, ``(H, W, 2)``.
    """
    displacement = warped(back, back)
    predicted = frames[INPUTS - 1].astype(np.float32)
    errors = np.full(TARGETS, np.nan, np.float32)
    for index, target in enumerate(frames[INPUTS : INPUTS + TARGETS]):
        predicted = warped(predicted, displacement)
        squares = np.square(predicted - target).mean(2) / 127.5**2
        errors[index] = squares[moving_pixels(frames[INPUTS - 1 + index], target)].mean()
    return errors
