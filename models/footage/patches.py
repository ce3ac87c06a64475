"""Random patches of video that move, as a pure function of a seed and a batch's number.

That makes training resumable at any step, and lets several processes share one global batch, without any state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vpbench.errors import VpbenchError
from vpbench.models.footage.videos import Segments

# A video may have no moving patch at all; after so many draws the whole footage is taken not to move.
MOST_DRAWS = 2000


@dataclass(frozen=True)
class Selection:
    """Which patches are drawn.

    Attributes:
        frames: frames of a sequence, inputs and targets.
        patch: side of the patch in pixels.
        movement: least movement: mean squared difference of consecutive frames, values in [−1, 1] (paper,
            section 3: "quantified by the ℓ2 difference between the frames").
        still: share of patches that are taken whether they move or not.
        every_pair: every pair of consecutive frames must move so much, not their mean: without it, half of what
            an up-converted video teaches is that frames repeat.
        margin: pixels around the patch that are handed over with it, for sampling along the flow.
    """

    frames: int
    patch: int
    movement: float = 0.0
    still: float = 0.0
    every_pair: bool = False
    margin: int = 0


@dataclass(frozen=True)
class Batch:
    """A batch of patches.

    Attributes:
        frames: float32 ``(B, frames · 3, h, w)`` in [−1, 1], h = w = patch + 2 margins.
        flows: float32 ``(B, 2 · fields, h, w)`` in pixels, where flows are cached; else ``None``.
    """

    frames: Tensor
    flows: Tensor | None


class PatchSource:
    """Draws batches of patches from cached segments.

    Args:
        segments: the cache.
        selection: which patches.
        seed: of the random numbers.
        flow_files: arrays ``(segments, fields, H, W, 2)`` beside those of the segments; the sequence is then
            always a segment's beginning, for which they were estimated.

    Raises:
        VpbenchError: no video is as large as the patch and its margin.
    """

    def __init__(
        self, segments: Segments, selection: Selection, seed: int, flow_files: Sequence[Path] | None = None
    ) -> None:
        self.selection, self.seed = selection, seed
        self._side = selection.patch + 2 * selection.margin
        self._arrays: list[NDArray[np.uint8]] = []
        self._flows: list[NDArray[np.float16]] = []
        for index in range(len(segments.files)):
            array = segments.open(index)
            if min(array.shape[2:4]) < self._side or array.shape[1] < selection.frames:
                continue
            self._arrays.append(array)
            if flow_files is not None:
                self._flows.append(np.load(flow_files[index], mmap_mode="r"))
        if not self._arrays:
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
        frames = np.stack([frames for frames, _ in drawn])  # (B, T, h, w, 3)
        stacked = torch.from_numpy(frames).permute(0, 1, 4, 2, 3).flatten(1, 2)
        flows = None
        if self._flows:
            fields = np.stack([flow for _, flow in drawn if flow is not None])  # (B, fields, h, w, 2)
            flows = torch.from_numpy(fields).permute(0, 1, 4, 2, 3).flatten(1, 2).float().contiguous()
        return Batch(normalised(stacked.float()), flows)

    def _sample(self, number: int, sample: int) -> tuple[NDArray[np.uint8], NDArray[np.float16] | None]:
        random = np.random.default_rng((self.seed, number, sample))
        wanted, side, margin = self.selection, self._side, self.selection.margin
        least = 0.0 if random.random() < wanted.still else wanted.movement
        for _ in range(MOST_DRAWS):
            video = int(random.integers(len(self._arrays)))
            array = self._arrays[video]
            segments, length, height, width, _ = array.shape
            segment = int(random.integers(segments))
            start = 0 if self._flows else int(random.integers(length - wanted.frames + 1))
            top, left = int(random.integers(height - side + 1)), int(random.integers(width - side + 1))
            block = array[segment, start : start + wanted.frames, top : top + side, left : left + side]
            inner = block[:, margin : side - margin, margin : side - margin]
            if least > 0 and movement(inner, wanted.every_pair) < least:
                continue
            flow = None
            if self._flows:
                flow = np.asarray(self._flows[video][segment, :, top : top + side, left : left + side])
            return np.ascontiguousarray(block), flow
        raise VpbenchError(
            f"The videos do not move: {MOST_DRAWS} patches in a row were below the least movement "
            f"{wanted.movement:g}. Use other videos, or lower `movement` in the recipe."
        )


def movement(frames: NDArray[np.uint8], every_pair: bool = False) -> float:
    """Mean squared difference of consecutive frames ``(T, h, w, 3)``, as values in [−1, 1].

    Args:
        frames: uint8.
        every_pair: the least over the pairs, rather than their mean.
    """
    difference = np.diff(frames.astype(np.int16), axis=0).astype(np.float32)
    pairs = np.einsum("thwc,thwc->t", difference, difference) / difference[0].size / 127.5**2
    return float(pairs.min() if every_pair else pairs.mean())


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
