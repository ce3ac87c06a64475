"""The strips of a page: a clip's inputs, target and moving area, and each run's prediction and error map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vpbench.look import pictures
from vpbench.look.clips import protocol_of
from vpbench.masks import moving_area

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vpbench.clips import Clip
    from vpbench.leaderboard import Leaderboard
    from vpbench.runs import Run

    Predicted = NDArray[np.float32] | str  # the frames, or why there are none

# Characters of pictures in a page. Frames are kept without loss where they fit, else at this quality.
BUDGET = 13_000_000
QUALITY = 88
ERROR_QUALITY = 80


@dataclass(frozen=True)
class RunTile:
    """What is shown of one run for one frame.

    Attributes:
        label: the run's label.
        scores: (metric, printed score) in the protocol's order.
        counted: whether the frame counts in the run's means.
        prediction: address of the picture; ``None`` if there are no frames.
        error: address of the error map.
        reason: why there are no frames.
    """

    label: str
    scores: list[tuple[str, str]]
    counted: bool
    prediction: str | None
    error: str | None
    reason: str


@dataclass(frozen=True)
class Strip:
    """One predicted frame of a clip: ``truth`` and ``mask`` are addresses of pictures, the rest numbers."""

    frame: int
    moving: float
    truth: str
    mask: str | None
    error_scale: float
    runs: list[RunTile]


@dataclass(frozen=True)
class Strips:
    """What is shown of a clip.

    Attributes:
        clip: its index.
        why: why it was chosen.
        height: of its frames, pixels.
        width: of its frames, pixels.
        inputs: addresses of the input frames' pictures.
        frames: one strip a predicted frame.
    """

    clip: int
    why: list[str]
    height: int
    width: int
    inputs: list[str]
    frames: list[Strip]


def make_strips(
    board: Leaderboard,
    runs: Sequence[Run],
    labels: Sequence[str],
    clips: dict[int, Clip],
    predicted: Sequence[dict[int, Predicted]],
    chosen: dict[int, list[str]],
    frames: Sequence[int],
) -> tuple[list[Strips], bool]:
    """Make the strips of the chosen clips, and say whether their frames were encoded without loss."""
    lossless = _fits(clips, predicted, frames)
    quality = None if lossless else QUALITY
    made = []
    for index, why in chosen.items():
        clip = clips[index]
        made.append(
            Strips(
                clip=index,
                why=why,
                height=clip.inputs.shape[1],
                width=clip.inputs.shape[2],
                inputs=[pictures.data_uri(frame, quality=quality) for frame in clip.inputs],
                frames=[
                    _strip(board, runs, labels, clip, [mine[index] for mine in predicted], frame, quality)
                    for frame in frames
                ],
            )
        )
    return made, lossless


def _fits(clips: dict[int, Clip], predicted: Sequence[dict[int, Predicted]], frames: Sequence[int]) -> bool:
    """Whether all frames fit the budget without loss, judged by the size of one target of each clip."""
    size = 0
    for index, clip in clips.items():
        one = len(pictures.data_uri(clip.targets[0], quality=None))
        shown = sum(not isinstance(mine[index], str) for mine in predicted)
        size += one * (len(clip.inputs) + (1 + shown) * len(frames))
    return size <= BUDGET


def _strip(
    board: Leaderboard,
    runs: Sequence[Run],
    labels: Sequence[str],
    clip: Clip,
    predicted: Sequence[Predicted],
    frame: int,
    quality: int | None,
) -> Strip:
    target = clip.targets[frame - 1]
    mask = moving_area(
        protocol_of(runs[0].manifest).mask,
        None if clip.flows is None else clip.flows[frame - 1],
        None if clip.flow_images is None else clip.flow_images[frame - 1],
    )
    errors = {
        number: pictures.error(target, mine[frame - 1])
        for number, mine in enumerate(predicted)
        if not isinstance(mine, str)
    }
    scale = pictures.error_scale(list(errors.values()))
    tiles = []
    for number, (run, label, mine) in enumerate(zip(runs, labels, predicted, strict=True)):
        scores, counted = _scores(board, run, clip.index, frame)
        shown = not isinstance(mine, str)
        tiles.append(
            RunTile(
                label=label,
                scores=scores,
                counted=counted,
                prediction=pictures.data_uri(pictures.to_bytes(mine[frame - 1]), quality=quality)
                if not isinstance(mine, str)
                else None,
                error=pictures.data_uri(pictures.error_map(errors[number], scale), quality=ERROR_QUALITY)
                if shown
                else None,
                reason=mine if isinstance(mine, str) else "",
            )
        )
    return Strip(
        frame=frame,
        moving=1.0 if mask is None else float(mask.mean()),
        truth=pictures.data_uri(target, quality=quality),
        mask=None if mask is None else pictures.mask_uri(mask),
        error_scale=scale,
        runs=tiles,
    )


def _scores(board: Leaderboard, run: Run, clip: int, frame: int) -> tuple[list[tuple[str, str]], bool]:
    scores: dict[str, Any] = run.scores
    row = int(np.flatnonzero((scores["clip"] == clip) & (scores["frame"] == frame))[0])
    printed = []
    for column in board.columns:
        value = float(scores[column.key][row])
        printed.append((column.label, f"{value:.{column.decimals}f}" if np.isfinite(value) else "–"))
    return printed, bool(scores["counted"][row])
