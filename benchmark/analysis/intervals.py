"""How certain a table's numbers are: intervals of its means, and of each row's difference to a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from vpbench.analysis.bootstrap import cluster_sums, half_widths, whole_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vpbench.analysis.columns import Column
    from vpbench.analysis.common import Common
    from vpbench.results.published_tables import Frame

    Values = dict[str, NDArray[np.float64]]


def ratio_means(
    values: NDArray[np.float64], counted: NDArray[np.bool_], clusters: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The means over the counted frames, and what :func:`vpbench.analysis.bootstrap.half_widths` needs of them.

    Args:
        values: ``(series, clips, frames)``; what is not counted may be NaN.
        counted: bool of the same shape.
        clusters: the cluster of each clip, ``(clips,)``.

    Returns:
        The means ``(series,)``, NaN without a counted frame; and ``(series, clusters)`` the residual of each cluster,
        and its number of counted frames.
    """
    whole, unit = whole_scores(np.where(counted, values, 0.0))
    sums = cluster_sums(whole, clusters) * unit
    counts = cluster_sums(counted.astype(np.float64), clusters)
    totals = counts.sum(axis=1, keepdims=True)
    means = sums.sum(axis=1, keepdims=True) / np.maximum(totals, 1.0)
    return np.where(totals > 0, means, np.nan)[:, 0], sums - means * counts, counts


def mean_intervals(
    common: Common | None, rows: int, columns: Sequence[Column], frames: Sequence[Frame], level: float
) -> Values:
    """``<column>_<frame>_low`` and ``_high`` of all rows, each over the frames that the row's runs count.

    Of several trainings, it is the interval of the mean of their means. It ends where the metric's range does, as the
    true mean lies in it.

    Args:
        common: the clusters and resamples; rows that it does not have get no interval (NaN).
        rows: how many there are.
        columns: the columns.
        frames: the frames.
        level: of the intervals.
    """
    ends: Values = {}
    for column in columns:
        for frame in frames:
            low, high = np.full((2, rows), np.nan)
            if common is not None:
                means, widths = _of_means(common, column.key, frame, level)
                low[common.members] = np.maximum(means - widths, column.low)
                high[common.members] = np.minimum(means + widths, column.high)
            ends |= {f"{column.key}_{frame}_low": low, f"{column.key}_{frame}_high": high}
    return ends


def _of_means(
    common: Common, column: str, frame: Frame, level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The means of the members, and how far their intervals reach."""
    runs = [common.entries[n].scores for n in common.members]
    scores = [one for members in runs for one in members]
    sizes = np.array([len(members) for members in runs])
    starts = np.cumsum(sizes) - sizes
    where = scores[0].at(frame)
    counted = np.stack([one.counted[:, where] for one in scores])
    values = np.stack([one.scores[column][:, where] for one in scores])
    means, residuals, counts = ratio_means(values, counted, common.clusters)
    residuals, counts = (np.add.reduceat(each, starts, axis=0) for each in (residuals, counts))
    widths = half_widths(residuals, counts, common.resamples, level)
    return np.add.reduceat(means, starts) / sizes, widths


def differences(
    common: Common | None,
    baseline: int,
    columns: Sequence[Column],
    frames: Sequence[Frame],
    level: float,
) -> Values:
    """Each row against a baseline, on the common frames; nothing if it cannot be compared.

    For each row ``<column>_<frame>_difference``, its mean − the baseline's; ``_difference_low`` and ``_high``, the
    interval of that; and ``_win_rate``, the share of the clips on which it is better, ties as half. NaN for the
    baseline itself, and for rows that cannot be compared.

    Args:
        common: what rows are compared on.
        baseline: the number of its entry.
        columns: the columns.
        frames: the frames.
        level: of the intervals, each by itself.
    """
    if common is None or baseline not in common.members:
        return {}
    found: Values = {}
    base = int(np.flatnonzero(common.members == baseline)[0])
    others = common.members[common.members != baseline]
    for column in columns:
        for frame in frames:
            values, counted = common.scores(column.key, frame)
            lead = np.delete(values - values[base], base, axis=0)
            means, residuals, counts = ratio_means(
                lead, np.broadcast_to(counted, lead.shape), common.clusters
            )
            widths = half_widths(residuals, counts, common.resamples, level)
            wins = win_rates(lead if column.higher_is_better else -lead, counted)
            parts = {
                "difference": means,
                "difference_low": means - widths,
                "difference_high": means + widths,
                "win_rate": wins,
            }
            for name, part in parts.items():
                found[f"{column.key}_{frame}_{name}"] = np.full(len(common.entries), np.nan)
                found[f"{column.key}_{frame}_{name}"][others] = part
    return found


def win_rates(leads: NDArray[np.float64], counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The share of the clips that have a counted frame on which the sum of leads is above 0; 0 counts as half.

    Args:
        leads: by how much a row is better, ``(series, clips, frames)``; 0 where not counted.
        counted: ``(clips, frames)``.
    """
    sums = leads.sum(axis=2)[:, counted.any(axis=1)]
    if not sums.shape[1]:
        return np.full(len(leads), np.nan)
    rates: NDArray[np.float64] = (np.sign(sums).mean(axis=1) + 1) / 2
    return rates
