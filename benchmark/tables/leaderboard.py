"""What a table shows: a leaderboard, or a published table, as sheets of printed cells, and in every format.

The cells come from one pandas frame; :mod:`vpbench.tables.cells` has the formats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd
from msgspec import to_builtins

from vpbench.analysis.footnotes import Footnotes
from vpbench.analysis.leaderboard import Column, Leaderboard
from vpbench.results.published_tables import UNVERIFIED, UNVERIFIED_MARK, Frame, PublishedTable
from vpbench.tables import notes as reading
from vpbench.tables.cells import (
    as_frame,
    frame_in_words,
    integer,
    number,
    ordinal,
    short,
    slug,
    values_of,
)
from vpbench.tables.formats.export import FORMATS, records, render_sheets
from vpbench.tables.formats.sheet import BEST, MISSING, SECOND, Sheet

__all__ = [
    "FORMATS",
    "Look",
    "board_data",
    "leaderboard_sheets",
    "published_frame",
    "published_sheet",
    "render",
    "render_published",
]


@dataclass(frozen=True)
class Look:
    """What of a leaderboard is printed.

    Attributes:
        intervals: the intervals beneath the means.
        facts: cost, moving area and training data.
        precision: digits after the point of scores; one more for scores in [0, 1]. ``None``: the metrics' own.
    """

    intervals: bool = False
    facts: bool = False
    precision: int | None = None


def render(
    leaderboard: Leaderboard,
    form: str = "text",
    *,
    intervals: bool | None = None,
    facts: bool | None = None,
    precision: int | None = None,
) -> str:
    """Print a leaderboard in one of :data:`FORMATS`.

    CSV and JSON hold every number in full precision, one line or object a row, published ones flagged. The other
    formats round, mark the best and the second of the measured scores, and explain themselves in notes; a protocol
    of more than two frames is followed by one table a metric with every frame.

    The text has no newline at its end.

    Args:
        leaderboard: the leaderboard.
        form: the format.
        intervals: print the intervals beneath the means; by default in HTML only.
        facts: print cost, moving area and training data; by default in HTML only.
        precision: digits after the point of scores (one more for scores in [0, 1]); by default the metrics' own.

    Raises:
        UsageError: unknown format.
    """
    html = form == "html"
    look = Look(html if intervals is None else intervals, html if facts is None else facts, precision)
    return render_sheets(
        lambda: leaderboard_sheets(leaderboard, look), leaderboard.rows, form, lambda: board_data(leaderboard)
    )


def render_published(table: PublishedTable, form: str = "text") -> str:
    """Print a published table on its own in one of :data:`FORMATS`.

    The text has no newline at its end.

    Raises:
        UsageError: unknown format.
    """
    rows = published_frame(table)
    return render_sheets(
        lambda: [published_sheet(table)],
        rows,
        form,
        lambda: {"caption": table.citation, "rows": records(rows)},
    )


def leaderboard_sheets(board: Leaderboard, look: Look = Look()) -> list[Sheet]:
    """The summary in the form of the paper's Table 2; for more than two frames, also a sheet a metric."""
    shown: list[tuple[tuple[str, str, str], list[str], list[int]]] = []

    def add(group: str, heading: str, unit: str, cells: list[str], places: list[int] | None = None) -> None:
        shown.append(((group, heading, unit), cells, places or [0] * len(cells)))

    rows = board.rows
    if board.ranked:
        add("", "rank", "", [integer(value) for value in values_of(rows, "rank")])
    for frame in board.frames:
        group = frame_in_words(frame, board.steps)
        for column in board.columns:
            add(group, column.label, _unit(column), *_scores(board, column, frame, look))
        add(group, "n", "", [integer(value) for value in values_of(rows, f"frames_counted_{frame}")])
    moving = [number(100 * value, 1) for value in values_of(rows, "moving_fraction")]
    same = sorted(set(moving[: len(board.measured)]))
    masked = board.protocol.definition.mask.kind != "none"
    if masked and (look.facts or len(same) > 1):
        add("facts" if look.facts else "", "moving", "%", moving)
    marks, footnotes = board.marks, board.footnotes
    if look.facts:
        add("facts", "param.", "", [short(value) for value in values_of(rows, "parameters")])
        add("facts", "time", "ms", [number(value, 1) for value in values_of(rows, "ms_per_frame")])
        marks, footnotes = _with_training_data(board)
    explained = [*reading.notes(board, look.intervals)]
    if masked:
        explained[1:1] = [
            "Moving: mean share of the moving area in all scored frames."
            if look.facts or len(same) > 1
            else f"Moving area: {same[0]} % of the scored frames' pixels, on average."
        ]
    if look.facts:
        explained.append("Param.: learnt parameters. Time: to predict a frame, on the machine of the run.")
    measured = len(board.measured)
    summary = Sheet(
        name=slug(board.protocol.name, board.split.name),
        caption=" ".join([board.caption, *reading.statistics(board, look.intervals)]),
        cells=as_frame([(key, cells) for key, cells, _ in shown]),
        places=as_frame([(key, places) for key, _, places in shown]),
        labels=tuple(rows["label"]),
        marks=marks,
        headings={measured: "published"} if board.published else {},
        footnotes=footnotes,
        notes=tuple(explained),
    )
    return [summary, *(_steps(board, column, look) for column in board.columns if board.steps > 2)]


