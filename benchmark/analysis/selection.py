"""Which rows and columns a leaderboard has, and in which order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from vpbench.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from vpbench.analysis.columns import Column
    from vpbench.results.published_tables import PublishedRow, PublishedTable
    from vpbench.runs.run import Run

    Printed = list[tuple[PublishedTable, PublishedRow]]


def select_rows(
    runs: Sequence[Run], labels: Sequence[str], printed: Printed, only: Sequence[str]
) -> tuple[list[Run], list[str], Printed]:
    """The runs, their labels and the published rows whose label fits one of the patterns (all if there are none).

    A pattern is a label, or has ``*`` and ``?``; case does not count.

    Raises:
        UsageError: a pattern that no label fits, or no run is left.
    """
    if not only:
        return list(runs), list(labels), printed
    known = [*labels, *(row.label for _, row in printed)]
    for pattern in only:
        if not any(_fits(label, [pattern]) for label in known):
            raise unknown_name("row", pattern, known)
    kept = [n for n, label in enumerate(labels) if _fits(label, only)]
    if not kept:
        raise UsageError(f"No run is left by --rows {' '.join(only)}; the runs are: {', '.join(labels)}.")
    return (
        [runs[n] for n in kept],
        [labels[n] for n in kept],
        [(table, row) for table, row in printed if _fits(row.label, only)],
    )


def _fits(label: str, patterns: Sequence[str]) -> bool:
    # brackets are common in labels, and no classes of characters are wanted
    return any(fnmatchcase(label.lower(), pattern.lower().replace("[", "[[]")) for pattern in patterns)


def in_order(
    rows: Sequence[dict[str, Any]], sort: str | None, columns: Sequence[Column], score: str
) -> list[int]:
    """The order of the rows: best or least first, ties as they stand, rows without a value last.

    Args:
        rows: the measured rows.
        sort: ``None``: as they stand; ``rank``, ties by ``score``; or another key of the rows.
        columns: the columns of scores, which know which way is better.
        score: key of the score that the rows are ranked by.

    Raises:
        UsageError: no row has such a key.
    """
    given = list(range(len(rows)))
    if sort is None:
        return given
    if sort not in rows[0]:
        raise unknown_name("column to sort by", sort, list(rows[0]))
    falling = {
        key for column in columns if column.higher_is_better for key in rows[0] if _is_score(key, column.key)
    }

    def key(n: int, name: str) -> tuple[bool, Any]:
        value = rows[n].get(name)
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return True, 0
        return False, -value if name in falling else value.casefold() if isinstance(value, str) else value

    if sort == "rank" and score in rows[0]:
        return sorted(given, key=lambda n: (key(n, "rank"), key(n, score)))
    return sorted(given, key=lambda n: key(n, sort))


def _is_score(key: str, column: str) -> bool:
    """Whether ``key`` is a mean of the column or an end of its interval, not a spread."""
    return key.startswith(f"{column}_") and not key.endswith("_sd")
