import struct

import cv2
import numpy as np
import pytest

from vpbench.errors import UsageError, VpbenchError
from vpbench.video.flow_io import read_flo, write_flo


@pytest.fixture
def field():
    field = np.random.default_rng(0).normal(0, 5, (7, 11, 2)).astype(np.float32)
    field[0, 0] = np.nan
    field[1, 2] = (1.66e9, -np.inf)
    return field


@pytest.fixture
def path(tmp_path):
    return tmp_path / "one.flo"


def test_round_trip_is_exact(path, field):
    write_flo(path, field)
    again = read_flo(path)
    assert again.dtype == np.float32
    assert again.flags.writeable
    assert again.tobytes() == field.tobytes()


def test_bytes_are_those_of_the_format(path):
    write_flo(path, np.array([[[1.5, -2.0], [0.25, 4.0]]]))
    assert path.read_bytes() == b"PIEH" + struct.pack("<ii4f", 2, 1, 1.5, -2.0, 0.25, 4.0)


def test_reads_what_opencv_writes_and_writes_what_opencv_reads(tmp_path, field):
    ours, theirs = tmp_path / "ours.flo", tmp_path / "theirs.flo"
    assert cv2.writeOpticalFlow(str(theirs), field)
    write_flo(ours, field)
    assert ours.read_bytes() == theirs.read_bytes()
    np.testing.assert_array_equal(cv2.readOpticalFlow(str(ours)), field)
    np.testing.assert_array_equal(read_flo(theirs), field)


def test_non_contiguous_and_big_endian_fields(path, field):
    write_flo(path, field[::-1, ::2])
    np.testing.assert_array_equal(read_flo(path), field[::-1, ::2])
    write_flo(path, field.astype(">f4"))
    np.testing.assert_array_equal(read_flo(path), field)


HEADER = struct.pack("<fii", 202021.25, 3, 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "truncated"),
        (HEADER[:10], "truncated: 10 bytes"),
        (HEADER, r"truncated: 3×2 pixels need 60 bytes, it has 12"),
        (HEADER + bytes(47), "truncated"),
        (HEADER + bytes(49), "bytes after its end"),
        (b"PNG!" + HEADER[4:] + bytes(48), "not a .flo file"),
        (struct.pack(">fii", 202021.25, 3, 2) + bytes(48), "not a .flo file"),
        (struct.pack("<fii", 202021.25, 0, 2), "size as 0×2"),
        (struct.pack("<fii", 202021.25, 3, -2), "size as 3×-2"),
        (struct.pack("<fii", 202021.25, 2**31 - 1, 2**31 - 1), "size as 2147483647×2147483647"),
        (struct.pack("<fii", 202021.25, 99_999, 99_999), "truncated"),
    ],
)
def test_damaged_files_are_named(path, content, message):
    path.write_bytes(content)
    with pytest.raises(VpbenchError, match=message) as error:
        read_flo(path)
    assert str(path) in str(error.value)


def test_a_missing_file_is_named(path):
    with pytest.raises(VpbenchError, match=r"one\.flo"):
        read_flo(path)


def test_a_folder_that_is_not_there_is_named(tmp_path, field):
    with pytest.raises(VpbenchError, match="nowhere"):
        write_flo(tmp_path / "nowhere" / "one.flo", field)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 3), (0, 4, 2)])
def test_what_is_no_flow_is_not_written(path, shape):
    with pytest.raises(UsageError, match=r"one\.flo"):
        write_flo(path, np.zeros(shape, np.float32))
    assert not path.exists()
