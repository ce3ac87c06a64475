"""Mean squared and mean absolute error of frames in [0, 1], and their sums.

Papers on Moving MNIST print errors that are summed over a frame's pixels and then averaged over frames, so that they
grow with the size of the frame. A protocol that wants such sums says so (``summed``).
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from vpbench.scoring.metrics import Metric
from vpbench.scoring.metrics.frames import Image, checked


def mse(
    target: Image,
    prediction: Image,
    *,
    data_range: float,
    mask: NDArray[np.bool_] | None = None,
    summed: bool = False,
) -> float:
    """Squared error of values in [0, 1], as a mean over pixels and channels.

    Args:
        target: (H, W, 3), RGB in [0, data_range].
        prediction: (H, W, 3), RGB in [0, data_range].
        data_range: the value of white.
        mask: (H, W); if given, only its true pixels count.
        summed: the sum over pixels of the mean over channels instead, which for grey frames is that of OpenSTL.

    Returns:
        0 for equal frames, at most 1, or the number of pixels if summed; NaN for an empty mask.

    Raises:
        VpbenchError: a shape or the data range is wrong.
    """
    return _error(target, prediction, data_range, mask, cv2.NORM_L2SQR, summed)


def mae(
    target: Image,
    prediction: Image,
    *,
    data_range: float,
    mask: NDArray[np.bool_] | None = None,
    summed: bool = False,
) -> float:
    """Absolute error of values in [0, 1], as a mean over pixels and channels; otherwise as :func:`mse`."""
    return _error(target, prediction, data_range, mask, cv2.NORM_L1, summed)


def _error(
    target: Image,
    prediction: Image,
    data_range: float,
    mask: NDArray[np.bool_] | None,
    norm: int,
    summed: bool,
) -> float:
    target, prediction, flags = checked(target, prediction, data_range, mask)
    pixels: int = math.prod(target.shape[:2]) if flags is None else cv2.countNonZero(flags)
    if pixels == 0:
        return math.nan
    white = data_range**2 if norm == cv2.NORM_L2SQR else data_range
    error: float = cv2.norm(target, prediction, norm, flags) / (target.shape[2] * white)
    return error if summed else error / pixels


MSE = Metric(
    label="MSE",
    unit="",
    low=0.0,
    high=math.inf,
    higher_is_better=False,
    source="mean over pixels and RGB channels of the squared error, values in [0, 1]; or its sum over pixels",
    function=mse,
)
MAE = Metric(
    label="MAE",
    unit="",
    low=0.0,
    high=math.inf,
    higher_is_better=False,
    source="mean over pixels and RGB channels of the absolute error, values in [0, 1]; or its sum over pixels",
    function=mae,
)
