"""A leaderboard as sheets of printed cells and as data, and in every format."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from msgspec import to_builtins

from vpbench.analysis.columns import Column
from vpbench.analysis.footnotes import Footnotes
from vpbench.analysis.leaderboard import Leaderboard
from vpbench.results.published_tables import Frame
from vpbench.tables import notes
from vpbench.tables.cells import frame_in_short, frame_in_words, integer, number, short, slug, unit, values_of
from vpbench.tables.formats.data import records
from vpbench.tables.formats.export import Table, export
from vpbench.tables.formats.sheet import MISSING, Sheet, SheetColumn
from vpbench.tables.scores import difference_cells, score_cells

# What a leaderboard's rows say of what a prediction costs.
COSTS = ("parameters", "multiply_adds", "ms_per_frame", "peak_memory_mib")


@dataclass(frozen=True)
class PrintOptions:
    """What of a leaderboard is printed.

    Attributes:
        intervals: the intervals beneath the means.
        facts: cost, moving area and training data.
        precision: digits after the point of scores; one more for scores in [0, 1]. ``None``: the metrics' own.
        all_notes: also what a reader can do without: how ranks were found, and what explains a row.
    """

    intervals: bool = False
    facts: bool = False
    precision: int | None = None
    all_notes: bool = False


def render_leaderboard(
    leaderboard: Leaderboard,
    form: str = "text",
    *,
    intervals: bool | None = None,
    facts: bool | None = None,
    precision: int | None = None,
    all_notes: bool = False,
) -> str:
    """Print a leaderboard in one of :data:`vpbench.tables.formats.export.FORMATS`.

    CSV and JSON hold every number in full precision, one line or object for each row, published ones flagged. The other
    formats round, mark what is not significantly worse than the best, and explain themselves in notes; a protocol of
    more than two frames is followed by one table for each metric, with every frame.

    The text has no newline at its end.

    Args:
        leaderboard: the leaderboard.
        form: the format.
        intervals: print the intervals beneath the means; by default in HTML only.
        facts: print cost, moving area and training data; by default in HTML only.
        precision: digits after the point of scores (one more for scores in [0, 1]); by default the metrics' own.
        all_notes: print all notes, and not only what a reader needs.

    Raises:
        UsageError: unknown format.
    """
    html = form == "html"
    options = PrintOptions(
        html if intervals is None else intervals, html if facts is None else facts, precision, all_notes
    )
    return export(
        Table(
            sheets=lambda: leaderboard_sheets(leaderboard, options),
            rows=lambda: leaderboard.rows,
            data=lambda: leaderboard_data(leaderboard, all_notes),
        ),
        form,
    )


def leaderboard_sheets(board: Leaderboard, options: PrintOptions) -> list[Sheet]:
    """The summary in the form of the paper's Table 2; for more than two frames, also one sheet for each metric."""
    by_frame = [horizon_sheet(board, column, options) for column in board.columns if board.horizon]
    return [_summary_sheet(board, options), *by_frame]


def leaderboard_data(board: Leaderboard, all_notes: bool = False) -> dict[str, Any]:
    """A leaderboard as JSON data: every number in full precision, ``None`` where there is none."""
    sheet = _summary_sheet(board, PrintOptions(intervals=True, all_notes=all_notes))
    return {
        "kind": "vpbench-leaderboard",
        "schema": 1,
        "caption": sheet.caption,
        "protocol": to_builtins(board.protocol),
        "split": to_builtins(board.split),
        "clips": board.clips,
        "clusters": board.clusters,
        "against": board.against,
        "flow": board.flow,
        "columns": [asdict(column) for column in board.columns],
        "frames": list(board.frames),
        "horizon": list(board.horizon),
        "statistics": notes.statistics_data(board),
        "rows": [
            {**row, "marks": list(marks)} for row, marks in zip(records(board.rows), board.marks, strict=True)
        ],
        "footnotes": board.footnotes,
        "notes": list(sheet.notes),
    }


def _summary_sheet(board: Leaderboard, options: PrintOptions) -> Sheet:
    moving = [number(100 * value, 1) for value in values_of(board.rows, "moving_fraction")]
    marks, footnotes = shown_marks(board, options)
    return Sheet(
        name=slug(board.protocol.name, board.split.name),
        caption=board.caption,
        columns=[
            *_score_columns(board, options),
            *difference_columns(board, options),
            *_fact_columns(board, options, moving),
        ],
        labels=list(board.rows["label"]),
        marks=marks,
        headings={len(board.measured): "published"} if board.published else {},
        footnotes=footnotes,
        notes=_notes(board, options, moving),
        further=not options.all_notes,
        bold_means=notes.BOLD,
    )


def shown_marks(board: Leaderboard, options: PrintOptions) -> tuple[list[tuple[str, ...]], dict[str, str]]:
    """The marks of all rows, and the footnotes: without all notes only signs, and what papers print with their rows."""
    measured = len(board.measured)
    marks = [
        tuple(mark for mark in own if options.all_notes or row >= measured or not mark.isalnum())
        for row, own in enumerate(board.marks)
    ]
    used = {mark for own in marks for mark in own}
    footnotes = {mark: text for mark, text in board.footnotes.items() if mark in used}
    return _with_training_data(board, marks, footnotes) if options.facts else (marks, footnotes)


def _score_columns(board: Leaderboard, options: PrintOptions) -> Iterator[SheetColumn]:
    """The ranks, and for each frame the scores and how many frames are counted."""
    if board.ranked:
        yield SheetColumn("rank", _integers(board, "rank"))
    for frame in board.frames if board.steps <= 2 else ("all",):
        group = frame_in_words(frame, board.steps)
        for column in board.columns:
            yield score_column(board, column, frame, options, group)
        yield SheetColumn("n", _integers(board, f"frames_counted_{frame}"), group=group)


