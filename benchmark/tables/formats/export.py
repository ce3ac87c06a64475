"""The formats that tables are printed in, by name; CSV and JSON."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from vpbench import escape
from vpbench.errors import unknown_name
from vpbench.tables.formats import html, latex
from vpbench.tables.formats.markdown import markdown
from vpbench.tables.formats.sheet import Sheet
from vpbench.tables.formats.text import text

FORMATS = ("text", "markdown", "latex", "csv", "json", "html")


_SHEET_FORMATS: dict[str, Callable[[Sheet], str]] = {
    "text": text,
    "markdown": markdown,
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
