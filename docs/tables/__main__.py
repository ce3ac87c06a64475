"""Writes the tables of the pages that are made of the runs in results/runs, of the weights and of docs/evidence.

``python docs/tables`` writes them anew, each between two comments that name it; a test says whether they are in step.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from calibration import calibration_table
from measured import ROOT
from readme import paper_table
from training import (
    against_table,
    eight_table,
    grey_table,
    looks_table,
    means_table,
    motion_table,
    steps_table,
    weights_table,
)

# Page, name of the table on it, and what makes it.
TABLES: tuple[tuple[str, str, Callable[[], str]], ...] = (
    ("README.md", "paper", paper_table),
    ("docs/protocols.md", "calibration-test", partial(calibration_table, "ucf101-every10th")),
    ("docs/protocols.md", "calibration-others", partial(calibration_table, "groups-22-25")),
    ("docs/training.md", "grey", grey_table),
    ("docs/training.md", "weights", weights_table),
    ("docs/training.md", "means", means_table),
    ("docs/training.md", "against-1", partial(against_table, 1)),
    ("docs/training.md", "against-2", partial(against_table, 2)),
    ("docs/training.md", "motion", motion_table),
    ("docs/training.md", "steps", steps_table),
    ("docs/training.md", "looks", looks_table),
    ("docs/training.md", "8to8", eight_table),
)


def made() -> dict[Path, str]:
    """The pages, with their tables made anew."""
    pages: dict[Path, str] = {}
    for page, name, table in TABLES:
        path = ROOT / page
        text = pages.get(path) or path.read_text(encoding="utf-8")
        start, end = f"<!-- table: {name} -->\n", "\n<!-- end of table -->"
        before, found, rest = text.partition(start)
        _, ends, after = rest.partition(end)
        if not (found and ends):
            sys.exit(f"{page} has no '{start.strip()}' … '{end.strip()}'.")
        pages[path] = before + start + table() + end + after
    return pages


if __name__ == "__main__":
    for path, text in made().items():
        path.write_text(text, encoding="utf-8")
        print(f"{path.relative_to(ROOT)} is written.")
