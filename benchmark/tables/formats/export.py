"""The formats that tables are printed in, by name: a format is added here, and every command has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vpbench.errors import unknown_name

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


def _one_by_one(layout: Callable[[Sheet], str], table: Table) -> str:
    return "\n".join(map(layout, table.sheets()))


def _text(table: Table) -> str:
    from vpbench.tables.formats.text import text

    return _one_by_one(text, table)


def _markdown(table: Table) -> str:
    from vpbench.tables.formats.markdown import markdown

    return _one_by_one(markdown, table)


def _latex(table: Table) -> str:
    from vpbench.tables.formats.latex import latex

    return _one_by_one(latex, table)


def _csv(table: Table) -> str:
    from vpbench.tables.formats.data import csv

    return csv(table.rows())


def _json(table: Table) -> str:
    from vpbench.tables.formats.data import as_json

    return as_json(table.data())


def _html(table: Table) -> str:
    from vpbench.tables.formats.html import page

    return page(table.sheets())


# Imported by every command that has --format, for `--help` too: each format imports what it needs when it is used.
FORMATS: dict[str, Callable[[Table], str]] = {
    "text": _text,
    "markdown": _markdown,
    "latex": _latex,
    "csv": _csv,
    "json": _json,
    "html": _html,
}


def export(table: Table, form: str) -> str:
    """Print a table in one of :data:`FORMATS`; the text has no newline at its end.

    Raises:
        UsageError: unknown format.
    """
    if form not in FORMATS:
        raise unknown_name("table format", form, list(FORMATS))
    return FORMATS[form](table).rstrip("\n")
