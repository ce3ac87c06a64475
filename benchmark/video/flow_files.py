"""Flows that the user made elsewhere, with EpicFlow, RAFT or anything else, read from a folder: ``files:DIR``.

The flow of clip 11 from its fourth frame to its fifth is ``DIR/11/4_5.flo``, or ``.npy`` in place of ``.flo``. The
frames of a clip are counted from 1, inputs first: with 4 inputs, frame 5 is the first target. A flow belongs to the
frames as they are scored, so its size is that of the prepared frames (``vpbench prepare``).

- ``.flo`` is the Middlebury format, all little-endian: the bytes ``PIEH`` (the float32 202021.25), width and height as
  int32, and the rows of (u, v) pairs as float32. Source: D. Scharstein, ``flowIO.cpp``,
  https://vision.middlebury.edu/flow/submit/.
- ``.npy`` is a numpy array of floating-point numbers ``(H, W, 2)``.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vpbench.errors import UsageError, VpbenchError
from vpbench.files import is_folder, open_file
from vpbench.video.arrays import Array, read_array
from vpbench.video.flow_colour import known_flow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Flow = NDArray[np.float32]


NAME = "files"  # in protocols and manifests, in the place of an estimator's
_FILE = re.compile(r"[1-9][0-9]*_[1-9][0-9]*\.(flo|npy)")
_MAGIC = b"PIEH"
_HEADER = 12  # bytes


@dataclass(frozen=True)
class FlowFiles:
    """A folder of flows.

    Attributes:
        folder: see the module's docstring.

    Raises:
        UsageError: there is no such folder, or it has no flows.
    """

    folder: Path

    def __post_init__(self) -> None:
        if not is_folder(self.folder):
            raise UsageError(f"files:{self.folder}: there is no folder {self.folder}.")
        if next(self._files(), None) is None:
            raise UsageError(
                f"files:{self.folder}: there are no flows in the folder; that of clip 1 from frame 4 to frame 5 is "
                f"{self.folder / '1' / '4_5.flo'} or .npy."
            )

    @property
    def name(self) -> str:
        """``files``, as in protocols and manifests."""
        return NAME

    def between(self, frames: NDArray[np.uint8], before: int, after: int, clip: int | None) -> Flow:
        """Read the flow from one frame of a clip to another.

        Args:
            frames: the clip's, uint8 ``(T, H, W, 3)``; they give the size.
            before: position in ``frames``, counted from 0.
            after: the other's.
            clip: the clip's index.

        Returns:
            float32 ``(H, W, 2)``, pixels, u to the right and v down, finite.

        Raises:
            UsageError: the clip has no index.
            VpbenchError: the file is missing, there twice, damaged, of another size than the frames, or the flow is
                not known everywhere; names the file.
        """
        if clip is None:
            raise UsageError("Flows from files are found by a clip's index, and these frames have none.")
        stem = self.folder / str(clip) / f"{before + 1}_{after + 1}"
        there = [path for path in (stem.with_suffix(".flo"), stem.with_suffix(".npy")) if path.is_file()]
        if not there:
            raise VpbenchError(
                f"{stem}.flo (or .npy) is missing: the flow of clip {clip} from frame {before + 1} to frame "
                f"{after + 1}, counted from 1, inputs first."
            )
        if len(there) > 1:
            raise VpbenchError(f"{stem}.flo and {there[1].name} are both there; remove one.")
        return read_flow(there[0], (frames.shape[1], frames.shape[2]))

    def describe(self) -> dict[str, Any]:
        """What fixes the flows: that they come from files, and the SHA-256 over the files' names and bytes."""
        return {"name": self.name, "sha256": self._hash}

    @cached_property
    def _hash(self) -> str:
        total = hashlib.sha256()
        for path in sorted(self._files(), key=lambda path: (int(path.parent.name), path.name)):
            with open_file(path) as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            total.update(f"{digest}  {path.parent.name}/{path.name}\n".encode())
        return total.hexdigest()

    def _files(self) -> Iterator[Path]:
        for path in self.folder.glob("*/*_*"):
            if path.parent.name.isdecimal() and _FILE.fullmatch(path.name):
                yield path


def read_flow(path: Path, size: tuple[int, int]) -> Flow:
    """Read a flow from a ``.flo`` or ``.npy`` file.

    Args:
        path: the file; its suffix says which.
        size: (height, width) of the frames.

    Returns:
        float32 ``(H, W, 2)``, pixels, u to the right and v down, finite.

    Raises:
        VpbenchError: the file cannot be read, is no such file, has another size than the frames, or the flow is not
            known everywhere (NaN, infinity, or beyond ±1e9, which is Middlebury's sign for unknown); names the file.
    """
    flow = read_array(path, _check_npy(path, size)) if path.suffix == ".npy" else _read_flo(path, size)
    with np.errstate(invalid="ignore"):  # signalling NaNs, which are found below
        flow = flow.astype(np.float64)
    known = known_flow(flow)
    if not known.all():
        row, column = np.argwhere(~known)[0]
        raise VpbenchError(
            f"{path}: the flow at row {row}, column {column} is {flow[row, column].tolist()}; it must be known and "
            "finite everywhere."
        )
    return np.ascontiguousarray(flow, dtype=np.float32)


def _check_npy(path: Path, size: tuple[int, int]) -> Callable[[Array], None]:
    def check(found: Array) -> None:
        if len(found.shape) != 3 or found.shape[2] != 2 or found.dtype.kind != "f":
            raise VpbenchError(
                f"{path} must hold floating-point numbers (height, width, 2), not {found.dtype} {found.shape}."
            )
        _check_size(path, (found.shape[0], found.shape[1]), size)

    return check


def _check_size(path: Path, found: tuple[int, int], size: tuple[int, int]) -> None:
    if found != size:
        raise VpbenchError(
            f"{path} is {found[1]}×{found[0]} pixels; the clip's frames are {size[1]}×{size[0]}. Make it "
            "from the frames as `vpbench prepare` writes them."
        )


def _read_flo(path: Path, size: tuple[int, int]) -> NDArray[np.float32]:
    with open_file(path) as stream:
        head, length = stream.read(_HEADER), os.fstat(stream.fileno()).st_size
        if head[:4] != _MAGIC or len(head) < _HEADER:
            raise VpbenchError(
                f"{path} is damaged or is not a flow: a .flo file begins with the bytes PIEH, its width and its height."
            )
        width, height = struct.unpack("<ii", head[4:])
        if width < 1 or height < 1 or length != _HEADER + 8 * width * height:
            raise VpbenchError(
                f"{path} is damaged or is not a flow: it has {length} bytes, which are not those of {width}×{height} "
                "pixels."
            )
        _check_size(path, (height, width), size)
        return np.frombuffer(stream.read(), "<f4").reshape(height, width, 2)
