"""All pairs of a leaderboard's rows in the score that ranks: their differences, and which are significant."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import pandas as pd
from msgspec import to_builtins

from vpbench.tables import notes
from vpbench.tables.cells import decimals, frame_in_words, signed, slug, unit
from vpbench.tables.formats.data import records
from vpbench.tables.formats.export import Table, export
from vpbench.tables.formats.sheet import MISSING, Sheet, SheetColumn

if TYPE_CHECKING:
    from vpbench.analysis.leaderboard import Leaderboard


def render_matrix(board: Leaderboard, form: str = "text", precision: int | None = None) -> str:
    """Print all pairs of measured rows in one of :data:`vpbench.tables.formats.export.FORMATS`.

    CSV and JSON have a line or an object for each pair, with its p-value; the other formats a table of rows against
    rows, which stand in the columns by their numbers. Bold says that the row is significantly better than the column.
    The text has no newline at its end.

    Raises:
        UsageError: unknown format.
    """
    return export(
        Table(
            sheets=lambda: [_sheet(board, precision)],
            rows=lambda: pair_rows(board),
            data=lambda: _data(board),
        ),
        form,
    )


def pair_rows(board: Leaderboard) -> pd.DataFrame:
    """A line for each pair: ``a``, ``b``, ``difference`` (a − b), ``p`` (corrected), and ``better``, a label."""
    labels, pairs, s = list(board.measured["label"]), board.ranking.pairs, board.ranking.statistics
    better = pairs.better(s.level, s.column.higher_is_better)
    rows = [
        {
            "a": labels[i],
            "b": labels[j],
            "difference": float(pairs.differences[i, j]),
            "p": float(pairs.p[i, j]),
            "better": labels[i] if better[i, j] else labels[j] if better[j, i] else None,
        }
        for i, j in combinations(range(len(labels)), 2)
    ]
    return pd.DataFrame(rows, columns=["a", "b", "difference", "p", "better"])


def _data(board: Leaderboard) -> dict[str, Any]:
    """All pairs as JSON data."""
    return {
        "kind": "vpbench-pairs",
        "schema": 1,
        "caption": _caption(board),
        "protocol": to_builtins(board.protocol),
        "split": to_builtins(board.split),
        "clips": board.clips,
        "clusters": board.clusters,
        "statistics": notes.statistics_data(board),
        "pairs": records(pair_rows(board)),
    }


def _sheet(board: Leaderboard, precision: int | None) -> Sheet:
    labels, pairs, s = list(board.measured["label"]), board.ranking.pairs, board.ranking.statistics
    digits = decimals(s.column, precision)
    better = pairs.better(s.level, s.column.higher_is_better)
    return Sheet(
        name=slug(board.protocol.name, board.split.name, "pairs"),
        caption=_caption(board),
        columns=[
            SheetColumn(
                str(column + 1),
                [
                    MISSING if row == column else signed(float(value), digits)
                    for row, value in enumerate(pairs.differences[:, column])
                ],
                bold=list(map(bool, better[:, column])),
            )
            for column in range(len(labels))
        ],
        labels=[f"{n}. {label}" for n, label in enumerate(labels, start=1)],
        notes=[*notes.few_clusters(board), *board.notes],
        bold_means="the row is significantly better than the column",
        short_headings=False,
    )


def _caption(board: Leaderboard) -> str:
    s = board.ranking.statistics
    score = f"{s.column.label} ({unit(s.column)}) of {frame_in_words(s.frame, board.steps, article=True)}"
    text = f"{board.caption} Row − column: {score}, on {notes.compared(board)}."
    return f"{text} Significance: {notes.method(board)}." if board.ranking.pairs.tested else text
