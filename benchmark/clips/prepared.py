"""Prepared clips: what one is, and how a folder of them is opened and read.

The layout is that of the authors' archive: ``<index>/pred_1.png`` … are the inputs, ``target_1.png`` … the
targets, ``pred_4_flow.png``, ``target_1_flow.png`` … the colour-coded flow from the frame before each
target to that target. Folders that vpbench prepared also have ``flow_1.npy`` …, the flow itself
(float32, ``(H, W, 2)``, pixels, u to the right and v down), and hashes of everything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpbench.clips.manifest import Geometry, PreparedSplit, read_clip_record, read_manifest
from vpbench.errors import UsageError, VpbenchError
from vpbench.files import is_file, is_folder, numbered, read_bytes
from vpbench.scoring.clip import Clip
from vpbench.scoring.protocol import Protocol
from vpbench.splits import BUILT_IN as SPLITS
from vpbench.splits import Split, SplitClip, get_split
from vpbench.video import flow_files
from vpbench.video.arrays import parse
from vpbench.video.decoding import decode_picture

ARCHIVE_FLOW = {"name": "archive"}


def flow_image_names(inputs: int, targets: int) -> list[str]:
    """File names of the flow images: each is named after the frame that its flow starts from."""
    return [f"pred_{inputs}_flow.png", *(f"target_{k}_flow.png" for k in range(1, targets))]


@dataclass(frozen=True)
class StoredClip:
    """One clip of a folder, not yet read: everything that a worker needs to read it.

    Attributes:
        folder: folder of the prepared clips.
        index: which clip.
        content: the content hash that the folder's manifest gives; ``None`` for an archive, which has none.
    """

    folder: Path
    index: int
    content: str | None = None

    def load(self, protocol: Protocol, inputs_only: bool = False) -> Clip:
        """Read the clip, with the flow that the protocol's mask rule needs, and check it.

        Args:
            protocol: says which frames and which flow to read.
            inputs_only: leave out targets and flow.

        Raises:
            VpbenchError: a file is missing, damaged, changed since it was prepared, or of another size; names it.
        """
        targets = 0 if inputs_only else protocol.targets
        vectors = protocol.mask.needs_vectors and not inputs_only
        images = protocol.mask.kind == "archive" and not inputs_only
        arrays = self._read_arrays(_file_names(protocol.inputs, targets, vectors, images))
        inputs = [arrays[f"pred_{k}.png"] for k in range(1, protocol.inputs + 1)]
        futures = [arrays[f"target_{k}.png"] for k in range(1, targets + 1)]
        flow_images = flow_image_names(protocol.inputs, targets) if images else []
        return Clip(
            index=self.index,
            inputs=np.stack(inputs),
            targets=np.stack(futures) if futures else np.empty((0, *inputs[0].shape), np.uint8),
            flows=tuple(arrays[f"flow_{k}.npy"] for k in range(1, targets + 1)) if vectors else None,
            flow_images=tuple(arrays[name] for name in flow_images) if images else None,
        )

    def _read_arrays(self, names: list[str]) -> dict[str, NDArray[Any]]:
        """The files of the clip by name, each checked against its hash and the size of the first."""
        where = self.folder / str(self.index)
        hashes = None if self.content is None else self._recorded_hashes(where)
        arrays: dict[str, NDArray[Any]] = {}
        for name in names:
            data = read_bytes(where / name)
            if hashes is not None and hashes.get(name) != file_hash(data):
                raise VpbenchError(
                    f"{where / name} was changed or damaged since it was prepared. Delete {where} and run again."
                )
            decode = _decode_flow if name.endswith(".npy") else decode_picture
            arrays[name] = decode(data, where / name)
            height, width = arrays[names[0]].shape[:2]
            if arrays[name].shape[:2] != (height, width):
                raise VpbenchError(
                    f"{where / name} is {arrays[name].shape[1]}×{arrays[name].shape[0]} pixels, but {names[0]} "
                    f"beside it {width}×{height}."
                )
        return arrays

    def _recorded_hashes(self, where: Path) -> dict[str, str]:
        record = read_clip_record(where)
        if record.content != self.content:
            raise VpbenchError(
                f"{where} does not belong to {self.folder / 'manifest.json'}. Prepare the clips again."
            )
        return record.files


@dataclass(frozen=True)
class PreparedClips:
    """A folder of prepared clips, opened.

    Attributes:
        folder: where it is.
        split: of which split.
        geometry: which frames, of which size.
        flow: estimator, parameters and version that made the flow.
        decoder: what decoded the videos.
        contents: clip index → hash of its pixels and flow.
    """

    folder: Path
    split: PreparedSplit
    geometry: Geometry
    flow: dict[str, Any]
    decoder: dict[str, Any]
    contents: dict[int, str]

    @property
    def is_archive(self) -> bool:
        """Whether this is the authors' archive rather than a folder that vpbench prepared."""
        return self.flow == ARCHIVE_FLOW

    def check_serves(self, protocol: Protocol) -> None:
        """Refuse a protocol that these clips cannot serve.

        Raises:
            UsageError: other frames, size or flow; or the mask rule needs what the folder does not have.
        """
        wanted, there = Geometry.of(protocol).data(), self.geometry.data()
        if self.is_archive and protocol.inputs == 4 and protocol.targets <= self.geometry.targets:
            wanted["targets"] = self.geometry.targets
        if wanted != there:
            keys = [key for key in wanted if wanted[key] != there[key]]
            raise UsageError(
                f"The clips in {self.folder} cannot serve protocol '{protocol.name}': "
                + ", ".join(f"{key} is {there[key]}, not {wanted[key]}" for key in keys)
                + ". Prepare them for that protocol (`vpbench prepare --protocol`)."
            )
        if self.is_archive:
            if protocol.mask.needs_vectors:
                raise UsageError(
                    f"The mask rule '{protocol.mask.kind}' of protocol '{protocol.name}' needs flow vectors; the "
                    f"archive {self.folder} has flow images only. Use --protocol mathieu2016-archive, whose rule "
                    "'archive' reads those, or give the videos as --data."
                )
        elif protocol.mask.kind != "none" and not self._has_flow(protocol.flow):
            raise UsageError(
                f"The clips in {self.folder} have flow of '{self.flow['name']}'; protocol '{protocol.name}' needs "
                f"'{protocol.flow}'. Prepare them for that protocol (`vpbench prepare --protocol`), or name the clips' "
                "flow with --flow."
            )

    def _has_flow(self, name: str) -> bool:
        """Whether the flow has that name; an exact one serves instead of any estimate."""
        return self.flow["name"] == name or (self.flow["name"] == "exact" and name != flow_files.NAME)

    def only(self, indices: Iterable[int]) -> PreparedClips:
        """The same folder, reduced to these clips."""
        return replace(self, contents={index: self.contents[index] for index in indices})

    def __iter__(self) -> Iterator[StoredClip]:
        """The clips, not yet read."""
        return map(self._stored, self.contents)

    def load(self, index: int, protocol: Protocol) -> Clip:
        """Read one clip; see :meth:`StoredClip.load`."""
        return self._stored(index).load(protocol)

    def _stored(self, index: int) -> StoredClip:
        # An archive has no record to check its files against.
        return StoredClip(self.folder, index, None if self.is_archive else self.contents[index])

    @property
    def clusters(self) -> dict[int, str]:
        """The clusters of the clips by index (:attr:`vpbench.splits.SplitClip.cluster`).

        Raises:
            VpbenchError: the folder does not say, and a clip's record is damaged; names the file.
        """
        known = self.split.clusters
        if not known and self.split.name in SPLITS and get_split(self.split.name).hash == self.split.hash:
            known = get_split(self.split.name).clusters
        return {index: known.get(index) or self._source(index).cluster for index in self.contents}

    def _source(self, index: int) -> SplitClip:
        """The clip as its record names it."""
        record = read_clip_record(self.folder / str(index))
        return SplitClip(index, str(record.source.get("source")))

    @property
    def hash(self) -> str:
        """Identity of the clips' pixels and flow: 16 hex digits."""
        text = "".join(f"{index}:{content}\n" for index, content in sorted(self.contents.items()))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def open_prepared(folder: Path) -> PreparedClips:
    """Open a folder that ``vpbench prepare`` made.

    Raises:
        VpbenchError: the folder is damaged, of a later version, or its preparation has not finished.
    """
    manifest = read_manifest(folder, finished=True)
    return PreparedClips(
        folder, manifest.split, manifest.geometry, manifest.flow, manifest.decoder, manifest.clips
    )


