"""Flows of the user's: what is read, and what is refused by its name."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from flows import flo_bytes, write_flow

from vpbench.errors import UsageError, VpbenchError
from vpbench.video.flow_files import FlowFiles, read_flow
from vpbench.video.flow_source import EstimatedFlow, flow_source

FIELD = np.random.default_rng(0).normal(0, 5, (7, 11, 2)).astype(np.float32)
FRAMES = np.zeros((6, 7, 11, 3), np.uint8)


def npy_bytes(array: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.asarray(array), allow_pickle=True)
    return stream.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_flow(tmp_path, 11, 4, 5, FIELD)
    return tmp_path


def test_the_bytes_of_the_format(tmp_path: Path) -> None:
    path = tmp_path / "one.flo"
    path.write_bytes(b"PIEH" + struct.pack("<ii4f", 2, 1, 1.5, -2.0, 0.25, 4.0))
    found = read_flow(path, (1, 2))
    assert found.dtype == np.float32
    assert found.tolist() == [[[1.5, -2.0], [0.25, 4.0]]]


def test_reads_what_opencv_writes(tmp_path: Path) -> None:
    path = tmp_path / "one.flo"
    assert cv2.writeOpticalFlow(str(path), FIELD)
    np.testing.assert_array_equal(read_flow(path, (7, 11)), FIELD)
    assert path.read_bytes() == flo_bytes(FIELD)


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<f2"])
def test_arrays_of_any_precision(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "one.npy"
    np.save(path, FIELD.astype(dtype))
    found = read_flow(path, (7, 11))
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, FIELD.astype(dtype).astype(np.float32))


@pytest.mark.parametrize(
    ("suffix", "content", "message"),
    [
        (".flo", b"", "begins with the bytes PIEH"),
        (".flo", flo_bytes(FIELD)[:9], "begins with the bytes PIEH"),
        (".flo", b"ABCD" + flo_bytes(FIELD)[4:], "begins with the bytes PIEH"),
        (".flo", struct.pack(">fii", 202021.25, 11, 7) + bytes(616), "begins with the bytes PIEH"),
        (".flo", flo_bytes(FIELD)[:-1], "627 bytes, which are not those of 11×7 pixels"),
        (".flo", flo_bytes(FIELD) + b"\0", "629 bytes, which are not those of 11×7 pixels"),
        (".flo", b"PIEH" + struct.pack("<ii", -11, -7) + bytes(616), "not those of -11×-7 pixels"),
        (".flo", b"PIEH" + struct.pack("<ii", 2**31 - 1, 2**31 - 1), "not those of 2147483647×2147483647"),
        (".flo", flo_bytes(FIELD.transpose(1, 0, 2)), "is 7×11 pixels; the clip's frames are 11×7"),
        (".npy", npy_bytes(FIELD[:-1]), "is 11×6 pixels; the clip's frames are 11×7"),
        (".npy", npy_bytes(FIELD[..., 0]), r"\(height, width, 2\), not float32 \(7, 11\)"),
        (".npy", npy_bytes(FIELD.transpose(2, 0, 1)), r"\(height, width, 2\), not float32 \(2, 7, 11\)"),
        (".npy", npy_bytes(FIELD.astype(np.int16)), "floating-point numbers"),
        (".npy", npy_bytes(FIELD)[:-1], "is damaged: it has 743 bytes, and its header promises 744"),
        (".npy", b"", "is not an array that can be read"),
        (".npy", b"hello", "is not an array that can be read"),
        (".npy", npy_bytes(np.array([{}])), "is not an array that can be read"),
    ],
)
def test_what_is_no_such_flow_is_refused_by_name(
    tmp_path: Path, suffix: str, content: bytes, message: str
) -> None:
    path = tmp_path / f"one{suffix}"
    path.write_bytes(content)
    with pytest.raises(VpbenchError, match=message) as error:
        read_flow(path, (7, 11))
    assert str(path) in str(error.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1.66e9])
@pytest.mark.parametrize("suffix", [".flo", ".npy"])
def test_flow_that_is_not_known_everywhere_is_refused_by_name(
    tmp_path: Path, suffix: str, value: float
) -> None:
    field = FIELD.copy()
    field[3, 8, 1] = value
    path = tmp_path / f"one{suffix}"
    path.write_bytes(flo_bytes(field) if suffix == ".flo" else npy_bytes(field))
    with pytest.raises(VpbenchError, match=rf"one\{suffix}: the flow at row 3, column 8 is"):
        read_flow(path, (7, 11))


def test_flows_are_found_by_clip_and_frames_counted_from_1(folder: Path) -> None:
    files = FlowFiles(folder)
    np.testing.assert_array_equal(files.between(FRAMES, 3, 4, 11), FIELD)
    with pytest.raises(VpbenchError, match=r"12/4_5\.flo \(or \.npy\) is missing: the flow of clip 12"):
        files.between(FRAMES, 3, 4, 12)
    with pytest.raises(
        VpbenchError, match=r"11/5_4\.flo \(or \.npy\) is missing: .* from frame 5 to frame 4"
    ):
        files.between(FRAMES, 4, 3, 11)
    np.save(folder / "11" / "4_5.npy", FIELD)
    with pytest.raises(VpbenchError, match=r"4_5\.flo and 4_5\.npy are both there"):
        files.between(FRAMES, 3, 4, 11)
    with pytest.raises(UsageError, match="these frames have none"):
        files.between(FRAMES, 3, 4, None)


def test_the_hash_is_over_names_and_bytes(folder: Path) -> None:
    def digest() -> str:
        description = FlowFiles(folder).describe()
        assert description["name"] == "files"
        return str(description["sha256"])

    first = digest()
    for other in ("notes.txt", "11/picture.png", "deep/11/4_5.flo", "11/4_5.flo.bak"):
        (folder / other).parent.mkdir(parents=True, exist_ok=True)
        (folder / other).write_bytes(b"no flow")
    assert digest() == first
    path = folder / "11" / "4_5.flo"
    path.rename(folder / "11" / "5_6.flo")
    renamed = digest()
    write_flow(folder, 11, 5, 6, -FIELD)
    assert len({first, renamed, digest()}) == 3


def test_sources_by_name(folder: Path, tmp_path: Path) -> None:
    assert flow_source("farneback") == EstimatedFlow("farneback")
    assert flow_source(f"files:{folder}") == FlowFiles(folder)
    with pytest.raises(UsageError, match="flow estimator 'farnbak'"):
        flow_source("farnbak")
    for name in ("files", "files:"):
        with pytest.raises(UsageError, match="files:DIR"):
            flow_source(name)
    with pytest.raises(UsageError, match="there is no folder"):
        flow_source(f"files:{tmp_path / 'nowhere'}")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"there are no flows .* clip 1 .*4_5\.flo"):
        flow_source(f"files:{tmp_path / 'empty'}")
