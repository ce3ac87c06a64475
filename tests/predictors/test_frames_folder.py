"""Folders of predicted frames: scored exactly, and nothing that a stranger puts there does harm."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import Result
from folders import SIZE, SmallClips, make_clips, write_frames
from runs import score_lines

import vpbench
from vpbench.errors import UsageError, VpbenchError
from vpbench.predictors.frames_folder import QUANTISED, FramesFolder, content_hash
from vpbench.predictors.spec import PredictorSpec


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> SmallClips:
    return make_clips(tmp_path_factory.mktemp("frames"))


@pytest.fixture
def frames(clips: SmallClips, tmp_path: Path) -> Path:
    return write_frames(clips, tmp_path / "mine")


def read(folder: Path, clips: SmallClips, clip: int = 1) -> np.ndarray:
    return FramesFolder(folder).predict_clips([clip], [clips.inputs(clip)], 2)[0]


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    width: int, height: int, depth: int = 8, colour: int = 2, extra: bytes = b"", rows: bytes = b""
) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = zlib.compress(rows or bytes(height * (1 + 3 * width)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


# What it is for ------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_arrays_score_as_the_predictor_that_wrote_them(
    cli: Callable[..., Result], clips: SmallClips, frames: Path, tmp_path: Path, workers: str
) -> None:
    out = tmp_path / "runs"
    done = cli(
        "run", "--model", "last_frame", "--model", f"frames:{frames}", "--data", clips.prepared,
        "--out", out, "--workers", workers,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    folder = out / "small" / "mathieu2016"
    assert score_lines(folder / "last_frame") == score_lines(folder / "mine.frames")
    run = vpbench.read_run(folder / "mine.frames")
    assert run.manifest.predictor.name == "frames:mine"
    assert run.manifest.predictor.sha256 == content_hash(frames)
    assert run.manifest.cost.ms_per_frame is None, "reading files says nothing about a method's speed"


def test_predictions_saved_by_a_run_are_such_a_folder(
    cli: Callable[..., Result], clips: SmallClips, tmp_path: Path
) -> None:
    common = ("--data", clips.prepared, "--out", tmp_path, "--workers", "1")
    assert cli("run", "--model", "optical_flow", "--save-predictions", *common).exit_code == 0
    run = tmp_path / "small" / "mathieu2016" / "optical_flow"
    assert cli("run", "--model", f"frames:{run / 'predictions'}", *common).exit_code == 0
    assert score_lines(run) == score_lines(run.parent / "optical_flow.frames"), "labelled by the run"


def test_png_is_read_as_it_is_and_marked(clips: SmallClips, tmp_path: Path) -> None:
    folder = write_frames(clips, tmp_path / "mine", "png")
    assert np.array_equal(read(folder, clips), clips.inputs(1)[[-1, -1]])
    run = vpbench.evaluate(f"frames:{folder}", data=clips.prepared)
    assert run.manifest.predictor.description["marks"] == [QUANTISED]


def test_the_mark_stands_in_the_table(cli: Callable[..., Result], clips: SmallClips, tmp_path: Path) -> None:
    folder = write_frames(clips, tmp_path / "mine", "png")
    out = tmp_path / "runs"
    done = cli("run", "--model", f"frames:{folder}", "--data", clips.prepared, "--out", out, "--notes", "all")
    assert "quantised" in done.output


def test_inputs_in_the_folder_do_not_count_as_predictions(frames: Path, clips: SmallClips) -> None:
    """An archive with predictions added has pred_1.png … pred_4.png too."""
    for k in (1, 2, 3, 4):
        (frames / "1" / f"pred_{k}.png").write_bytes((clips.prepared / "1" / f"pred_{k}.png").read_bytes())
    assert FramesFolder(frames).describe() == {"frames": "float32"}
    assert read(frames, clips).shape == (2, *SIZE, 3)


def test_a_changed_file_is_another_predictor(
    cli: Callable[..., Result], clips: SmallClips, frames: Path, tmp_path: Path
) -> None:
    call = ("run", "--model", f"frames:{frames}", "--data", clips.prepared, "--out", tmp_path / "runs")
    assert cli(*call).exit_code == 0
    np.save(frames / "3" / "pred_6.npy", np.zeros((*SIZE, 3), np.float32))
    again = cli(*call)
    assert again.exit_code == 2
    assert "sha256" in again.output


def test_a_folder_name_may_have_commas(clips: SmallClips, tmp_path: Path) -> None:
    folder = write_frames(clips, tmp_path / "a,b=c")
    spec = PredictorSpec.parse(f"frames:{folder}")
    assert spec.options == ()
    assert isinstance(spec.create(), FramesFolder)


# What is missing or does not fit -------------------------------------------------------------------


def test_a_missing_frame_is_named(
    cli: Callable[..., Result], clips: SmallClips, frames: Path, tmp_path: Path
) -> None:
    (frames / "2" / "pred_6.npy").unlink()
    done = cli("run", "--model", f"frames:{frames}", "--data", clips.prepared, "--out", tmp_path / "runs")
    assert done.exit_code == 1
    assert "clip 2" in done.output
    assert str(frames / "2" / "pred_6") in done.output


def test_no_folder_or_an_empty_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        FramesFolder(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"pred_5\.png"):
        FramesFolder(tmp_path)
    with pytest.raises(UsageError, match="frames:DIR"):
        PredictorSpec.parse("frames:")


def test_two_formats_of_one_frame_are_refused(frames: Path, clips: SmallClips) -> None:
    (frames / "1" / "pred_5.png").write_bytes(png(64, 48))
    with pytest.raises(VpbenchError, match=r"pred_5\.npy and pred_5\.png are both there"):
        read(frames, clips)


def test_png_among_arrays_is_refused_since_it_would_not_be_marked(frames: Path, clips: SmallClips) -> None:
    (frames / "1" / "pred_5.npy").unlink()
    (frames / "1" / "pred_5.png").write_bytes(png(64, 48))
    with pytest.raises(VpbenchError, match="one format"):
        read(frames, clips)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((*SIZE, 3), np.float64), "float64"),
        (np.zeros((*SIZE, 3), np.uint8), "uint8"),
        (np.zeros((*SIZE, 3), ">f4"), ">f4"),
        (np.zeros(SIZE, np.float32), r"\(48, 64\)"),
        (np.zeros((3, *SIZE), np.float32), r"\(3, 48, 64\)"),
        (np.zeros((64, 48, 3), np.float32), r"\(64, 48, 3\)"),
    ],
)
def test_arrays_of_another_type_or_shape_are_refused(
    frames: Path, clips: SmallClips, array: np.ndarray, said: str
) -> None:
    np.save(frames / "1" / "pred_5.npy", array)
    with pytest.raises(VpbenchError, match=rf"pred_5\.npy is .*{said}"):
        read(frames, clips)


@pytest.mark.parametrize("value", [np.nan, 1.5, -0.1])
def test_values_out_of_range_name_the_clip(frames: Path, clips: SmallClips, value: float) -> None:
    np.save(frames / "1" / "pred_5.npy", np.full((*SIZE, 3), value, np.float32))
    with pytest.raises(VpbenchError, match="clip 1"):
        vpbench.evaluate(f"frames:{frames}", data=clips.prepared)


# What a stranger could do --------------------------------------------------------------------------


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_pickled_objects_are_not_loaded(frames: Path, clips: SmallClips, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    np.save(frames / "1" / "pred_5.npy", np.array([Bomb(trap)], object), allow_pickle=True)
    with pytest.raises(VpbenchError, match="object"):
        read(frames, clips)
    assert not trap.exists()


def test_an_archive_of_arrays_is_not_opened(frames: Path, clips: SmallClips) -> None:
    with zipfile.ZipFile(frames / "1" / "pred_5.npy", "w") as archive:
        archive.writestr("x.npy", b"")
    with pytest.raises(VpbenchError, match="pred_5"):
        read(frames, clips)


def test_a_header_that_promises_gigabytes_is_refused_before_reading(frames: Path, clips: SmallClips) -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "<f4", "fortran_order": False, "shape": (100_000, 100_000, 3)}
    )
    (frames / "1" / "pred_5.npy").write_bytes(buffer.getvalue())
    with pytest.raises(VpbenchError, match="100000"):
        read(frames, clips)


@pytest.mark.parametrize("change", [-1, 1, 2**30])
def test_a_file_of_another_length_than_its_header_says_is_refused(
    frames: Path, clips: SmallClips, change: int
) -> None:
    path = frames / "1" / "pred_5.npy"
    os.truncate(path, path.stat().st_size + change)
    with pytest.raises(VpbenchError, match="damaged"):
        read(frames, clips)


@pytest.mark.parametrize(
    "data", [b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00\xff\xff{", b"\x93NUMPY\x09\x00" + b"x" * 99]
)
def test_a_damaged_header_is_named(frames: Path, clips: SmallClips, data: bytes) -> None:
    (frames / "1" / "pred_5.npy").write_bytes(data)
    with pytest.raises(VpbenchError, match=r"pred_5\.npy is not an array"):
        read(frames, clips)


@pytest.mark.parametrize("place", ["1/pred_5.npy", "1", "notes", "1/deep/notes"])
def test_symbolic_links_are_refused_wherever_they_are(
    frames: Path, clips: SmallClips, tmp_path: Path, place: str
) -> None:
    elsewhere = write_frames(clips, tmp_path / "elsewhere")
    link = frames / place
    if link.is_dir():
        link.rename(tmp_path / "away")
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    target = elsewhere / place
    link.symlink_to(target if target.exists() else elsewhere)
    with pytest.raises(VpbenchError, match=f"{link} is a symbolic link"):
        FramesFolder(frames)


@pytest.mark.slow
def test_names_of_files_do_not_reach_the_terminal(
    command: Callable[..., subprocess.CompletedProcess[str]], frames: Path
) -> None:
    (frames / "a\x1b[31mb\u202ec\udcff").symlink_to(frames)
    done = command("run", "--model", f"frames:{frames}", "--split", "synthetic", "--limit", "1")
    assert done.returncode == 1
    assert rf"{frames}/a\u001b[31mb\u202ec\udcff is a symbolic link" in done.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_does_not_make_it_wait(frames: Path, clips: SmallClips) -> None:
    path = frames / "1" / "pred_5.npy"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(VpbenchError, match="not an ordinary file"):
        read(frames, clips)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (png(32_000, 32_000, rows=b"\0"), "32000×32000 pixels; the clip is 64×48"),
        (png(48, 64), "48×64"),
        (png(64, 48, depth=16, rows=bytes(48 * (1 + 6 * 64))), "8 bits"),
        (png(64, 48, colour=6, rows=bytes(48 * (1 + 4 * 64))), "no transparency"),
        (png(64, 48)[:-20], "cut off"),
        (png(64, 48)[:40], "cut off"),
        (png(64, 48, rows=bytes(100)), "damaged"),
        (png(64, 48).replace(b"IHDR", b"IHDX"), "no PNG header"),
        (b"GIF89a", "not a PNG"),
        (b"", "not a PNG"),
        (png(64, 48, extra=chunk(b"zTXt", bytes(200_000))), "longer than a picture"),
    ],
)
def test_hostile_pictures_are_refused(tmp_path: Path, clips: SmallClips, data: bytes, said: str) -> None:
    folder = write_frames(clips, tmp_path / "mine", "png")
    (folder / "1" / "pred_5.png").write_bytes(data)
    with pytest.raises(VpbenchError, match=rf"pred_5\.png.*{said}"):
        read(folder, clips)


def test_a_picture_is_not_turned_by_what_it_says_of_its_camera(tmp_path: Path, clips: SmallClips) -> None:
    """OpenCV obeys the orientation in EXIF data; the pixels as stored are the prediction."""
    folder = write_frames(clips, tmp_path / "mine", "png")
    path = folder / "1" / "pred_5.png"
    whole = path.read_bytes()
    turned = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0\0\0\0\0"
    path.write_bytes(whole[:33] + chunk(b"eXIf", turned) + whole[33:])
    upside_down = cv2.imread(str(path))[..., ::-1].astype(np.float32) / np.float32(255)
    assert np.array_equal(read(folder, clips)[0], clips.inputs(1)[-1])
    assert not np.array_equal(upside_down, clips.inputs(1)[-1]), "else this test shows nothing"
