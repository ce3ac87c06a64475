"""A sheet as plain text, for terminals."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, groupby, pairwise

from vpbench import escape
from vpbench.results.published_tables import BEST_MARK
from vpbench.tables.formats.sheet import (
    FURTHER,
    MISSING,
    NAME_HEADING,
    Sheet,
    SheetColumn,
    shorten,
    wrap,
)

WIDTH = 80
_LEAST_LABEL = 16


@dataclass(frozen=True)
class _TextColumn:
    group: str
    heading: list[str]
    cells: list[list[str]]
    gap: int
    marked: bool

    @cached_property
    def width(self) -> int:
        return max(map(escape.width, [*self.heading, *chain.from_iterable(self.cells)]))


def text(sheet: Sheet) -> str:
    """The sheet for a terminal of 80 columns; groups that do not fit follow below, with the labels repeated."""
    labels = [label + _text_marks(marks) for _, label, marks, _, _ in sheet.rows()]
    gap = 1 if sheet.has_bold else 2  # the space for the mark is a gap too
    # the units have a line of their own; under names they need none where there are none
    units = sheet.short_headings or any(column.unit for column in sheet.columns)
    columns = [_text_column(column, gap, sheet.short_headings, units) for column in sheet.columns]
    groups = [list(members) for _, members in groupby(columns, key=lambda column: column.group)]
    if not sheet.short_headings:
        groups = [[column] for column in columns]
    natural = max(map(escape.width, [sheet.corner, *labels]), default=0)
    room = WIDTH - _width(groups)
    label_width = natural if natural <= room else max(room, min(_LEAST_LABEL, natural))
    lines = [*textwrap.wrap(sheet.caption, WIDTH), ""]
    for block in _blocks(groups, label_width):
        lines += [*_text_block(sheet, labels, block, label_width), ""]
    for paragraph in sheet.paragraphs(BEST_MARK, mark=_text_mark):
        lines += textwrap.wrap(paragraph, WIDTH)
    lines += [FURTHER] * sheet.further
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"


def _text_mark(mark: str) -> str:
    return f"[{mark}]" if mark.isalnum() else mark


def _text_marks(marks: Sequence[str]) -> str:
    signs = "".join(mark for mark in marks if not mark.isalnum())
    letters = ",".join(mark for mark in marks if mark.isalnum())
    return signs + (f" [{letters}]" if letters else "")


def _text_column(column: SheetColumn, gap: int, short_headings: bool, units: bool) -> _TextColumn:
    room = " " if any(column.bold) else ""
    cells = []
    for row, cell in enumerate(column.cells):
        first, *further = cell.split("\n")
        cells.append(
            [first + (BEST_MARK if column.is_bold(row) else room), *(line + room for line in further)]
        )
    lines = [shorten(column.heading)] if short_headings else wrap(column.heading, NAME_HEADING)
    lines += [column.unit] if units else []
    # right-aligned over the digits, not over the marks, where the column is wide enough for that
    width = max(map(escape.width, chain.from_iterable(cells)), default=0) if room else 0
    heading = [f"{line} " if escape.width(line) < width else line for line in lines]
    return _TextColumn(column.group, heading, cells, gap, bool(room))


def _group_width(group: Sequence[_TextColumn]) -> int:
    gaps = (len(group) - 1) * group[0].gap
    return max(sum(column.width for column in group) + gaps, escape.width(group[0].group))


def _blanks(groups: Sequence[Sequence[_TextColumn]]) -> list[int]:
    """The blanks before each group: two, or one where the column before ends with the space for a mark."""
    pairs = pairwise(groups)
    return [
        2,
        *(1 if before[-1].marked and not (before[0].group or g[0].group) else 2 for before, g in pairs),
    ]


def _width(groups: Sequence[Sequence[_TextColumn]]) -> int:
    """Width of the groups with the blanks before them."""
    return sum(_blanks(groups)[: len(groups)]) + sum(map(_group_width, groups))


def _blocks(groups: list[list[_TextColumn]], label_width: int) -> Iterator[list[list[_TextColumn]]]:
    """Split the groups into parts that fit the width together with the labels; a single group is never split."""
    block: list[list[_TextColumn]] = []
    for group in groups:
        if block and label_width + _width([*block, group]) > WIDTH:
            yield block
            block = []
        block.append(group)
    if block:
        yield block


def _text_block(
    sheet: Sheet, labels: Sequence[str], groups: Sequence[Sequence[_TextColumn]], label_width: int
) -> Iterator[str]:
    blanks = _blanks(groups)

    def line(label: str, cells: Sequence[Sequence[str]]) -> str:
        parts = [label + " " * (label_width - escape.width(label))]
        for group, texts, before in zip(groups, cells, blanks, strict=True):
            padded = (_right(cell, column.width) for column, cell in zip(group, texts, strict=True))
            parts.append(" " * before + _right((" " * group[0].gap).join(padded), _group_width(group)))
        return "".join(parts)

    names = [group[0].group for group in groups]
    if any(names):
        spans = [*zip(names, blanks, map(_group_width, groups), strict=True)]
        yield " " * label_width + "".join(" " * before + name.center(span) for name, before, span in spans)
        rules = (" " * before + ("-" if name else " ") * span for name, before, span in spans)
        yield " " * label_width + "".join(rules)
    depth = max(len(column.heading) for group in groups for column in group)
    for n in range(depth):
        # headings of several lines end on the last one
        cells = [
            [
                _nth(column.heading, n if sheet.short_headings else n - depth + len(column.heading))
                for column in g
            ]
            for g in groups
        ]
        if n < depth - 1 or any(cell.strip() for group in cells for cell in group):
            yield line(sheet.corner if n == depth - 1 else "", cells)
    rule = "-" * (label_width + _width(groups))
    yield rule
    empty = _empty_parts(sheet, groups)
    for row, label in enumerate(labels):
        if row in empty:
            continue
        if row in sheet.headings:
            if row:
                yield rule
            yield from textwrap.wrap(sheet.headings[row], WIDTH)
        parts = wrap(label, label_width)
        for n in range(max(len(parts), *(len(column.cells[row]) for group in groups for column in group))):
            yield line(_nth(parts, n), [[_nth(column.cells[row], n) for column in group] for group in groups])


def _empty_parts(sheet: Sheet, groups: Sequence[Sequence[_TextColumn]]) -> set[int]:
    """The rows under the headings below which these columns have no number at all."""
    starts = sorted(sheet.headings)
    parts = [range(*ends) for ends in pairwise([*starts, len(sheet.labels)])]
    filled = {
        row
        for row in range(len(sheet.labels))
        if any(column.cells[row][0].strip() != MISSING for group in groups for column in group)
    }
    return {row for part in parts if part.start and filled.isdisjoint(part) for row in part}


def _nth(lines: Sequence[str], n: int) -> str:
    return lines[n] if 0 <= n < len(lines) else ""


def _right(cell: str, width: int) -> str:
    return " " * (width - escape.width(cell)) + cell