def board_data(board: Leaderboard) -> dict[str, Any]:
    """A leaderboard as JSON data: every number in full precision, ``None`` where there is none."""
    statistics = {
        **asdict(board.statistics),
        "column": board.statistics.column.key,
        "method": "percentile bootstrap",
    }
    return {
        "kind": "vpbench-leaderboard",
        "schema": 1,
        "caption": " ".join([board.caption, *reading.statistics(board, True)]),
        "protocol": to_builtins(board.protocol),
        "split": to_builtins(board.split),
        "clips": board.clips,
        "flow": board.flow,
        "columns": [asdict(column) for column in board.columns],
        "frames": list(board.frames),
        "statistics": statistics,
        "rows": [
            {**row, "marks": list(marks)} for row, marks in zip(records(board.rows), board.marks, strict=True)
        ],
        "footnotes": board.footnotes,
        "notes": list(reading.notes(board, True)),
    }


def published_sheet(table: PublishedTable) -> Sheet:
    """A published table on its own, with its groups as headings."""
    shown = [
        (
            (f"{ordinal(int(frame))} frame" if frame != "all" else "all frames", label, ""),
            [number(row.scores[key][frame], table.decimals[key]) for row in table.rows],
        )
        for frame in table.frames
        for key, label in table.labels.items()
    ]
    cells = as_frame(shown)
    headings = {
        n: row.group
        for n, row in enumerate(table.rows)
        if row.group and (n == 0 or table.rows[n - 1].group != row.group)
    }
    footnotes = {mark: text for mark, text in table.marks.items() if any(mark in r.marks for r in table.rows)}
    if any(not row.verified for row in table.rows):
        footnotes[UNVERIFIED_MARK] = UNVERIFIED
    return Sheet(
        name=slug(table.source.key, table.name),
        caption=f"{table.citation}. {table.summary}",
        cells=cells,
        places=cells.map(lambda _: 0),
        labels=tuple(row.label for row in table.rows),
        marks=tuple((*r.marks, *(() if r.verified else (UNVERIFIED_MARK,))) for r in table.rows),
        headings=headings,
        footnotes=footnotes,
        notes=() if table.rows else ("No rows yet: an empty slot; results/published/README.md says more.",),
    )


def published_frame(table: PublishedTable) -> pd.DataFrame:
    """A published table as flat data, one line a row."""
    return pd.DataFrame(
        [
            {"label": row.label, "group": row.group, "published": True, "verified": row.verified}
            | {f"{key}_{frame}": value for key, by in row.scores.items() for frame, value in by.items()}
            | {"marks": " ".join(row.marks), "source": table.citation}
            for row in table.rows
        ],
        columns=None
        if table.rows
        else ["label", "group", "published", "verified"]
        + [f"{key}_{frame}" for key in table.labels for frame in table.frames]
        + ["marks", "source"],
    )


