"""The summary of a suite: each predictor's score and rank in every cell, and what they come to."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from vpbench.analysis.leaderboard import Leaderboard, LeaderboardOptions, build_leaderboard
from vpbench.runs.run import Run
from vpbench.suite.run import Cell, SuiteRuns
from vpbench.tables.cells import decimals, number, signed, slug, unit
from vpbench.tables.formats.data import records
from vpbench.tables.formats.export import Table, export
from vpbench.tables.formats.sheet import Sheet, SheetColumn

AGAINST = "last_frame"


def render_suite(made: SuiteRuns, form: str = "text") -> str:
    """Print a suite's summary in one of :data:`vpbench.tables.formats.export.FORMATS`.

    CSV and JSON have a line or an object for each predictor and cell: ``score`` is the mean of the protocol's first
    metric over the first frame, ``rank`` the row's rank by it, ``skill`` its difference to ``last_frame``, with its
    interval, and ``win_rate`` the share of frames on which it is better than that. The text has no newline at its end.

    Raises:
        UsageError: unknown format.
    """
    boards = {cell: _board(runs) for cell, runs in made.runs.items()}
    return export(
        Table(
            sheets=lambda: [_sheet(made, boards)],
            rows=lambda: _rows(boards),
            data=lambda: {
                "kind": "vpbench-suite",
                "suite": made.suite.name,
                "rows": records(_rows(boards)),
                "failures": [{"what": what, "why": why} for what, why in made.failures],
                "notes": made.notes,
            },
        ),
        form,
    )


def _board(runs: Sequence[Run]) -> Leaderboard:
    there = any(run.label == AGAINST for run in runs)
    return build_leaderboard(runs, LeaderboardOptions(against=AGAINST if there else None))


def _rows(boards: Mapping[Cell, Leaderboard]) -> pd.DataFrame:
    rows = [
        {
            "model": row["label"],
            "split": split,
            "protocol": protocol,
            "metric": board.columns[0].key,
            "clips": row["clips_scored"],
            **{key: _number(row, board, key) for key in _KEYS},
        }
        for (split, protocol), board in boards.items()
        for row in board.measured.to_dict("records")
    ]
    return pd.DataFrame(rows, columns=["model", "split", "protocol", "metric", "clips", *_KEYS])


# Of each cell: what it is called here, and what in a leaderboard.
_KEYS = {
    "score": "{}",
    "rank": "rank",
    "skill": "{}_difference",
    "skill_low": "{}_difference_low",
    "skill_high": "{}_difference_high",
    "win_rate": "{}_win_rate",
}


def _number(row: Mapping[Hashable, Any], board: Leaderboard, key: str) -> float:
    """A number of a leaderboard's row; NaN where it has none."""
    value = row.get(_KEYS[key].format(f"{board.columns[0].key}_1"))
    return float(value) if pd.notna(value) else math.nan


def _sheet(made: SuiteRuns, boards: Mapping[Cell, Leaderboard]) -> Sheet:
    by_label = {
        cell: {row["label"]: row for row in board.measured.to_dict("records")}
        for cell, board in boards.items()
    }
    labels = list(dict.fromkeys(label for rows in by_label.values() for label in rows))

    def mean(label: str, key: str) -> float:
        """The mean over the cells; NaN for a row that has no value in one of them."""
        values = [_number(by_label[cell].get(label, {}), boards[cell], key) for cell in boards]
        return sum(values) / len(values)

    def cell_text(cell: Cell, label: str) -> str:
        row, board = by_label[cell].get(label, {}), boards[cell]
        score, rank = (_number(row, board, key) for key in ("score", "rank"))
        return number(score, decimals(board.columns[0])) + ("" if math.isnan(rank) else f" ({rank:g})")

    columns = [
        SheetColumn(" ".join(cell), [cell_text(cell, label) for label in labels], unit(board.columns[0]))
        for cell, board in boards.items()
    ]
    columns.append(SheetColumn("mean rank", [number(mean(label, "rank"), 1) for label in labels]))
    if len({board.columns[0].key for board in boards.values()}) == 1:
        first = next(iter(boards.values())).columns[0]
        skills = [signed(mean(label, "skill"), decimals(first)) for label in labels]
        columns.append(SheetColumn("mean skill", skills, first.unit))
    wins = [number(100 * mean(label, "win_rate"), 0) for label in labels]
    columns.append(SheetColumn("mean wins", wins, "%"))
    return Sheet(
        name=slug("suite", made.suite.name),
        caption=(
            f"Suite {made.suite.name}: for each split and protocol the mean of the protocol's first metric over the "
            "first frame, and in brackets the rank by it. Rank, skill (difference to a copy of the last frame in that "
            "score) and wins (frames on which a row is better than the copy) are means over all columns, for rows "
            "that have them in each."
        ),
        columns=columns,
        labels=labels,
        notes=list(dict.fromkeys(made.notes)),
        short_headings=False,
    )