def is_prepared(folder: Path) -> bool:
    """Whether a folder was made by ``vpbench prepare``."""
    return is_file(folder / "manifest.json")


def is_archive(folder: Path) -> bool:
    """Whether a folder has the layout of the authors' archive ``UCF101frm10p`` but no manifest of ours."""
    return not is_prepared(folder) and any(
        is_file(folder / str(index) / "pred_1.png") for index in _numbers(folder)
    )


def _numbers(folder: Path) -> list[int]:
    """The indices of clips that folders in ``folder`` are named by, in order."""
    try:
        names = [path.name for path in folder.iterdir() if is_folder(path)]
    except OSError as error:
        raise VpbenchError(f"Cannot read {folder}: {error.strerror}.") from error
    return sorted(index for index in map(numbered, names) if index is not None)


def open_archive(folder: Path, split: Split) -> PreparedClips:
    """Open a copy of the authors' ``UCF101frm10p`` as it is.

    Args:
        folder: the archive.
        split: the split that it holds.

    Raises:
        UsageError: a folder's number is not an index of the split.
        VpbenchError: a clip lacks files, or cannot be read.
    """
    known = {clip.index for clip in split.clips}
    found = _numbers(folder)
    strange = [index for index in found if index not in known]
    if strange:
        raise UsageError(
            f"The archive {folder} has a clip {strange[0]}, which split '{split.name}' does not have. "
            "Name the split that it holds with --split."
        )
    targets = 2 if is_file(folder / str(found[0]) / "target_2.png") else 1
    names = _file_names(4, targets, vectors=False, images=True)
    contents = {}
    for index in found:
        digest = hashlib.blake2b(digest_size=16)
        for file in names:
            digest.update(read_bytes(folder / str(index) / file))
        contents[index] = digest.hexdigest()
    return PreparedClips(
        folder=folder,
        split=PreparedSplit(
            name=split.name,
            hash=split.hash,
            total=len(known),
            missing=tuple(map(str, sorted(known - set(found)))),
            clusters=split.clusters,
        ),
        geometry=Geometry(inputs=4, targets=targets, first_frame=0, size=None),
        flow=ARCHIVE_FLOW,
        decoder={"name": "archive"},
        contents=contents,
    )


