"""Frames out of videos and picture folders: which ones, in which order, and what is refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from folders import write_png
from footage import moving_frames, write_video

from vpbench.errors import VpbenchError
from vpbench.video.decoding import decoder, natural_key, read_frames, read_picture


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
