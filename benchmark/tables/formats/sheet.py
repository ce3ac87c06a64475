"""A table as it is printed, whatever the format lays it out in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from vpbench import escape

NAME_HEADING = 14  # characters of a line of a heading that is a name
_SHORT = 6
MISSING = "–"
FURTHER = "Further notes: --notes all"


@dataclass(frozen=True)
class SheetColumn:
    """A column of a table.

    Attributes:
        heading: what it holds.
        cells: a text a row, some of several lines.
        unit: printed beneath the heading.
        group: what stands above this column and its neighbours of the same group.
        bold: whether a row's cell is; empty: none is.
    """

    heading: str
    cells: Sequence[str]
    unit: str = ""
    group: str = ""
    bold: Sequence[bool] = ()

    def is_bold(self, row: int) -> bool:
        """Whether a row's cell is bold."""
        return bool(self.bold) and self.bold[row]


@dataclass(frozen=True)
class Sheet:
    """One table as it is printed.

    Attributes:
        name: letters, digits and hyphens; names it in LaTeX.
        caption: one paragraph.
        columns: the columns; neighbours of the same group stand under one heading.
        labels: row labels.
        marks: for each row, its footnote marks; empty: none has any.
        corner: heading of the labels.
        headings: row number to a heading that stands, after a rule, before that row.
        footnotes: mark to text.
        notes: how to read it, each a paragraph; what bold means is added to the first.
        further: notes and footnotes that are left out unless all are asked for: whether there are any.
        bold_means: what bold cells are.
        short_headings: long headings may be cut in text (metrics), not wrapped (names).
    """

    name: str
    caption: str
    columns: Sequence[SheetColumn]
    labels: Sequence[str]
    marks: Sequence[Sequence[str]] = ()
    corner: str = ""
    headings: Mapping[int, str] = field(default_factory=dict)
    footnotes: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    further: bool = False
    bold_means: str = ""
    short_headings: bool = True

    @property
    def has_bold(self) -> bool:
        """Whether any cell is bold."""
        return any(any(column.bold) for column in self.columns)

    def paragraphs(
        self, bold: str, escaped: Callable[[str], str] = str, mark: Callable[[str], str] = str
    ) -> list[str]:
        """What stands beneath the table; footnotes share a paragraph where others are left out.

        Args:
            bold: shows what bold cells look like, in the format's own text.
            escaped: makes a text safe in the format.
            mark: prints a footnote's mark.
        """
        first, *rest = [escaped(note) for note in self.notes] or [""]
        explained = f"{bold}: {escaped(self.bold_means)}." if self.has_bold and self.bold_means else ""
        marks = [f"{mark(one)} {escaped(text)}." for one, text in self.footnotes.items()]
        parts = [" ".join(filter(None, [first, explained])), *rest]
        return [part for part in [*parts, *([" ".join(marks)] if self.further else marks)] if part]

    def groups(self) -> list[tuple[str, int]]:
        """The headings above the columns, and how many columns each spans."""
        return [(name, len(list(same))) for name, same in groupby(column.group for column in self.columns)]

    def rows(self) -> Iterator[tuple[int, str, Sequence[str], list[str], list[bool]]]:
        """Number, label, marks and cells of each row, and which of these are bold."""
        for row, label in enumerate(self.labels):
            marks = self.marks[row] if self.marks else ()
            cells = [column.cells[row] for column in self.columns]
            yield row, label, marks, cells, [column.is_bold(row) for column in self.columns]


def shorten(heading: str) -> str:
    """A metric's heading, cut to the width of its scores: ``Sharp.`` for ``Sharpness``."""
    return heading if len(heading) <= _SHORT else f"{heading[: _SHORT - 1].rstrip()}."


def wrap(label: str, width: int) -> list[str]:
    """Break a label after its separators where it is too long, and anywhere where that is not enough."""
    lines = [""]
    for token in re.findall(r"[^\s,=_/+-]*[\s,=_/+-]|[^\s,=_/+-]+", label):
        if lines[-1] and escape.width(lines[-1] + token.rstrip()) > width:
            lines.append("")
        for character in token:
            if escape.width(lines[-1] + character) > width and character != " ":
                lines.append("")
            lines[-1] += character
    return [line.rstrip() for line in lines]
