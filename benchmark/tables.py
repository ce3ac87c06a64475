"""What a table shows: a leaderboard, or a published table, as sheets of printed cells, and in every format.

The cells come from one pandas frame; :mod:`vpbench.formats` and :mod:`vpbench.latex` lay them out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence

import pandas as pd

from vpbench import escape, formats, latex
from vpbench.errors import unknown_name
from vpbench.escape import plain
from vpbench.formats import Sheet
from vpbench.leaderboard import Column, Leaderboard
from vpbench.published import UNVERIFIED, UNVERIFIED_MARK, Frame, PublishedTable

MISSING = "–"

_SHEET_FORMATS: dict[str, Callable[[Sheet], str]] = {
    "text": formats.text,
    "markdown": formats.markdown,
    "latex": latex.latex,
}
FORMATS = ("text", "markdown", "csv", "latex")


def render(leaderboard: Leaderboard, form: str = "text") -> str:
    """Print a leaderboard in one of :data:`FORMATS`.

    CSV holds every number in full precision, one line a row, published ones flagged. The other formats
    round, mark the best measured scores, and explain themselves in notes; a protocol of more than two frames
    is followed by one table a metric with every frame.

    The text has no newline at its end.

    Raises:
        UsageError: unknown format.
    """
    return _render(lambda: leaderboard_sheets(leaderboard), leaderboard.rows, form)


def render_published(table: PublishedTable, form: str = "text") -> str:
    """Print a published table on its own in one of :data:`FORMATS`.

    The text has no newline at its end.

    Raises:
        UsageError: unknown format.
    """
    return _render(lambda: [published_sheet(table)], published_frame(table), form)


def leaderboard_sheets(board: Leaderboard) -> list[Sheet]:
    """The summary in the form of the paper's Table 2; for more than two frames, also a sheet a metric."""
    shown: list[tuple[tuple[str, str, str], list[str], list[bool]]] = []
    for frame in board.frames:
        group = _ordinal(frame) if frame != "all" else f"all {board.steps} frames"
        for column in board.columns:
            cells, best = _scores(board, column, frame)
            shown.append(((group, column.label, _unit(column)), cells, best))
        counted = [_integer(value) for value in _values(board.rows, f"frames_counted_{frame}")]
        shown.append(((group, "n", ""), counted, [False] * len(counted)))
    if board.protocol["definition"]["mask"]["kind"] != "none":
        moving = [_number(100 * value, 1) for value in _values(board.rows, "moving_fraction")]
        shown.append((("", "moving", "%"), moving, [False] * len(moving)))
    measured = len(board.measured)
    summary = Sheet(
        name=_slug(board.protocol["name"], board.split["name"]),
        caption=board.caption,
        cells=_frame([(key, cells) for key, cells, _ in shown]),
        best=_frame([(key, best) for key, _, best in shown]),
        labels=tuple(board.rows["label"]),
        marks=board.marks,
        headings={measured: "published"} if board.published else {},
        footnotes=board.footnotes,
        notes=(*_reading(board), *_dropped(board), *board.notes),
    )
    return [summary, *(_steps(board, column) for column in board.columns if board.steps > 2)]


