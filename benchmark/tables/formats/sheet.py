"""A table as it is printed, and its layout as text for a terminal and as Markdown.

LaTeX is in :mod:`vpbench.tables.formats.latex`, HTML in :mod:`vpbench.tables.formats.html`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pandas as pd

from vpbench import escape

WIDTH = 80
NAME_HEADING = 14  # characters of a line of a heading that is a name
_LEAST_LABEL, _SHORT = 16, 6
BEST, SECOND = 1, 2  # places
MISSING = "–"


@dataclass(frozen=True)
class Sheet:
    """One table as it is printed.

    Attributes:
        name: letters, digits and hyphens; names it in LaTeX.
        caption: one paragraph.
        cells: texts, some of several lines; columns are (group, heading, unit), adjacent equal groups are one.
        places: of the shape of ``cells``: :data:`BEST`, :data:`SECOND` or 0.
        labels: row labels.
        marks: for each row, its footnote marks.
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
    cells: pd.DataFrame
    places: pd.DataFrame
    labels: tuple[str, ...]
    marks: tuple[tuple[str, ...], ...]
    corner: str = ""
    headings: dict[int, str] = field(default_factory=dict)
    footnotes: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    meaning: dict[int, str] = field(default_factory=lambda: {BEST: "best", SECOND: "second"})
    among: str = "of the measured rows, at the printed precision"
    short_headings: bool = True

    @property
    def columns(self) -> list[tuple[str, str, str]]:
        """(group, heading, unit) of each column."""
        return [(str(key[0]), str(key[1]), str(key[2])) for key in self.cells.columns]

    def has(self, place: int) -> bool:
        """Whether any cell has the place."""
        return bool((self.places.to_numpy() == place).any())

    def explained(self, signs: dict[int, str]) -> list[str]:
        """A sentence that says what the signs of the places mean, if there are any."""
        named = [f"{sign}: {self.meaning[place]}" for place, sign in signs.items() if self.has(place)]
        return [f"{', '.join(named)} {self.among}."] if named else []

    def rows(self) -> Iterator[tuple[int, str, tuple[str, ...], list[str], list[int]]]:
        """Number, label, marks, cells and places of each row."""
        # as lists, for pandas takes long to give single rows
        cells, places = self.cells.to_numpy().tolist(), self.places.to_numpy().tolist()
        for row, (label, marks) in enumerate(zip(self.labels, self.marks, strict=True)):
            yield row, label, marks, [str(cell) for cell in cells[row]], places[row]


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
