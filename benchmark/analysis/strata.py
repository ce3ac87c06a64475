"""Strata: where a method is good. The frames of a table by how far things move, by how hard they are, or by class.

The frames, and the parts that they are split into, are the same for all rows: those that rows are compared on
(:mod:`vpbench.analysis.common`), split by what a run says of a frame whoever predicts it
(:mod:`vpbench.scoring.frame_facts`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from vpbench.analysis.bootstrap import half_widths
from vpbench.analysis.common import Common, common_frames
from vpbench.analysis.intervals import differences, ratio_means
from vpbench.analysis.leaderboard import Leaderboard
from vpbench.analysis.ranking import best_rows, rank
from vpbench.errors import UsageError
from vpbench.splits import class_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vpbench.analysis.columns import Column
    from vpbench.results.published_tables import Frame

By = Literal["motion", "difficulty", "class"]
# Where a stratum ends and the next begins: pixels, and SSIM.
MOTION = (1.5, 3.0)
DIFFICULTY = (0.9, 0.6)


@dataclass(frozen=True)
class Part:
    """A part of the frames.

    Attributes:
        name: ``motion < 1.5 px``, ``SSIM of the copy ≥ 0.9``, or a class.
        low: of ``motion`` and ``difficulty``: the smallest value that belongs to it; ``None``: no bound.
        high: the smallest value above that does not.
    """

    name: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Stratum:
    """A part of the frames, and each row's means there.

    Attributes:
        part: which.
        frames: number of frames of each kind that the board's columns have (``board.frames``).
        total: number of frames, of all predicted ones.
        clips: number of clips that have any of them.
        clusters: and of how many clusters these are.
        board: the leaderboard of these frames alone, without published rows. Its rows have ``label``, ``source``, the
            means ``<column>_<frame>`` (scores capped as in comparisons; NaN without a frame, and for a run of schema
            1), ``_low`` and ``_high``, the ends of their interval, and ``_best``: whether the row is not significantly
            worse than the best here; and where the leaderboard has a baseline the differences to it
            (:func:`vpbench.analysis.intervals.differences`).
    """

    part: Part
    frames: dict[Frame, int]
    total: int
    clips: int
    clusters: int
    board: Leaderboard


@dataclass(frozen=True)
class Strata:
    """A leaderboard by strata.

    Attributes:
        board: the leaderboard of all frames.
        by: what the frames are split by.
        strata: all parts, also those without a frame, in the order of :data:`MOTION`, :data:`DIFFICULTY` or the
            alphabet; frames of which it is not known make one of their own, the last.
    """

    board: Leaderboard
    by: By
    strata: tuple[Stratum, ...]


def build_strata(board: Leaderboard, by: By) -> Strata:
    """Split a leaderboard's frames.

    Args:
        board: the leaderboard.
        by: ``motion``: the median |flow| in the moving area, below 1.5 px, from 1.5, and from 3 px; ``difficulty``: the
            SSIM of a copy of the last input frame, from 0.9, from 0.6, and below; ``class``: the classes of UCF101.

    Raises:
        UsageError: the runs are of schema 1, have no frame to be compared on, or do not say what is asked for.
    """
    common = common_frames(board.entries)
    if common is None:
        raise UsageError(
            f"--by {by}: the runs were made by an earlier vpbench and do not say it of their frames. `vpbench migrate "
            "RUN` adds it where the clips are at hand."
        )
    if not common.frames.any():
        raise UsageError(f"--by {by}: there is no frame on which all rows can be compared.")
    parts = _classes(board, common) if by == "class" else _ranges(board, common, by)
    with threadpool_limits(1, user_api="blas"):  # the products are small: threads cost more than they give
        strata = tuple(_stratum(board, common, part, where & common.frames) for part, where in parts)
    return Strata(board, by, strata)


def _ranges(
    board: Leaderboard, common: Common, by: Literal["motion", "difficulty"]
) -> Iterator[tuple[Part, NDArray[np.bool_]]]:
    """The parts of the frames, each with which frames are in it, ``(clips, frames)``."""
    first = common.entries[common.members[0]].scores[0]
    values = first.motion if by == "motion" else first.copy_ssim
    assert values is not None  # noqa: S101 -- members are not of schema 1
    known = np.isfinite(values)
    if not (known & common.frames).any():
        raise UsageError(
            f"--by {by}: it is not known of any frame, since protocol '{board.protocol.name}' has no moving area from "
            "flow vectors. Use --by difficulty."
            if by == "motion"
            else f"--by {by}: a copy of the last frame has no SSIM under protocol '{board.protocol.name}'."
        )
    yield from ((part, known & _inside(values, part)) for part in _PARTS[by])
    if (~known & common.frames).any():
        yield Part(f"{by} not known"), ~known


def _inside(values: NDArray[np.float64], part: Part) -> NDArray[np.bool_]:
    inside = np.full(values.shape, True)
    if part.low is not None:
        inside &= values >= part.low
    if part.high is not None:
        inside &= values < part.high
    return inside


_PARTS = {
    "motion": (
        Part(f"motion < {MOTION[0]:g} px", high=MOTION[0]),
        Part(f"motion {MOTION[0]:g}–{MOTION[1]:g} px", *MOTION),
        Part(f"motion ≥ {MOTION[1]:g} px", low=MOTION[1]),
    ),
    "difficulty": (
        Part(f"SSIM of the copy ≥ {DIFFICULTY[0]:g}", low=DIFFICULTY[0]),
        Part(f"SSIM of the copy {DIFFICULTY[1]:g}–{DIFFICULTY[0]:g}", DIFFICULTY[1], DIFFICULTY[0]),
        Part(f"SSIM of the copy < {DIFFICULTY[1]:g}", high=DIFFICULTY[1]),
    ),
}


def _classes(board: Leaderboard, common: Common) -> Iterator[tuple[Part, NDArray[np.bool_]]]:
    entry = common.entries[common.members[0]]
    clusters = entry.runs[0].manifest.split.clusters or {}
    classes = [class_of(clusters[clip]) for clip in entry.scores[0].clips.tolist()]
    if None in classes:
        without = clusters[int(entry.scores[0].clips[classes.index(None)])]
        raise UsageError(
            f"--by class: split '{board.split.name}' has clips without a class ('{without}'). Classes are known from "
            "UCF101's names of files, such as v_Archery_g01_c02.avi, and clusters, such as Archery_g01."
        )
    for name in sorted({str(name) for name in classes}):
        of_class = np.array([one == name for one in classes])
        yield Part(name), np.broadcast_to(of_class[:, np.newaxis], common.frames.shape)


def _stratum(board: Leaderboard, common: Common, part: Part, where: NDArray[np.bool_]) -> Stratum:
    there = replace(common, frames=where)
    at = common.entries[0].scores[0].at
    rows: list[dict[str, Any]] = [
        {"label": label, "source": source}
        for label, source in board.measured[["label", "source"]].itertuples(index=False)
    ]
    statistics = board.ranking.statistics
    ranking = rank(there, len(rows), (statistics.column, statistics.frame), statistics.level)
    best = best_rows(there, board.columns, board.frames, ranking)
    for column in board.columns:
        for frame in board.frames:
            numbers = _means(there, column, frame, statistics.level) | {
                "best": best[f"{column.key}_{frame}_best"]
            }
            for end, values in numbers.items():
                for row, value in zip(rows, values, strict=True):
                    row[f"{column.key}_{frame}{end and f'_{end}'}"] = value
    for key, values in _differences(board, there).items():
        for row, value in zip(rows, values, strict=True):
            row[key] = value
    clips = where.any(axis=1)
    return Stratum(
        part=part,
        frames={frame: int(where[:, at(frame)].sum()) for frame in board.frames},
        total=int(where.sum()),
        clips=int(clips.sum()),
        clusters=len(np.unique(common.clusters[clips])),
        board=replace(board, rows=pd.DataFrame(rows), published=(), ranking=ranking),
    )


def _differences(board: Leaderboard, there: Common) -> dict[str, NDArray[np.float64]]:
    """The differences to the leaderboard's baseline, if it has one."""
    if board.against is None:
        return {}
    baseline = list(board.measured["label"]).index(board.against)
    return differences(there, baseline, board.columns, board.frames, board.ranking.statistics.level)


def _means(common: Common, column: Column, frame: Frame, level: float) -> dict[str, NDArray[np.float64]]:
    """The means of all rows, and the ends of their intervals; NaN where there is none."""
    found = {end: np.full(len(common.entries), np.nan) for end in ("", "low", "high")}
    values, counted = common.scores(column.key, frame)
    if counted.any():
        means, residuals, counts = ratio_means(
            values, np.broadcast_to(counted, values.shape), common.clusters
        )
        widths = half_widths(residuals, counts, common.resamples, level)
        for end, numbers in (("", means), ("low", means - widths), ("high", means + widths)):
            found[end][common.members] = numbers
    return found
