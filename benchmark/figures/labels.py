"""Labels of runs, broken where a line ends."""

from __future__ import annotations

import re
from collections.abc import Callable

_LONGEST = 24  # characters of a word that a table leaves whole


def parts(label: str) -> list[str]:
    """A label in parts between which a line may break: between words and after the separators of options.

    A word that is longer than any reasonable name of a method is broken anywhere.
    """
    words = [word for word in re.split(r"(?<=[\s,=/+])", label) if word]
    return [word[n : n + _LONGEST] for word in words for n in range(0, len(word), _LONGEST)]


def wrapped(label: str, width: float, measure: Callable[[str], float] = len, most: int = 5) -> list[str]:
    """A label in lines that are at most ``width`` wide; what does not fit in ``most`` lines ends in ``…``.

    Args:
        label: the label.
        width: of a line.
        measure: gives the width of a text.
        most: number of lines.
    """
    pieces: list[str] = []
    for part in re.split(r"(?<=[\s,=/+])", label):
        # Within a name only where necessary, and then preferably after an underscore.
        fits = measure(part.rstrip()) <= width
        for piece in [part] if fits else re.split(r"(?<=[_.-])", part):
            pieces += _cut(piece, width, measure)
    lines = [""]
    for piece in pieces:
        if lines[-1] and measure((lines[-1] + piece).rstrip()) > width:
            if len(lines) == most:
                return [
                    *[line.strip() for line in lines[:-1]],
                    _cut(lines[-1].strip() + "…", width, measure, "…")[0],
                ]
            lines.append("")
        lines[-1] += piece
    return [line.strip() for line in lines]


def _cut(piece: str, width: float, measure: Callable[[str], float], end: str = "") -> list[str]:
    """A piece in parts that fit, each at least one character; ``end`` is added to those that are cut."""
    found = []
    while len(piece) > 1 and measure(piece.rstrip()) > width:
        length = len(piece) - 1
        while length > 1 and measure(piece[:length] + end) > width:
            length -= 1
        found.append(piece[:length] + end)
        piece = piece[length:]
    return [*found, piece]
