"""Frames out of videos and picture folders: which ones, in which order, and what is refused."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from folders import write_png
from footage import moving_frames, write_video
from PIL import Image

from vpbench.errors import VpbenchError
from vpbench.video.decoding import PICTURE_SUFFIXES, decoder, natural_key, read_frames, read_picture


def test_frames_are_those_asked_for_in_rgb(tmp_path: Path):
    frames = moving_frames(8)
    frames[..., 2] //= 4  # less blue than red
    path = write_video(tmp_path / "a.avi", frames)
    read = read_frames(path, 3, 4)
    assert read.shape == (4, 48, 64, 3)
    assert read.dtype == np.uint8
    distance = np.abs(read[:, None].astype(int) - frames[None].astype(int)).mean(axis=(2, 3, 4))
    assert distance.argmin(axis=1).tolist() == [3, 4, 5, 6]
    assert read[..., 0].mean() > 2 * read[..., 2].mean()
    np.testing.assert_array_equal(read_frames(path, 0, 8)[3:7], read)


def test_frames_equal_a_plain_decoding_of_real_footage(ucf101: Path):
    path = next(p for p in sorted(ucf101.rglob("*.avi")))
    capture = cv2.VideoCapture(str(path))
    plain = [cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB) for _ in range(6)]
    capture.release()
    np.testing.assert_array_equal(read_frames(path, 0, 6), plain)


def test_picture_folders_are_read_in_natural_order(tmp_path: Path):
    frames = moving_frames(12)
    for number, frame in enumerate(frames):
        write_png(tmp_path / f"frame{number}.png", frame)
    np.testing.assert_array_equal(read_frames(tmp_path, 0, 12), frames)
    np.testing.assert_array_equal(read_frames(tmp_path, 9, 3), frames[9:])
    assert sorted(["b10", "b9", "a", "10", "9"], key=natural_key) == ["9", "10", "a", "b9", "b10"]


def test_grey_pictures_become_rgb(tmp_path: Path):
    cv2.imwrite(str(tmp_path / "grey.png"), np.arange(48 * 64, dtype=np.uint8).reshape(48, 64))
    picture = read_picture(tmp_path / "grey.png")
    assert picture.shape == (48, 64, 3)
    assert (picture == picture[..., :1]).all()


def test_too_short_a_video(videos: Path):
    with pytest.raises(VpbenchError, match=r"clip_0\.avi has only 8 frames .* 9 are needed"):
        read_frames(videos / "clip_0.avi", 5, 4)


def test_too_few_pictures(tmp_path: Path):
    write_png(tmp_path / "frames" / "1.png", moving_frames(1)[0])
    with pytest.raises(VpbenchError, match="frames has only 1 pictures; 2 are needed"):
        read_frames(tmp_path / "frames", 0, 2)


def test_an_empty_file(tmp_path: Path):
    (tmp_path / "a.avi").touch()
    with pytest.raises(VpbenchError, match=r"a\.avi is empty"):
        read_frames(tmp_path / "a.avi", 0, 1)


@pytest.mark.parametrize("suffix", ["avi", "mp4"])
def test_not_a_video(tmp_path: Path, suffix: str):
    (tmp_path / f"a.{suffix}").write_bytes(b"This is a text, and no video at all.\n" * 100)
    with pytest.raises(VpbenchError, match=rf"a\.{suffix} is not a video that can be decoded"):
        read_frames(tmp_path / f"a.{suffix}", 0, 1)


def test_a_missing_file(tmp_path: Path):
    with pytest.raises(VpbenchError, match=r"Cannot read .*gone\.avi: No such file"):
        read_frames(tmp_path / "gone.avi", 0, 1)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.95])
def test_a_truncated_video(videos: Path, part: float):
    path = videos / "clip_0.avi"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(VpbenchError, match=r"clip_0\.avi is truncated: it has \d+ of \d+ bytes"):
        read_frames(path, 0, 1)


def test_a_truncated_real_video(tmp_path: Path, ucf101: Path):
    """FFmpeg makes up what a cut-off AVI lacks; six frames of it can be had, and must not be."""
    source = next(p for p in sorted(ucf101.rglob("*.avi")))
    (tmp_path / source.name).write_bytes(source.read_bytes()[:30_000])
    with pytest.raises(VpbenchError, match="is truncated"):
        read_frames(tmp_path / source.name, 0, 6)


def test_pictures_of_unequal_size(tmp_path: Path):
    write_png(tmp_path / "1.png", moving_frames(1)[0])
    write_png(tmp_path / "2.png", moving_frames(1, size=(50, 60))[0])
    with pytest.raises(VpbenchError, match=r"frames differ in size \(60×50, 64×48\)"):
        read_frames(tmp_path, 0, 2)


@pytest.mark.parametrize("keep", [0, 20, 0.5, -20])
def test_a_damaged_picture(tmp_path: Path, keep: float):
    path = tmp_path / "1.png"
    write_png(path, moving_frames(1)[0])
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep) if 0 < keep < 1 else int(keep)])
    with pytest.raises(VpbenchError, match=r"1\.png is damaged or is not a picture"):
        read_frames(tmp_path, 0, 1)


def test_the_decoder_says_its_versions():
    facts = decoder()
    assert facts["opencv"] == cv2.__version__
    assert "avcodec" in facts["ffmpeg"]


# What is too large, before it is decoded


def huge_picture(kind: str) -> bytes:
    """A small file whose header says that the picture has very many pixels."""
    buffer = io.BytesIO()
    if kind in ("png", "tif"):
        options = {"png": {}, "tif": {"compression": "group4"}}[kind]
        Image.new("1", (10_000, 10_000)).save(buffer, {"png": "PNG", "tif": "TIFF"}[kind], **options)
        return buffer.getvalue()
    if kind == "webp":
        canvas = struct.pack("<HBHB", 9_999, 0, 9_999, 0)
        return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<II", 10, 0) + canvas
    Image.new("RGB", (16, 16)).save(buffer, {"jpg": "JPEG", "bmp": "BMP"}[kind])
    data = bytearray(buffer.getvalue())
    if kind == "bmp":
        data[18:26] = struct.pack("<ii", 10_000, 10_000)
    else:
        start = data.index(b"\xff\xc0") + 5
        data[start : start + 4] = struct.pack(">HH", 10_000, 10_000)
    return bytes(data)


@pytest.mark.parametrize("kind", ["png", "jpg", "bmp", "tif", "webp"])
def test_a_picture_that_would_take_gigabytes_is_not_decoded(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
):
    def decode(*_: object) -> None:
        raise AssertionError("it is decoded")

    path = tmp_path / f"1.{kind}"
    path.write_bytes(huge_picture(kind))
    monkeypatch.setattr(cv2, "imdecode", decode)
    with pytest.raises(VpbenchError, match=rf"1\.{kind} is 10000×10000 pixels; at most 40 million are read"):
        read_picture(path)


def test_a_picture_larger_than_pillow_reads_is_refused_too(tmp_path: Path):
    data = bytearray(huge_picture("bmp"))
    data[18:26] = struct.pack("<ii", 30_000, 30_000)
    (tmp_path / "1.bmp").write_bytes(data)
    with pytest.raises(VpbenchError, match=r"1\.bmp is .* pixels; at most 40 million are read"):
        read_picture(tmp_path / "1.bmp")


def test_a_folder_with_a_huge_picture_is_named(cli, tmp_path: Path):
    for number, frame in enumerate(moving_frames(6)):
        write_png(tmp_path / "own" / "clip" / f"{number}.png", frame)
    Image.new("1", (30_000, 30_000)).save(tmp_path / "own" / "clip" / "3.png")
    result = cli(
        "run",
        "--model",
        "last_frame",
        "--split",
        tmp_path / "own",
        "--out",
        tmp_path / "runs",
        "--workers",
        1,
    )
    assert result.exit_code == 1
    assert "3.png is 30000×30000 pixels" in result.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"RIFF\0\0\0\0WEBPVP8X",
        b"RIFF\0\0\0\0WEBPxxxx",
        b"II*\0",
        b"BM",
        b"GIF89a" + bytes(20),
    ],
)
def test_what_is_no_picture_is_named(tmp_path: Path, data: bytes):
    (tmp_path / "1.png").write_bytes(data)
    with pytest.raises(VpbenchError, match=r"1\.png is damaged or is not a picture"):
        read_picture(tmp_path / "1.png")


def test_every_format_is_read(tmp_path: Path):
    frame = moving_frames(1)[0]
    for suffix in sorted(PICTURE_SUFFIXES):
        cv2.imwrite(str(tmp_path / f"1{suffix}"), frame)
        assert read_picture(tmp_path / f"1{suffix}").shape == frame.shape


def test_a_video_with_huge_frames_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = write_video(tmp_path / "a.avi", moving_frames(4))
    monkeypatch.setattr("vpbench.video.decoding.MOST_PIXELS", 3_000)
    with pytest.raises(VpbenchError, match=r"a\.avi is 64×48 pixels; at most"):
        read_frames(path, 0, 2)


def test_a_video_whose_name_is_not_utf8_is_refused(tmp_path: Path):
    """OpenCV crashes at such a name."""
    path = tmp_path / os.fsdecode(b"\xff.avi")
    path.write_bytes(write_video(tmp_path / "a.avi", moving_frames(2)).read_bytes())
    with pytest.raises(VpbenchError, match="its name is not UTF-8"):
        read_frames(path, 0, 2)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_ordinary_file_is_no_picture_and_no_video(tmp_path: Path, make: Callable[[Path], None]):
    for name in ("1.png", "a.avi"):
        make(tmp_path / name)
    with pytest.raises(VpbenchError, match=r"1\.png: it is not an ordinary file"):
        read_picture(tmp_path / "1.png")
    if make is os.mkfifo:
        with pytest.raises(VpbenchError, match=r"a\.avi: it is not an ordinary file"):
            read_frames(tmp_path / "a.avi", 0, 2)
