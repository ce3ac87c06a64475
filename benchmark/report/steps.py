"""Score against predicted frame: a drawing for each metric with a line for each row, laid out here for no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from markupsafe import Markup

from vpbench.analysis.columns import printed_steps
from vpbench.report.axes import BOTTOM, HEIGHT, LARGEST, LEFT, WIDTH, Drawing, Tick, linear
from vpbench.tables.cells import decimals, number, unit, values_of
from vpbench.tables.formats.html import fragment
from vpbench.tables.leaderboard import horizon_sheet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vpbench.analysis.columns import Column
    from vpbench.analysis.leaderboard import Leaderboard

_END = WIDTH - 190  # of the axes; labels stand to the right
_LONGEST = 24  # characters of a label
_LINE = 14  # pixels of a line of text
_MOST_LINES = 20
# Lines differ in the shape of their marks and in their dashes, whose numbers have no common factor, and in colour.
_MARKS = (
    "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
    "m-3.6 -3.6h7.2v7.2h-7.2z",
    "m0 -5l5 5l-5 5l-5 -5z",
    "m0 -4.6l4.8 8.4h-9.6z",
    "m0 4.6l4.8 -8.4h-9.6z",
    "m-4.5 0h9m-4.5 -4.5v9",
    "m-3.5 -3.5l7 7m0 -7l-7 7",
)
_DASHES = ("none", "7 3", "2 3", "9 3 2 3")


class _End(NamedTuple):
    x: float
    y: float


@dataclass(frozen=True)
class Line:
    """A row.

    Attributes:
        row: its number, which says its colour.
        label: the row's, cut where it is long, with its marks.
        says: label and scores in words.
        path: of the line, broken where there is no score.
        marks: of the marks.
        dash: of the line.
        end: the last point of the line.
        text_y: where the label stands.
    """

    row: int
    label: str
    says: str
    path: str
    marks: str
    dash: str
    end: _End
    text_y: float


@dataclass(frozen=True, kw_only=True)
class StepChart(Drawing):
    """The drawing of one metric; its key is the metric's column.

    Attributes:
        lines: the rows that have scores, at most twenty, the best ones.
        missing: how many rows are not drawn.
        table: all numbers.
    """

    lines: list[Line]
    missing: int
    table: Markup
    right: int = _END


def step_charts(board: Leaderboard) -> list[StepChart]:
    """A drawing for each metric of a protocol of more than two predicted frames."""
    if board.steps <= 2:
        return []
    charts = (_chart(board, column) for column in board.columns)
    return [chart for chart in charts if chart is not None]


def _chart(board: Leaderboard, column: Column) -> StepChart | None:
    frames = range(1, board.steps + 1)
    scores = np.array([values_of(board.measured, f"{column.key}_{frame}") for frame in frames]).T
    scores[~(np.abs(scores) < LARGEST)] = np.nan
    known = np.flatnonzero(np.isfinite(scores).any(axis=1))
    if not known.size:
        return None
    means = np.nanmean(scores[known], axis=1)
    best = known[np.argsort(-means if column.higher_is_better else means, kind="stable")][:_MOST_LINES]
    shown = np.sort(best)
    y, ys = linear([float(value) for value in scores[shown].ravel() if np.isfinite(value)])
    x = [round(LEFT + 14 + (_END - LEFT - 28) * n / (board.steps - 1), 1) for n in range(board.steps)]
    ticks = [frame for frame in printed_steps(board.steps) if isinstance(frame, int)]
    points = [
        [(x[n], y(value)) if np.isfinite(value) else None for n, value in enumerate(scores[row])]
        for row in shown
    ]
    ends = [_End(*[point for point in line if point][-1]) for line in points]
    every = range(board.steps) if board.steps <= 20 else [frame - 1 for frame in ticks]
    lines = [
        Line(
            row=int(row),
            label=_label(board, row),
            says=_says(board, column, row, scores[row]),
            path=_path(line),
            marks="".join(f"M{at[0]} {at[1]}{_MARKS[row % len(_MARKS)]}" for n in every if (at := line[n])),
            dash=_DASHES[row % len(_DASHES)],
            end=end,
            text_y=text,
        )
        for row, line, end, text in zip(shown, points, ends, _spread([end.y for end in ends]), strict=True)
    ]
    return StepChart(
        key=column.key,
        name=column.label,
        x_title="predicted frame",
        y_title=f"{column.label} ({unit(column)})",
        xs=[Tick(x[frame - 1], str(frame)) for frame in ticks],
        ys=ys,
        lines=lines,
        missing=len(board.measured) - len(shown),
        table=Markup(fragment(horizon_sheet(board, column))),  # noqa: S704 -- escaped there
    )


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    """A line through the points, begun anew after one that is missing."""
    before = [None, *points[:-1]]
    parts = (f"{'L' if last else 'M'}{at[0]} {at[1]}" for last, at in zip(before, points, strict=True) if at)
    return "".join(parts)


def _label(board: Leaderboard, row: int) -> str:
    label = str(board.measured["label"].iloc[row])
    cut = label if len(label) <= _LONGEST else f"{label[: _LONGEST - 1]}…"
    return cut + "".join(mark for mark in board.marks[row] if not mark.isalnum())


def _says(board: Leaderboard, column: Column, row: int, scores: NDArray[np.float64]) -> str:
    """``last_frame: 25.58 dB at frame 1, 23.80 dB at frame 8``."""
    in_unit = f" {column.unit}" if column.unit else ""
    defined = np.flatnonzero(np.isfinite(scores))
    ends = dict.fromkeys(int(n) for n in (defined[0], defined[-1]))
    texts = [f"{number(float(scores[n]), decimals(column))}{in_unit} at frame {n + 1}" for n in ends]
    return f"{board.measured['label'].iloc[row]}: {', '.join(texts)}"


def _spread(wanted: Sequence[float]) -> list[float]:
    """Places near the wanted ones that are a line of text apart, and within the drawing."""
    order = sorted(range(len(wanted)), key=lambda n: wanted[n])
    places = [wanted[n] for n in order]
    for n in range(1, len(places)):
        places[n] = max(places[n], places[n - 1] + _LINE)
    limit = float(HEIGHT - BOTTOM)
    for n in reversed(range(len(places))):
        places[n] = min(places[n], limit)
        limit = places[n] - _LINE
    found = dict(zip(order, places, strict=True))
    return [round(found[n], 1) for n in range(len(wanted))]
