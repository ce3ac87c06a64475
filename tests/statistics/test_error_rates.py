"""The statistics err about as often as they say; in short, what error_rates.py shows at length."""

from __future__ import annotations

import pytest
from simulation import Measured, error_rates, heavy_tails, normal
from threadpoolctl import threadpool_limits

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def one_thread() -> object:
    with threadpool_limits(1):
        yield


@pytest.mark.parametrize("clips", [12, 40])
def test_rows_that_do_not_differ_are_seldom_told_apart(clips: int) -> None:
    rates = error_rates(normal, clips, rows=8, tables=120, percentile=True)
    assert rates.tables <= 0.10
    assert 0.02 <= rates.pairs <= 0.07
    assert 0.01 <= rates.means <= 0.09
    assert rates.percentile_tables > 0.5  # what a correction and a standard error of its own are for


def test_heavy_tails_make_it_careful() -> None:
    rates = error_rates(heavy_tails, 40, rows=8, tables=80)
    assert rates.tables <= 0.08
    assert rates.pairs <= 0.06


def test_clips_of_one_video_are_not_taken_for_independent() -> None:
    rates = error_rates(heavy_tails, 60, rows=6, per_cluster=3, tables=80, percentile=True)
    assert rates.tables <= 0.10
    assert rates.pairs <= 0.07
    assert rates.percentile_pairs > 0.12


def test_a_whole_split_of_measured_scores() -> None:
    rates = error_rates(Measured(), 379, tables=100)
    assert rates.tables <= 0.12
    assert 0.02 <= rates.pairs <= 0.08