def _with_training_data(board: Leaderboard) -> tuple[tuple[tuple[str, ...], ...], dict[str, str]]:
    """The rows' marks and the footnotes, with those that say what was trained on."""
    footnotes, marks = Footnotes(dict(board.footnotes)), []
    for _ in range(sum(mark.isalnum() for mark in board.footnotes)):
        next(footnotes.letters)
    for own, training in zip(board.marks, board.rows["training_data"], strict=True):
        says = isinstance(training, str) and training.lower() != "none"
        marks.append((*own, footnotes.add(f"training data: {training}")) if says else own)
    return tuple(marks), footnotes.texts


def _scores(board: Leaderboard, column: Column, frame: Frame, look: Look) -> tuple[list[str], list[int]]:
    """The printed scores of all rows, and the places of the measured ones at the printed precision."""
    key = f"{column.key}_{frame}"
    values = values_of(board.rows, key)
    measured = len(board.measured)
    own = _decimals(column, look)
    decimals = [own] * measured
    decimals += [table.decimals.get(column.key, own) for table, _ in board.published]
    cells = [number(value, digits) for value, digits in zip(values, decimals, strict=True)]
    # rows that have seen test clips, in training or to choose among samples, take no place
    seen = board.measured["contaminated"] | board.measured["best_of_samples"]
    fair = [MISSING if unfair else cell for cell, unfair in zip(cells, seen, strict=False)]
    places = _places(fair, column.higher_is_better) + [0] * len(board.published)
    for n, spread in enumerate(values_of(board.rows, f"{key}_sd")):
        if math.isfinite(spread):
            cells[n] += f"\n±{number(spread, own)}"
    if look.intervals:
        ends = zip(values_of(board.rows, f"{key}_low"), values_of(board.rows, f"{key}_high"), strict=True)
        for n, (low, high) in enumerate(ends):
            if math.isfinite(low):
                cells[n] += f"\n[{number(low, own)}, {number(high, own)}]"
    return cells, places


def _decimals(column: Column, look: Look) -> int:
    if look.precision is None:
        return column.decimals
    return look.precision + (column.decimals > 2)


def _places(cells: Sequence[str], higher_is_better: bool) -> list[int]:
    """Best and second; no second of two rows, and no best of one, with nothing to be better than."""
    printed = [float(cell) for cell in cells if cell != MISSING]
    if len(printed) < 2:
        return [0] * len(cells)
    order = sorted(set(printed), reverse=higher_is_better)
    # two that share the best leave no second
    second = order[1] if len(order) > 1 and len(printed) > 2 and printed.count(order[0]) == 1 else math.nan
    return [
        0 if cell == MISSING else BEST if float(cell) == order[0] else SECOND if float(cell) == second else 0
        for cell in cells
    ]


def _steps(board: Leaderboard, column: Column, look: Look) -> Sheet:
    """One metric at every predicted frame: a row a frame, a column a run."""
    by_frame = [_scores(board, column, frame, look) for frame in range(1, board.steps + 1)]
    labels = list(board.measured["label"])
    keys = [("", label, "") for label in labels]
    cells = [(key, [scores[n] for scores, _ in by_frame]) for n, key in enumerate(keys)]
    places = [(key, [flags[n] for _, flags in by_frame]) for n, key in enumerate(keys)]
    unit = _unit(column)
    return Sheet(
        name=slug(board.protocol.name, board.split.name, column.key),
        caption=f"{column.label}{f' ({unit})' if unit else ''} of each predicted frame.",
        cells=as_frame(cells),
        places=as_frame(places),
        labels=tuple(str(frame) for frame in range(1, board.steps + 1)),
        marks=((),) * board.steps,
        corner="frame",
        short_headings=False,
    )


def _unit(column: Column) -> str:
    return f"{column.unit} {'↑' if column.higher_is_better else '↓'}".strip()
