"""The manifest of a folder of prepared clips, and the record of one clip in it: read and checked here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, to_builtins
from msgspec.structs import replace

from vpbench.errors import VpbenchError
from vpbench.escape import plain
from vpbench.files import FOLDER_NAMES, can_name_folder, write_json
from vpbench.reading import read_json
from vpbench.records import to_record
from vpbench.scoring.protocol import Frames, Protocol, Side, Skipped

KIND = "vpbench-prepared"
CLIP_KIND = "vpbench-clip"
SCHEMA = 1
_Index = Annotated[int, Meta(ge=0, lt=2**31)]
_Text = Annotated[str, Meta(max_length=500)]
_REMEDY = "Prepare the clips again."


class Geometry(Struct, frozen=True):
    """The part of a protocol that fixes which pixels a prepared clip holds; see :class:`vpbench.Protocol`."""

    inputs: Frames
    targets: Frames
    first_frame: Skipped
    size: tuple[Side, Side] | None

    @classmethod
    def of(cls, protocol: Protocol) -> Geometry:
        """What a protocol needs."""
        return cls(protocol.inputs, protocol.targets, protocol.first_frame, protocol.size)

    @property
    def of_inputs(self) -> Geometry:
        """The same but for the number of targets: equal where a predictor gets the same frames."""
        return replace(self, targets=1)

    def holds(self, wanted: Geometry) -> bool:
        """Whether clips of this kind hold all that is wanted: the same inputs, and at least as many targets."""
        return wanted.of_inputs == self.of_inputs and wanted.targets <= self.targets

    def describe(self) -> str:
        """``frames 4 to 5 after 0 to 3, of 256×256 pixels``, counted from 0."""
        first, end = self.first_frame, self.first_frame + self.inputs
        size = "" if self.size is None else f", of {self.size[1]}×{self.size[0]} pixels"
        return f"frames {end} to {end + self.targets - 1} after {first} to {end - 1}{size}"

    def data(self) -> dict[str, Any]:
        """The fields as JSON data."""
        return {**to_builtins(self), "size": list(self.size) if self.size else None}


class PreparedSplit(Struct, frozen=True, kw_only=True):
    """The split that clips were prepared of.

    Attributes:
        name: the split's; it names a folder, and cannot lead out of it.
        hash: the split's.
        total: number of clips in the split.
        missing: names of the sources that were not found.
        clusters: the clusters of the split's clips (:attr:`vpbench.splits.SplitClip.cluster`); none if an older
            vpbench prepared them.
    """

    name: str
    hash: _Text
    total: Annotated[int, Meta(ge=0, lt=2**31)]
    missing: tuple[Annotated[str, Meta(max_length=4_000)], ...] = ()
    clusters: dict[_Index, _Text] = {}

    def __post_init__(self) -> None:
        if not can_name_folder(self.name):
            raise ValueError(f"'name' cannot be that of a split: {FOLDER_NAMES}")


class PreparedManifest(Struct, frozen=True, kw_only=True):
    """What a folder of prepared clips holds.

    Attributes:
        kind: ``vpbench-prepared``.
        schema: version of this format.
        status: ``running`` or ``complete``.
        split: of which split.
        geometry: which frames, of which size.
        flow: estimator, parameters and version that made the flow.
        decoder: what decoded the videos.
        clips: clip index → hash of its pixels and flow.
    """

    kind: str = KIND
    schema: int = SCHEMA
    status: Literal["running", "complete"]
    split: PreparedSplit
    geometry: Geometry
    flow: dict[str, Any]
    decoder: dict[str, Any]
    clips: dict[_Index, _Text]

    def __post_init__(self) -> None:
        if not isinstance(self.flow.get("name"), str):
            raise ValueError("'flow' has no name")


class ClipRecord(Struct, frozen=True, kw_only=True):
    """What a clip's folder holds.

    Attributes:
        kind: ``vpbench-clip``.
        schema: version of this format.
        index: which clip.
        source: what decides whether it has to be prepared again: its place in the split, and its source files.
        content: hash of its pixels and flow.
        files: file name → hash.
    """

    kind: str = CLIP_KIND
    schema: int = SCHEMA
    index: _Index
    source: dict[str, Any]
    content: _Text
    files: dict[_Text, _Text]


def read_manifest(folder: Path, *, finished: bool) -> PreparedManifest:
    """Read the manifest of a folder of prepared clips.

    Args:
        folder: the folder.
        finished: whether its preparation must have finished.

    Raises:
        VpbenchError: it is missing, damaged, of a later version, or not finished; names the file and the field.
    """
    path = folder / "manifest.json"
    data = read_json(path, KIND)
    if data.get("schema") != SCHEMA:
        found = plain(f"{data.get('schema')}")[:100]
        raise VpbenchError(f"{path} has schema {found}; this vpbench reads {SCHEMA}.")
    if finished and data.get("status") == "running":
        raise VpbenchError(f"{folder} is not complete; run the `vpbench prepare` that made it again.")
    return to_record(data, PreparedManifest, f"{path}", remedy=_REMEDY)


def write_manifest(folder: Path, manifest: PreparedManifest) -> None:
    """Write the manifest of a folder of prepared clips."""
    write_json(folder / "manifest.json", to_builtins(manifest, str_keys=True))


def read_clip_record(folder: Path) -> ClipRecord:
    """Read the record of a clip.

    Raises:
        VpbenchError: it is missing or damaged; names the file and the field.
    """
    path = folder / "clip.json"
    return to_record(read_json(path, CLIP_KIND), ClipRecord, f"{path}", remedy=_REMEDY)
