"""Flow files in the Middlebury format, ``.flo``.

A file is, all little-endian: the float32 202021.25 (the bytes ``PIEH``), width and height as int32, and the rows
of (u, v) pairs as float32.
Source: D. Scharstein, ``flowIO.cpp``, https://vision.middlebury.edu/flow/submit/.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vpbench.errors import UsageError, VpbenchError
from vpbench.files import write_atomic

if TYPE_CHECKING:
    from numpy.typing import NDArray


_MAGIC = 202021.25
_HEADER = struct.Struct("<fii")
# The bounds of the reference reader; a larger number is a damaged or foreign header.
_MAX_SIDE = 99_999


def read_flo(path: Path) -> NDArray[np.float32]:
    """Read a flow field: float32 ``(H, W, 2)``, pixels, u to the right and v down.

    Raises:
        VpbenchError: the file cannot be read, is not a ``.flo`` file, has an impossible size, or has fewer or
            more bytes than its size needs. The message names the file.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            header = stream.read(_HEADER.size)
            width, height = _size(path, header)
            body = stream.read()
    except OSError as error:
        raise VpbenchError(f"{path}: the flow file cannot be read: {error.strerror}.") from None
    expected = width * height * 8
    if len(body) != expected:
        state = "is truncated" if len(body) < expected else "has bytes after its end"
        raise VpbenchError(
            f"{path}: the flow file {state}: {width}×{height} pixels need {_HEADER.size + expected} bytes, it has "
            f"{_HEADER.size + len(body)}. Write it again."
        )
    return np.frombuffer(body, dtype="<f4").reshape(height, width, 2).astype(np.float32)


def _size(path: Path, header: bytes) -> tuple[int, int]:
    """Width and height from the header, after checks."""
    if len(header) < _HEADER.size:
        raise VpbenchError(f"{path}: the flow file is truncated: {len(header)} bytes, not even a header.")
    magic, width, height = _HEADER.unpack(header)
    if magic != _MAGIC:
        raise VpbenchError(f"{path}: not a .flo file: it does not start with {_MAGIC} (the bytes 'PIEH').")
    if not (1 <= width <= _MAX_SIDE and 1 <= height <= _MAX_SIDE):
        raise VpbenchError(
            f"{path}: the flow file gives its size as {width}×{height}; sides must be 1 to {_MAX_SIDE}."
        )
    return width, height


def write_flo(path: Path, flow: NDArray[np.floating]) -> None:
    """Write a flow field ``(H, W, 2)`` as float32; the file is replaced only when all of it is written.

    Raises:
        UsageError: ``flow`` does not have that shape.
        VpbenchError: the file cannot be written.
    """
    path = Path(path)
    if flow.ndim != 3 or flow.shape[2] != 2 or not all(1 <= side <= _MAX_SIDE for side in flow.shape[:2]):
        raise UsageError(f"{path}: a flow must have the shape (height, width, 2), not {flow.shape}.")
    height, width = flow.shape[:2]
    body = np.ascontiguousarray(flow, dtype="<f4").tobytes()
    write_atomic(path, _HEADER.pack(_MAGIC, width, height) + body)
