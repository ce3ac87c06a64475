"""Numbers, units and frames as the texts of cells, the same in every table."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import pandas as pd

from vpbench.tables.formats.sheet import MISSING

if TYPE_CHECKING:
    from vpbench.analysis.columns import Column
    from vpbench.results.published_tables import Frame


def values_of(rows: pd.DataFrame, name: str) -> list[float]:
    """A column as floats, NaN where a row has none (published rows know no frame counts)."""
    if name not in rows:
        return [math.nan] * len(rows)
    return [float(value) if pd.notna(value) else math.nan for value in rows[name]]


def decimals(column: Column, precision: int | None = None) -> int:
    """Digits after the point of a column's scores.

    Args:
        column: the column.
        precision: of decibels; scores in [0, 1] have one digit more. ``None``: the column's own.
    """
    return column.decimals if precision is None else precision + (column.decimals > 2)


def arrow(column: Column) -> str:
    """Which way is better."""
    return "↑" if column.higher_is_better else "↓"


def unit(column: Column) -> str:
    """A column's unit, and which way is better."""
    return f"{column.unit} {arrow(column)}".strip()


def number(value: float, decimals: int) -> str:
    """A number with ``decimals`` digits after the point, or a dash."""
    return f"{value:.{decimals}f}" if math.isfinite(value) else MISSING


def signed(value: float, decimals: int) -> str:
    """A difference with its sign, none for what is printed as 0; or a dash."""
    if not math.isfinite(value):
        return MISSING
    text = f"{value:+.{decimals}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


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


def slug(*names: str) -> str:
    """A name of letters, digits and hyphens."""
    return "-".join(re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") for name in names)


def ordinal(number: int) -> str:
    """``1st``, ``2nd``, ``3rd``, ``4th`` and so on."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def count(number: int, thing: str) -> str:
    """``1 clip``, ``2 clips``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def frame_in_short(frame: Frame) -> str:
    """``1st``, ``1–3`` or ``all``."""
    return ordinal(frame) if isinstance(frame, int) else frame.replace("-", "–")


def frame_in_words(frame: Frame, steps: int, article: bool = False) -> str:
    """``1st frame``, or ``the 1st frame``; ``all 8 frames``; ``mean of frames 1–3``, or ``frames 1–3``."""
    if frame == "all":
        return f"all {steps} frames"
    if isinstance(frame, str):
        return f"{'' if article else 'mean of '}frames {frame.replace('-', '–')}"
    return f"{'the ' if article else ''}{ordinal(int(frame))} frame"
