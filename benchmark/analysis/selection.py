"""Which rows and columns a leaderboard has, and in which order."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from vpbench.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from vpbench.analysis.columns import Column
    from vpbench.analysis.rows import Entry
    from vpbench.results.published_tables import PublishedRow, PublishedTable
    from vpbench.runs.run import Run

    Published = list[tuple[PublishedTable, PublishedRow]]


def select_rows(
    runs: Sequence[Run], labels: Sequence[str], published: Published, only: Sequence[str]
) -> tuple[list[Run], list[str], Published]:
    """The runs, their labels and the published rows whose labels match one of the patterns; all without patterns.

    A pattern is a label, or has the wildcards ``*`` and ``?``; upper and lower case are the same.

    Raises:
        UsageError: a pattern matches no label, or no run is left.
    """
    if not only:
        return list(runs), list(labels), published
    known = [*labels, *(row.label for _, row in published)]
    for pattern in only:
        if not any(_matches(label, [pattern]) for label in known):
            raise unknown_name("row", pattern, known)
    kept = [n for n, label in enumerate(labels) if _matches(label, only)]
    if not kept:
        raise UsageError(f"No run is left by --rows {' '.join(only)}; the runs are: {', '.join(labels)}.")
    return (
        [runs[n] for n in kept],
        [labels[n] for n in kept],
        [(table, row) for table, row in published if _matches(row.label, only)],
    )


def _matches(label: str, patterns: Sequence[str]) -> bool:
    # labels often have brackets, which are not meant as classes of characters
    return any(fnmatchcase(label.lower(), pattern.lower().replace("[", "[[]")) for pattern in patterns)


def find_baseline(entries: Sequence[Entry], label: str | None) -> int | None:
    """The number of the row that the others are compared with: of this label, or by default that of `last_frame`.

    ``None`` if there is no `last_frame`, or no other row.

    Raises:
        UsageError: no row has the label.
    """
    labels = [entry.label for entry in entries]
    if label is not None:
        found = [n for n, known in enumerate(labels) if known.lower() == label.lower()]
        if not found:
            raise unknown_name("row", label, labels)
        return found[0]
    named = [n for n, entry in enumerate(entries) if entry.runs[0].manifest.predictor.name == "last_frame"]
    return named[0] if named and len(entries) > 1 else None


def sort_rows(
    rows: Sequence[dict[str, Any]], sort: str | None, columns: Sequence[Column], score: str
) -> list[int]:
    """The order of the rows by a key: the best first, or the smallest of what is no score; those without it last.

    Ties keep their order.

    Args:
        rows: the measured rows.
        sort: ``None``: keep the order; ``rank``, ties by ``score``; or another key of the rows.
        columns: the columns of scores, which say what is better.
        score: key of the score that the rows are ranked by.

    Raises:
        UsageError: no row has such a key.
    """
    order = list(range(len(rows)))
    if sort is None:
        return order
    if sort not in rows[0]:
        raise unknown_name("column to sort by", sort, list(rows[0]))
    descending = {key for key in rows[0] if key.endswith("_win_rate")}
    descending |= {
        key for column in columns if column.higher_is_better for key in rows[0] if _is_score(key, column.key)
    }

    def key(n: int, name: str) -> tuple[bool, Any]:
        value = rows[n].get(name)
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return True, 0
        return False, -value if name in descending else value.casefold() if isinstance(value, str) else value

    if sort == "rank" and score in rows[0]:
        return sorted(order, key=lambda n: (key(n, "rank"), key(n, score)))
    return sorted(order, key=lambda n: key(n, sort))


def _is_score(key: str, column: str) -> bool:
    """Whether ``key`` is a mean of the column, a difference or an end of an interval, where its direction holds."""
    return re.fullmatch(rf"{re.escape(column)}_(all|\d+(-\d+)?)(_difference)?(_low|_high)?", key) is not None
