"""The bootstrap over clusters: against plain loops, hand-computed cases, and reorderings that may change no bit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from vpbench.analysis.bootstrap import (
    LEAST_CLUSTERS,
    RESAMPLES,
    SEED,
    cluster_sums,
    critical,
    draw_resamples,
    half_widths,
    least_error,
    whole_residuals,
)
from vpbench.analysis.intervals import ratio_means, win_rates


def loop_width(sums: list[float], counts: list[float], times: NDArray, level: float) -> float:
    """A half-width from resamples that are written out as lists of clusters, each with its own standard error."""

    def mean_and_square(drawn: list[int]) -> tuple[float, float, float]:
        number = sum(counts[k] for k in drawn)
        mean = sum(sums[k] for k in drawn) / number
        return mean, sum((sums[k] - mean * counts[k]) ** 2 for k in drawn), number

    mean, square, number = mean_and_square(list(range(len(sums))))
    residuals = [s - mean * c for s, c in zip(sums, counts, strict=True)]
    statistics = []
    for row in times.astype(int):
        drawn = [k for k, how_often in enumerate(row) for _ in range(how_often)]
        if not sum(counts[k] for k in drawn):
            statistics.append(math.inf)
            continue
        own_mean, own_square, own_number = mean_and_square(drawn)
        error = max(
            math.sqrt(own_square),
            least_error(sum(map(bool, counts))) * math.sqrt(sum(e * e for e in residuals)),
        )
        statistics.append(abs(own_mean - mean) * own_number / error)
    beyond = int((len(statistics) + 1) * (1 - level) + 1e-9)
    return sorted(statistics, reverse=True)[beyond - 1] * math.sqrt(square) / number


def made_up(
    clips: int, frames: int, clusters: int, dropped: float, seed: int = 0
) -> tuple[NDArray, NDArray, NDArray]:
    """Scores ``(1, clips, frames)``, what is counted of them, and the cluster of each clip: all are used."""
    rng = np.random.default_rng(seed)
    numbers = rng.permutation(
        np.concatenate([np.arange(clusters), rng.integers(clusters, size=clips - clusters)])
    )
    values = rng.normal(30, 5, (1, clips, frames)) + rng.normal(0, 3, clusters)[numbers][:, np.newaxis]
    counted = rng.random(values.shape) >= dropped
    return np.where(counted, values, np.nan), counted, numbers


def test_every_resample_has_as_many_clusters_as_there_are_and_the_seed_fixes_them() -> None:
    times = draw_resamples(37)
    assert times.shape == (RESAMPLES, 37)
    assert (times.sum(axis=1) == 37).all()
    assert (times == draw_resamples(37, seed=SEED)).all()
    assert (times != draw_resamples(37, seed=SEED + 1)).any()
    assert abs(times.mean() - 1) < 1e-12
    assert times.var() == pytest.approx(1 - 1 / 37, rel=0.05)


def test_resamples_are_these_on_every_machine() -> None:
    assert draw_resamples(5, 3).tolist() == [[0, 2, 1, 1, 1], [4, 0, 0, 0, 1], [0, 0, 1, 2, 2]]


def test_sums_of_clusters_are_those_of_a_plain_loop() -> None:
    values, counted, clusters = made_up(20, 3, 6, 0.3)
    values = np.where(counted, values, 0.0)
    expected = np.zeros(6)
    for clip, cluster in enumerate(clusters):
        expected[cluster] += values[0, clip].sum()
    assert cluster_sums(values, clusters)[0] == pytest.approx(expected)
    assert cluster_sums(np.arange(8.0).reshape(4, 2), np.array([1, 0, 1, 2])).tolist() == [5.0, 10.0, 13.0]


@pytest.mark.parametrize(("clips", "clusters"), [(12, 12), (40, 13), (25, 6)])
@pytest.mark.parametrize("dropped", [0.0, 0.4])
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_half_widths_are_those_of_a_plain_loop(
    clips: int, clusters: int, dropped: float, level: float
) -> None:
    values, counted, numbers = made_up(clips, 2, clusters, dropped)
    counted[0, numbers == 0] = False  # a cluster without a score
    times = draw_resamples(clusters, 200)
    means, residuals, counts = ratio_means(values, counted, numbers)
    sums = cluster_sums(np.where(counted, values, 0.0), numbers)[0]
    width = half_widths(residuals, counts, times, level)[0]
    if np.count_nonzero(counts) < LEAST_CLUSTERS:
        assert math.isnan(width)
    else:
        assert means[0] == pytest.approx(np.nanmean(np.where(counted, values, np.nan)))
        assert width == pytest.approx(loop_width(list(sums), list(counts[0]), times, level), rel=1e-6)


def test_all_clips_of_a_cluster_are_drawn_together() -> None:
    """Clips that are there three times make nothing more certain, unless they are taken for independent ones."""
    values, counted, clusters = made_up(30, 1, 30, 0.0)
    times = draw_resamples(30)
    _, residuals, counts = ratio_means(values, counted, clusters)
    once = half_widths(residuals, counts, times, 0.95)
    thrice = np.repeat(values, 3, axis=1), np.repeat(counted, 3, axis=1)
    _, residuals, counts = ratio_means(*thrice, np.repeat(clusters, 3))
    assert half_widths(residuals, counts, times, 0.95) == pytest.approx(once)
    _, residuals, counts = ratio_means(*thrice, np.arange(90))
    assert half_widths(residuals, counts, draw_resamples(90), 0.95) < 0.65 * once


def test_scores_that_do_not_vary_have_intervals_of_no_width_and_few_clusters_none() -> None:
    clusters = np.arange(LEAST_CLUSTERS)
    same = np.full((2, LEAST_CLUSTERS, 1), 0.9)
    counted = np.ones(same.shape, bool)
    counted[1, 0] = False
    means, residuals, counts = ratio_means(same, counted, clusters)
    widths = half_widths(residuals, counts, draw_resamples(LEAST_CLUSTERS), 0.95)
    assert means == pytest.approx([0.9, 0.9])
    assert widths[0] == pytest.approx(0, abs=1e-8)
    assert math.isnan(widths[1])
    nothing, *_ = ratio_means(same, np.zeros(same.shape, bool), clusters)
    assert np.isnan(nothing).all()


def test_the_order_of_clusters_changes_no_bit() -> None:
    """Sums are exact, so that it makes no difference in which order a machine adds them up."""
    values, counted, _ = made_up(100, 2, 100, 0.2)
    clusters = np.arange(100)
    times = draw_resamples(100)
    _, residuals, counts = ratio_means(values, counted, clusters)
    order = np.random.default_rng(1).permutation(100)
    _, other, other_counts = ratio_means(values[:, order], counted[:, order], clusters)
    widths = half_widths(residuals, counts, times, 0.95)
    assert half_widths(other, other_counts, times[:, order], 0.95).tobytes() == widths.tobytes()


@pytest.mark.parametrize("limit", [2.0**24 / 7, 2.0**53 / 7])
def test_whole_residuals_keep_below_the_limit_and_close_to_what_they_round(limit: float) -> None:
    rng = np.random.default_rng(2)
    residuals = np.stack(
        [rng.normal(0, 1e-4, 400), rng.standard_t(1.5, 400), np.zeros(400), np.eye(1, 400)[0]]
    )
    whole, scales = whole_residuals(residuals, limit)
    assert (whole == np.rint(whole)).all()
    assert ((whole**2).sum(axis=1) <= limit).all()
    size = np.sqrt((residuals**2).mean(axis=1, keepdims=True))
    assert (np.abs(whole / scales - residuals) <= size / 20).all()
    assert (whole[:1] ** 2).sum() > limit / 20  # and not far below it


def test_a_resample_has_a_least_standard_error() -> None:
    assert least_error(np.array([6, 16, 36, 100, 900])).tolist() == pytest.approx([0.25, 0.25, 0.5, 0.7, 0.9])


def test_critical_values_by_hand() -> None:
    # of 99 statistics and the sample's own, five are to be the largest: it has to exceed the fifth of the others
    statistics = np.random.default_rng(0).permutation(np.arange(1.0, 100.0))
    assert critical(statistics, 0.95) == 95.0
    assert critical(statistics, 0.99) == 99.0
    assert critical(statistics, 0.999) == math.inf


def test_win_rates_count_ties_as_half_and_clips_once() -> None:
    leads = np.array([[[1.0, 1.0], [-3.0, 1.0], [0.0, 0.0], [2.0, -2.0], [9.0, 9.0]]])
    counted = np.array([[True, True]] * 4 + [[False, False]])
    assert win_rates(leads, counted).tolist() == [0.5]
    assert win_rates(leads, np.ones((5, 2), bool)).tolist() == [0.6]
    assert np.isnan(win_rates(leads, np.zeros((5, 2), bool))).all()
