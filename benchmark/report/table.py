"""The table of a page: groups of columns, and rows of cells that a browser can sort."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vpbench.tables import notes
from vpbench.tables.cells import frame_in_words, integer, number, short, unit, values_of
from vpbench.tables.formats.sheet import MISSING
from vpbench.tables.leaderboard import COSTS
from vpbench.tables.scores import difference_cells, score_cells

if TYPE_CHECKING:
    from vpbench.analysis.columns import Column
    from vpbench.analysis.leaderboard import Leaderboard
    from vpbench.results.published_tables import Frame

_SEEN = {"yes": "test clips were seen in training", "tuned": "a choice was made with an eye on test clips"}


@dataclass(frozen=True)
class Cell:
    """A cell.

    Attributes:
        text: what is printed.
        value: what it sorts by; ``None``: last.
        beneath: printed small below.
        bold: of a score, as in the printed tables.
    """

    text: str
    value: float | None = None
    beneath: str = ""
    bold: bool = False


@dataclass(frozen=True)
class PageColumn:
    """A column.

    Attributes:
        name: what it is called.
        unit: its unit, and which way is better.
        cells: one for each row.
        key: tells it from the others of the table.
        lower_first: whether the smallest come first where a reader sorts by it.
    """

    name: str
    unit: str
    cells: list[Cell]
    key: str
    lower_first: bool = False


@dataclass(frozen=True)
class PageRow:
    """A row.

    Attributes:
        label: what it is called.
        about: printed small below the label.
        marks: its footnotes.
        published: whether it is of a paper.
        cells: in the order of the columns.
        links: pages of the runs that it is made of.
        attributes: what a script finds at the row.
    """

    label: str
    about: str
    marks: tuple[str, ...]
    published: bool
    cells: list[Cell]
    links: tuple[str, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PageTable:
    """The table of a page.

    Attributes:
        groups: heading, empty for none, and the columns below it.
        rows: the measured rows first, each with its cells in the order of the columns.
        notes: what bold means, if any cell is, and what the columns of costs are.
    """

    groups: list[tuple[str, list[PageColumn]]]
    rows: list[PageRow]
    notes: list[str]


def page_table(board: Leaderboard) -> PageTable:
    """Lay out a leaderboard for a page: its ranks, its scores frame by frame, moving area and cost."""
    groups = [("", [_column(board, "rank", "rank", integer)])] if board.ranked else []
    groups += [(_heading(frame, board.steps), _frame_columns(board, frame)) for frame in board.frames]
    if differences := _difference_columns(board):
        groups.append(("difference", differences))
    groups.append(("", _fact_columns(board)))
    columns = [column for _, members in groups for column in members]
    bold = any(cell.bold for column in columns for cell in column.cells)
    explained = [f"Bold: {notes.BOLD}."] if bold else []
    return PageTable(groups, _rows(board, columns), [*explained, notes.costs(board)])


def _frame_columns(board: Leaderboard, frame: Frame) -> list[PageColumn]:
    scores = [_score_column(board, column, frame) for column in board.columns]
    return [*scores, _column(board, "n", f"frames_counted_{frame}", integer)]


def _score_column(board: Leaderboard, column: Column, frame: Frame) -> PageColumn:
    scores = score_cells(board, column, frame)
    beneath = map(" ".join, zip(scores.beneath, scores.intervals, strict=True))
    parts = zip(scores.means, map(_known, scores.values), map(str.strip, beneath), scores.bold, strict=True)
    cells = [Cell(*part) for part in parts]
    return PageColumn(column.label, unit(column), cells, f"{column.key}_{frame}", not column.higher_is_better)


def _difference_columns(board: Leaderboard) -> list[PageColumn]:
    """The differences to the baseline, as the printed table has them."""
    found = difference_cells(board)
    if found is None:
        return []
    column = board.ranking.statistics.column
    means = zip(found.means, map(_known, found.values), found.intervals, strict=True)
    wins = zip(found.wins, map(_known, found.rates), strict=True)
    return [
        PageColumn(
            column.label,
            unit(column),
            [Cell(*part) for part in means],
            "difference",
            not column.higher_is_better,
        ),
        PageColumn("wins", "%", [Cell(*part) for part in wins], "wins"),
    ]


def _fact_columns(board: Leaderboard) -> list[PageColumn]:
    moving = _column(board, "moving", "moving_fraction", lambda share: number(100 * share, 1), "%")
    return [
        moving,
        *(cost for cost in cost_columns(board) if any(cell.value is not None for cell in cost.cells)),
    ]


def cost_columns(board: Leaderboard) -> list[PageColumn]:
    """What a prediction costs, in the order of :data:`vpbench.tables.leaderboard.COSTS`."""
    forms: tuple[tuple[str, str, Callable[[float], str]], ...] = (
        ("parameters", "", lambda count: format(count, ",.0f")),
        ("MACs", "", short),
        ("ms/frame", "", lambda time: format(time, ".3g" if time < 1000 else ",.0f")),
        ("memory", "MiB", integer),
    )
    return [
        _column(board, name, key, form, unit) for key, (name, unit, form) in zip(COSTS, forms, strict=True)
    ]


def _column(
    board: Leaderboard, name: str, key: str, form: Callable[[float], str], unit: str = ""
) -> PageColumn:
    """A column of the leaderboard's rows, printed by ``form``."""
    values = values_of(board.rows, key)
    cells = [Cell(form(value) if math.isfinite(value) else MISSING, _known(value)) for value in values]
    return PageColumn(name, unit, cells, key, lower_first=key in ("rank", *COSTS))


def _rows(board: Leaderboard, columns: Sequence[PageColumn]) -> list[PageRow]:
    rows = []
    for row, (record, marks) in enumerate(zip(board.rows.to_dict("records"), board.marks, strict=True)):
        published = row >= len(board.measured)
        about = str(record.get("source") or "") if published else _about(record)
        cells = [column.cells[row] for column in columns]
        rows.append(PageRow(str(record["label"]), about, marks, published, cells))
    return rows


def _heading(frame: Frame, steps: int) -> str:
    if isinstance(frame, str):
        return frame_in_words(frame, steps)
    return f"frame {frame}" if steps > 1 else ""


def _about(record: dict[Any, Any]) -> str:
    """A line on the predictor: its name where the label does not say it, and what it was trained on."""
    predictor = str(record.get("predictor") or "")
    parts = [] if str(record["label"]).startswith(predictor) else [predictor]
    trained = record.get("training_data")
    if isinstance(trained, str):
        parts.append("not trained" if trained.lower() == "none" else f"trained on {trained}")
    if (seen := record.get("test_clips_seen")) in _SEEN:
        parts.append(_SEEN[seen])
    return "; ".join(part for part in parts if part)


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
