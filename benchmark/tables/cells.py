"""What all printed tables share: the formats, and numbers as texts."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import pandas as pd

from vpbench.escape import plain
from vpbench.results.published_tables import Frame
from vpbench.tables.formats.sheet import MISSING


def as_frame(columns: Sequence[tuple[tuple[str, str, str], Sequence[object]]]) -> pd.DataFrame:
    """Columns of cells under (group, heading, unit), some of which may be equal."""
    names = pd.MultiIndex.from_tuples([key for key, _ in columns], names=["group", "heading", "unit"])
    return pd.DataFrame({n: cells for n, (_, cells) in enumerate(columns)}, dtype=object).set_axis(
        names, axis=1
    )


def values_of(rows: pd.DataFrame, name: str) -> list[float]:
    """A column as floats, NaN where a row has none (published rows know no frame counts)."""
    if name not in rows:
        return [math.nan] * len(rows)
    return [float(value) if pd.notna(value) else math.nan for value in rows[name]]


def number(value: float, decimals: int) -> str:
    """A number with so many digits after the point, or a dash."""
    return f"{value:.{decimals}f}" if math.isfinite(value) else MISSING


def integer(value: float) -> str:
    """A whole number, or a dash."""
    return str(int(value)) if math.isfinite(value) else MISSING


def short(value: float) -> str:
    """A number in at most five characters, 812, 8.1k or 12.3M, or a dash."""
    if not math.isfinite(value):
        return MISSING
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size * 0.9995:
            return f"{value / size:.3g}{sign}"
    return f"{value:.0f}"


def slug(*names: object) -> str:
    """A name of letters, digits and hyphens."""
    return "-".join(re.sub(r"[^A-Za-z0-9]+", "-", plain(name)).strip("-") for name in names)


def ordinal(number: int) -> str:
    """``1st``, ``2nd``, ``3rd``, ``4th`` and so on."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def frame_in_words(frame: Frame, steps: int) -> str:
    """``1st frame``, or ``all 8 frames``."""
    return f"all {steps} frames" if frame == "all" else f"{ordinal(int(frame))} frame"
