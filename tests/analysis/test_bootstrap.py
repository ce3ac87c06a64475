"""The bootstrap, against plain loops, scipy's, hand-computed cases and a simulation."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from vpbench.analysis.bootstrap import (
    LEAST_CLIPS,
    RESAMPLES,
    SEED,
    compare_rows,
    draw_resamples,
    percentile_interval,
    resampled_means,
)


def loop_means(values: NDArray, counted: NDArray, times: NDArray) -> list[float]:
    """Each resample written out as a list of frames, whose mean is taken."""
    means = []
    for drawn in times.astype(int):
        frames = [
            values[clip, frame]
            for clip in range(len(values))
            for _ in range(drawn[clip])
            for frame in range(values.shape[1])
            if counted[clip, frame]
        ]
        means.append(sum(frames) / len(frames) if frames else float("nan"))
    return means


def loop_interval(means: list[float], level: float) -> tuple[float, float]:
    ordered = sorted(mean for mean in means if mean == mean)
    tail = int(len(ordered) * (1 - level) / 2 + 1e-9)
    return ordered[tail], ordered[-1 - tail]


def loop_better(a, b, counted_a, counted_b, times, level) -> tuple[bool, bool, int]:
    """Whether a is better than b, b than a, and on how many clips; by the interval of the mean difference."""
    both = counted_a & counted_b
    pairs = int(both.any(axis=1).sum())
    if pairs < LEAST_CLIPS:
        return False, False, pairs
    low, high = loop_interval(loop_means(np.where(both, a - b, np.nan), both, times), level)
    return low > 0, high < 0, pairs


def scores(seed: int, rows: int, clips: int, frames: int, dropped: float) -> tuple[NDArray, NDArray]:
    """Made-up scores of rows that differ little, with NaN where not counted."""
    rng = np.random.default_rng(seed)
    values = rng.normal(30, 5, (1, clips, frames)) + rng.normal(0, 1, (rows, clips, frames))
    values += np.linspace(0, 1.5, rows)[:, None, None]
    counted = rng.random(values.shape) >= dropped
    return np.where(counted, values, np.nan), counted


def test_every_resample_has_as_many_clips_as_there_are_and_the_seed_fixes_them() -> None:
    times = draw_resamples(37)
    assert times.shape == (RESAMPLES, 37)
    assert (times.sum(axis=1) == 37).all()
    assert (times == draw_resamples(37, seed=SEED)).all()
    assert (times != draw_resamples(37, seed=SEED + 1)).any()
    assert abs(times.mean() - 1) < 1e-12
    assert times.var() == pytest.approx(1 - 1 / 37, rel=0.05)


@pytest.mark.parametrize("frames", [1, 3])
def test_resampled_means_are_those_of_a_plain_loop(frames: int) -> None:
    values, counted = scores(1, 1, 9, frames, 0.3)
    times = draw_resamples(9, 200)
    expected = loop_means(values[0], counted[0], times)
    assert resampled_means(values[0], counted[0], times) == pytest.approx(expected, nan_ok=True)
    assert percentile_interval(np.array(expected), 0.9) == pytest.approx(loop_interval(expected, 0.9))


def test_intervals_agree_with_scipy_on_the_same_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    values, counted = scores(2, 1, 40, 1, 0.0)
    times = draw_resamples(40)
    drawn = np.stack([np.repeat(np.arange(40), row.astype(int)) for row in times])

    class Fixed(np.random.Generator):
        """Gives scipy the resamples that vpbench took."""

        def integers(self, *_: object, **__: object) -> NDArray:
            return drawn

    theirs = stats.bootstrap(
        (values[0, :, 0],),
        np.mean,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=Fixed(np.random.PCG64(0)),
    )
    ours = resampled_means(values[0], counted[0], times)
    assert np.sort(ours) == pytest.approx(np.sort(theirs.bootstrap_distribution))
    low, high = percentile_interval(ours)
    # scipy interpolates between neighbouring resamples
    between = np.sort(ours)
    assert between[24] <= theirs.confidence_interval.low <= low
    assert high <= theirs.confidence_interval.high <= between[975]


def test_intervals_by_hand() -> None:
    # 100 means 1 … 100: 90 % leaves out 5 at each end
    means = np.random.default_rng(0).permutation(np.arange(1.0, 101.0))
    assert percentile_interval(means, 0.9) == (6.0, 95.0)
    assert percentile_interval(np.append(means, [np.nan] * 40), 0.9) == (6.0, 95.0)
    assert np.isnan(percentile_interval(np.array([np.nan]))).all()


@pytest.mark.parametrize("dropped", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.parametrize("higher", [True, False])
def test_rows_are_told_apart_as_by_a_plain_loop(dropped: float, frames: int, higher: bool) -> None:
    values, counted = scores(3, 5, 24, frames, dropped)
    times = draw_resamples(24, 200)
    found = compare_rows(values, counted, times, 0.9, higher)
    decided = 0
    for i in range(5):
        for j in range(5):
            better, worse, pairs = loop_better(values[i], values[j], counted[i], counted[j], times, 0.9)
            assert found.clips[i, j] == pairs
            assert found.better[i, j] == (better if higher else worse), (i, j)
            decided += better
    assert decided


def test_equal_rows_tie_exactly_and_a_constant_lead_wins() -> None:
    values, counted = scores(4, 1, 50, 1, 0.2)
    rows = np.concatenate([values, values, values + 1e-3])
    found = compare_rows(rows, np.repeat(counted, 3, axis=0), draw_resamples(50))
    assert found.better.tolist() == [[False] * 3, [False] * 3, [True, True, False]]


def test_too_few_pairs_tell_nothing() -> None:
    values = np.stack([np.full((20, 1), 30.0), np.full((20, 1), 20.0)])
    counted = np.ones((2, 20, 1), bool)
    counted[1, LEAST_CLIPS - 1 :] = False
    found = compare_rows(np.where(counted, values, np.nan), counted, draw_resamples(20))
    assert not found.better.any()
    assert found.clips[0, 1] == LEAST_CLIPS - 1
    counted[1, LEAST_CLIPS - 1] = True
    values = np.where(counted, values, np.nan)
    assert compare_rows(values, counted, draw_resamples(20)).better.tolist() == [
        [False, True],
        [False, False],
    ]


def test_intervals_cover_the_mean_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(5)
    times, counted = draw_resamples(60), np.ones((60, 1), bool)
    hits = 0
    for _ in range(400):
        low, high = percentile_interval(resampled_means(rng.normal(30, 5, (60, 1)), counted, times))
        hits += low <= 30 <= high
    assert 0.91 <= hits / 400 <= 0.97


def test_rows_without_a_difference_are_seldom_told_apart() -> None:
    rng = np.random.default_rng(6)
    clips = rng.normal(30, 6, (1, 80, 1))
    rows = clips + rng.normal(0, 1, (40, 80, 1))
    found = compare_rows(rows, np.ones(rows.shape, bool), draw_resamples(80))
    assert 0.02 < found.better.sum() / (40 * 39 / 2) < 0.10
