"""A leaderboard by strata as a sheet of printed cells and as data, and in every format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pandas as pd
from msgspec import to_builtins

from vpbench.analysis.bootstrap import LEAST_CLUSTERS
from vpbench.tables import notes
from vpbench.tables.cells import count, frame_in_short, frame_in_words, slug
from vpbench.tables.formats.data import records
from vpbench.tables.formats.export import Table, export
from vpbench.tables.formats.sheet import MISSING, Sheet, SheetColumn
from vpbench.tables.leaderboard import PrintOptions, difference_columns, score_column, shown_marks
from vpbench.tables.scores import difference_cells

if TYPE_CHECKING:
    from vpbench.analysis.strata import Strata, Stratum

_PAGE = 44  # rows of a LaTeX table, which does not continue on the next page by itself
_BY = {
    "motion": "Motion: median |flow| in the moving area of a frame.",
    "difficulty": "Difficulty: the SSIM of a copy of the last input frame.",
    "class": "Classes: those of UCF101.",
}


def render_strata(
    strata: Strata,
    form: str = "text",
    *,
    intervals: bool | None = None,
    precision: int | None = None,
    all_notes: bool = False,
) -> str:
    """Print a leaderboard by strata in one of :data:`vpbench.tables.formats.export.FORMATS`.

    CSV and JSON hold every number in full precision; CSV has a line for each stratum and row. The text has no newline
    at its end.

    Args:
        strata: the strata.
        form: the format.
        intervals: print the intervals beneath the means; by default in HTML only.
        precision: digits after the point of scores (one more for scores in [0, 1]); by default the metrics' own.
        all_notes: print all notes, and not only what a reader needs.

    Raises:
        UsageError: unknown format.
    """
    shown = form == "html" if intervals is None else intervals
    options = PrintOptions(shown, precision=precision, all_notes=all_notes)
    return export(
        Table(
            sheets=lambda: strata_sheets(strata, options, _PAGE if form == "latex" else None),
            rows=lambda: strata_rows(strata),
            data=lambda: strata_data(strata, all_notes),
        ),
        form,
    )


def strata_sheets(strata: Strata, options: PrintOptions, most_rows: int | None = None) -> list[Sheet]:
    """The strata below each other; those without a frame are named in a note.

    Args:
        strata: the strata.
        options: what is printed.
        most_rows: of a table; what has more is continued in a further one. ``None``: all in one.
    """
    rows = len(strata.board.measured)
    shown = [stratum for stratum in strata.strata if stratum.total]
    size = len(shown) if most_rows is None else max(1, most_rows // rows)
    parts = [shown[start : start + size] for start in range(0, len(shown), size)]
    first, *further = [_sheet(strata, part, options) for part in parts]
    sheets = [replace(first, caption=strata.board.caption)]
    for n, sheet in enumerate(further, start=2):
        sheets[-1] = replace(sheets[-1], footnotes={}, further=False)  # they stand beneath the last
        sheets.append(replace(sheet, name=f"{sheet.name}-{n}", caption=f"{_BY[strata.by]} Continued."))
    return [*sheets[:-1], replace(sheets[-1], notes=_notes(strata, options))]


def strata_sheet(strata: Strata, options: PrintOptions) -> Sheet:
    """The same as one table beneath the leaderboard, whose caption and footnotes it does not repeat."""
    shown = [stratum for stratum in strata.strata if stratum.total]
    caption, *rest = _notes(strata, options)
    return replace(_sheet(strata, shown, options), caption=caption, notes=rest, footnotes={}, further=False)


def _sheet(strata: Strata, shown: Sequence[Stratum], options: PrintOptions) -> Sheet:
    board = strata.board
    rows = len(board.measured)
    all_marks, footnotes = shown_marks(board, options)
    marks = all_marks[:rows]
    return Sheet(
        name=slug(board.protocol.name, board.split.name, strata.by),
        caption="",
        columns=[*_columns(strata, shown, options)],
        labels=list(board.measured["label"]) * len(shown),
        marks=marks * len(shown),
        headings={n * rows: heading(stratum) for n, stratum in enumerate(shown)},
        footnotes=footnotes,
        further=not options.all_notes,
        bold_means=f"{notes.BOLD}, in each part by itself",
    )


def heading(stratum: Stratum) -> str:
    """``motion < 1.5 px: 21 frames (1st 12, 2nd 9), 13 clips, 12 clusters``."""
    of_each = [f"{frame_in_short(frame)} {n}" for frame, n in stratum.frames.items() if frame != "all"]
    kinds = f" ({', '.join(of_each)})" if stratum.board.steps > 1 else ""
    return (
        f"{stratum.part.name}: {count(stratum.total, 'frame')}{kinds}, {count(stratum.clips, 'clip')}, "
        f"{count(stratum.clusters, 'cluster')}"
    )


def strata_rows(strata: Strata) -> pd.DataFrame:
    """A line for each stratum and row, every number in full precision."""
    parts = []
    for stratum in strata.strata:
        rows = stratum.board.rows.copy()
        for place, (key, value) in enumerate(_counts(stratum).items()):
            rows.insert(place, key, value)
        parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def strata_data(strata: Strata, all_notes: bool = False) -> dict[str, Any]:
    """Strata as JSON data: every number in full precision, ``None`` where there is none."""
    board, options = strata.board, PrintOptions(intervals=True, all_notes=all_notes)
    (sheet,) = strata_sheets(strata, options)
    return {
        "kind": "vpbench-strata",
        "schema": 1,
        "caption": sheet.caption,
        "by": strata.by,
        "protocol": to_builtins(board.protocol),
        "split": to_builtins(board.split),
        "columns": [asdict(column) for column in board.columns],
        "frames": list(board.frames),
        "level": board.ranking.statistics.level,
        "strata": [
            {
                **_counts(stratum),
                "low": stratum.part.low,
                "high": stratum.part.high,
                "rows": [
                    {**row, "marks": list(marks)}
                    for row, marks in zip(records(stratum.board.rows), board.marks, strict=False)
                ],
            }
            for stratum in strata.strata
        ],
        "footnotes": board.footnotes,
        "notes": list(sheet.notes),
    }


def _counts(stratum: Stratum) -> dict[str, str | int]:
    return {
        "stratum": stratum.part.name,
        "frames": stratum.total,
        "clips": stratum.clips,
        "clusters": stratum.clusters,
        **{f"frames_{frame}": n for frame, n in stratum.frames.items()},
    }


def _columns(strata: Strata, shown: Sequence[Stratum], options: PrintOptions) -> Iterator[SheetColumn]:
    board = strata.board
    for frame in board.frames:
        for column in board.columns:
            group = frame_in_words(frame, board.steps)
            yield _stacked([score_column(stratum.board, column, frame, options, group) for stratum in shown])
    differences = [[*difference_columns(stratum.board, options)] for stratum in shown]
    for columns in zip(*filter(None, differences), strict=True):
        missing = replace(columns[0], cells=[MISSING] * len(board.measured))
        there = iter(columns)
        yield _stacked([next(there) if own else missing for own in differences])


def _stacked(parts: Sequence[SheetColumn]) -> SheetColumn:
    """The same column of several parts, below each other."""
    cells = [cell for part in parts for cell in part.cells]
    return replace(parts[0], cells=cells, bold=[bold for part in parts for bold in part.bold])


def _notes(strata: Strata, options: PrintOptions) -> list[str]:
    board, s = strata.board, strata.board.ranking.statistics
    reading = [
        f"{_BY[strata.by]} Means over the frames that all rows are compared on; {notes.arrows(board)}.",
        *_difference(strata),
    ]
    if options.intervals and any(notes.has_intervals(stratum.board) for stratum in strata.strata):
        reading.append(f"In brackets: {s.level * 100:g} % intervals.")
    missing = [*_missing(strata, options), *board.notes]
    further = notes.further(board) if options.all_notes else []
    return [" ".join(reading), *([" ".join(missing)] if missing else []), *further]


def _difference(strata: Strata) -> Iterator[str]:
    board = strata.board
    if any(difference_cells(stratum.board) for stratum in strata.strata):
        score = notes.ranked_score(board)
        yield f"Difference: {score} − that of {board.against}; wins: the share of the clips on which it is better."


def _missing(strata: Strata, options: PrintOptions) -> Iterator[str]:
    if empty := [stratum.part.name for stratum in strata.strata if not stratum.total]:
        yield f"No frames: {'; '.join(empty)}."
    few = [stratum.part.name for stratum in strata.strata if _too_few_clusters(stratum)]
    if few:
        which = "; ".join(few) if strata.by != "class" else f"{len(few)} of {len(strata.strata)} classes"
        nothing = "no interval, and none is marked best" if options.intervals else "none is marked best"
        yield f"Where a frame has fewer than {LEAST_CLUSTERS} clusters, {nothing}: {which}."


def _too_few_clusters(stratum: Stratum) -> bool:
    """Whether a frame of the stratum has no intervals."""
    column = stratum.board.columns[0].key
    return any(
        number and stratum.board.rows[f"{column}_{frame}_low"].isna().all()
        for frame, number in stratum.frames.items()
    )
