"""``.npy`` files: read as numpy writes them, and refused by what their header says, before they are read."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest

from vpbench.errors import VpbenchError
from vpbench.video.arrays import Array, parse, read_array


def npy(header: str, numbers: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    """The bytes of a file with that header."""
    length = struct.pack("<H" if version == (1, 0) else "<I", len(header))
    return b"\x93NUMPY" + bytes(version) + length + header.encode() + numbers


def header(descr: str = "'<f4'", order: str = "False", shape: str = "(2, 3)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


def anything(found: Array) -> None:
    """Accept every array."""


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "f2", "u1", "i8", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_what_numpy_writes_is_read(tmp_path: Path, dtype: str, order: str, version: tuple[int, int]) -> None:
    array = np.asarray(np.arange(24).reshape(2, 3, 4), dtype, order=order)
    with (tmp_path / "a.npy").open("wb") as stream:
        np.lib.format.write_array(stream, array, version)
    read = read_array(tmp_path / "a.npy", anything)
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "does not begin like"),
        (b"\x93NUMPY\x01\x00", "does not begin like"),
        (b"PK\x03\x04" + bytes(40), "does not begin like"),
        (npy(header(), version=(9, 0)), "version 9.0 is not known"),
        (b"\x93NUMPY\x01\x00\xff\xff{" + bytes(40), "header has 65535 bytes"),
        (npy("{ "), "header is damaged"),
        (npy("(" * 2_000), "header is damaged"),
        (npy("-" * 4_000 + "1"), "header is damaged"),
        (npy("[" * 90 + "]" * 90), "header is damaged"),
        (npy("{'descr': '<f4'}  "), "header is damaged"),
        (npy(header(order="5")), "header is damaged"),
        (npy(header(shape="[2, 3]")), "header is damaged"),
        (npy(header(shape="(2, 3.0)")), r"shape cannot be \(2, 3.0\)"),
        (npy(header(shape="(True, 3)")), r"shape cannot be \(True, 3\)"),
        (npy(header(shape="(-1, 3)")), r"shape cannot be \(-1, 3\)"),
        (npy(header(shape=f"({'9' * 300}, 3)")), "shape cannot be"),
        (npy(header(shape=f"({'1, ' * 20})")), "shape cannot be"),
        (npy(header("'|O'")), r"'\|O', no numbers; objects are not read"),
        (npy(header("'<U99999999'")), "no numbers"),
        (npy(header("[('a', '<f4')]")), "no numbers"),
        (npy(header("[('a', '<f4', (99999, 99999))]")), "no numbers"),
        (npy(header("b'x'")), "no numbers"),
        (npy(header() + "é"), "header is damaged"),
    ],
)
def test_a_wrong_header_is_said(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(data)
    (tmp_path / "a.npy").write_bytes(data)
    with pytest.raises(VpbenchError, match=rf"a\.npy is not an array that can be read: .*{message}"):
        read_array(tmp_path / "a.npy", anything)


def test_any_flipped_byte_of_a_header_is_read_or_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((48, 64, 2), np.float32))
    data, path = buffer.getvalue(), tmp_path / "a.npy"
    refused = []
    for position in range(128):
        path.write_bytes(data[:position] + bytes([data[position] ^ 0x15]) + data[position + 1 :])
        try:
            read_array(path, anything)
        except VpbenchError as error:
            refused.append(str(error))
    assert len(refused) > 50
    assert all(f"{path}" in message for message in refused)


def test_a_file_of_another_length_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(npy(header(shape="(100000, 100000, 3)")))
    with pytest.raises(
        VpbenchError, match=r"a\.npy is damaged: it has \d+ bytes, .* promises 1200000000\d\d"
    ):
        read_array(path, anything)


def test_the_caller_decides_before_the_numbers_are_read(tmp_path: Path) -> None:
    def refuse(found: Array) -> None:
        raise VpbenchError(f"{found.shape} of {found.dtype.name}")

    (tmp_path / "a.npy").write_bytes(npy(header(shape="(100000, 100000, 3)")))
    with pytest.raises(VpbenchError, match=r"^\(100000, 100000, 3\) of float32$"):
        read_array(tmp_path / "a.npy", refuse)
