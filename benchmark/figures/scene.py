"""What a figure shows: one clip, and for each run its predicted frames and scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vpbench.analysis.leaderboard import LeaderboardOptions, build_leaderboard
from vpbench.errors import UsageError, VpbenchError
from vpbench.evaluation.replay import Replay, RunFrames
from vpbench.figures.choose import check_clips, choose_clips

if TYPE_CHECKING:
    from numpy.typing import NDArray

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

    def check_frame(self, frame: int) -> None:
        """Refuse a predicted frame that there is not.

        Raises:
            UsageError: names it.
        """
        if not 1 <= frame <= self.protocol.targets:
            raise UsageError(
                f"--frame {frame}: protocol '{self.protocol.name}' predicts frames 1 to {self.protocol.targets}."
            )


def gather(
    runs: Sequence[Run],
    clip: int | None,
    replay: Replay,
) -> Scene:
    """Gather what a figure of runs shows.

    Args:
        runs: runs that may stand in one table.
        clip: which clip; ``None``: the one on which the runs differ most, or the median one of a single run.
        replay: where the clips are, and what may be run again.

    Raises:
        UsageError: the runs cannot stand in one table, or did not score the clip, or its sources are not found.
        VpbenchError: a run has no frames, and why.
    """
    runs = list({run.folder.resolve(): run for run in runs}.values())
    board = build_leaderboard(runs, LeaderboardOptions(group=False))  # a row a run, in the order given
    labels = [str(label) for label in board.measured["label"]]
    first = board.columns[0]
    if clip is None:
        chosen = choose_clips(runs, labels, first.key, 1, first.higher_is_better)
        differs = [index for index, why in chosen.items() if "runs differ most" in why]
        clip = (
            differs or [index for index, why in chosen.items() if why[0].startswith("median")] or [*chosen]
        )[0]
    check_clips([clip], runs)
    protocol = runs[0].protocol()
    found = replay.load_clips(runs[0], [clip])[0][clip]
    rows = []
    for run, label in zip(runs, labels, strict=True):
        try:
            frames, _ = RunFrames(run, replay).get(found)
        except VpbenchError as error:
            raise type(error)(f"Run {run.folder}: {error}") from error
        rows.append(
            Row(label, frames, tuple(_printed(board.columns, run, clip, k + 1) for k in range(len(frames))))
        )
    masks = tuple(found.moving_area(k, protocol.mask) for k in range(protocol.targets))
    caption = (
        f"Clip {clip} of split {board.split.name}; protocol {protocol.name}, version {protocol.version} "
        f"({protocol.hash})"
    )
    return Scene(found, protocol, tuple(rows), masks, caption)


def _printed(columns: Sequence[object], run: Run, clip: int, frame: int) -> str:
    """The first two scores of a frame, as the paper's figures print them."""
    row = int(np.flatnonzero((run.scores["clip"] == clip) & (run.scores["frame"] == frame))[0])
    texts = []
    for column in columns[:2]:
        value = float(run.scores[column.key][row])  # type: ignore[attr-defined]
        unit, decimals = (column.unit, 1 if column.unit == "dB" else column.decimals)  # type: ignore[attr-defined]
        texts.append(f"{value:.{decimals}f} {unit}".strip() if np.isfinite(value) else "–")
    return " / ".join(texts)
