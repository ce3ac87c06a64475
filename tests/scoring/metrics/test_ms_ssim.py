"""MS-SSIM against a slow, literal reference (Wang's msssim.m written down with scipy) and known values."""

from __future__ import annotations

import numpy as np
import pytest
from footage import rendered
from numpy.typing import NDArray
from reference_metrics import ms_ssim as reference

from vpbench.errors import UsageError, VpbenchError
from vpbench.scoring.metrics import get_metric
from vpbench.scoring.metrics.ms_ssim import ms_ssim

Image = NDArray[np.float64]


def pair(height: int, width: int, strength: float, seed: int = 0) -> tuple[Image, Image]:
    random = np.random.default_rng(seed)
    target = random.uniform(0, 1, (height, width, 3))
    for axis in (0, 1):  # smooth at several scales, as pictures are
        target = target + np.cumsum(target - 0.5, axis=axis) * 0.2
    target = (target - target.min()) / (target.max() - target.min())
    return target, np.clip(target + strength * random.normal(size=target.shape), 0, 1)


@pytest.mark.parametrize("size", [(240, 320), (176, 176), (177, 239), (191, 183)])
@pytest.mark.parametrize("strength", [0.01, 0.3])
def test_agrees_with_the_reference(size: tuple[int, int], strength: float) -> None:
    target, prediction = pair(*size, strength)
    assert ms_ssim(target, prediction, data_range=1.0) == pytest.approx(
        reference(target, prediction, 1.0), abs=1e-9
    )


def test_agrees_on_a_real_picture_and_on_another_data_range() -> None:

    frames = rendered(1, 2)[0].astype(np.float64)
    expected = reference(frames[0], frames[1], 255.0)
    assert 0.3 < expected < 0.999
    assert ms_ssim(frames[0], frames[1], data_range=255.0) == pytest.approx(expected, abs=1e-9)
    assert ms_ssim(frames[0] / 255, frames[1] / 255, data_range=1.0) == pytest.approx(expected, abs=1e-9)


def test_equal_frames_are_1_and_inverted_contrast_is_0() -> None:
    target, _ = pair(176, 180, 0.0)
    assert ms_ssim(target, target, data_range=1.0) == 1.0
    checks = np.indices((176, 176)).sum(axis=0) % 2 * 1.0
    board = np.repeat(checks[..., None], 3, axis=2)
    assert ms_ssim(board, 1 - board, data_range=1.0) == 0.0


def test_a_change_of_brightness_is_seen_at_the_coarsest_scale_only() -> None:
    flat, brighter = np.full((176, 176, 3), 0.25), np.full((176, 176, 3), 0.5)
    c1 = 0.01**2
    luminance = (2 * 0.25 * 0.5 + c1) / (0.25**2 + 0.5**2 + c1)
    assert ms_ssim(flat, brighter, data_range=1.0) == pytest.approx(luminance**0.1333, abs=1e-9)


def test_small_frames_and_masks_are_refused() -> None:
    target, prediction = pair(175, 400, 0.1)
    with pytest.raises(VpbenchError, match=r"at least 176 pixels a side.*175×400"):
        ms_ssim(target, prediction, data_range=1.0)
    target, prediction = pair(176, 176, 0.1)
    with pytest.raises(UsageError, match="masking 'black' or 'none'"):
        ms_ssim(target, prediction, data_range=1.0, mask=np.ones((176, 176), np.bool_))


def test_it_is_installed() -> None:
    assert get_metric("ms-ssim").function is ms_ssim
