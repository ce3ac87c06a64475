"""A table as data, every number in full precision: CSV and JSON."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

from vpbench import escape

if TYPE_CHECKING:
    import pandas as pd


def csv(rows: pd.DataFrame) -> str:
    """The rows as CSV in which no spreadsheet finds formulas."""
    safe = rows.map(lambda value: escape.csv(value) if isinstance(value, str) else value)
    table = safe.rename(columns=escape.csv).to_csv(index=False, lineterminator="\n")
    return escape.visible(str(table))


def as_json(data: Any) -> str:
    """JSON that is safe on a terminal and inside an HTML script element too, since names are not trusted."""
    text = json.dumps(_without_nan(data), indent=1, ensure_ascii=False, allow_nan=False)
    return re.sub("[<>&]", lambda match: f"\\u{ord(match[0]):04x}", escape.visible(text))


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
