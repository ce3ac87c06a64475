"""The ranks of a leaderboard: which rows are significantly better than which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vpbench.analysis.bootstrap import LEAST_CLIPS, RESAMPLES, SEED, Pairs, compare_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vpbench.analysis.columns import Column
    from vpbench.analysis.rows import Entry
    from vpbench.results.published_tables import Frame


@dataclass(frozen=True)
class Statistics:
    """How the intervals and ranks were found.

    Attributes:
        level: of the intervals and of the test behind the ranks.
        resamples: number of bootstrap resamples.
        seed: of the resamples.
        column: the score that rows are ranked by.
        frame: of which frame.
        least_pairs: the smallest number of clips that a pair of rows both count there; 0 for one row.
        most_pairs: the largest.
    """

    level: float
    resamples: int
    seed: int
    column: Column
    frame: Frame
    least_pairs: int
    most_pairs: int


def rank(
    entries: Sequence[Entry], by: tuple[Column, Frame], resamples: NDArray[np.float64], level: float
) -> tuple[list[int | None], Statistics]:
    """The ranks of entries by a score, and how they were found.

    A rank is 1 + the number of eligible entries that are significantly better. An entry has none if it is the only
    one, has too few clips, or is not eligible.

    Args:
        entries: at least one, of the same clips.
        by: the score.
        resamples: of :func:`vpbench.analysis.bootstrap.draw_resamples`.
        level: of the test.
    """
    column, frame = by
    scores = [_pooled(entry, column.key, frame) for entry in entries]
    values, counted = (np.stack(parts) for parts in zip(*scores, strict=True))
    pairs = compare_rows(values, counted, resamples, level, column.higher_is_better)
    eligible = np.array([entry.eligible for entry in entries])
    ranks = [_rank(pairs, row, eligible) for row in range(len(entries))]
    between = pairs.clips[~np.eye(len(entries), dtype=bool)]
    least, most = (int(between.min()), int(between.max())) if between.size else (0, 0)
    return ranks, Statistics(level, RESAMPLES, SEED, column, frame, least, most)


def _pooled(entry: Entry, column: str, frame: Frame) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """An entry's scores and what is counted, ``(clips, frames)``: the mean of its runs where all are counted."""
    where = entry.scores[0].at(frame)
    counted = np.all([scores.counted[:, where] for scores in entry.scores], axis=0)
    values = np.mean(
        [np.where(counted, scores.scores[column][:, where], 0.0) for scores in entry.scores], axis=0
    )
    return values, counted


def _rank(pairs: Pairs, row: int, eligible: NDArray[np.bool_]) -> int | None:
    if len(eligible) < 2 or pairs.clips[row, row] < LEAST_CLIPS or not eligible[row]:
        return None
    return 1 + int((pairs.better[:, row] & eligible).sum())
