"""Random patches of video that move, as a pure function of a seed and a batch's number.

That makes training resumable at any step, and lets several processes share one global batch, without any state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vpbench.errors import VpbenchError
from vpbench.models.footage.guide_cache import Guides
from vpbench.models.footage.videos import Segments

# A video may have no moving patch at all; after this many draws, the footage as a whole does not move.
MOST_DRAWS = 2000


@dataclass(frozen=True)
class Selection:
    """Which patches are drawn, and how they are varied.

    Attributes:
        frames: frames of a sequence, inputs and targets.
        patch: side of the patch in pixels.
        targets: how many of the frames are targets.
        movement: least movement, by the rule of :func:`movement` (paper, section 3: "quantified by the ℓ2
            difference between the frames").
        still: share of patches that are taken whether they move or not.
        moves: the rule, one of :data:`vpbench.models.recipes.recipe.Moves`.
        margin: pixels around the patch that are handed over with it, for sampling along the flow.
        mirror: half of the patches are flipped left to right.
        upside_down: half of the patches are flipped top to bottom.
        reverse: half of the sequences run backwards in time.
    """

    frames: int
    patch: int
    targets: int = 1
    movement: float = 0.0
    still: float = 0.0
    moves: str = "mean"
    margin: int = 0
    mirror: bool = False
    upside_down: bool = False
    reverse: bool = False


@dataclass(frozen=True)
class WindowFiles:
    """What is known about every window: for each video a ``.npy`` file with an entry for each of its windows.

    Windows are counted as :func:`vpbench.models.footage.videos.windows_of` counts them.

    Attributes:
        errors: float32 ``(windows, 2)``: what a loss is weighed by, forwards and with time reversed.
        guides: what guides the motion network, and where there are no ``errors`` those that a loss is weighed by:
            files for :meth:`vpbench.models.footage.guide_cache.Guides.open`. They know time forwards only.
    """

    errors: Sequence[Path] | None = None
    guides: Sequence[Path] | None = None


@dataclass(frozen=True)
class Batch:
    """A batch of patches.

    Attributes:
        frames: float32 ``(B, frames · 3, h, w)`` in [−1, 1], h = w = patch + 2 margins.
        flows: float32 ``(B, 2 · fields, h, w)`` in pixels, where guides are cached; else ``None``.
        facts: float32 ``(B, facts)``, likewise.
        errors: float32 ``(B, n)``, where errors are cached: the error of the frame that each patch is from, for
            each target, or one for all.
    """

    frames: Tensor
    flows: Tensor | None = None
    facts: Tensor | None = None
    errors: Tensor | None = None


@dataclass(frozen=True)
class _Video:
    """One video's segments, and what is known about its windows."""

    segments: NDArray[np.uint8]
    errors: NDArray[np.float32] | None
    guides: Guides | None


@dataclass(frozen=True)
class _Sample:
    frames: NDArray[np.uint8]
    flows: NDArray[np.float32] | None
    facts: NDArray[np.float32] | None
    errors: NDArray[np.float32] | None


class PatchSource:
    """Draws batches of patches from cached segments.

    Args:
        segments: the cache.
        selection: which patches.
        seed: of the random numbers.
        beside: what is known about every window.

    Raises:
        VpbenchError: no video is as large as the patch and its margin.
    """

    def __init__(
        self, segments: Segments, selection: Selection, seed: int, beside: WindowFiles | None = None
    ) -> None:
        self.selection, self.seed = selection, seed
        self._side = selection.patch + 2 * selection.margin
        beside = beside or WindowFiles()
        self._videos = [
            _Video(
                array,
                np.load(beside.errors[index]) if beside.errors else None,
                Guides.open(beside.guides[index]) if beside.guides else None,
            )
            for index, array in enumerate(map(segments.open, range(len(segments.files))))
            if min(array.shape[2:4]) >= self._side and array.shape[1] >= selection.frames
        ]
        if not self._videos:
            raise VpbenchError(
                f"No video for training has frames of at least {self._side}×{self._side} pixels (a patch of "
                f"{selection.patch} and its margin) and {selection.frames} of them."
            )

    def batch(self, number: int, size: int, first: int = 0, last: int | None = None) -> Batch:
        """Samples ``first`` … ``last − 1`` (by default all) of batch ``number`` of ``size`` samples.

        Raises:
            VpbenchError: the videos do not move.
        """
        drawn = [self._sample(number, sample) for sample in range(first, size if last is None else last)]
        frames = torch.from_numpy(np.stack([sample.frames for sample in drawn]))  # (B, T, h, w, 3)
        flows = [sample.flows for sample in drawn if sample.flows is not None]  # (fields, h, w, 2) each
        facts = [sample.facts for sample in drawn if sample.facts is not None]
        errors = [sample.errors for sample in drawn if sample.errors is not None]
        return Batch(
            normalised(_along_channels(frames).float()),
            _along_channels(torch.from_numpy(np.stack(flows))).float().contiguous() if flows else None,
            torch.from_numpy(np.stack(facts)) if facts else None,
            torch.from_numpy(np.stack(errors)) if errors else None,
        )

    def _sample(self, number: int, sample: int) -> _Sample:
        random = np.random.default_rng((self.seed, number, sample))
        wanted, side, margin = self.selection, self._side, self.selection.margin
        least = 0.0 if random.random() < wanted.still else wanted.movement
        mirror, upside_down, reverse = (
            bool(random.random() < 0.5) and on for on in (wanted.mirror, wanted.upside_down, wanted.reverse)
        )
        for _ in range(MOST_DRAWS):
            video = self._videos[int(random.integers(len(self._videos)))]
            count, length, height, width, _ = video.segments.shape
            starts = length - wanted.frames + 1
            segment, start = int(random.integers(count)), int(random.integers(starts))
            top, left = int(random.integers(height - side + 1)), int(random.integers(width - side + 1))
            rows, columns = slice(top, top + side), slice(left, left + side)
            block = video.segments[segment, start : start + wanted.frames, rows, columns]
            block = block[::-1] if reverse else block
            inner = block[:, margin : side - margin, margin : side - margin]
            if least > 0 and movement(inner, wanted.moves, wanted.targets) < least:
                continue
            window = segment * starts + start
            flows = facts = errors = None
            if video.guides is not None:
                flows = video.guides.fields(segment, start, rows, columns)
                facts, errors = (video.guides.windows[segment, start][name] for name in ("facts", "errors"))
            if video.errors is not None:
                errors = video.errors[window, int(reverse)][None]
            return _Sample(
                np.ascontiguousarray(_flipped(block, mirror, upside_down)),
                None if flows is None else _flipped_flows(flows, mirror, upside_down),
                facts,
                errors,
            )
        raise VpbenchError(
            f"The videos do not move: {MOST_DRAWS} patches in a row were below the least movement "
            f"{wanted.movement:g}. Use other videos, or lower `movement` in the recipe."
        )


def _along_channels(images: Tensor) -> Tensor:
    """``(B, T, h, w, C)`` → ``(B, T · C, h, w)``."""
    return images.permute(0, 1, 4, 2, 3).flatten(1, 2)


def _flipped(images: NDArray[Any], mirror: bool, upside_down: bool) -> NDArray[Any]:
    """Images ``(T, h, w, C)``, flipped left to right and top to bottom."""
    return images[:, :: -1 if upside_down else 1, :: -1 if mirror else 1]


def _flipped_flows(flows: NDArray[np.float32], mirror: bool, upside_down: bool) -> NDArray[np.float32]:
    """Flows ``(fields, h, w, 2)`` of flipped images, in place: what went right goes left, what went down goes up."""
    for axis, flipped in enumerate((mirror, upside_down)):
        if flipped:
            np.negative(flows[..., axis], out=flows[..., axis])
    return _flipped(flows, mirror, upside_down)


def movement(frames: NDArray[np.uint8], moves: str = "mean", targets: int = 1) -> float:
    """Mean squared difference of consecutive frames ``(T, h, w, 3)``, as values in [−1, 1].

    Args:
        frames: uint8.
        moves: one of :data:`vpbench.models.recipes.recipe.Moves`: over which pairs of consecutive frames.
        targets: how many of the frames are targets.
    """
    if moves == "last_pair":
        frames = frames[len(frames) - targets - 1 :][:2]
    difference = np.diff(frames.astype(np.int16), axis=0).astype(np.float32)
    pairs = np.einsum("thwc,thwc->t", difference, difference) / difference[0].size / 127.5**2
    return float(pairs.min() if moves == "every_pair" else pairs.mean())


def normalised(pixels: Tensor) -> Tensor:
    """Values 0 … 255 to [−1, 1] (paper, section 3)."""
    return pixels.div_(127.5).sub_(1.0)


def prefetched(
    source: PatchSource,
    numbers: Sequence[int] | range,
    size: int,
    share: tuple[int, int] = (0, 1),
    ahead: int = 6,
) -> Iterator[Batch]:
    """Batches with these numbers, in order, drawn ahead by two threads.

    Args:
        source: where from.
        numbers: the batches' numbers.
        size: samples of the global batch.
        share: (rank, processes): each process gets its slice of every global batch.
        ahead: batches drawn ahead.
    """
    rank, processes = share
    bounds = size * rank // processes, size * (rank + 1) // processes
    pending: list[Future[Batch]] = []
    remaining = iter(numbers)
    with ThreadPoolExecutor(2, thread_name_prefix="patches") as executor:
        try:
            while True:
                while len(pending) < ahead and (number := next(remaining, None)) is not None:
                    pending.append(executor.submit(source.batch, number, size, *bounds))
                if not pending:
                    return
                yield pending.pop(0).result()
        finally:
            for future in pending:
                future.cancel()
