"""Scoring one clip: what is capped, excluded, masked, and left as it is."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from footage import moving_frames

from vpbench.scoring.built_in import get_protocol
from vpbench.scoring.clip import Clip
from vpbench.scoring.protocol import MaskRule
from vpbench.scoring.score import score_clip


def clip(seed: int = 0, flow: float = 2.0) -> Clip:
    frames = moving_frames(6, size=(32, 40), seed=seed)
    vectors = np.zeros((32, 40, 2), np.float32)
    vectors[..., 0] = flow
    return Clip(7, frames[:4], frames[4:], (vectors, vectors))


def test_exact_predictions_are_capped_and_excluded():
    """Identical frames: 88.13 dB, and a frame at 50 dB or more is not counted."""
    one = clip()
    exact = np.divide(one.targets, 255.0).astype(np.float32)
    for line in score_clip(one, exact, get_protocol("mathieu2016")):
        assert line["psnr"] == pytest.approx(88.13, abs=0.01)
        assert line["ssim"] == pytest.approx(1, abs=1e-9)
        assert line["counted"] is False
    for line in score_clip(one, exact, get_protocol("full-frame")):
        assert line["psnr"] == 100.0
        assert line["counted"] is True


@pytest.mark.parametrize(("shift", "counted"), [(1.0, True), (0.5, False)])
def test_the_exclusion_is_at_50_db(shift: float, counted: bool):
    """128²·d² = 255²·10⁻⁵ at 50 dB, so d = 6.3e-3 in [−1, 1] and 3.15e-3 in [0, 1]."""
    one = clip()
    at_50 = math.sqrt(255**2 * 1e-5) / 128 / 2
    base = np.clip(one.targets, 20, 235)
    one = dataclasses.replace(one, targets=base)
    prediction = (base / 255.0 + at_50 * (1 + 1e-3 * (1 if shift == 1 else -1))).astype(np.float32)
    lines = score_clip(one, prediction, get_protocol("mathieu2016"))
    assert [line["counted"] for line in lines] == [counted, counted]
    assert lines[0]["psnr"] == pytest.approx(50, abs=0.02)


def test_a_still_clip_has_an_empty_mask_that_is_counted_as_such():
    """`mathieu2016` scores the black frame (88.13 dB, excluded); inside an empty mask nothing is defined."""
    still = clip(flow=0.0)
    wrong = np.zeros((2, 32, 40, 3), np.float32)
    for line in score_clip(still, wrong, get_protocol("mathieu2016")):
        assert line["moving"] == 0
        assert line["psnr"] == pytest.approx(88.13, abs=0.01)
        assert line["counted"] is False
    for line in score_clip(still, wrong, get_protocol("moving-pixels")):
        assert line["psnr"] is None
        assert line["counted"] is False


def test_a_mask_that_keeps_everything_scores_the_whole_frame():
    moving = clip()
    prediction = np.repeat(moving.inputs[-1:], 2, axis=0).astype(np.float32) / np.float32(255)
    masked = score_clip(moving, prediction, get_protocol("mathieu2016"))
    whole = score_clip(
        moving, prediction, dataclasses.replace(get_protocol("mathieu2016"), mask=MaskRule("none"))
    )
    assert masked == whole
    assert masked[0]["moving"] == 1.0


def test_predictions_are_neither_clipped_nor_rounded():
    one = clip()
    prediction = np.repeat(one.inputs[-1:], 2, axis=0).astype(np.float32) / np.float32(255)
    shifted = prediction + np.float32(0.001)  # a quarter of a grey level
    a, b = (score_clip(one, p, get_protocol("full-frame"))[0]["psnr"] for p in (prediction, shifted))
    assert a != b
    target = one.targets[0] / 255.0
    expected = -10 * math.log10(np.mean((target - shifted[0].astype(float)) ** 2))
    assert b == pytest.approx(expected, abs=1e-9)
