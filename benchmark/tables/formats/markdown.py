"""Lay out a sheet as a Markdown table."""

from __future__ import annotations

from collections.abc import Sequence

from vpbench import escape
from vpbench.tables.formats.sheet import FURTHER, Sheet, SheetColumn


def markdown(sheet: Sheet) -> str:
    """The sheet as a GitHub table between its caption and its notes; the best cells are bold."""
    from tabulate import tabulate

    rows: list[list[str]] = []
    for row, label, marks, cells, bold in sheet.rows():
        if row in sheet.headings:
            rows.append([f"*{escape.markdown(sheet.headings[row])}*", *[""] * len(cells)])
        texts = [_cell(cell, strong) for cell, strong in zip(cells, bold, strict=True)]
        rows.append([escape.markdown(label) + _superscript(marks), *texts])
    table = tabulate(
        rows,
        [sheet.corner, *map(_heading, sheet.columns)],
        tablefmt="pipe",
        disable_numparse=True,
        colalign=["left", *["right"] * len(sheet.columns)] if rows else None,
    )
    notes = sheet.paragraphs("**Bold**", escape.markdown, lambda mark: _superscript([mark]))
    further = [FURTHER] * sheet.further
    return "\n\n".join([escape.markdown(sheet.caption), table, *notes, *further]) + "\n"


def _heading(column: SheetColumn) -> str:
    unit = column.unit if column.unit in ("", "↑", "↓") else f"({column.unit})"
    return escape.markdown(" ".join(filter(None, (column.group, column.heading, unit))))


def _cell(cell: str, bold: bool) -> str:
    first, *further = map(escape.markdown, cell.split("\n"))
    return "<br>".join([f"**{first}**" if bold else first, *further])


def _superscript(marks: Sequence[str]) -> str:
    return f"<sup>{','.join(escape.markdown(mark) for mark in marks)}</sup>" if marks else ""
