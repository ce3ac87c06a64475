"""Every row of a table compared with every other: max-T over all pairs, from one bootstrap over clusters.

The statistic of a pair is Student's t of its clusters: t² = (Σ d)² / (Σ d² − (Σ d)² / clusters), where d is the
difference of the two rows' sums over a cluster. A resample has a t of its own, from what is left of the differences
without the mean difference, as if no row were better than another; the largest |t| of all pairs is kept. The p-value of
a pair is the share of resamples whose largest |t| reaches the pair's own. So the chance that *any* two rows are told
apart that do not differ is at most 1 − level, however many rows there are: the family-wise error is controlled, in a
single step.

Sources: P. Westfall, S. Young, *Resampling-Based Multiple Testing*, 1993; J. Romano, M. Wolf, *Exact and approximate
stepdown methods for multiple hypothesis testing*, 2005. ``docs/statistics.md`` has error rates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vpbench.analysis.bootstrap import (
    LEAST_CLUSTERS,
    cluster_sums,
    least_error,
    whole_residuals,
    whole_scores,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Sums of squares of whole numbers are exact in float32 up to here; it takes half the time of float64.
_EXACT = 2.0**24
# Rows × rows that are compared at a time: few enough for the processor's cache.
_TILE = 8, 32


@dataclass(frozen=True)
class Pairs:
    """Every row compared with every other.

    Attributes:
        differences: float64 ``(rows, rows)``: the mean of row i − that of row j, over the same frames.
        p: float64 ``(rows, rows)``: the p-value of the difference, two-sided, corrected for the number of pairs.
        clusters: the number of clusters that have such frames.
    """

    differences: NDArray[np.float64]
    p: NDArray[np.float64]
    clusters: int

    @property
    def tested(self) -> bool:
        """Whether there are clusters enough to tell rows apart."""
        return self.clusters >= LEAST_CLUSTERS

    def better(self, level: float, higher_is_better: bool) -> NDArray[np.bool_]:
        """Bool ``(rows, rows)``: row i is significantly better than row j."""
        ahead = self.differences > 0 if higher_is_better else self.differences < 0
        return ahead & (self.p <= 1 - level)


def compare_rows(
    values: NDArray[np.float64],
    counted: NDArray[np.bool_],
    clusters: NDArray[np.int64],
    resamples: NDArray[np.float64],
) -> Pairs:
    """Compare every row with every other, on the same frames.

    With fewer than :data:`vpbench.analysis.bootstrap.LEAST_CLUSTERS` clusters there are no p-values (NaN); that of two
    rows that differ in fewer is 1.

    Args:
        values: ``(rows, clips, frames)``; what is not counted may be NaN.
        counted: ``(clips, frames)``, for all rows.
        clusters: the cluster of each clip, ``(clips,)``.
        resamples: of :func:`vpbench.analysis.bootstrap.draw_resamples`, ``(resamples, clusters)``.
    """
    counts = cluster_sums(counted.astype(np.float64), clusters)
    kept = counts > 0
    whole, unit = whole_scores(np.where(counted, values, 0.0))
    sums = cluster_sums(whole, clusters)[:, kept]
    means = sums.sum(axis=1) / counts.sum() if kept.any() else np.full(len(sums), np.nan)
    p = np.full((len(sums), len(sums)), np.nan)
    if kept.sum() >= LEAST_CLUSTERS:
        statistics, largest = _statistics(sums, means, counts[kept], resamples[:, kept])
        reached = len(largest) - np.searchsorted(np.sort(largest), statistics)
        p = (reached + 1) / (len(largest) + 1)
    return Pairs((means[:, np.newaxis] - means) * unit, p, int(kept.sum()))


@dataclass(frozen=True)
class _Rows:
    """What is summed up of rows, or of pairs of rows: as sums, those of a pair are the differences of its rows'.

    Attributes:
        sums: of the scores of each cluster, whole numbers, ``(rows, clusters)``.
        means: ``(rows,)``.
        residuals: the sums − means × counts, rounded, ``(rows, clusters)``.
        crossed: the sum of residuals × counts, ``(rows,)``.
        shifts: the sums of the residuals in each resample, ``(rows, resamples)``.
    """

    sums: NDArray[np.float64]
    means: NDArray[np.float64]
    residuals: NDArray[np.float64]
    crossed: NDArray[np.float64]
    shifts: NDArray[np.float64]

    def pairs(self, some: slice, others: slice) -> _Rows:
        """Each of some rows minus each of others, one after the other."""
        parts = [self.sums, self.means, self.residuals, self.crossed, self.shifts]
        return _Rows(*[(v[some, np.newaxis] - v[others]).reshape(-1, *v.shape[1:]) for v in parts])


def _statistics(
    sums: NDArray[np.float64],
    means: NDArray[np.float64],
    counts: NDArray[np.float64],
    resamples: NDArray[np.float64],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """t² of all pairs ``(rows, rows)``, and the largest of each resample ``(resamples,)``.

    Args:
        sums: whole numbers, ``(rows, clusters)``.
        means: ``(rows,)``.
        counts: ``(clusters,)``, none of them 0.
        resamples: ``(resamples, clusters)``.
    """
    residuals = np.rint(sums - means[:, np.newaxis] * counts)
    rows = _Rows(sums, means, residuals, residuals @ counts, residuals @ resamples.T)
    times, limit = np.ascontiguousarray(resamples.T, np.float32), _EXACT / resamples.max()
    statistics = np.zeros((len(sums), len(sums)), np.float32)
    largest = np.zeros(len(resamples), np.float32)
    largest[resamples.sum(axis=1) == 0] = np.inf  # a resample without a score tells nothing
    for first in range(0, len(sums), _TILE[0]):
        for second in range(first, len(sums), _TILE[1]):
            tile = slice(first, first + _TILE[0]), slice(second, second + _TILE[1])
            sample, drawn = _of_pairs(rows.pairs(*tile), counts, times, limit)
            statistics[tile] = sample.reshape(statistics[tile].shape)
            np.maximum(largest, drawn.max(axis=0), out=largest)
    upper = np.triu(statistics)
    return np.maximum(upper, upper.T), largest


def _of_pairs(
    pairs: _Rows, counts: NDArray[np.float64], times: NDArray[np.float32], limit: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """t² of pairs ``(pairs,)``, and in each resample ``(pairs, resamples)``.

    Args:
        pairs: the differences of their rows.
        counts: ``(clusters,)``.
        times: how often each cluster is in each resample, ``(clusters, resamples)``.
        limit: of the sums of squares, for them to be exact in every resample.
    """
    tested = np.count_nonzero(pairs.sums, axis=1) >= LEAST_CLUSTERS
    whole, scales = whole_residuals(pairs.residuals, limit)
    squares, scale = np.square(whole).astype(np.float32), scales[:, 0]
    square = squares.sum(axis=1)

    shift = pairs.means * counts.sum() * scale  # Σ d
    crossed = 2 * pairs.means * pairs.crossed + pairs.means**2 * (counts @ counts)
    spread = square + crossed * scale**2 - shift**2 / len(counts)
    sample = np.where(tested, shift**2 / np.maximum(spread, 1), 0).astype(np.float32)

    errors = squares @ times
    drawn = (pairs.shifts * scales).astype(np.float32)
    drawn *= drawn
    errors -= drawn / np.maximum(times.sum(axis=0), 1)
    least = np.maximum(least_error(len(counts)) ** 2 * square, 1).astype(np.float32)
    np.maximum(errors, least[:, np.newaxis], out=errors)
    drawn /= errors
    drawn[~tested] = 0
    return sample, drawn
