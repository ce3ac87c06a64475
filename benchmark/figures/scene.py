"""What a figure shows: one clip, and for each run its predicted frames and scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vpbench.analysis.leaderboard import LeaderboardOptions, build_leaderboard
from vpbench.errors import VpbenchError
from vpbench.evaluation.replay import Replay, RunFrames
from vpbench.figures.choose import check_clips, choose_clip
from vpbench.tables.cells import number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vpbench.analysis.columns import Column
    from vpbench.analysis.leaderboard import Leaderboard
    from vpbench.runs.run import Run
    from vpbench.scoring.clip import Clip
    from vpbench.scoring.protocol import Protocol


@dataclass(frozen=True)
class Row:
    """One run in a figure.

    Attributes:
        label: the run's label.
        frames: its predictions, float32 ``(targets, H, W, 3)`` in [0, 1].
        scores: for each target the scores as they are printed, such as ``25.1 dB / 0.87``.
    """

    label: str
    frames: NDArray[np.float32]
    scores: tuple[str, ...]


@dataclass(frozen=True)
class Scene:
    """One clip and the runs that a figure shows.

    Attributes:
        clip: inputs, targets and flow.
        protocol: under which it was scored.
        rows: the runs.
        masks: for each target its moving area ``(H, W)``; ``None`` where the protocol has none.
        caption: what it is, in a sentence, for the reader of the figure.
    """

    clip: Clip
    protocol: Protocol
    rows: tuple[Row, ...]
    masks: tuple[NDArray[np.bool_] | None, ...]
    caption: str


def one_row_a_run(runs: Sequence[Run]) -> tuple[list[Run], Leaderboard]:
    """The runs without repeated folders, and their leaderboard, whose rows are these runs in this order.

    Raises:
        UsageError: the runs cannot share a table.
    """
    distinct = list({run.folder.resolve(): run for run in runs}.values())
    return distinct, build_leaderboard(distinct, LeaderboardOptions(group=False))


def gather(runs: Sequence[Run], clip: int | None, replay: Replay) -> Scene:
    """Gather what a figure of runs shows.

    Args:
        runs: runs that may share a table.
        clip: which clip; ``None``: the one on which the runs differ most, or the median one of a single run.
        replay: where the clips are, and what may be run again.

    Raises:
        UsageError: the runs cannot share a table, or did not score the clip, or its sources are not found.
        VpbenchError: a run has no frames, and why.
    """
    runs, board = one_row_a_run(runs)
    index = choose_clip(runs, board.columns[0], 1) if clip is None else clip
    check_clips([index], runs)
    protocol = runs[0].protocol()
    loaded = replay.load_clips(runs[0], [index])[0][index]
    rows = [
        _row(run, str(label), loaded, board.columns, replay)
        for run, label in zip(runs, board.measured["label"], strict=True)
    ]
    masks = tuple(loaded.moving_area(k, protocol.mask) for k in range(protocol.targets))
    caption = (
        f"Clip {index} of split {board.split.name}; protocol {protocol.name}, version {protocol.version} "
        f"({protocol.hash})"
    )
    return Scene(loaded, protocol, tuple(rows), masks, caption)


def _row(run: Run, label: str, clip: Clip, columns: Sequence[Column], replay: Replay) -> Row:
    try:
        frames, _ = RunFrames(run, replay).get(clip)
    except VpbenchError as error:
        raise type(error)(f"Run {run.folder}: {error}") from error
    return Row(label, frames, tuple(_printed(columns, run, clip.index, k + 1) for k in range(len(frames))))


def _printed(columns: Sequence[Column], run: Run, clip: int, frame: int) -> str:
    """The first two scores of a frame, as the paper's figures print them."""
    row = int(np.flatnonzero((run.scores["clip"] == clip) & (run.scores["frame"] == frame))[0])
    texts = []
    for column in columns[:2]:
        value = float(run.scores[column.key][row])
        shown = number(value, 1 if column.unit == "dB" else column.decimals)
        texts.append(f"{shown} {column.unit}".strip() if np.isfinite(value) else shown)
    return " / ".join(texts)
