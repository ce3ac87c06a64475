"""The strips of a page: a clip's inputs, target and moving area, and each run's prediction and error map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vpbench.figures import pictures
from vpbench.tables.cells import number

if TYPE_CHECKING:
    from vpbench.analysis.leaderboard import Leaderboard
    from vpbench.report.predictions import ShownRun
    from vpbench.runs.run import Run
    from vpbench.scoring.clip import Clip

    Chosen = Mapping[int, list[str]]

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
    runs: Sequence[ShownRun],
    clips: Mapping[int, Clip],
    chosen: Chosen,
    frames: Sequence[int],
    levels: Sequence[Level] = LEVELS,
) -> tuple[list[Strips], Level]:
    """Make the strips of the chosen clips, and say how their pictures were encoded.

    Args:
        board: which scores are printed.
        runs: the runs with their predictions for the clips.
        clips: by index.
        chosen: index to why it was chosen, in the order of the page.
        frames: which predicted frames, 1-based.
        levels: the first of these with which the pictures stay within the budget is taken, or the last.
    """
    fitting = (one for one in levels[:-1] if _size(one, clips, runs, len(frames)) <= BUDGET)
    level = next(fitting, levels[-1])
    strips = [
        Strips(
            clip=index,
            why=why,
            height=clips[index].inputs.shape[1],
            width=clips[index].inputs.shape[2],
            inputs=[pictures.data_uri(frame, quality=level.frames) for frame in clips[index].inputs],
            frames=[_strip(board, runs, clips[index], frame, level) for frame in frames],
        )
        for index, why in chosen.items()
    ]
    return strips, level


def _size(level: Level, clips: Mapping[int, Clip], runs: Sequence[ShownRun], frames: int) -> int:
    """About how many characters the pictures take, judged by the first frame of each clip and a few runs."""
    size = 0.0
    for index, clip in clips.items():
        target = clip.targets[0]
        size += len(pictures.data_uri(target, quality=level.frames)) * (len(clip.inputs) + frames)
        predicted = [shown[0] for run in runs if not isinstance(shown := run.predictions[index], str)]
        sample = predicted[:: max(1, len(predicted) // 3)]
        errors = [pictures.error(target, frame) for frame in sample]
        scale = pictures.error_scale(errors)
        for frame, error in zip(sample, errors, strict=True):
            one = len(pictures.data_uri(pictures.to_bytes(frame), quality=level.frames))
            one += len(pictures.data_uri(pictures.error_map(error, scale), quality=level.errors))
            size += one * frames * len(predicted) / len(sample)
    return int(size)


def _strip(board: Leaderboard, runs: Sequence[ShownRun], clip: Clip, frame: int, level: Level) -> Strip:
    target = clip.targets[frame - 1]
    mask = clip.moving_area(frame - 1, runs[0].run.protocol().mask)
    predicted = [run.predictions[clip.index] for run in runs]
    shown = [None if isinstance(frames, str) else frames[frame - 1] for frames in predicted]
    errors = [None if image is None else pictures.error(target, image) for image in shown]
    scale = pictures.error_scale([error for error in errors if error is not None])
    tiles = []
    for run, frames, image, error in zip(runs, predicted, shown, errors, strict=True):
        scores, counted = _scores(board, run.run, clip.index, frame)
        tiles.append(
            RunTile(
                label=run.label,
                scores=scores,
                counted=counted,
                prediction=None
                if image is None
                else pictures.data_uri(pictures.to_bytes(image), quality=level.frames),
                error=None
                if error is None
                else pictures.data_uri(pictures.error_map(error, scale), quality=level.errors),
                reason=frames if isinstance(frames, str) else "",
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
    row = int(np.flatnonzero((run.scores["clip"] == clip) & (run.scores["frame"] == frame))[0])
    printed = [(c.label, number(float(run.scores[c.key][row]), c.decimals)) for c in board.columns]
    return printed, bool(run.scores["counted"][row])
