r"""Arrays out of ``.npy`` files that may come from anybody: checked before they are read, nothing is unpickled.

The format is numpy's (``numpy.lib.format``): the bytes ``\x93NUMPY``, the version, the header's length, the header, a
Python literal that says type, order and shape, and the numbers.
"""

from __future__ import annotations

import ast
import math
import os
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vpbench.errors import VpbenchError
from vpbench.files import open_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_PIXELS = 40_000_000  # of a frame: more than 8K video has
_MAGIC = b"\x93NUMPY"
_LONGEST = 4096  # bytes of a header; numpy writes 128
_TYPE = re.compile(r"[<>|=]?[biuf][1248]")  # booleans, integers and floating-point numbers


@dataclass(frozen=True)
class Array:
    """What a ``.npy`` file says that it holds.

    Attributes:
        dtype: type of the numbers.
        shape: the array's.
        columns_first: whether the first index runs fastest (Fortran's order).
        start: the byte at which the numbers begin.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    columns_first: bool
    start: int

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.start + self.dtype.itemsize * math.prod(self.shape)

    def of(self, data: bytes) -> NDArray[Any]:
        """The array in the file's bytes, as many as :attr:`size` says: a view of them, which cannot be written to."""
        flat = np.frombuffer(data, self.dtype, offset=self.start)
        return flat.reshape(self.shape, order="F" if self.columns_first else "C")


def parse(data: bytes) -> Array:
    """Read the header at the beginning of a file's bytes.

    Raises:
        ValueError: it is not that of a ``.npy`` file, or of one with other things than numbers.
    """
    if data[:6] != _MAGIC or len(data) < 12:
        raise ValueError("it does not begin like a .npy file")
    version = data[6], data[7]
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise ValueError(f"its .npy version {version[0]}.{version[1]} is not known")
    form = "<H" if version == (1, 0) else "<I"
    first = 8 + struct.calcsize(form)
    (length,) = struct.unpack(form, data[8:first])
    if length > _LONGEST:
        raise ValueError(f"its header has {length} bytes; at most {_LONGEST} may be")
    try:
        header = ast.literal_eval(data[first : first + length].decode("ascii").strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise ValueError("its header is damaged") from None
    return _checked(header, first + length)


def _checked(header: Any, start: int) -> Array:
    if not isinstance(header, dict) or header.keys() != {"descr", "fortran_order", "shape"}:
        raise ValueError("its header is damaged")
    kind, order, shape = header["descr"], header["fortran_order"], header["shape"]
    if not isinstance(order, bool) or not isinstance(shape, tuple):
        raise ValueError("its header is damaged")
    if not all(type(side) is int and 0 <= side < 2**31 for side in shape) or len(shape) > 8:
        raise ValueError(f"its shape cannot be {str(shape)[:100]}")
    if not isinstance(kind, str) or not _TYPE.fullmatch(kind):
        raise ValueError(f"it holds {str(kind)[:100]!r}, no numbers; objects are not read")
    return Array(np.dtype(kind), shape, order, start)


def read_array(path: Path, check: Callable[[Array], None], *, links: bool = True) -> NDArray[Any]:
    """Read a ``.npy`` file.

    Args:
        path: the file.
        check: called with what the header says, before the numbers are read; raises an error if that is not wanted.
        links: whether the file may be a symbolic link.

    Raises:
        VpbenchError: the file is missing, is none, or is cut off; names it.
    """
    with open_file(path, links=links) as stream:
        try:
            header = _header(stream, path, check)
            stream.seek(0)
            return header.of(stream.read())
        except ValueError as error:
            raise VpbenchError(f"{path} is not an array that can be read: {error}.") from None
        except OSError as error:
            raise VpbenchError(f"Cannot read {path}: {error.strerror}.") from error


def _header(stream: BufferedReader, path: Path, check: Callable[[Array], None]) -> Array:
    """What a file says that it holds, checked, and whether it is as long as that."""
    header = parse(stream.read(_LONGEST + 12))
    check(header)
    size = os.fstat(stream.fileno()).st_size
    if size != header.size:
        raise VpbenchError(f"{path} is damaged: it has {size} bytes, and its header promises {header.size}.")
    return header


def count_sequences(path: Path) -> int:
    """How many grey sequences a file like Moving MNIST's ``mnist_test_seq.npy`` holds: N of uint8 ``(T, N, H, W)``.

    Raises:
        VpbenchError: the file is missing, cut off, or another array; names it.
    """
    with open_file(path) as stream:
        return _sequences(stream, path).shape[1]


def read_sequence(path: Path, number: int, first: int, count: int) -> NDArray[np.uint8]:
    """Read frames of one sequence of such a file; the others are not read.

    Args:
        path: the file.
        number: which sequence, from 0.
        first: number of frames to skip.
        count: number of frames to return.

    Returns:
        uint8 ``(count, H, W)``.

    Raises:
        VpbenchError: the file is missing, cut off, or another array, or has fewer sequences or frames; names it.
    """
    with open_file(path) as stream:
        array = _sequences(stream, path)
        frames, sequences, height, width = array.shape
        if number >= sequences:
            raise VpbenchError(
                f"{path} has {sequences} sequences; there is no number {number}, counted from 0."
            )
        if first + count > frames:
            raise VpbenchError(f"{path} has sequences of {frames} frames; {first + count} are needed.")
        found = np.empty((count, height, width), np.uint8)
        try:
            for position in range(count):
                stream.seek(array.start + ((first + position) * sequences + number) * height * width)
                found[position] = np.frombuffer(stream.read(height * width), np.uint8).reshape(height, width)
        except (OSError, ValueError) as error:  # ValueError: it was cut off meanwhile
            raise VpbenchError(f"Cannot read {path}: {error}.") from error
    return found


def _sequences(stream: BufferedReader, path: Path) -> Array:
    def check(header: Array) -> None:
        shape = header.shape
        if math.prod(shape[2:]) > MOST_PIXELS:
            raise ValueError(f"its frames have more than {MOST_PIXELS // 10**6} million pixels")
        if header.dtype != np.uint8 or len(shape) != 4 or 0 in shape or header.columns_first:
            raise ValueError(
                f"sequences are uint8 (frames, sequences, height, width), not {header.dtype} {shape}"
            )

    try:
        return _header(stream, path, check)
    except ValueError as error:
        raise VpbenchError(f"{path} is not an array of sequences: {error}.") from None
    except OSError as error:
        raise VpbenchError(f"Cannot read {path}: {error.strerror}.") from error
