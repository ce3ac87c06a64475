"""How certain a mean is, and which of two runs is better: the percentile bootstrap over clips.

Clips are resampled: a resample draws as many clips as there are, with replacement, and all frames of a clip go
together. One set of resamples, from a fixed seed, serves every row, so that rows differ by their scores
and not by chance. Source: B. Efron, R. Tibshirani, *An Introduction to the Bootstrap*, 1993, chapters 13 and 16.

An interval runs from the (k + 1)-th smallest to the (k + 1)-th largest of the resampled means, k being the share
(1 − level) / 2 of them. With few clips it is narrower than its level says: 12 clips of normally distributed scores
give a coverage of about 90 % instead of 95 %. With fewer than :data:`LEAST_CLIPS` clips there is none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


RESAMPLES = 1000
SEED = 0
LEVEL = 0.95
# With fewer than 6 clips no two-sided rank test reaches 5 % (2 · 0.5⁵ = 6 %), yet the bootstrap would call any
# difference of one sign significant.
LEAST_CLIPS = 6
# With fewer paired clips than these, a resample may hold none of them: (1 − 60/n)ⁿ < 1e-26.
_SURELY_DRAWN = 60


@dataclass(frozen=True)
class Pairs:
    """Every row compared with every other.

    Attributes:
        better: bool ``(R, R)``; ``better[i, j]``: row i is significantly better than row j.
        clips: int64 ``(R, R)``; the number of clips that are counted in both rows.
    """

    better: NDArray[np.bool_]
    clips: NDArray[np.int64]


def draw_resamples(clips: int, resamples: int = RESAMPLES, seed: int = SEED) -> NDArray[np.float64]:
    """How often each of ``clips`` clips is in each resample: float64 ``(resamples, clips)`` of whole numbers."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(clips, np.full(clips, 1 / clips), size=resamples).astype(np.float64)


def enough_clips(counted: NDArray[np.bool_]) -> bool:
    """Whether enough clips have a counted frame for an interval.

    Args:
        counted: bool ``(clips, frames)``.
    """
    return int(counted.any(axis=1).sum()) >= LEAST_CLIPS


def resampled_means(
    values: NDArray[np.float64], counted: NDArray[np.bool_], resamples: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The mean over the counted frames in each resample.

    Args:
        values: ``(clips, frames)``; what is not counted may be NaN.
        counted: bool of the same shape.
        resamples: of :func:`draw_resamples`, ``(resamples, clips)``.

    Returns:
        float64 ``(resamples,)``; NaN where a resample has no counted frame.
    """
    return ratios(np.where(counted, values, 0.0).sum(axis=1), counted.sum(axis=1), resamples)


def ratios(
    sums: NDArray[np.float64], counts: NDArray[np.int64], resamples: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The means in each resample, from the sum and the number of the counted scores of each clip, ``(clips, …)``."""
    with np.errstate(invalid="ignore", divide="ignore"):
        means: NDArray[np.float64] = (resamples @ sums) / (resamples @ counts.astype(np.float64))
    return means


def percentile_interval(means: NDArray[np.float64], level: float = LEVEL) -> tuple[float, float]:
    """The percentile interval of resampled means ``(resamples,)``; those without a mean (NaN) are left out."""
    ordered = np.sort(means[np.isfinite(means)])
    if not ordered.size:
        return math.nan, math.nan
    tail = int(_tail(np.array(ordered.size), level))
    return float(ordered[tail]), float(ordered[-1 - tail])


def compare_rows(
    values: NDArray[np.float64],
    counted: NDArray[np.bool_],
    resamples: NDArray[np.float64],
    level: float = LEVEL,
    higher_is_better: bool = True,
) -> Pairs:
    """Find which rows are significantly better than which.

    Row i is better than row j if the percentile interval of their mean difference, over the frames that are
    counted in both, lies wholly on i's side of 0. To know that, it is enough to count the resamples in which the
    sum of differences is not on that side. There is no correction for the number of pairs.

    Scores are rounded to 30 bits of the largest, so that all sums are whole numbers below 2⁵³: exact, the same on
    every machine, and 0 for equal runs.

    Args:
        values: ``(rows, clips, frames)``; what is not counted may be NaN.
        counted: bool of the same shape.
        resamples: of :func:`draw_resamples`, ``(resamples, clips)``.
        level: of the interval.
        higher_is_better: direction of the scores.
    """
    rows, clips = len(values), values.shape[1]
    whole = _whole_numbers(np.where(counted, values, 0.0)) * (1 if higher_is_better else -1)
    paired = np.array([(counted[i] & counted).any(axis=2).sum(axis=1) for i in range(rows)], np.int64)
    better = np.zeros((rows, rows), np.bool_)
    # Clips that every row counts need one sum per row; only the others must be treated pair by pair.
    shared = counted.all(axis=(0, 2))
    sums = whole[:, shared].sum(axis=2) @ resamples[:, shared].T
    mixed = np.ascontiguousarray(resamples[:, ~shared].T)
    rest, rest_counted = whole[:, ~shared], counted[:, ~shared]
    for i in range(rows - 1):
        others = slice(i + 1, rows)
        difference = sums[i] - sums[others]
        if mixed.size:
            both = rest_counted[i] & rest_counted[others]
            difference += np.where(both, rest[i] - rest[others], 0.0).sum(axis=2) @ mixed
        missing = np.zeros(rows - i - 1, np.int64)  # resamples without a pair: their sum 0 is on neither side
        for n in np.flatnonzero(paired[i, others] < min(_SURELY_DRAWN, clips)):
            pair = (counted[i] & counted[i + 1 + n]).any(axis=1)
            missing[n] = (resamples[:, pair].sum(axis=1) == 0).sum()
        tails = _tail(len(resamples) - missing, level)
        valid = paired[i, others] >= LEAST_CLIPS
        not_above = np.count_nonzero(difference <= 0, axis=1) - missing
        better[i, others] = valid & (not_above <= tails)
        candidates = valid & (not_above >= len(resamples) - missing - tails)
        not_below = np.count_nonzero(difference[candidates] >= 0, axis=1) - missing[candidates]
        better[i + 1 + np.flatnonzero(candidates), i] = not_below <= tails[candidates]
    return Pairs(better, paired)


def _tail(resamples: NDArray[np.int64], level: float) -> NDArray[np.int64]:
    """How many resamples lie outside the interval at each end."""
    return np.floor(resamples * (1 - level) / 2 + 1e-9).astype(np.int64)


def _whole_numbers(values: NDArray[np.float64]) -> NDArray[np.float64]:
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0:
        return values
    return np.rint(np.ldexp(values, 30 - math.frexp(largest)[1]))
