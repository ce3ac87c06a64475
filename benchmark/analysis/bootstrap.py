"""How certain a mean is: the studentised bootstrap over clusters of clips.

Clips of one source are alike, so what is drawn are clusters, all clips of one source together: a resample has as many
clusters as there are, drawn with replacement, with all frames of all their clips. One set of resamples, from a fixed
seed, serves every row.

A mean is a ratio: the sum of the counted scores over their number. Its standard error is that of the ratio's linear
form, √(Σ e²) over the number of scores, where e is the *residual* of a cluster: the sum of its scores − the mean × the
number of its scores. Each resample has a mean and a standard error of its own, and so a statistic of its own, t = (its
mean − the mean) / its standard error. The interval is mean ± c × standard error, where c leaves a share 1 − level of
the resamples' |t| outside. With fewer than :data:`LEAST_CLUSTERS` clusters there is none.

Sources: B. Efron, R. Tibshirani, *An Introduction to the Bootstrap*, 1993, section 12.5; A. Cameron, J. Gelbach, D.
Miller, *Bootstrap-based improvements for inference with clustered errors*, 2008. ``docs/statistics.md`` has coverages.

Scores and residuals are rounded to whole numbers, so finely that it does not matter, and so that all sums of them are
exact: the results are the same, bit for bit, on every machine.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


RESAMPLES = 1000
SEED = 0
LEVEL = 0.95
# With fewer than 6 clusters no two-sided rank test reaches 5 % (2 · 0.5⁵ = 6 %), yet a bootstrap would call any
# difference of one sign significant.
LEAST_CLUSTERS = 6
EXACT = 2.0**53  # whole numbers up to here are exact in float64
_BITS = 30  # of a score


def draw_resamples(clusters: int, resamples: int = RESAMPLES, seed: int = SEED) -> NDArray[np.float64]:
    """How often each cluster is in each resample: float64 ``(resamples, clusters)`` of whole numbers."""
    drawn = np.random.default_rng(seed).integers(clusters, size=(resamples, clusters))
    drawn += clusters * np.arange(resamples)[:, np.newaxis]
    times = np.bincount(drawn.ravel(), minlength=resamples * clusters)
    return times.reshape(resamples, clusters).astype(np.float64)


def cluster_sums(values: NDArray[np.float64], clusters: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sums over the frames of all clips of a cluster, exact for whole numbers.

    Args:
        values: ``(…, clips, frames)``.
        clusters: the cluster of each clip, ``(clips,)``: 0, 1, … without a gap.

    Returns:
        ``(…, clusters)``.
    """
    order = np.argsort(clusters, kind="stable")
    starts = np.flatnonzero(np.diff(clusters[order], prepend=-1))
    sums: NDArray[np.float64] = np.add.reduceat(values.sum(axis=-1)[..., order], starts, axis=-1)
    return sums


def least_error(clusters: NDArray[np.int64] | int) -> NDArray[np.float64]:
    """The share of the sample's standard error that a resample's counts as at least: 1 − 3/√clusters, and 1/4.

    It seldom is smaller: of normal scores, its share varies by 0.7/√clusters. But where a few clusters make a whole
    difference, the resamples without them have next to no error, and their t would be without bound.
    """
    return np.maximum(0.25, 1 - 3 / np.sqrt(np.maximum(clusters, 1)))


def whole_scores(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Scores as whole numbers of 30 bits, and what one of them is worth.

    Args:
        values: any shape, finite.
    """
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0:
        return values, 1.0
    exponent = _BITS - math.frexp(largest)[1]
    return np.rint(np.ldexp(values, exponent)), math.ldexp(1.0, -exponent)


def whole_residuals(
    residuals: NDArray[np.float64], limit: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Residuals as whole numbers whose squares sum up to at most ``limit``.

    Args:
        residuals: ``(series, clusters)``.
        limit: of each series' sum.

    Returns:
        The whole numbers, and by what each series was multiplied before it was rounded, ``(series, 1)``.
    """
    sizes = np.abs(residuals)
    largest = sizes.max(axis=1, keepdims=True)
    largest[largest == 0] = 1.0
    shares = np.rint(sizes * (2.0**_BITS / largest)).sum(axis=1, keepdims=True) / 2.0**_BITS
    # The squares sum up to at most largest² × shares. Rounding makes a number at most twice as large.
    scales = np.sqrt(limit / (4 * np.maximum(shares, 1.0))) / largest
    return np.rint(residuals * scales), scales


def half_widths(
    residuals: NDArray[np.float64], counts: NDArray[np.float64], resamples: NDArray[np.float64], level: float
) -> NDArray[np.float64]:
    """How far the intervals of means reach to either side.

    Args:
        residuals: the sum of each cluster's scores − mean × number of its scores, ``(series, clusters)``.
        counts: the number of its scores, of the same shape.
        resamples: of :func:`draw_resamples`, ``(resamples, clusters)``.
        level: of the intervals.

    Returns:
        ``(series,)``; NaN where fewer than :data:`LEAST_CLUSTERS` clusters have scores.
    """
    times = np.ascontiguousarray(resamples.T)
    whole, scales = whole_residuals(residuals, EXACT / resamples.max())
    squares = whole**2
    square = squares.sum(axis=1, keepdims=True)
    number = np.count_nonzero(counts, axis=1)
    least = least_error(number)[:, np.newaxis] ** 2 * np.maximum(square, 1.0)
    shifts, drawn = whole @ times, counts @ times
    with np.errstate(invalid="ignore", divide="ignore"):
        means = shifts / drawn
        errors = squares @ times - 2 * means * ((whole * counts) @ times) + means**2 * (counts**2 @ times)
        t = shifts**2 / np.maximum(errors, least)
        t[drawn == 0] = np.inf  # a resample without a score has no mean
        widths = np.sqrt(critical(t, level) * square[:, 0]) / scales[:, 0] / counts.sum(axis=1)
    return np.where(number < LEAST_CLUSTERS, np.nan, widths)


def critical(statistics: NDArray[np.floating], level: float) -> NDArray[np.float64]:
    """What a statistic must exceed to be among the share 1 − ``level`` of the largest, itself and the resamples'.

    Args:
        statistics: of the resamples, ``(…, resamples)``.
        level: of the test.

    Returns:
        ``(…,)``; infinite where there are too few resamples for the level.
    """
    resamples = statistics.shape[-1]
    largest = int((resamples + 1) * (1 - level) + 1e-9)
    if largest == 0:
        return np.full(statistics.shape[:-1], np.inf)
    place = resamples - largest
    value: NDArray[np.float64] = np.partition(statistics, place, axis=-1)[..., place]
    return value
