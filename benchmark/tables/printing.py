"""What all printed tables share: the formats, and numbers as texts."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from vpbench import escape
from vpbench.errors import unknown_name
from vpbench.escape import plain
from vpbench.tables import formats, html, latex
from vpbench.tables.formats import MISSING, Sheet

FORMATS = ("text", "markdown", "latex", "csv", "json", "html")

__all__ = [
    "FORMATS",
    "MISSING",
    "as_frame",
    "as_json",
    "integer",
    "number",
    "records",
    "render_sheets",
    "short",
    "slug",
    "values_of",
]

_SHEET_FORMATS: dict[str, Callable[[Sheet], str]] = {
    "text": formats.text,
    "markdown": formats.markdown,
    "latex": latex.latex,
}


def render_sheets(
    sheets: Callable[[], Sequence[Sheet]], rows: pd.DataFrame, form: str, data: Callable[[], dict[str, Any]]
) -> str:
    """Print a table in one of :data:`FORMATS`; the text has no newline at its end.

    Args:
        sheets: makes the sheets that are laid out.
        rows: flat data, for CSV.
        form: the format.
        data: makes what JSON holds.

    Raises:
        UsageError: unknown format.
    """
    if form not in FORMATS:
        raise unknown_name("table format", form, list(FORMATS))
    if form == "json":
        return as_json(data())
    if form == "html":
        return html.page(sheets())
    if form != "csv":
        return "\n".join(_SHEET_FORMATS[form](sheet) for sheet in sheets()).rstrip("\n")
    safe = rows.map(lambda value: escape.csv(value) if isinstance(value, str) else value)
    return str(safe.rename(columns=escape.csv).to_csv(index=False, lineterminator="\n")).rstrip("\n")


def as_json(data: Any) -> str:
    """JSON that is safe inside an HTML script element too, since names come from strangers."""
    text = json.dumps(_without_nan(data), indent=1, ensure_ascii=False, allow_nan=False)
    return re.sub("[<>&\u2028\u2029]", lambda match: f"\\u{ord(match[0]):04x}", text)


def _without_nan(data: Any) -> Any:
    """The data with ``None`` for NaN and infinity, which are not JSON."""
    if isinstance(data, dict):
        return {key: _without_nan(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_without_nan(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as JSON data, ``None`` for what is missing."""
    plain_rows = rows.astype(object).where(rows.notna(), None)
    return [{str(key): value for key, value in row.items()} for row in plain_rows.to_dict("records")]


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
