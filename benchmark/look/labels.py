"""Labels of runs, broken where a line ends."""

from __future__ import annotations

import re


def parts(label: str) -> list[str]:
    """A label in parts between which a line may break: between words and after the separators of options."""
    return [part for part in re.split(r"(?<=[\s,=/+])", label) if part]


def wrapped(label: str, width: int, most: int = 5) -> list[str]:
    """A label in at most ``most`` lines of ``width`` characters; what is too long for that ends in ``…``."""
    pieces: list[str] = []
    for part in parts(label):
        # Within a name only where it must be, and then rather after an underscore.
        inner = [part] if len(part.rstrip()) <= width else re.split(r"(?<=[_.-])", part)
        pieces += [piece[n : n + width] for piece in inner for n in range(0, len(piece), width)]
    lines = [""]
    for piece in pieces:
        if lines[-1] and len((lines[-1] + piece).rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    lines = [line.strip() for line in lines]
    return lines if len(lines) <= most else [*lines[: most - 1], lines[most - 1][: width - 1] + "…"]
