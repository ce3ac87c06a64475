"""All pairs of rows: max-T against plain loops, ties, rows that hardly differ, and reorderings."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from vpbench.analysis.bootstrap import LEAST_CLUSTERS, cluster_sums, draw_resamples, least_error
from vpbench.analysis.pairs import compare_rows


def spread(differences: list[float]) -> float:
    """The sum of squares from the mean."""
    return sum(d * d for d in differences) - sum(differences) ** 2 / len(differences)


def loop_p(
    values: NDArray, counted: NDArray, clusters: NDArray, times: NDArray
) -> dict[tuple[int, int], float]:
    """The corrected p-value of each pair, with every sum written out."""
    sums = cluster_sums(np.where(counted, values, 0.0), clusters).tolist()
    counts = cluster_sums(counted.astype(float), clusters).tolist()
    kept = [k for k, count in enumerate(counts) if count]
    total = sum(counts)
    own, largest = {}, [0.0] * len(times)
    for i in range(len(values)):
        for j in range(i + 1, len(values)):
            d = {k: sums[i][k] - sums[j][k] for k in kept}
            mean = sum(d.values()) / total
            left = {k: d[k] - mean * counts[k] for k in kept}
            own[i, j] = abs(sum(d.values())) / math.sqrt(spread(list(d.values())))
            least = least_error(len(kept)) * math.sqrt(sum(e * e for e in left.values()))
            for b, row in enumerate(times):
                drawn = [left[k] for k in kept for _ in range(int(row[k]))]
                if not drawn:
                    largest[b] = math.inf
                else:
                    error = max(math.sqrt(max(spread(drawn), 0)), least)
                    largest[b] = max(largest[b], abs(sum(drawn)) / error)
    return {
        pair: (1 + sum(other >= statistic for other in largest)) / (1 + len(times))
        for pair, statistic in own.items()
    }


def made_up(rows: int, clips: int, clusters: int, dropped: float, seed: int = 0) -> tuple[NDArray, ...]:
    """Rows that differ little on clips of unequal difficulty, what is counted, and the cluster of each clip."""
    rng = np.random.default_rng(seed)
    numbers = rng.permutation(
        np.concatenate([np.arange(clusters), rng.integers(clusters, size=clips - clusters)])
    )
    values = rng.normal(30, 5, (1, clips, 2)) + rng.standard_t(4, (rows, clips, 2))
    values += rng.normal(0, 0.7, (rows, clusters))[:, numbers, np.newaxis]
    values += np.linspace(0, 2.5, rows)[:, np.newaxis, np.newaxis]
    counted = rng.random((clips, 2)) >= dropped
    return np.where(counted, values, np.nan), counted, numbers


@pytest.mark.parametrize(("clips", "clusters"), [(30, 30), (40, 14), (30, 7)])
@pytest.mark.parametrize("dropped", [0.0, 0.6])
def test_p_values_are_those_of_a_plain_loop(clips: int, clusters: int, dropped: float) -> None:
    values, counted, numbers = made_up(5, clips, clusters, dropped)
    times = draw_resamples(clusters, 200)
    found = compare_rows(values, counted, numbers, times)
    means = np.nanmean(np.where(counted, values, np.nan), axis=(1, 2))
    assert found.differences == pytest.approx(means[:, np.newaxis] - means, abs=1e-6)
    expected = loop_p(values, counted, numbers, times)
    for (i, j), p in expected.items():
        assert found.p[i, j] == found.p[j, i]
        assert found.p[i, j] == pytest.approx(p, abs=0.011), (
            i,
            j,
        )  # scores are rounded: two of 200 may fall otherwise
    assert (np.diag(found.p) == 1).all()
    assert min(expected.values()) < 0.15 < max(expected.values())


def test_better_goes_by_the_direction_of_the_score() -> None:
    values, counted, clusters = made_up(4, 60, 60, 0.0)
    found = compare_rows(values, counted, clusters, draw_resamples(60))
    up, down = found.better(0.95, True), found.better(0.95, False)
    assert up[3, 0]
    assert not up[0, 3]
    assert (up == down.T).all()
    assert not found.better(0.9999, True).any()  # 1000 resamples cannot show so much


def test_equal_rows_tie_exactly_and_a_constant_lead_wins() -> None:
    values, counted, clusters = made_up(1, 50, 50, 0.2)
    found = compare_rows(
        np.concatenate([values, values, values + 1e-3]), counted, clusters, draw_resamples(50)
    )
    assert found.differences[0, 1] == 0
    assert found.p[0, 1] == 1
    assert found.better(0.95, True).tolist() == [[False] * 3, [False] * 3, [True, True, False]]


def test_a_correction_for_all_pairs_is_made() -> None:
    """A lead that is significant by itself is not, once there are many rows that do not differ."""
    rng = np.random.default_rng(3)
    clusters, counted, times = np.arange(40), np.ones((40, 1), bool), draw_resamples(40)
    values = rng.normal(0, 1, (20, 40, 1))
    values[0] = values[1] + rng.normal(0, 1, (40, 1))
    values[0] += values[1].mean() - values[0].mean() + 0.42
    assert compare_rows(values[:2], counted, clusters, times).better(0.95, True)[0, 1]
    assert not compare_rows(values, counted, clusters, times).better(0.95, True)[0, 1]


def test_clusters_count_not_clips() -> None:
    values, counted, clusters = made_up(4, 24, 24, 0.0)
    once = compare_rows(values, counted, clusters, draw_resamples(24)).p
    thrice = np.repeat(values, 3, axis=1), np.repeat(counted, 3, axis=0)
    assert (compare_rows(*thrice, np.repeat(clusters, 3), draw_resamples(24)).p == once).all()
    independent = compare_rows(*thrice, np.arange(72), draw_resamples(72)).p
    assert independent[0, 1] < once[0, 1]
    assert compare_rows(*thrice, np.repeat(clusters, 3), draw_resamples(24)).clusters == 24


def test_too_few_clusters_tell_nothing() -> None:
    values = np.stack([np.full((20, 1), 30.0), np.full((20, 1), 20.0)])
    clusters = np.arange(20) % LEAST_CLUSTERS
    counted = (clusters < LEAST_CLUSTERS - 1)[:, np.newaxis]
    few = compare_rows(values, counted, clusters, draw_resamples(LEAST_CLUSTERS))
    assert np.isnan(few.p).all()
    assert not few.tested
    assert not few.better(0.95, True).any()
    assert few.differences[0, 1] == pytest.approx(10)
    enough = compare_rows(values, np.ones((20, 1), bool), clusters, draw_resamples(LEAST_CLUSTERS))
    assert enough.better(0.95, True).tolist() == [[False, True], [False, False]]
    nothing = compare_rows(values, np.zeros((20, 1), bool), clusters, draw_resamples(LEAST_CLUSTERS))
    assert np.isnan(nothing.differences).all()


@pytest.mark.parametrize("differing", [1, 3, LEAST_CLUSTERS - 1])
def test_rows_that_differ_on_a_few_clips_are_not_told_apart_and_hide_nobody_else(differing: int) -> None:
    values, counted, clusters = made_up(3, 60, 60, 0.0)
    near = values[:1].copy()
    near[0, :differing] += 20
    alone = compare_rows(values, counted, clusters, draw_resamples(60)).better(0.95, True)
    found = compare_rows(np.concatenate([values, near]), counted, clusters, draw_resamples(60))
    assert alone[2, 0]
    assert found.better(0.95, True)[2, 0]
    assert found.p[0, 3] == 1


def test_one_clip_that_makes_the_whole_difference_hides_nobody_else() -> None:
    """A resample without it has a standard error of next to nothing."""
    values, counted, clusters = made_up(3, 60, 60, 0.0)
    near = values[:1] + np.random.default_rng(0).normal(0, 1e-4, (1, 60, 2))
    near[0, 0] += 20
    found = compare_rows(np.concatenate([values, near]), counted, clusters, draw_resamples(60))
    assert found.better(0.95, True)[2, 0]
    assert found.p[0, 3] > 0.5


def test_the_order_of_clusters_and_rows_changes_no_bit() -> None:
    """Sums are exact, so that it makes no difference in which order a machine adds them up."""
    values, counted, _ = made_up(50, 100, 100, 0.2)
    clusters, times = np.arange(100), draw_resamples(100)
    found = compare_rows(values, counted, clusters, times)
    rng = np.random.default_rng(1)
    order, rows = rng.permutation(100), rng.permutation(50)
    other = compare_rows(values[rows][:, order], counted[order], clusters, times[:, order])
    assert other.p.tobytes() == found.p[np.ix_(rows, rows)].tobytes()
    assert other.differences.tobytes() == found.differences[np.ix_(rows, rows)].tobytes()
