"""A sheet as a Markdown table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from vpbench import escape
from vpbench.tables.formats.sheet import BEST, SECOND, Sheet


def markdown(sheet: Sheet) -> str:
    """The sheet as a GitHub table between its caption and its notes; the best cells are bold, the second underlined."""
    headings = [
        escape.markdown(" ".join(filter(None, (group, heading, f"({unit})" if _is_unit(unit) else unit))))
        for group, heading, unit in sheet.columns
    ]
    rows: list[list[str]] = []
    signs = {BEST: ("**", "**"), SECOND: ("<u>", "</u>")}
    for row, label, marks, cells, places in sheet.rows():
        if row in sheet.headings:
            rows.append([f"*{escape.markdown(sheet.headings[row])}*", *[""] * len(headings)])
        texts = []
        for cell, place in zip(cells, places, strict=True):
            first, *further = map(escape.markdown, cell.split("\n"))
            start, end = signs.get(place, ("", ""))
            texts.append("<br>".join([f"{start}{first}{end}", *further]))
        rows.append([escape.markdown(label) + _superscript(marks), *texts])
    frame = pd.DataFrame(rows, columns=[sheet.corner, *headings], dtype=object)
    align = ["left", *["right"] * len(headings)]
    table = frame.to_markdown(
        index=False, tablefmt="pipe", disable_numparse=True, colalign=align if rows else None
    )
    notes = [escape.markdown(note) for note in sheet.notes]
    notes += sheet.explained({BEST: "**Bold**", SECOND: "<u>underlined</u>"})
    notes += [f"{_superscript([mark])} {escape.markdown(note)}" for mark, note in sheet.footnotes.items()]
    return "\n\n".join([escape.markdown(sheet.caption), str(table), *notes]) + "\n"


def _is_unit(unit: str) -> bool:
    return unit not in ("", "↑", "↓")


def _superscript(marks: Sequence[str]) -> str:
    return f"<sup>{','.join(escape.markdown(mark) for mark in marks)}</sup>" if marks else ""
