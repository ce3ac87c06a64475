"""What a protocol does to frames before it compares them, against slow references and by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import reference_metrics as reference
from footage import moving_frames

from vpbench.scoring.built_in import get_protocol
from vpbench.scoring.clip import Clip
from vpbench.scoring.conversion import as_scored, rounded
from vpbench.scoring.frame_facts import frame_facts
from vpbench.scoring.protocol import ScoredAs
from vpbench.scoring.score import score_clip


def pair(height: int = 24, width: int = 32) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    target = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    prediction = random.random((height, width, 3), dtype=np.float32)
    return target, prediction, random.random((height, width)) < 0.5


def clip(targets: int = 7, moves: float = 2.0) -> Clip:
    frames = moving_frames(4 + targets, size=(32, 40))
    vectors = np.full((32, 40, 2), moves, np.float32)
    return Clip(7, frames[:4], frames[4:], (vectors,) * targets)


@pytest.mark.parametrize("rounding", ["nearest", "down"])
def test_frames_that_were_bytes_are_bytes_again(rounding: str) -> None:
    """In float64, 255 · (k / 255) of a float32 k / 255 is below k for a third of all k, and rounds down to k − 1."""
    bytes_ = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(rounded(bytes_.astype(np.float32) / np.float32(255), rounding), bytes_)


def test_rounding_by_hand() -> None:
    levels = np.array([[-1e-6, 0.0, 0.4, 0.6, 254.4, 254.6, 255.0, 255.0001]], np.float32) / np.float32(255)
    assert rounded(levels, "down").tolist() == [[0, 0, 0, 0, 254, 254, 255, 255]]
    assert rounded(levels, "nearest").tolist() == [[0, 0, 0, 1, 254, 255, 255, 255]]


@pytest.mark.parametrize("size", [(16, 16), (36, 40), (24, 32), (17, 51)])
def test_sizes_are_those_of_a_slow_reference(size: tuple[int, int]) -> None:
    target, prediction, mask = pair()
    y, y_hat, area = as_scored(target, prediction, mask, ScoredAs(size=size))
    np.testing.assert_allclose(y, reference.bilinear(target / 255, size), atol=1e-12)
    np.testing.assert_allclose(y_hat, reference.bilinear(prediction.astype(np.float64), size), atol=1e-12)
    assert area is not None
    assert area.dtype == np.bool_
    assert np.array_equal(area, reference.nearest(mask, size))
    assert as_scored(target, prediction, None, ScoredAs(size=size))[2] is None


def test_red_is_taken_for_blue_on_both_sides() -> None:
    target, prediction, mask = pair()
    y, y_hat, area = as_scored(target, prediction, mask, ScoredAs(colour="bgr"))
    assert np.array_equal(y, target[..., ::-1])
    assert np.array_equal(y_hat, prediction[..., ::-1])
    assert area is mask
    assert y.flags.c_contiguous
    assert y_hat.flags.c_contiguous


def test_luma_is_that_of_bt601_in_every_channel() -> None:
    target, prediction, mask = pair()
    y, y_hat, area = as_scored(target, prediction, mask, ScoredAs(colour="luma"))
    np.testing.assert_allclose(y, reference.in_grey(target / 255), atol=1e-12)
    np.testing.assert_allclose(y_hat, reference.in_grey(prediction.astype(np.float64)), atol=1e-12)
    assert area is mask
    assert y[0, 0].tolist() == [pytest.approx((0.299, 0.587, 0.114) @ (target[0, 0] / 255))] * 3


def test_predictions_are_rounded_before_they_are_scaled() -> None:
    target, prediction, mask = pair()
    how = ScoredAs("down", (16, 20), "luma")
    _, y_hat, _ = as_scored(target, prediction, mask, how)
    slow = reference.bilinear(reference.as_bytes(prediction, "down"), (16, 20))
    np.testing.assert_allclose(y_hat, reference.in_grey(slow), atol=1e-12)


def test_of_grey_frames_figure5_grey_has_the_scores_of_mathieu2016() -> None:
    one = clip(targets=2)
    grey = [np.repeat(frames[..., 1:2], 3, axis=3) for frames in (one.inputs, one.targets)]
    one = replace(one, inputs=grey[0], targets=grey[1])
    predictions = np.stack([one.inputs[-1]] * 2) / np.float32(255)
    for line, base in zip(
        score_clip(one, predictions, get_protocol("figure5-grey")),
        score_clip(one, predictions, get_protocol("mathieu2016")),
        strict=True,
    ):
        assert [line["psnr"], line["ssim"]] == pytest.approx([base["psnr"], base["ssim"]], abs=1e-9)
        assert "sharpness" not in line


def test_dvf2017_like_drops_frames_of_infinite_psnr_and_no_other() -> None:
    protocol = replace(get_protocol("dvf2017-like"), size=None, inputs=4, first_frame=0)
    one = clip(targets=1)
    exact = one.targets.astype(np.float32) / np.float32(255)
    (line,) = score_clip(one, exact, protocol)
    assert (line["psnr"], line["counted"]) == (110.0, False)
    less_than_rounded = np.clip(exact + np.float32(0.4 / 255), 0, 1)
    assert not score_clip(one, less_than_rounded, protocol)[0]["counted"]
    off = one.targets.copy()
    off[0, 3, 4, 1] ^= 1  # one value of one pixel by one level
    (line,) = score_clip(one, off.astype(np.float32) / np.float32(255), protocol)
    assert line["psnr"] == pytest.approx(10 * math.log10(255**2 * 3 * 32 * 40))
    assert line["counted"]
    repeated = replace(one, inputs=np.concatenate([one.inputs[:3], one.targets]))
    assert frame_facts(repeated, protocol)[0]["copy"] == 110.0


def test_of_more_predictions_than_targets_the_first_are_scored() -> None:
    one = clip(targets=7)
    predictions = np.stack([one.inputs[-1]] * 7) / np.float32(255)
    lines = score_clip(one, predictions, get_protocol("mcnet2017-like"))
    assert [line["frame"] for line in lines] == [1, 2, 3, 4, 5, 6, 7]
    assert score_clip(one, predictions, get_protocol("dyan2018-like"))[0]["frame"] == 1
    assert score_clip(one, predictions, get_protocol("mathieu2016")) == score_clip(
        one, predictions[:2], get_protocol("mathieu2016")
    )
