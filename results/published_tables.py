"""Published rows: numbers that papers print, read from the TOML files under ``results/published/``.

``results/published/README.md`` explains the format. The numbers are kept as printed, each table says from
where it was taken and whether somebody has compared it with the source.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from vpbench.errors import UsageError, VpbenchError

# Marks with a meaning of their own: not verified, tuned on test clips, and in text bold.
UNVERIFIED_MARK = "†"
TUNED_MARK = "‡"
BEST_MARK = "•"
UNVERIFIED = "published numbers transcribed without the PDF at hand; not verified"

Frame = int | str
"""A predicted frame, 1-based, or ``"all"`` for the mean over all frames."""


@dataclass(frozen=True)
class Source:
    """A paper: its BibTeX key, a short and a full reference."""

    key: str
    short: str
    title: str
    url: str
    bibtex: str


@dataclass(frozen=True)
class PublishedRow:
    """One printed row.

    Attributes:
        label: the method, as printed.
        scores: metric column to frame to value (NaN where the paper gives none).
        marks: keys of the table's ``marks``.
        predictor: name of vpbench's predictor of the method; empty for none.
        group: heading under which the row stands; empty for none.
        verified: whether it was compared with the source.
    """

    label: str
    scores: dict[str, dict[Frame, float]]
    marks: tuple[str, ...] = ()
    group: str = ""
    verified: bool = False
    predictor: str = ""


@dataclass(frozen=True)
class PublishedTable:
    """One printed table.

    Attributes:
        source: the paper.
        name: unique within the paper.
        place: where in the paper, for example ``Table 2``.
        page: page number; ``None`` if unknown.
        summary: what was scored and how, one line.
        protocol: name of the vpbench protocol that the numbers follow; ``None`` if none is known.
        split: name of the split; ``None`` if the clips are not a split of vpbench.
        frames: the predicted frames that have values.
        labels: metric column to heading.
        decimals: metric column to the number of printed decimals.
        rows: the rows; none where the table is a slot still to be filled.
        marks: footnote mark to text.
    """

    source: Source
    name: str
    place: str
    page: int | None
    summary: str
    protocol: str | None
    split: str | None
    frames: tuple[Frame, ...]
    labels: dict[str, str]
    decimals: dict[str, int]
    rows: tuple[PublishedRow, ...]
    marks: dict[str, str] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """``KEY/NAME``, unique among all tables."""
        return f"{self.source.key}/{self.name}"

    @property
    def citation(self) -> str:
        """Short reference with table and page."""
        page = f", page {self.page}" if self.page is not None else ""
        return f"{self.source.short}, {self.place}{page}"


def read_published(folder: Path | None = None) -> tuple[PublishedTable, ...]:
    """Read every published table.

    Args:
        folder: where the TOML files are; by default those that vpbench ships.

    Raises:
        VpbenchError: a file is not TOML or not of the format; the message names file, table and row.
    """
    place: Traversable = folder if folder is not None else files("vpbench.results") / "published"
    found = sorted((file for file in place.iterdir() if file.name.endswith(".toml")), key=lambda f: f.name)
    return tuple(table for file in found for table in _read_file(file))


def for_runs(protocol: str, split: str, tables: tuple[PublishedTable, ...]) -> tuple[PublishedTable, ...]:
    """The tables whose rows may be printed below runs of ``protocol`` on ``split``, without empty ones."""
    return tuple(t for t in tables if (t.protocol, t.split) == (protocol, split) and t.rows)


def _read_file(file: Traversable) -> list[PublishedTable]:
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise VpbenchError(f"Published rows {file}: not TOML: {error}.") from None
    try:
        source = Source(**data["source"])
        if f"{source.key}.toml" != file.name:
            raise UsageError(f"[source] key '{source.key}' must be the file's name without .toml.")
        tables = [_table(source, dict(table)) for table in data["table"]]
    except (VpbenchError, KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise VpbenchError(
            f"Published rows {file}: {what}. results/published/README.md explains the format."
        ) from None
    names = [table.name for table in tables]
    if len(set(names)) != len(names):
        raise VpbenchError(
            f"Published rows {file}: two tables have the same name; names: {', '.join(names)}."
        )
    return tables


def _table(source: Source, data: dict[str, Any]) -> PublishedTable:
    where = f"table '{data.get('name', '?')}'"
    rows, verified = data.pop("rows"), data.pop("verified")
    frames = tuple(data.pop("frames"))
    marks = data.pop("marks", {})
    for mark in marks:
        if mark.isalnum() or mark in (UNVERIFIED_MARK, TUNED_MARK, BEST_MARK):
            raise UsageError(f"{where}: '{mark}' cannot be a mark: letters, digits, †, ‡ and • are taken")
    if ("protocol" in data) != ("split" in data):
        raise UsageError(f"{where}: give both protocol and split, or neither")
    if set(data["labels"]) != set(data["decimals"]):
        raise UsageError(f"{where}: labels and decimals must name the same metrics")
    table = PublishedTable(
        source=source,
        page=data.pop("page", None),
        protocol=data.pop("protocol", None),
        split=data.pop("split", None),
        frames=frames,
        marks=marks,
        rows=(),
        **data,
    )
    made = tuple(_row(table, dict(row), bool(verified), f"{where}, row {n}") for n, row in enumerate(rows, 1))
    return PublishedTable(**{**vars(table), "rows": made})


def _row(table: PublishedTable, data: dict[str, Any], verified: bool, where: str) -> PublishedRow:
    label, group = data.pop("label", None), data.pop("group", "")
    predictor = str(data.pop("predictor", ""))
    marks, verified = tuple(data.pop("marks", ())), bool(data.pop("verified", verified))
    if not isinstance(label, str) or not label:
        raise UsageError(f"{where}: it has no label")
    if unknown := set(marks) - set(table.marks):
        raise UsageError(f"{where} ('{label}'): mark '{unknown.pop()}' is not explained in the table's marks")
    if set(data) != set(table.labels):
        raise UsageError(f"{where} ('{label}'): it must have values for exactly {', '.join(table.labels)}")
    scores: dict[str, dict[Frame, float]] = {}
    for column, values in data.items():
        if not isinstance(values, list) or len(values) != len(table.frames):
            raise UsageError(f"{where} ('{label}'): {column} must have {len(table.frames)} values")
        scores[column] = dict(zip(table.frames, map(float, values), strict=True))
        if any(math.isinf(value) for value in scores[column].values()):
            raise UsageError(f"{where} ('{label}'): {column} is infinite; write nan for a value not given")
    return PublishedRow(label, scores, marks, group, verified, predictor)
