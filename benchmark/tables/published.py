"""A published table, printed on its own in every format."""

from __future__ import annotations

import pandas as pd

from vpbench.results.published_tables import UNVERIFIED, UNVERIFIED_MARK, PublishedTable
from vpbench.tables.cells import number, ordinal, slug
from vpbench.tables.formats.data import records
from vpbench.tables.formats.export import Table, export
from vpbench.tables.formats.sheet import Sheet, SheetColumn


def render_published(table: PublishedTable, form: str = "text") -> str:
    """Print a published table in one of :data:`vpbench.tables.formats.export.FORMATS`.

    The text has no newline at its end.

    Raises:
        UsageError: unknown format.
    """
    return export(
        Table(
            sheets=lambda: [_sheet(table)],
            rows=lambda: _frame(table),
            data=lambda: {"caption": table.citation, "rows": records(_frame(table))},
        ),
        form,
    )


def _sheet(table: PublishedTable) -> Sheet:
    """The table, with its groups of rows under headings."""
    footnotes = {mark: text for mark, text in table.marks.items() if any(mark in r.marks for r in table.rows)}
    if any(not row.verified for row in table.rows):
        footnotes[UNVERIFIED_MARK] = UNVERIFIED
    return Sheet(
        name=slug(table.source.key, table.name),
        caption=f"{table.citation}. {table.summary}",
        columns=[
            SheetColumn(
                label,
                [number(row.scores[key][frame], table.decimals[key]) for row in table.rows],
                group="all frames" if frame == "all" else f"{ordinal(int(frame))} frame",
            )
            for frame in table.frames
            for key, label in table.labels.items()
        ],
        labels=[row.label for row in table.rows],
        marks=[(*r.marks, *(() if r.verified else (UNVERIFIED_MARK,))) for r in table.rows],
        headings={
            n: row.group
            for n, row in enumerate(table.rows)
            if row.group and (n == 0 or table.rows[n - 1].group != row.group)
        },
        footnotes=footnotes,
        notes=() if table.rows else ("No rows yet: an empty slot; results/published/README.md says more.",),
    )


def _frame(table: PublishedTable) -> pd.DataFrame:
    """The table as flat data, one line for each row."""
    columns = ["label", "group", "published", "verified"]
    columns += [f"{key}_{frame}" for key in table.labels for frame in table.frames]
    rows = [
        {"label": row.label, "group": row.group, "published": True, "verified": row.verified}
        | {f"{key}_{frame}": value for key, by in row.scores.items() for frame, value in by.items()}
        | {"marks": " ".join(row.marks), "source": table.citation}
        for row in table.rows
    ]
    return pd.DataFrame(rows, columns=[*columns, "marks", "source"])
