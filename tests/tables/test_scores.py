"""Which printed scores are best and second."""

from __future__ import annotations

import pytest

from vpbench.tables.formats.sheet import BEST, MISSING, SECOND
from vpbench.tables.scores import places


@pytest.mark.parametrize(
    ("printed", "higher", "expected"),
    [
        (["31.00", "30.00", "29.00"], True, [BEST, SECOND, 0]),
        (["31.00", "30.00", "29.00"], False, [0, SECOND, BEST]),
        (["31.00", "30.00"], True, [BEST, 0]),
        (["31.00", "31.00"], True, [BEST, BEST]),
        (["31.00", "31.00", "30.00"], True, [BEST, BEST, 0]),
        (["31.00", "30.00", "30.00"], True, [BEST, SECOND, SECOND]),
        (["31.00", MISSING, "30.00"], True, [BEST, 0, 0]),
        (["31.00", MISSING], True, [0, 0]),
        (["31.00"], True, [0]),
        (["9.50", "10.25", "-1.00"], True, [SECOND, BEST, 0]),  # as numbers, not as texts
        ([], True, []),
    ],
)
def test_best_and_second(printed: list[str], higher: bool, expected: list[int]) -> None:
    assert places(printed, [True] * len(printed), higher) == expected


def test_rows_that_may_take_no_place_count_for_nothing() -> None:
    printed = ["40.00", "31.00", "31.00", "30.00"]
    assert places(printed, [False, True, True, True], True) == [0, BEST, BEST, 0]
    assert places(printed, [False, True, False, True], True) == [0, BEST, 0, 0]
    assert places(printed, [True, False, False, False], True) == [0, 0, 0, 0]
