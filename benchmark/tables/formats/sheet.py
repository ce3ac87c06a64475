"""A table as it is printed, whatever the format lays it out in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from vpbench import escape

NAME_HEADING = 14  # characters of a line of a heading that is a name
_SHORT = 6
BEST, SECOND = 1, 2  # places
MISSING = "–"
MEANING = {BEST: "best", SECOND: "second"}
AMONG = "of the measured rows, at the printed precision"


@dataclass(frozen=True)
class SheetColumn:
    """A column of a table.

    Attributes:
        heading: what it holds.
        cells: a text a row, some of several lines.
        unit: printed beneath the heading.
        group: what stands above this column and its neighbours of the same group.
        places: for each row :data:`BEST`, :data:`SECOND` or 0; empty: no cell has a place.
    """

    heading: str
    cells: Sequence[str]
    unit: str = ""
    group: str = ""
    places: Sequence[int] = ()

    def place(self, row: int) -> int:
        """The place of a row's cell."""
        return self.places[row] if self.places else 0


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
        notes: further remarks, each a paragraph.
        meaning: what the places mean, by place.
        among: and among what.
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
    meaning: Mapping[int, str] = field(default_factory=lambda: MEANING)
    among: str = AMONG
    short_headings: bool = True

    def has(self, place: int) -> bool:
        """Whether any cell has the place."""
        return any(place in column.places for column in self.columns)

    def explained(self, signs: Mapping[int, str]) -> list[str]:
        """A sentence that says what the signs of the places mean, if there are any."""
        return explain(filter(self.has, signs), signs, self.meaning, self.among)

    def groups(self) -> list[tuple[str, int]]:
        """The headings above the columns, and how many columns each spans."""
        return [(name, len(list(same))) for name, same in groupby(column.group for column in self.columns)]

    def rows(self) -> Iterator[tuple[int, str, Sequence[str], list[str], list[int]]]:
        """Number, label, marks, cells and places of each row."""
        for row, label in enumerate(self.labels):
            marks = self.marks[row] if self.marks else ()
            cells = [column.cells[row] for column in self.columns]
            yield row, label, marks, cells, [column.place(row) for column in self.columns]


def explain(
    places: Iterable[int], signs: Mapping[int, str], meaning: Mapping[int, str] = MEANING, among: str = AMONG
) -> list[str]:
    """A sentence that says what the signs of ``places`` mean; nothing if there are none."""
    named = [f"{signs[place]}: {meaning[place]}" for place in places]
    return [f"{', '.join(named)} {among}."] if named else []


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
