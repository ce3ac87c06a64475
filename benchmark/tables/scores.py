"""The printed scores of a leaderboard, and which are best and second: the one rule of all tables and pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vpbench.tables.cells import decimals, number, values_of
from vpbench.tables.formats.sheet import BEST, MISSING, SECOND

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
        spreads: ``±0.12``, the standard deviation over seeds; empty for a single run.
        intervals: ``[30.85, 31.24]``; empty where there is none.
        places: :data:`BEST`, :data:`SECOND` or 0.
    """

    values: list[float]
    means: list[str]
    spreads: list[str]
    intervals: list[str]
    places: list[int]


def score_cells(board: Leaderboard, column: Column, frame: Frame, precision: int | None = None) -> ScoreCells:
    """Print one score of all rows, and find the best and the second.

    Args:
        board: the leaderboard.
        column: which metric.
        frame: of which frame.
        precision: digits after the point, as :func:`vpbench.tables.cells.decimals` takes them; published scores
            keep the digits that the paper printed.
    """
    key = f"{column.key}_{frame}"
    values, deviations, lows, highs = (
        values_of(board.rows, f"{key}{end}") for end in ("", "_sd", "_low", "_high")
    )
    own = decimals(column, precision)
    digits = [own] * len(board.measured)
    digits += [table.decimals.get(column.key, own) for table, _ in board.published]
    means = [number(value, n) for value, n in zip(values, digits, strict=True)]
    return ScoreCells(
        values,
        means,
        [f"±{number(value, own)}" if math.isfinite(value) else "" for value in deviations],
        [
            f"[{number(low, own)}, {number(high, own)}]" if math.isfinite(low) else ""
            for low, high in zip(lows, highs, strict=True)
        ],
        places(means, board.eligible, column.higher_is_better),
    )


def places(printed: Sequence[str], eligible: Sequence[bool], higher_is_better: bool) -> list[int]:
    """The best and the second of a column: there is no best of one, no second of two, and none after a tied best.

    Args:
        printed: the scores as they are printed, since what looks equal is equal; :data:`MISSING` where there is none.
        eligible: whether a row may take a place.
        higher_is_better: direction.

    Returns:
        For each row :data:`BEST`, :data:`SECOND` or 0.
    """
    scores = [
        float(text) if may and text != MISSING else None for text, may in zip(printed, eligible, strict=True)
    ]
    known = [score for score in scores if score is not None]
    if len(known) < 2:
        return [0] * len(scores)
    best, *others = sorted(set(known), reverse=higher_is_better)
    has_second = len(known) > 2 and others and known.count(best) == 1
    second = others[0] if has_second else None
    return [
        0 if score is None else BEST if score == best else SECOND if score == second else 0
        for score in scores
    ]