def published_sheet(table: PublishedTable) -> Sheet:
    """A published table on its own, with its groups as headings."""
    shown = [
        (
            (_ordinal(frame) if frame != "all" else "all frames", label, ""),
            [_number(row.scores[key][frame], table.decimals[key]) for row in table.rows],
        )
        for frame in table.frames
        for key, label in table.labels.items()
    ]
    cells = _frame(shown)
    headings = {
        n: row.group
        for n, row in enumerate(table.rows)
        if row.group and (n == 0 or table.rows[n - 1].group != row.group)
    }
    footnotes = {mark: text for mark, text in table.marks.items() if any(mark in r.marks for r in table.rows)}
    if any(not row.verified for row in table.rows):
        footnotes[UNVERIFIED_MARK] = UNVERIFIED
    return Sheet(
        name=_slug(table.source.key, table.name),
        caption=f"{table.citation}. {table.summary}",
        cells=cells,
        best=cells.map(lambda _: False),
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


def _render(sheets: Callable[[], Sequence[Sheet]], rows: pd.DataFrame, form: str) -> str:
    if form not in FORMATS:
        raise unknown_name("table format", form, list(FORMATS))
    if form != "csv":
        return "\n".join(_SHEET_FORMATS[form](sheet) for sheet in sheets()).rstrip("\n")
    safe = rows.map(lambda value: escape.csv(value) if isinstance(value, str) else value)
    return str(safe.rename(columns=escape.csv).to_csv(index=False, lineterminator="\n")).rstrip("\n")


def _frame(columns: Sequence[tuple[tuple[str, str, str], Sequence[object]]]) -> pd.DataFrame:
    """Columns of cells under (group, heading, unit), some of which may be equal."""
    names = pd.MultiIndex.from_tuples([key for key, _ in columns], names=["group", "heading", "unit"])
    return pd.DataFrame({n: cells for n, (_, cells) in enumerate(columns)}, dtype=object).set_axis(
        names, axis=1
    )


def _values(rows: pd.DataFrame, name: str) -> list[float]:
    """A column as floats, NaN where a row has none (published rows know no frame counts)."""
    if name not in rows:
        return [math.nan] * len(rows)
    return [float(value) if pd.notna(value) else math.nan for value in rows[name]]


def _number(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}" if math.isfinite(value) else MISSING


def _integer(value: float) -> str:
    return str(int(value)) if math.isfinite(value) else MISSING


def _scores(board: Leaderboard, column: Column, frame: Frame) -> tuple[list[str], list[bool]]:
    """The printed scores of all rows, and which of the measured ones are best at the printed precision."""
    values = _values(board.rows, f"{column.key}_{frame}")
    measured = len(board.measured)
    decimals = [column.decimals] * measured
    decimals += [table.decimals.get(column.key, column.decimals) for table, _ in board.published]
    cells = [_number(value, digits) for value, digits in zip(values, decimals, strict=True)]
    printed = [float(cell) for cell in cells[:measured] if cell != MISSING]
    if len(printed) < 2:  # with one row there is nothing to be better than
        return cells, [False] * len(cells)
    top = max(printed) if column.higher_is_better else min(printed)
    return cells, [n < measured and cell != MISSING and float(cell) == top for n, cell in enumerate(cells)]


def _steps(board: Leaderboard, column: Column) -> Sheet:
    """One metric at every predicted frame: a row a frame, a column a run."""
    by_frame = [_scores(board, column, frame) for frame in range(1, board.steps + 1)]
    labels = list(board.measured["label"])
    keys = [("", label, "") for label in labels]
    cells = [(key, [scores[n] for scores, _ in by_frame]) for n, key in enumerate(keys)]
    best = [(key, [flags[n] for _, flags in by_frame]) for n, key in enumerate(keys)]
    unit = _unit(column)
    return Sheet(
        name=_slug(board.protocol["name"], board.split["name"], column.key),
        caption=f"{column.label}{f' ({unit})' if unit else ''} of each predicted frame.",
        cells=_frame(cells),
        best=_frame(best),
        labels=tuple(str(frame) for frame in range(1, board.steps + 1)),
        marks=((),) * board.steps,
        corner="frame",
        short_headings=False,
    )


def _unit(column: Column) -> str:
    return f"{column.unit} {'↑' if column.higher_is_better else '↓'}".strip()


def _ordinal(frame: Frame) -> str:
    number = int(frame)
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending} frame"


def _reading(board: Leaderboard) -> Iterator[str]:
    """How to read the columns."""
    up = {column.higher_is_better for column in board.columns}
    arrows = "; ".join(
        text for way, text in ((True, "↑ higher is better"), (False, "↓ lower is better")) if way in up
    )
    total = f"{board.clips}" if "all" not in board.frames else f"{board.clips} a frame"
    yield f"Means over the n frames that are counted, of {total}; {arrows}." + (
        " Moving: mean share of the moving area in all scored frames."
        if board.protocol["definition"]["mask"]["kind"] != "none"
        else ""
    )
    if rule := board.protocol["definition"].get("exclude"):
        column = next(column for column in board.columns if column.key == rule["column"])
        limit = f"{rule['at_least']:g}{f' {column.unit}' if column.unit else ''}"
        yield f"A frame whose {column.label} is {limit} or more counts in no mean (excluded)."


def _dropped(board: Leaderboard) -> Iterator[str]:
    """Which rows lost frames, and why, in a sentence."""
    frames: Sequence[Frame] = ("all",) if "all" in board.frames else board.frames
    rows = []
    for _, row in board.measured.iterrows():
        lost = {
            why: [int(row[f"frames_{why}_{frame}"]) for frame in frames] for why in ("excluded", "undefined")
        }
        parts = [f"{' + '.join(map(str, n))} {why}" for why, n in lost.items() if any(n)]
        if parts:
            rows.append(f"{row['label']} {', '.join(parts)}")
    if rows:
        which = "of all frames" if "all" in frames else " + ".join(_ordinal(f).split()[0] for f in frames)
        yield f"Dropped frames ({which}): {'; '.join(rows)}."


def _slug(*names: object) -> str:
    return "-".join(re.sub(r"[^A-Za-z0-9]+", "-", plain(name)).strip("-") for name in names)
