"""The formats that tables are printed in, by name: a format is added here, and every command has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vpbench.errors import unknown_name
from vpbench.tables.formats import data, html
from vpbench.tables.formats.latex import latex
from vpbench.tables.formats.markdown import markdown
from vpbench.tables.formats.text import text

if TYPE_CHECKING:
    import pandas as pd

    from vpbench.tables.formats.sheet import Sheet


@dataclass(frozen=True)
class Table:
    """What a table may be printed from; a format makes only what it needs.

    Attributes:
        sheets: makes the tables as they are laid out, one below the other.
        rows: makes flat rows of all numbers in full precision.
        data: makes JSON data of everything.
    """

    sheets: Callable[[], Sequence[Sheet]]
    rows: Callable[[], pd.DataFrame]
    data: Callable[[], dict[str, Any]]


def _one_by_one(layout: Callable[[Sheet], str]) -> Callable[[Table], str]:
    return lambda table: "\n".join(map(layout, table.sheets()))


FORMATS: dict[str, Callable[[Table], str]] = {
    "text": _one_by_one(text),
    "markdown": _one_by_one(markdown),
    "latex": _one_by_one(latex),
    "csv": lambda table: data.csv(table.rows()),
    "json": lambda table: data.as_json(table.data()),
    "html": lambda table: html.page(table.sheets()),
}


def export(table: Table, form: str) -> str:
    """Print a table in one of :data:`FORMATS`; the text has no newline at its end.

    Raises:
        UsageError: unknown format.
    """
    if form not in FORMATS:
        raise unknown_name("table format", form, list(FORMATS))
    return FORMATS[form](table).rstrip("\n")
