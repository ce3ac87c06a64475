"""Errors as means and sums, SSIM of RGB channels, and scikit-image's SSIM, against slow literal references."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
import reference_metrics as reference
from numpy.typing import NDArray

from vpbench.errors import UsageError, VpbenchError
from vpbench.scoring.metrics import get_metric
from vpbench.scoring.protocol import MetricUse
from vpbench.scoring.score import score_frame

Image = NDArray[np.float64]


def pair(height: int = 24, width: int = 31, seed: int = 0) -> tuple[Image, Image]:
    random = np.random.default_rng(seed)
    target = random.random((height, width, 3))
    return target, np.clip(target + 0.2 * random.normal(size=target.shape), 0, 1)


def score(name: str, target: Image, prediction: Image, data_range: float = 1.0, **more: Any) -> float:
    found = get_metric(name).function(target, prediction, data_range=data_range, **more)
    assert type(found) is float
    return found


CASES = {
    "mse": (reference.squared_error, {}),
    "mae": (reference.absolute_error, {}),
    **{
        f"ssim-rgb {border}": (
            partial(reference.of_channels, reference.ssim, border=border),
            {"border": border},
        )
        for border in ("valid", "zero-full", "replicate", "symmetric")
    },
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("data_range", [1.0, 255.0])
def test_agrees_with_a_slow_reference(case: str, data_range: float) -> None:
    slow, parameters = CASES[case]
    target, prediction = (data_range * frame for frame in pair())
    mask = np.random.default_rng(1).random(target.shape[:2]) < 0.4
    for area in (None, mask, np.zeros_like(mask)):
        found = score(case.split()[0], target, prediction, data_range, mask=area, **parameters)
        assert found == pytest.approx(slow(target, prediction, data_range, area), abs=1e-9, nan_ok=True)


def test_errors_by_hand() -> None:
    black, grey = np.zeros((8, 10, 3)), np.full((8, 10, 3), 0.5)
    assert score("mse", black, grey) == 0.25
    assert score("mae", black, grey) == 0.5
    assert score("mse", black, grey, summed=True) == 20.0  # 80 pixels
    assert score("mae", black, grey, summed=True) == 40.0
    assert score("mse", black, 255 * grey, 255.0) == 0.25
    assert score("mae", black, 255 * grey, 255.0, summed=True) == 40.0
    for name in ("mse", "mae"):
        assert score(name, grey, grey.copy()) == 0
        assert not get_metric(name).higher_is_better


def test_ms_ssim_of_channels() -> None:
    target, prediction = pair(176, 180)
    smooth = np.cumsum(np.cumsum(target - 0.5, axis=0), axis=1)
    target = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    prediction = np.clip(target + 0.1 * (prediction - 0.5), 0, 1)
    expected = reference.of_channels(reference.ms_ssim, target, prediction, 1.0)
    assert score("ms-ssim-rgb", target, prediction) == pytest.approx(expected, abs=1e-9)
    assert score("ms-ssim-rgb", target, target.copy()) == pytest.approx(1.0, abs=1e-12)
    with pytest.raises(UsageError, match="no mean inside a mask"):
        score("ms-ssim-rgb", target, prediction, mask=np.ones(target.shape[:2], bool))
    with pytest.raises(VpbenchError, match="at least 176"):
        score("ms-ssim-rgb", target[:100], prediction[:100])


def test_of_a_grey_frame_it_is_that_of_luma() -> None:
    target, prediction = (np.repeat(frame[..., :1], 3, axis=2) for frame in pair())
    for border in ("valid", "symmetric"):
        luma = score("ssim", target, prediction, border=border)
        assert score("ssim-rgb", target, prediction, border=border) == pytest.approx(luma, abs=1e-12)


@pytest.mark.parametrize("taken_range", [1.0, 2.0])
def test_scikit_image_by_a_slow_reference(taken_range: float) -> None:
    target, prediction = pair(12, 14)
    found = score("ssim-scikit-image", target, prediction, taken_range=taken_range)
    assert found == pytest.approx(reference.uniform_ssim(target, prediction, taken_range), abs=1e-9)
    assert score("ssim-scikit-image", 255 * target, 255 * prediction, 255.0, taken_range=taken_range) == (
        pytest.approx(found, abs=1e-9)
    )


def test_a_missing_data_range_flatters() -> None:
    target, prediction = (0.1 * frame + 0.4 for frame in pair())
    told, untold = (score("ssim-scikit-image", target, prediction, taken_range=r) for r in (1.0, 2.0))
    assert untold > told + 0.01


def test_wrong_arguments() -> None:
    target, prediction = pair()
    with pytest.raises(UsageError, match="no mean inside a mask"):
        score("ssim-scikit-image", target, prediction, mask=np.ones(target.shape[:2], bool))
    for wrong in (0.0, -1.0, math.nan):
        with pytest.raises(VpbenchError, match="taken_range"):
            score("ssim-scikit-image", target, prediction, taken_range=wrong)
    with pytest.raises(VpbenchError, match="at least 7"):
        score("ssim-scikit-image", target[:6], prediction[:6])
    for name in ("mse", "mae", "ssim-rgb", "ms-ssim-rgb", "ssim-scikit-image"):
        more = {"border": "valid"} if name == "ssim-rgb" else {}
        with pytest.raises(VpbenchError, match="prediction has shape"):
            score(name, target, prediction[1:], **more)
        with pytest.raises(VpbenchError, match="data_range must be"):
            score(name, target, prediction, 0.0, **more)
        if name != "ms-ssim-rgb":  # the frames are too small
            assert math.isnan(score(name, target, np.full_like(target, np.nan), **more))


def test_they_are_columns_like_others() -> None:
    target = np.zeros((16, 16, 3), np.uint8)
    prediction = np.full((16, 16, 3), 0.5, np.float32)
    uses = {
        "mse": MetricUse("mse", parameters={"summed": True}),
        "rgb": MetricUse("ssim-rgb", parameters={"border": "valid"}),
    }
    scores = score_frame(target, prediction, None, uses)
    assert scores["mse"] == 64.0
