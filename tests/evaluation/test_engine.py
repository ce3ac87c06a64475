"""Scores of whole runs against a slow path written here, and that they depend on nothing else."""

from __future__ import annotations

import math
import statistics
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import reference_metrics as reference
from folders import prepare_folder, write_archive
from footage import moving_frames, write_video
from runs import score_lines

from vpbench.scoring.built_in import BUILT_IN, get_protocol
from vpbench.scoring.protocol import Protocol
from vpbench.splits import DATA_SETS

METRICS = {
    "psnr": reference.psnr,
    "psnr-mathieu2016": reference.psnr_mathieu2016,
    "ssim": reference.ssim,
    "sharpness-mathieu2016": reference.sharpness_mathieu2016,
}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:  # type: ignore[override]
    """Two videos of 16 small frames: one that moves, one whose half stands still."""
    folder = tmp_path_factory.mktemp("evaluate") / "videos"
    write_video(folder / "moves.avi", moving_frames(16, size=(32, 40)))
    half = moving_frames(16, size=(32, 40), seed=1)
    half[:, :, 20:] = half[0, :, 20:]
    write_video(folder / "half.avi", half)
    return folder


def slow_scores(folder: Path, index: int, protocol: Protocol) -> list[dict[str, Any]]:
    """The score lines of `last_frame`, by loops over pixels, from the files of a prepared clip."""

    def picture(name: str) -> np.ndarray:
        return cv2.imread(str(folder / str(index) / name))[:, :, ::-1].astype(np.float64) / 255

    prediction = picture(f"pred_{protocol.inputs}.png").astype(np.float32).astype(np.float64)
    lines = []
    for k in range(1, protocol.targets + 1):
        target = picture(f"target_{k}.png")
        height, width = target.shape[:2]
        flow = np.load(folder / str(index) / f"flow_{k}.npy").astype(np.float64)
        mask, lengths = np.ones((height, width), bool), []
        if protocol.mask.kind == "colour":
            lengths = [[math.hypot(*flow[y, x]) for x in range(width)] for y in range(height)]
            most = max(map(max, lengths)) if protocol.mask.max_motion == "frame" else protocol.mask.max_motion
            for y in range(height):
                for x in range(width):
                    mask[y, x] = math.floor(255 * (1 - lengths[y][x] / most)) <= 50
        moving = mask
        predicted = prediction
        if (how := protocol.scored_as) is not None:
            if how.rounding is not None:
                predicted = reference.as_bytes(predicted, how.rounding)
            if how.size is not None:
                target, predicted = (reference.bilinear(f, how.size) for f in (target, predicted))
                mask = reference.nearest(mask, how.size)
            if how.colour == "luma":
                target, predicted = reference.in_grey(target), reference.in_grey(predicted)
        line: dict[str, Any] = {"clip": index, "frame": k}
        for column, use in protocol.metrics.items():
            images = [target, predicted]
            if use.masking == "black":
                images = [np.where(mask[:, :, None], image, 0.0) for image in images]
            inside = mask if use.masking == "inside" and protocol.mask.kind != "none" else None
            score = METRICS[use.metric](*images, 1.0, inside, **use.parameters)
            line[column] = None if math.isnan(score) else score
        line["moving"] = moving.sum() / moving.size
        defined = all(line[column] is not None for column in protocol.metrics)
        line["counted"] = (
            defined
            and not (protocol.skip_empty and not moving.any())
            and not (protocol.exclude is not None and line["psnr"] >= protocol.exclude.at_least)
        )
        line["copy"] = line["psnr"] if protocol.exclude is not None else None  # as `last_frame` copies
        line["copy_ssim"] = line["ssim"]
        moves = [lengths[y][x] for y, x in zip(*np.nonzero(moving), strict=True)] if lengths else []
        line["motion"] = statistics.median(moves) if moves else None
        lines.append(line)
    return lines


@pytest.mark.parametrize(
    "name", [name for name in BUILT_IN if name not in ("mathieu2016-archive", *DATA_SETS)]
)
def test_scores_equal_those_of_a_slow_path(cli, tmp_path: Path, videos: Path, name: str):
    protocol = get_protocol(name)
    how = protocol.scored_as
    if protocol.size or (how and how.size):  # the loops would take minutes
        text = f'extends = "{name}"\nname = "smaller"\n'
        if protocol.size:
            text += "size = [30, 36]\n"
        else:
            text += f'scored_as = {{ rounding = "{how.rounding}", size = [30, 36] }}\n'
        (tmp_path / "mine.toml").write_text(text)
        name = str(tmp_path / "mine.toml")
        protocol = get_protocol(name)
    prepare_folder(videos, tmp_path / "prepared", protocol)
    result = cli(
        *("run", "--model", "last_frame", "--data", tmp_path / "prepared", "--protocol", name),
        *("--out", tmp_path / "runs", "--workers", "1"),
    )
    assert result.exit_code == 0, result.stderr
    lines = score_lines(tmp_path / "runs" / "videos" / protocol.name / "last_frame")
    slow = [line for index in (1, 2) for line in slow_scores(tmp_path / "prepared", index, protocol)]
    assert len(lines) == 2 * protocol.targets
    for line, expected in zip(lines, slow, strict=True):
        assert list(line) == list(expected)
        for key, value in expected.items():
            if isinstance(value, float):
                assert line[key] == pytest.approx(value, abs=1e-9, rel=0), key
            else:
                assert line[key] == value, key
    if protocol.mask.kind != "none":
        assert 0 < lines[0]["moving"] < 1


