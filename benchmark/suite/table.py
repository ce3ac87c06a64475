"""The summary of a suite: each predictor's score and rank in every cell, and what they come to."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from vpbench.analysis.footnotes import Footnotes
from vpbench.analysis.leaderboard import Leaderboard, LeaderboardOptions, build_leaderboard
from vpbench.runs.run import Run
from vpbench.suite.run import Cell, SuiteRuns
from vpbench.tables.cells import decimals, number, signed, slug, unit
from vpbench.tables.formats.data import records
from vpbench.tables.formats.export import Table, export
from vpbench.tables.formats.sheet import Sheet, SheetColumn
from vpbench.tables.leaderboard import horizon_sheet

AGAINST = "last_frame"


def render_suite(made: SuiteRuns, form: str = "text", all_notes: bool = False) -> str:
    """Print a suite's summary in one of :data:`vpbench.tables.formats.export.FORMATS`.

    CSV and JSON have a line or an object for each predictor and cell: ``score`` is the mean of the protocol's first
    metric over the first frame, ``rank`` the row's rank by it, ``skill`` its difference to ``last_frame``, with its
    interval, ``win_rate`` the share of clips on which it is better than that, and ``score_all`` the mean over all
    frames of a protocol of more than two. The other formats have a table by predicted frame for each of these. The text
    has no newline at its end.

    Args:
        made: what the suite made.
        form: the format.
        all_notes: print all notes, and not only what a reader needs.

    Raises:
        UsageError: unknown format.
    """
    boards = {cell: _board(runs) for cell, runs in made.runs.items()}
    return export(
        Table(
            sheets=lambda: [_sheet(made, boards, all_notes), *_horizons(boards)],
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
    "score": "{}_1",
    "rank": "rank",
    "skill": "{}_1_difference",
    "skill_low": "{}_1_difference_low",
    "skill_high": "{}_1_difference_high",
    "win_rate": "{}_1_win_rate",
    "score_all": "{}_all",
}


def _number(row: Mapping[Hashable, Any], board: Leaderboard, key: str) -> float:
    """A number of a leaderboard's row; NaN where it has none."""
    value = row.get(_KEYS[key].format(board.columns[0].key))
    return float(value) if pd.notna(value) else math.nan


def _sheet(made: SuiteRuns, boards: Mapping[Cell, Leaderboard], all_notes: bool) -> Sheet:
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

    marks, footnotes = _marks(boards, all_notes)
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
            f"Suite {made.suite.name}: the mean of each protocol's first metric over the first frame, and in brackets "
            "the rank by it."
        ),
        columns=columns,
        labels=labels,
        marks=[marks[label] for label in labels],
        footnotes=footnotes,
        notes=_notes(made, boards, all_notes),
        further=not all_notes,
        short_headings=False,
    )


def _horizons(boards: Mapping[Cell, Leaderboard]) -> Iterator[Sheet]:
    """By predicted frame, where a protocol has more than two."""
    for (split, protocol), board in boards.items():
        if board.horizon:
            sheet = horizon_sheet(board, board.columns[0])
            yield replace(sheet, caption=f"{split}, {protocol}: {sheet.caption}")


def _marks(
    boards: Mapping[Cell, Leaderboard], all_notes: bool
) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """What is said of each row in any of the leaderboards; without all notes only what has a sign."""
    footnotes, marks = Footnotes(), dict[str, tuple[str, ...]]()
    for board in boards.values():
        for label, own in zip(board.measured["label"], board.marks, strict=False):
            shown = [mark for mark in own if all_notes or not mark.isalnum()]
            added = [footnotes.add(board.footnotes[mark], None if mark.isalnum() else mark) for mark in shown]
            marks[label] = tuple(dict.fromkeys([*marks.get(label, ()), *added]))
    return marks, footnotes.texts


def _notes(made: SuiteRuns, boards: Mapping[Cell, Leaderboard], all_notes: bool) -> list[str]:
    clips = {split: f"{split} {board.clips} of {board.split.total}" for (split, _), board in boards.items()}
    paragraphs = [
        "Rank, skill (difference to a copy of the last frame in that score) and wins (clips on which a row is better "
        "than the copy) are means over all columns, for rows that have them in each.",
        f"Clips: {', '.join(clips.values())}. Means are over the frames that a protocol counts, whose numbers `vpbench "
        "leaderboard` prints.",
        " ".join(dict.fromkeys(made.notes)),
    ]
    if all_notes:
        paragraphs += [
            f"{protocol} ({board.protocol.hash}): {board.scoring}" for (_, protocol), board in boards.items()
        ]
    return list(filter(None, paragraphs))
