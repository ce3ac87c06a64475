"""The table of a page: groups of columns, and rows of cells that a browser can sort."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vpbench.analysis.leaderboard import Column, Leaderboard
    from vpbench.results.published_tables import PublishedTable


@dataclass(frozen=True)
class Cell:
    """A cell.

    Attributes:
        text: what is printed.
        value: what it sorts by; ``None``: last.
        interval: printed small beneath.
        place: 1 for the best measured score at the printed precision, 2 for the second, else 0.
    """

    text: str
    value: float | None = None
    interval: str = ""
    place: int = 0


@dataclass(frozen=True)
class TableRow:
    """A row: ``about`` is printed small beneath the label."""

    label: str
    about: str
    marks: tuple[str, ...]
    published: bool
    cells: list[Cell]


def groups(board: Leaderboard) -> list[tuple[str, list[tuple[str, str]]]]:
    """Groups of columns: heading, and (name, unit) of each column."""
    scores = [
        (_heading(frame, board.steps), [*((c.label, _unit(c)) for c in board.columns), ("n", "")])
        for frame in board.frames
    ]
    rank = [("", [("rank", "")])] if board.ranked else []
    return [*rank, *scores, ("", [("moving", "%"), *((heading, "") for heading, _, _ in _costs(board))])]


def rows(board: Leaderboard) -> list[TableRow]:
    """The rows, measured ones first, each with its cells in the order of the columns."""
    measured = len(board.measured)
    places = {(c.key, frame): _places(board, c, frame) for c in board.columns for frame in board.frames}
    made = []
    for number, (record, marks) in enumerate(zip(board.rows.to_dict("records"), board.marks, strict=True)):
        published = number >= measured
        placed = not (published or record["contaminated"] or record["best_of_samples"])
        cells = [_plain_cell(record, "rank", ".0f")] if board.ranked else []
        for frame in board.frames:
            for column in board.columns:
                cell = _score(
                    record, column, frame, board.published[number - measured][0] if published else None
                )
                place = places[column.key, frame].get(cell.text, 0) if placed else 0
                cells.append(Cell(cell.text, cell.value, cell.interval, place))
            cells.append(_plain_cell(record, f"frames_counted_{frame}", ".0f"))
        moving = _number(record.get("moving_fraction"))
        cells.append(Cell("" if moving is None else f"{100 * moving:.1f}", moving))
        cells += [_plain_cell(record, key, form) for _, key, form in _costs(board)]
        about = str(record.get("source") or "") if published else _about(record)
        made.append(TableRow(str(record["label"]), about, tuple(marks), published, cells))
    return made


def _heading(frame: int | str, steps: int) -> str:
    return "all frames" if frame == "all" else f"frame {frame}" if steps > 1 else ""


def _unit(column: Column) -> str:
    return f"{column.unit} {'↑' if column.higher_is_better else '↓'}".strip()


def _costs(board: Leaderboard) -> list[tuple[str, str, str]]:
    """Columns of cost that some row has: heading, column of the rows, format."""
    known = (("ms/frame", "ms_per_frame", ".3g"), ("parameters", "parameters", ",.0f"))
    return [entry for entry in known if board.rows[entry[1]].notna().any()]


def _score(record: dict[Any, Any], column: Column, frame: int | str, printed: PublishedTable | None) -> Cell:
    """A score; ``printed`` is the table that a published one comes from, and says to how many digits."""
    key = f"{column.key}_{frame}"
    value, low, high = (_number(record.get(f"{key}{end}")) for end in ("", "_low", "_high"))
    if value is None:
        return Cell("")
    if printed is not None:
        return Cell(f"{value:.{printed.decimals.get(column.key, column.decimals)}f}", value)
    form = f".{column.decimals}f"
    interval = "" if low is None or high is None else f"[{low:{form}}, {high:{form}}]"
    return Cell(format(value, form), value, interval)


def _plain_cell(record: dict[Any, Any], key: str, form: str) -> Cell:
    value = _number(record.get(key))
    return Cell("" if value is None else format(value, form), value)


def _places(board: Leaderboard, column: Column, frame: int | str) -> dict[str, int]:
    """Printed score to place, for the best and the second of several measured rows that have seen no test clips."""
    seen = board.measured["contaminated"] | board.measured["best_of_samples"]
    fair = board.measured[~seen.astype(bool)]
    values = sorted(fair[f"{column.key}_{frame}"].dropna(), reverse=column.higher_is_better)
    if len(fair) < 2:
        return {}
    printed = list(dict.fromkeys(f"{value:.{column.decimals}f}" for value in values))
    return {text: place for place, text in enumerate(printed[:2], start=1)}


def _about(record: dict[Any, Any]) -> str:
    """A line on the predictor: its name where the label does not say it, and what it was trained on."""
    predictor = str(record.get("predictor") or "")
    parts = [] if str(record["label"]).startswith(predictor) else [predictor]
    trained = record.get("training_data")
    if isinstance(trained, str):
        parts.append(f"trained on {trained}")
    if record.get("contaminated") is True:
        parts.append("test clips were seen in training")
    return "; ".join(part for part in parts if part)


def _number(value: Any) -> float | None:
    """A cell's value, ``None`` for all that pandas takes for missing."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
