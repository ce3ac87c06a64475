"""The summary of a suite: each predictor's score and rank in every cell, and what they come to."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from vpbench.analysis.bootstrap import LEAST_CLUSTERS
from vpbench.analysis.footnotes import Footnotes
from vpbench.analysis.leaderboard import Leaderboard, LeaderboardOptions, build_leaderboard
from vpbench.runs.run import Run
from vpbench.suite.run import Cell, SuiteRuns
from vpbench.tables.cells import decimals, number, signed, slug, unit
from vpbench.tables.formats.data import records
from vpbench.tables.formats.export import Table, export
from vpbench.tables.formats.sheet import MISSING, Sheet, SheetColumn
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
    ranked = any(board.ranked for board in boards.values())
    further = {"rank": [number(mean(label, "rank"), 1) for label in labels]} if ranked else {}
    units = {"rank": "", "wins": "%"}
    if len({board.columns[0].key for board in boards.values()}) == 1:
        first = next(iter(boards.values())).columns[0]
        further["skill"] = [signed(mean(label, "skill"), decimals(first)) for label in labels]
        units["skill"] = first.unit
    further["wins"] = [number(100 * mean(label, "win_rate"), 0) for label in labels]
    further = {name: cells for name, cells in further.items() if set(cells) != {MISSING}}
    columns += [SheetColumn(f"mean {name}", cells, units[name]) for name, cells in further.items()]
    return Sheet(
        name=slug("suite", made.suite.name),
        caption=(
            f"Suite {made.suite.name}: {_scores(boards)} of the first frame"
            f"{', and in brackets the rank by it' if ranked else ''}."
        ),
        columns=columns,
        labels=labels,
        marks=[marks[label] for label in labels],
        footnotes=footnotes,
        notes=_notes(made, boards, list(further), all_notes),
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


# What the means over all columns are of.
_MEANS = {
    "rank": "rank",
    "skill": "skill (difference to a copy of the last frame in that score)",
    "wins": "wins (clips on which a row is better than such a copy)",
}


def _scores(boards: Mapping[Cell, Leaderboard]) -> str:
    """What the means are of."""
    names = {board.columns[0].label for board in boards.values()}
    return f"mean {names.pop()}" if len(names) == 1 else "the mean of each protocol's first metric"


def _few_clusters(boards: Mapping[Cell, Leaderboard]) -> Iterator[str]:
    """Why there are no ranks, where there are none."""
    clusters = {split: board.ranking.statistics.clusters for (split, _), board in boards.items()}
    few = [f"{split} has {number}" for split, number in clusters.items() if number < LEAST_CLUSTERS]
    if few:
        yield f"No ranks with fewer than {LEAST_CLUSTERS} clusters of clips: {', '.join(few)}."


def _notes(
    made: SuiteRuns, boards: Mapping[Cell, Leaderboard], means: Sequence[str], all_notes: bool
) -> list[str]:
    clips = {split: f"{split} {board.clips} of {board.split.total}" for (split, _), board in boards.items()}
    paragraphs = [
        f"Mean over all columns, for rows that have it in each: {', '.join(_MEANS[name] for name in means)}."
        if means
        else "",
        f"Clips: {', '.join(clips.values())}. Means are over the frames that a protocol counts; leaderboards of the "
        "runs say how many these are.",
        " ".join([*dict.fromkeys(made.notes), *_few_clusters(boards)]),
    ]
    if all_notes:
        paragraphs += [
            f"{protocol} ({board.protocol.hash}): {board.scoring}" for (_, protocol), board in boards.items()
        ]
    return list(filter(None, paragraphs))
