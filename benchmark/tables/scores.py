"""The printed scores of a leaderboard, and which are bold: the one rule of all tables and pages."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vpbench.tables.cells import decimals, number, signed, values_of

if TYPE_CHECKING:
    from vpbench.analysis.columns import Column
    from vpbench.analysis.leaderboard import Leaderboard
    from vpbench.results.published_tables import Frame


@dataclass(frozen=True)
class ScoreCells:
    """One score of all rows of a leaderboard as it is printed, with an entry for each row.

    Attributes:
        values: the means, NaN where there is none.
        means: the same as texts.
        beneath: ``±0.12``, the standard deviation over seeds, or ``+0.8``, by how much the measured mean of a
            published method is above the published one; mostly empty.
        intervals: ``[30.85, 31.24]``; empty where there is none.
        bold: whether the row is not significantly worse than the best.
    """

    values: list[float]
    means: list[str]
    beneath: list[str]
    intervals: list[str]
    bold: list[bool]


def score_cells(board: Leaderboard, column: Column, frame: Frame, precision: int | None = None) -> ScoreCells:
    """Print one score of all rows.

    Args:
        board: the leaderboard.
        column: which metric.
        frame: of which frame.
        precision: digits after the point, as :func:`vpbench.tables.cells.decimals` takes them; published scores
            keep the digits that the paper printed.
    """
    key = f"{column.key}_{frame}"
    values, deviations, above, best = (
        values_of(board.rows, f"{key}{end}") for end in ("", "_sd", "_minus_published", "_best")
    )
    own = decimals(column, precision)
    digits = [own] * len(board.measured)
    digits += [table.decimals.get(column.key, own) for table, _ in board.published]
    means = [number(value, n) for value, n in zip(values, digits, strict=True)]
    return ScoreCells(
        values,
        means,
        [
            f"±{number(spread, n)}"
            if math.isfinite(spread)
            else signed(more, n)
            if math.isfinite(more)
            else ""
            for spread, more, n in zip(deviations, above, digits, strict=True)
        ],
        _interval_cells(board, key, own, number),
        [value == 1 for value in best],
    )


@dataclass(frozen=True)
class DifferenceCells:
    """The differences of all rows to the baseline as they are printed, in the score that ranks.

    Attributes:
        values: the differences, NaN where there is none.
        means: the same as texts.
        intervals: as of :class:`ScoreCells`.
        rates: the shares of the clips on which a row is better, NaN where there is none.
        wins: the same as texts, in per cent.
    """

    values: list[float]
    means: list[str]
    intervals: list[str]
    rates: list[float]
    wins: list[str]


def difference_cells(board: Leaderboard, precision: int | None = None) -> DifferenceCells | None:
    """Print the differences to the baseline; ``None`` if there are none."""
    column, frame = board.ranking.statistics.column, board.ranking.statistics.frame
    key, digits = f"{column.key}_{frame}", decimals(column, precision)
    values, rates = (values_of(board.rows, f"{key}{end}") for end in ("_difference", "_win_rate"))
    if not any(map(math.isfinite, values)):
        return None
    return DifferenceCells(
        values,
        [signed(value, digits) for value in values],
        _interval_cells(board, f"{key}_difference", digits, signed),
        rates,
        [number(100 * rate, 0) for rate in rates],
    )


def _interval_cells(
    board: Leaderboard, key: str, digits: int, form: Callable[[float, int], str]
) -> list[str]:
    """The intervals ``<key>_low`` to ``<key>_high`` of all rows, empty where there is none."""
    ends = (values_of(board.rows, f"{key}{end}") for end in ("_low", "_high"))
    return [
        f"[{form(low, digits)}, {form(high, digits)}]" if math.isfinite(low) else ""
        for low, high in zip(*ends, strict=True)
    ]
