"""Published tables by name."""

from __future__ import annotations

from vpbench.results.published_tables import PublishedTable, read_published


def published_table(full_name: str) -> PublishedTable:
    """The table ``KEY/NAME`` that comes with vpbench."""
    (table,) = (table for table in read_published() if table.full_name == full_name)
    return table