@pytest.mark.slow
def test_scores_of_real_clips_equal_those_of_a_slow_path(cli, tmp_path: Path, ucf101: Path):
    protocol = get_protocol("mathieu2016")
    result = cli("prepare", "--data", ucf101, "--limit", 1, "--out", tmp_path / "prepared", "--workers", 1)
    assert result.exit_code == 0, result.stderr
    result = cli(
        *("run", "--model", "last_frame", "--data", tmp_path / "prepared", "--out", tmp_path / "runs"),
        *("--workers", "1"),
    )
    assert result.exit_code == 0, result.stderr
    lines = score_lines(tmp_path / "runs" / "ucf101-every10th" / "mathieu2016" / "last_frame")
    slow = slow_scores(tmp_path / "prepared", lines[0]["clip"], protocol)
    for line, expected in zip(lines, slow, strict=True):
        for key in protocol.metrics:
            assert line[key] == pytest.approx(expected[key], abs=1e-9, rel=0)
        assert line["moving"] == expected["moving"]
        for key in ("copy", "copy_ssim", "motion"):
            assert line[key] == pytest.approx(expected[key], abs=1e-9, rel=0)
        assert line["counted"] == expected["counted"]


def test_the_order_of_metrics_is_the_protocols_and_lines_have_these_keys(cli, tmp_path: Path, videos: Path):
    result = cli(
        *("run", "--model", "last_frame", "--split", videos, "--out", tmp_path / "runs", "--workers", "1")
    )
    assert result.exit_code == 0, result.stderr
    lines = score_lines(tmp_path / "runs" / "videos" / "mathieu2016" / "last_frame")
    for line in lines:
        assert list(line) == [
            *(
                "clip",
                "frame",
                "psnr",
                "ssim",
                "sharpness",
                "moving",
                "counted",
                "copy",
                "copy_ssim",
                "motion",
            )
        ]
        assert isinstance(line["counted"], bool)
        assert 0 <= line["moving"] <= 1
    assert [(line["clip"], line["frame"]) for line in lines] == [(1, 1), (1, 2), (2, 1), (2, 2)]


@pytest.mark.slow
def test_same_bits_for_one_and_two_workers_and_again(cli, tmp_path: Path):
    def scores(name: str, workers: int) -> list[bytes]:
        result = cli(
            *(
                "run",
                "--model",
                "last_frame",
                "--model",
                "optical_flow",
                "--split",
                "synthetic",
                "--limit",
                "4",
            ),
            *("--out", tmp_path / name, "--workers", workers),
        )
        assert result.exit_code == 0, result.stderr
        folder = tmp_path / name / "synthetic" / "mathieu2016"
        return [(folder / m / "scores.jsonl").read_bytes() for m in ("last_frame", "optical_flow")]

    one = scores("one", 1)
    assert all(len(text.splitlines()) == 8 for text in one)
    assert scores("two", 2) == one
    assert scores("again", 1) == one


def test_archive_scores_equal_those_of_a_slow_path(cli, tmp_path: Path):
    archive = write_archive(tmp_path / "UCF101frm10p", (1,))
    result = cli(
        *("run", "--model", "last_frame", "--data", archive, "--protocol", "mathieu2016-archive"),
        *("--out", tmp_path / "runs", "--workers", "1"),
    )
    assert result.exit_code == 0, result.stderr
    lines = score_lines(tmp_path / "runs" / "ucf101-every10th" / "mathieu2016-archive" / "last_frame")
    frames = moving_frames(6, seed=1) / 255.0
    frames[:, :, 32:] = 0
    for line, target in zip(lines, frames[4:], strict=True):
        for column, use in get_protocol("mathieu2016").metrics.items():
            prediction = frames[3].astype(np.float32).astype(np.float64)
            expected = METRICS[use.metric](target, prediction, 1.0, None, **use.parameters)
            assert line[column] == pytest.approx(expected, abs=1e-9, rel=0)
