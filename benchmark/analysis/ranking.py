"""Which rows of a table are significantly better than which: ranks, and the best of each column."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from vpbench.analysis.bootstrap import RESAMPLES, SEED, cluster_sums
from vpbench.analysis.pairs import Pairs, compare_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from vpbench.analysis.columns import Column
    from vpbench.analysis.common import Common
    from vpbench.results.published_tables import Frame

# Rows whose |Σ d| / √(Σ d²) against the best is larger are out of the question (it takes 64 clusters, and one chance in
# 10¹⁰), so that in the columns that do not rank only the others need be compared with each other.
_FAR = 8.0


@dataclass(frozen=True)
class Statistics:
    """How the intervals and ranks were found.

    Attributes:
        level: of the intervals and of the tests.
        resamples: number of bootstrap resamples.
        seed: of the resamples.
        column: the score that rows are ranked by.
        frame: of which frame.
        clips: on how many clips rows are compared there.
        clusters: and of how many clusters these are.
    """

    level: float
    resamples: int
    seed: int
    column: Column
    frame: Frame
    clips: int = 0
    clusters: int = 0


@dataclass(frozen=True)
class Ranking:
    """The ranks of a table's rows.

    Attributes:
        ranks: for each row 1 + the number of eligible rows that are significantly better; ``None`` for a row that
            is not eligible, that cannot be compared, or is alone, and for all rows of too few clusters.
        pairs: every row compared with every other; NaN where that cannot be done.
        statistics: how.
    """

    ranks: list[int | None]
    pairs: Pairs
    statistics: Statistics

    def ordered(self, order: Sequence[int]) -> Ranking:
        """The same with the rows in another order, given as their numbers."""
        where = np.ix_(order, order)
        pairs = replace(self.pairs, differences=self.pairs.differences[where], p=self.pairs.p[where])
        return replace(self, ranks=[self.ranks[n] for n in order], pairs=pairs)


def rank(common: Common | None, rows: int, by: tuple[Column, Frame], level: float) -> Ranking:
    """Rank rows by a score.

    Args:
        common: what they are compared on; ``None`` if they cannot be.
        rows: how many they are.
        by: the score.
        level: of the tests, for all pairs of rows together.
    """
    column, frame = by
    differences, p = np.full((2, rows, rows), np.nan)
    if common is None:
        return Ranking([None] * rows, Pairs(differences, p, 0), Statistics(level, RESAMPLES, SEED, *by))
    values, counted = common.scores(column.key, frame)
    found = compare_rows(values, counted, common.clusters, common.resamples)
    members = np.ix_(common.members, common.members)
    differences[members], p[members] = found.differences, found.p
    pairs = Pairs(differences, p, found.clusters)
    ranked = common.eligible if pairs.tested and len(common.members) > 1 else []
    better = pairs.better(level, column.higher_is_better)[ranked]
    ranks = [1 + int(better[:, row].sum()) if row in ranked else None for row in range(rows)]
    clips = int(counted.any(axis=1).sum())
    return Ranking(ranks, pairs, Statistics(level, RESAMPLES, SEED, *by, clips, pairs.clusters))


def best_rows(
    common: Common | None, columns: Sequence[Column], frames: Sequence[Frame], ranking: Ranking
) -> dict[str, list[bool]]:
    """``<column>_<frame>_best`` for all rows: whether a row is not significantly worse than the best.

    The best is the eligible row with the best mean on the common frames. Rows that are not eligible are never among the
    best, and there is no best of one row, or of too few clusters.

    Args:
        common: what rows are compared on.
        columns: the columns of scores.
        frames: the frames.
        ranking: of the same rows: the score that they are ranked by is judged by its pairs.
    """
    best: dict[str, list[bool]] = {}
    statistics = ranking.statistics
    for column in columns:
        for frame in frames:
            rows: list[int] = []
            if common is not None and len(common.eligible) > 1:
                ranked = (column.key, frame) == (statistics.column.key, statistics.frame)
                pairs = ranking.pairs if ranked else None
                rows = _best(common, column, frame, statistics.level, pairs)
            best[f"{column.key}_{frame}_best"] = [row in rows for row in range(len(ranking.ranks))]
    return best


def _best(common: Common, column: Column, frame: Frame, level: float, pairs: Pairs | None) -> list[int]:
    """The numbers of the rows that are not significantly worse than the best eligible one."""
    rows = np.array(common.eligible)
    if pairs is None:
        values, counted = common.scores(column.key, frame)
        values = values[np.isin(common.members, rows)]
        near = _near_best(values, counted, common.clusters, column.higher_is_better)
        rows = rows[near]
        found = compare_rows(values[near], counted, common.clusters, common.resamples)
    else:
        found = Pairs(pairs.differences[np.ix_(rows, rows)], pairs.p[np.ix_(rows, rows)], pairs.clusters)
    if not found.tested:
        return []
    lead = found.differences[:, 0]
    first = int(np.argmax(lead if column.higher_is_better else -lead))
    worse = found.better(level, column.higher_is_better)[first]
    return [int(row) for row in rows[~worse]]


def _near_best(
    values: NDArray[np.float64],
    counted: NDArray[np.bool_],
    clusters: NDArray[np.int64],
    higher_is_better: bool,
) -> NDArray[np.bool_]:
    """Which rows ``(rows, clips, frames)`` are so near the best that it takes a bootstrap to tell them apart."""
    totals = np.where(counted, values, 0.0).sum(axis=(1, 2)) * (1 if higher_is_better else -1)
    behind = cluster_sums(np.where(counted, values[totals.argmax()] - values, 0.0), clusters)
    near: NDArray[np.bool_] = behind.sum(axis=1) ** 2 <= _FAR**2 * (behind**2).sum(axis=1)
    return near
