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
from vpbench.tables.leaderboard import PrintOptions, shown_marks

if TYPE_CHECKING:
    from vpbench.analysis.leaderboard import Leaderboard


def render_matrix(
    board: Leaderboard, form: str = "text", precision: int | None = None, all_notes: bool = False
) -> str:
    """Print all pairs of measured rows in one of :data:`vpbench.tables.formats.export.FORMATS`.

    CSV and JSON have a line or an object for each pair, with its p-value; the other formats a table of rows against
    rows, which stand in the columns by their numbers. Bold says that the row is significantly better than the column.
    The text has no newline at its end.

    Raises:
        UsageError: unknown format.
    """
    return export(
        Table(
            sheets=lambda: [_sheet(board, PrintOptions(precision=precision, all_notes=all_notes))],
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
        "caption": board.caption,
        "protocol": to_builtins(board.protocol),
        "split": to_builtins(board.split),
        "clips": board.clips,
        "clusters": board.clusters,
        "statistics": notes.statistics_data(board),
        "pairs": records(pair_rows(board)),
    }


def _sheet(board: Leaderboard, options: PrintOptions) -> Sheet:
    labels, pairs, s = list(board.measured["label"]), board.ranking.pairs, board.ranking.statistics
    digits = decimals(s.column, options.precision)
    all_marks, footnotes = shown_marks(board, options)
    marks = all_marks[: len(labels)]
    used = {mark for own in marks for mark in own}
    better = pairs.better(s.level, s.column.higher_is_better)
    return Sheet(
        name=slug(board.protocol.name, board.split.name, "pairs"),
        caption=board.caption,
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
        marks=marks,
        footnotes={mark: text for mark, text in footnotes.items() if mark in used},
        notes=_notes(board, options),
        further=not options.all_notes,
        bold_means="the row is significantly better than the column",
        short_headings=False,
    )


def _notes(board: Leaderboard, options: PrintOptions) -> list[str]:
    s = board.ranking.statistics
    score = f"{s.column.label} ({unit(s.column)}) of {frame_in_words(s.frame, board.steps, article=True)}"
    paragraphs = [f"Row − column: {score}.", " ".join([*notes.few_clusters(board), *board.notes])]
    further = notes.further(board) if options.all_notes else []
    return [text for text in (*paragraphs, *further) if text]