def score_column(
    board: Leaderboard, column: Column, frame: Frame, options: PrintOptions, group: str = ""
) -> SheetColumn:
    """A score of all rows."""
    scores = score_cells(board, column, frame, options.precision)
    intervals = scores.intervals if options.intervals else [""] * len(scores.means)
    parts = zip(scores.means, scores.beneath, intervals, strict=True)
    cells = ["\n".join(filter(None, lines)) for lines in parts]
    return SheetColumn(column.label, cells, unit(column), group, scores.bold)


def difference_columns(board: Leaderboard, options: PrintOptions) -> Iterator[SheetColumn]:
    """The difference to the baseline in the score that ranks, and the share of the clips on which a row is better."""
    if differences := difference_cells(board, options.precision):
        column, group = board.ranking.statistics.column, "difference"
        intervals = differences.intervals if options.intervals else [""] * len(differences.means)
        cells = ["\n".join(filter(None, lines)) for lines in zip(differences.means, intervals, strict=True)]
        yield SheetColumn(column.label, cells, unit(column), group)
        yield SheetColumn("wins", differences.wins, "%", group)


def _fact_columns(board: Leaderboard, options: PrintOptions, moving: Sequence[str]) -> Iterator[SheetColumn]:
    """The moving area where the rows differ in it, and if they are wanted all facts."""
    group = "facts" if options.facts else ""
    if _moving_column(board, options, moving):
        yield SheetColumn("moving", moving, "%", group)
    if options.facts:
        parameters, adds, times, memory = (values_of(board.rows, key) for key in COSTS)
        yield SheetColumn("param.", [short(value) for value in parameters], group=group)
        if any(map(math.isfinite, adds)):
            yield SheetColumn("MACs", [short(value) for value in adds], group=group)
        yield SheetColumn("time", [number(value, 1) for value in times], "ms", group)
        yield SheetColumn("memory", [integer(value) for value in memory], "MiB", group)


def _moving_column(board: Leaderboard, options: PrintOptions, moving: Sequence[str]) -> bool:
    """Whether the moving area has a column; where all runs have the same, a note says it."""
    differs = len(set(moving[: len(board.measured)])) > 1
    return _masked(board) and (options.facts or differs)


def _masked(board: Leaderboard) -> bool:
    return board.protocol.definition.mask.kind != "none"


def _notes(board: Leaderboard, options: PrintOptions, moving: Sequence[str]) -> list[str]:
    columns, further = [], notes.further(board) if options.all_notes else []
    if _moving_column(board, options, moving):
        columns.append("Moving: mean share of the moving area in all scored frames.")
    elif _masked(board) and options.all_notes:
        further.append(f"Moving area: {moving[0]} % of the scored frames' pixels, on average.")
    if options.facts:
        columns.append(notes.costs(board))
    return [*notes.notes(board, options.intervals, columns), *further]


def _with_training_data(
    board: Leaderboard, marks: Sequence[tuple[str, ...]], footnotes: dict[str, str]
) -> tuple[list[tuple[str, ...]], dict[str, str]]:
    """Marks and footnotes with the rows' training data."""
    added, all_marks = Footnotes(dict(footnotes)), []
    for own, training in zip(marks, board.rows["training_data"], strict=True):
        says = isinstance(training, str) and training.lower() != "none"
        all_marks.append((*own, added.add(f"training data: {training}")) if says else own)
    return all_marks, added.texts


def horizon_sheet(board: Leaderboard, column: Column, options: PrintOptions = PrintOptions()) -> Sheet:
    """One metric by predicted frame: a column for each printed frame or mean of several."""
    scores = [score_column(board, column, frame, options) for frame in board.horizon]
    rows = range(len(board.measured))
    known = [
        row
        for row in range(len(board.rows))
        if row in rows or any(one.cells[row] != MISSING for one in scores)
    ]
    marks, footnotes = shown_marks(board, replace(options, facts=False, all_notes=False))
    used = {mark for row in known for mark in marks[row]}
    return Sheet(
        name=slug(board.protocol.name, board.split.name, column.key),
        caption=f"{column.label} ({unit(column)}) by predicted frame{_means(board)}.",
        columns=[
            SheetColumn(
                _step(frame),
                [one.cells[row] for row in known],
                bold=[one.is_bold(row) for row in known],
            )
            for frame, one in zip(board.horizon, scores, strict=True)
        ],
        labels=[board.rows["label"][row] for row in known],
        marks=[marks[row] for row in known],
        corner="frame",
        headings={len(rows): "published"} if len(known) > len(rows) else {},
        footnotes={mark: text for mark, text in footnotes.items() if mark in used},
        bold_means=notes.BOLD,
        short_headings=False,
    )


def _means(board: Leaderboard) -> str:
    """What the columns of means are."""
    texts = [f"mean: over all {board.steps} frames"] if "all" in board.horizon else []
    if any(isinstance(frame, str) and frame != "all" for frame in board.horizon):
        texts.append("mean a–b: over frames a to b, not of frame b")
    return "".join(f"; {text}" for text in texts)


def _step(frame: Frame) -> str:
    """``3``, and of means ``mean 1–3`` or ``mean``."""
    if isinstance(frame, int):
        return str(frame)
    return "mean" if frame == "all" else f"mean {frame_in_short(frame)}"


def _integers(board: Leaderboard, name: str) -> list[str]:
    return [integer(value) for value in values_of(board.rows, name)]
