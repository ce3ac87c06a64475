"""Which clips to show, and which parts of a frame to enlarge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from vpbench.analysis.columns import clip_scores
from vpbench.errors import UsageError
from vpbench.video.flow_colour import UNKNOWN_ABOVE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vpbench.analysis.columns import Column
    from vpbench.runs.run import Run
    from vpbench.scoring.clip import Clip
    from vpbench.scoring.protocol import Protocol


_ZOOM = 4  # a zoom is a quarter of the frame's width and height


class Box(NamedTuple):
    """A part of a frame: left and top pixel, width and height."""

    x: int
    y: int
    width: int
    height: int

    def cut(self, image: NDArray[np.generic]) -> NDArray[np.generic]:
        """That part of an image ``(H, W, …)``."""
        return image[self.y : self.y + self.height, self.x : self.x + self.width]


def choose_clips(
    runs: Sequence[Run], labels: Sequence[str], column: Column, frame: int
) -> dict[int, list[str]]:
    """The worst, the median and the best clip of the first run, and the one on which the runs differ most.

    It goes by the frames that every run counts, or by all that have a score if there is none.

    Args:
        runs: runs with the same clips.
        labels: their labels.
        column: by which metric.
        frame: of which predicted frame, 1-based.

    Returns:
        Clip index to why it was chosen, in the order worst, median, best, most different.
    """
    clips, scores = _comparable_scores(runs, column.key, frame)
    if not clips.size:
        return {int(runs[0].scores["clip"].min()): ["no frame has a score in every run"]}
    order = np.argsort(scores[0] if column.higher_is_better else -scores[0], kind="stable")
    of = f" of {labels[0]}" if len(runs) > 1 else ""
    positions = {f"worst{of}": order[0], f"median{of}": order[(len(order) - 1) // 2], f"best{of}": order[-1]}
    if len(runs) > 1:
        positions["runs differ most"] = _most_different(scores)
    chosen: dict[int, list[str]] = {}
    for why, position in positions.items():
        chosen.setdefault(int(clips[position]), []).append(why)
    return chosen


def choose_clip(runs: Sequence[Run], column: Column, frame: int) -> int:
    """The clip on which the runs differ most, or the median one of a single run; as :func:`choose_clips`."""
    clips, scores = _comparable_scores(runs, column.key, frame)
    if not clips.size:
        return int(runs[0].scores["clip"].min())
    if len(runs) > 1:
        return int(clips[_most_different(scores)])
    order = np.argsort(scores[0] if column.higher_is_better else -scores[0], kind="stable")
    return int(clips[order[(len(order) - 1) // 2]])


def _comparable_scores(
    runs: Sequence[Run], column: str, frame: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The clips whose frame every run counts, or if there are none has a score in every run; and these scores.

    Returns:
        Indices, ascending, ``(clips,)``, and scores ``(runs, clips)``.
    """
    arrays = [clip_scores(run) for run in runs]
    scores = np.stack([run.scores[column][:, frame - 1] for run in arrays])
    counted = np.all([run.counted[:, frame - 1] for run in arrays], axis=0)
    defined = np.isfinite(scores).all(axis=0)
    usable = counted & defined if (counted & defined).any() else defined
    return arrays[0].clips[usable], scores[:, usable]


def _most_different(scores: NDArray[np.float64]) -> int:
    return int(np.argmax(scores.max(axis=0) - scores.min(axis=0)))


def motion(clip: Clip, frame: int) -> NDArray[np.float32]:
    """How much each pixel of a target moves, float32 ``(H, W)``: |flow| in pixels; the change of its luma
    since the frame before where the clip was read without its flow (the protocol does not use it).

    Args:
        clip: the clip.
        frame: which target, 1-based.
    """  # noqa: D205 -- one sentence
    if clip.flows is not None:
        vectors = clip.flows[frame - 1].astype(np.float64)
        length = np.hypot(vectors[..., 0], vectors[..., 1])
        return np.asarray(np.where(length <= UNKNOWN_ABOVE, length, 0), np.float32)
    before = clip.inputs[-1] if frame == 1 else clip.targets[frame - 2]
    change = cv2.absdiff(clip.targets[frame - 1], before)
    return np.asarray(cv2.cvtColor(change, cv2.COLOR_RGB2GRAY), np.float32)


def zoom_boxes(clip: Clip, frame: int, count: int = 2) -> list[Box]:
    """The parts of a target that move most: the first has the largest mean motion, further ones do not overlap.

    Where everything moves alike, as under a panning camera, the part with most detail is taken: motion is
    weighted with the local contrast, without which it cannot be seen.
    """
    height, width = clip.targets.shape[1:3]
    box = (max(8, width // _ZOOM), max(8, height // _ZOOM))
    grey = cv2.cvtColor(clip.targets[frame - 1], cv2.COLOR_RGB2GRAY).astype(np.float32)
    contrast = cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    weight = motion(clip, frame) * (contrast + 1.0)
    sums = np.asarray(cv2.boxFilter(weight, cv2.CV_32F, box, anchor=(0, 0), normalize=True))
    free = np.array(sums[: height - box[1] + 1, : width - box[0] + 1])
    boxes: list[Box] = []
    while len(boxes) < count and np.isfinite(free).any():
        y, x = np.unravel_index(int(np.argmax(free)), free.shape)
        boxes.append(Box(int(x), int(y), *box))
        free[max(0, y - box[1] + 1) : y + box[1], max(0, x - box[0] + 1) : x + box[0]] = -np.inf
    return boxes


def parse_box(text: str, size: tuple[int, int]) -> Box:
    """Read ``X,Y,WIDTH,HEIGHT`` and check that it lies in a frame of ``size`` (height, width).

    Raises:
        UsageError: it is not of that form, or leaves the frame.
    """
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--zoom {text}: give X,Y,WIDTH,HEIGHT in whole pixels.") from None
    if min(x, y) < 0 or min(width, height) < 8 or x + width > size[1] or y + height > size[0]:
        raise UsageError(
            f"--zoom {text}: the part must lie in the frame of {size[1]}×{size[0]} pixels and be at least 8×8."
        )
    return Box(x, y, width, height)


def check_clips(indices: Sequence[int], runs: Sequence[Run]) -> None:
    """Refuse clips that a run did not score.

    Raises:
        UsageError: names the clip, and some of those scored.
    """
    for run in runs:
        there = sorted(set(run.scores["clip"].tolist()))
        for index in indices:
            if index not in there:
                shown = ", ".join(map(str, there[:12])) + (", …" if len(there) > 12 else "")
                raise UsageError(f"Clip {index} is not in {run.folder}; it scored the clips {shown}.")


def check_frame(frame: int, protocol: Protocol) -> None:
    """Refuse a predicted frame that the protocol does not have.

    Raises:
        UsageError: names it.
    """
    if not 1 <= frame <= protocol.targets:
        raise UsageError(
            f"--frame {frame}: protocol '{protocol.name}' predicts frames 1 to {protocol.targets}."
        )
