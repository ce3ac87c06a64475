"""The strips of a page: a clip's inputs, target and moving area, and each run's prediction and error map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vpbench.figures import pictures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vpbench.analysis.leaderboard import Leaderboard
    from vpbench.runs.run import Run
    from vpbench.scoring.clip import Clip

    Predicted = NDArray[np.float32] | str  # the frames, or why there are none


# Characters of pictures that a page may have.
BUDGET = 15_000_000


@dataclass(frozen=True)
class Level:
    """How pictures are encoded: WebP qualities of frames (``None``: without loss) and of error maps."""

    frames: int | None
    errors: int


# The first under which a page stays within the budget is taken.
LEVELS = (Level(None, 80), Level(88, 70), Level(75, 45), Level(50, 20), Level(25, 5))


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
) -> tuple[list[Strips], Level]:
    """Make the strips of the chosen clips, and say how their pictures were encoded."""
    level = next((one for one in LEVELS if _size(one, clips, predicted, frames) <= BUDGET), LEVELS[-1])
    made = []
    for index, why in chosen.items():
        clip = clips[index]
        made.append(
            Strips(
                clip=index,
                why=why,
                height=clip.inputs.shape[1],
                width=clip.inputs.shape[2],
                inputs=[pictures.data_uri(frame, quality=level.frames) for frame in clip.inputs],
                frames=[
                    _strip(board, runs, labels, clip, [mine[index] for mine in predicted], frame, level)
                    for frame in frames
                ],
            )
        )
    return made, level


def _size(
    level: Level, clips: dict[int, Clip], predicted: Sequence[dict[int, Predicted]], frames: Sequence[int]
) -> int:
    """About how many characters the pictures take, judged by the first frame of each clip and a few runs."""
    size = 0.0
    for index, clip in clips.items():
        target = clip.targets[0]
        size += len(pictures.data_uri(target, quality=level.frames)) * (len(clip.inputs) + len(frames))
        shown = [mine[index] for mine in predicted if not isinstance(mine[index], str)]
        sample = [frame[0] for frame in shown[:: max(1, len(shown) // 3)] if not isinstance(frame, str)]
        errors = [pictures.error(target, frame) for frame in sample]
        scale = pictures.error_scale(errors)
        for frame, error in zip(sample, errors, strict=True):
            one = len(pictures.data_uri(pictures.to_bytes(frame), quality=level.frames))
            one += len(pictures.data_uri(pictures.error_map(error, scale), quality=level.errors))
            size += one * len(frames) * len(shown) / len(sample)
    return int(size)


def _strip(
    board: Leaderboard,
    runs: Sequence[Run],
    labels: Sequence[str],
    clip: Clip,
    predicted: Sequence[Predicted],
    frame: int,
    level: Level,
) -> Strip:
    target = clip.targets[frame - 1]
    mask = clip.moving_area(frame - 1, runs[0].protocol().mask)
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
                prediction=pictures.data_uri(pictures.to_bytes(mine[frame - 1]), quality=level.frames)
                if not isinstance(mine, str)
                else None,
                error=pictures.data_uri(pictures.error_map(errors[number], scale), quality=level.errors)
                if shown
                else None,
                reason=mine if isinstance(mine, str) else "",
            )
        )
    return Strip(
        frame=frame,
        moving=1.0 if mask is None else float(mask.mean()),
        truth=pictures.data_uri(target, quality=level.frames),
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
