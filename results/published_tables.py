"""Published rows: numbers that papers print, read from the TOML files under ``results/published/``.

``results/published/README.md`` explains the format. The numbers are kept as printed, each table says from
where it was taken and whether somebody has compared it with the source.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from vpbench.errors import VpbenchError
from vpbench.escape import plain
from vpbench.reading import read_toml
from vpbench.records import to_record

FOLDER = Path(__file__).parent / "published"

# Marks with a meaning of their own: not verified, tuned on test clips, and in text bold.
UNVERIFIED_MARK = "†"
TUNED_MARK = "‡"
BEST_MARK = "•"
UNVERIFIED = "published numbers transcribed without the PDF at hand; not verified"

Frame = int | str
"""A predicted frame, 1-based; ``"1-3"`` for the mean over frames 1 to 3, or ``"all"`` for that over all frames."""


_Text = Annotated[str, Meta(min_length=1, max_length=500)]
_REMEDY = "results/published/README.md explains the format."


@dataclass(frozen=True)
class Source:
    """A paper: its BibTeX key, a short and a full reference."""

    key: _Text
    short: _Text
    title: _Text
    url: _Text
    bibtex: Annotated[str, Meta(max_length=20_000)]

    def __post_init__(self) -> None:
        _check_visible({key: text for key, text in vars(self).items() if key != "bibtex"})


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


def read_published(folder: Path = FOLDER) -> tuple[PublishedTable, ...]:
    """Read every published table.

    Args:
        folder: where the TOML files are; by default those that vpbench ships.

    Raises:
        VpbenchError: a file is not TOML or not of the format; the message names file, table and row.
    """
    return tuple(table for file in sorted(folder.glob("*.toml")) for table in _read_file(file))


def for_runs(protocol: str, split: str, tables: tuple[PublishedTable, ...]) -> tuple[PublishedTable, ...]:
    """The tables whose rows may be printed below runs of ``protocol`` on ``split``, without empty ones."""
    return tuple(t for t in tables if (t.protocol, t.split) == (protocol, split) and t.rows)


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    """A file as TOML has it."""

    source: Source
    table: list[dict[str, Any]]


class _Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a file."""

    name: _Text
    place: _Text
    page: Annotated[int, Meta(ge=1, lt=2**31)] | None = None
    summary: _Text
    protocol: _Text | None = None
    split: _Text | None = None
    verified: bool
    frames: Annotated[
        tuple[
            Annotated[int, Meta(ge=1, lt=2**31)]
            | Annotated[str, Meta(pattern=r"^(all|[1-9]\d{0,4}-[1-9]\d{0,4})$")],
            ...,
        ],
        Meta(max_length=100),
    ]
    labels: Annotated[dict[str, _Text], Meta(max_length=50)]
    decimals: dict[str, Annotated[int, Meta(ge=0, le=10)]]
    marks: dict[str, _Text] = {}
    rows: Annotated[list[dict[str, Any]], Meta(max_length=1_000)]

    def __post_init__(self) -> None:
        _check_visible({"name": self.name, "place": self.place, "summary": self.summary})
        _check_visible(
            {text: text for table in (self.labels, self.marks) for text in (*table, *table.values())}
        )
        for mark in self.marks:
            if len(mark) != 1 or mark.isalnum() or mark in (UNVERIFIED_MARK, TUNED_MARK, BEST_MARK):
                raise ValueError(
                    f"'{mark}' cannot be a mark: one character that is no letter and no digit, but not †, ‡ or •"
                )
        if len(set(self.frames)) < len(self.frames):
            raise ValueError("'frames' has one twice")
        if (self.protocol is None) != (self.split is None):
            raise ValueError("'protocol' and 'split' must both be given, or neither")
        if self.labels.keys() != self.decimals.keys():
            raise ValueError("'labels' and 'decimals' must name the same metrics")
        if taken := self.labels.keys() & set(_Row.__struct_fields__):
            raise ValueError(f"'labels' cannot have '{min(taken)}', a field of rows")


class _Row(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of a table, without its scores."""

    label: _Text
    group: Annotated[str, Meta(max_length=500)] = ""
    predictor: Annotated[str, Meta(max_length=500)] = ""
    marks: tuple[str, ...] = ()
    verified: bool | None = None

    def __post_init__(self) -> None:
        _check_visible({"label": self.label, "group": self.group})


def _check_visible(texts: dict[str, str]) -> None:
    for key, text in texts.items():
        if text and plain(text) != text:
            raise ValueError(f"'{plain(key)[:50]}' must be one line of visible characters")


def _read_file(file: Path) -> list[PublishedTable]:
    where = f"Published rows {file}"
    read = to_record(read_toml(file, where, error=VpbenchError, nan=True), _File, where, remedy=_REMEDY)
    if f"{read.source.key}.toml" != file.name:
        raise VpbenchError(f"{where}: [source] 'key' must be the file's name without .toml. {_REMEDY}")
    tables = [_table(read.source, data, where) for data in read.table]
    names = [table.name for table in tables]
    if len(set(names)) != len(names):
        raise VpbenchError(f"{where}: two tables have the same name; names: {', '.join(names)}.")
    return tables


def _table(source: Source, data: dict[str, Any], where: str) -> PublishedTable:
    where = f"{where}, table '{plain(str(data.get('name', '?')))[:100]}'"
    table = to_record(data, _Table, where, remedy=_REMEDY)
    return PublishedTable(
        source=source,
        name=table.name,
        place=table.place,
        page=table.page,
        summary=table.summary,
        protocol=table.protocol,
        split=table.split,
        frames=table.frames,
        labels=table.labels,
        decimals=table.decimals,
        rows=tuple(_row(table, row, f"{where}, row {n}") for n, row in enumerate(table.rows, 1)),
        marks=table.marks,
    )


def _row(table: _Table, data: dict[str, Any], where: str) -> PublishedRow:
    facts = {key: value for key, value in data.items() if key not in table.labels}
    row = to_record(facts, _Row, where, remedy=_REMEDY)
    where = f"{where} ('{row.label}')"
    scores: dict[str, dict[Frame, float]] = {}
    for column in table.labels:
        values = to_record({column: data.get(column)}, dict[str, list[float]], where, remedy=_REMEDY)[column]
        if len(values) != len(table.frames):
            raise VpbenchError(f"{where}: '{column}' must have {len(table.frames)} values. {_REMEDY}")
        scores[column] = dict(zip(table.frames, values, strict=True))
    if unknown := set(row.marks) - table.marks.keys():
        raise VpbenchError(
            f"{where}: mark '{plain(min(unknown))[:50]}' is not explained in the table's marks. {_REMEDY}"
        )
    verified = table.verified if row.verified is None else row.verified
    return PublishedRow(row.label, scores, row.marks, row.group, verified, row.predictor)