def _file_names(inputs: int, targets: int, vectors: bool, images: bool) -> list[str]:
    names = [f"pred_{k}.png" for k in range(1, inputs + 1)]
    names += [f"target_{k}.png" for k in range(1, targets + 1)]
    if images:
        names += flow_image_names(inputs, targets)
    if vectors:
        names += [f"flow_{k}.npy" for k in range(1, targets + 1)]
    return names


def file_hash(data: bytes) -> str:
    """BLAKE2b-256 of a file's bytes (``b2sum --length 256`` prints the same)."""
    return hashlib.blake2b(data, digest_size=32).hexdigest()


def _decode_flow(data: bytes, path: Path) -> NDArray[np.float32]:
    """The array in the bytes of a ``.npy`` file; it is a view of them, and cannot be written to."""
    try:
        found = parse(data)
    except ValueError as error:
        raise VpbenchError(f"{path} is damaged: {error}.") from None
    shape = found.shape
    if found.dtype != np.float32 or len(shape) != 3 or shape[2] != 2 or found.columns_first:
        raise VpbenchError(f"{path} is not flow: float32 (H, W, 2) is expected, not {found.dtype} {shape}.")
    if len(data) != found.size:
        raise VpbenchError(
            f"{path} is damaged: it has {len(data)} bytes, and its header promises {found.size}."
        )
    return np.asarray(found.of(data), dtype=np.float32)
