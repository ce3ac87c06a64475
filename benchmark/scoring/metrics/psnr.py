"""Peak signal-to-noise ratio: the standard one, the same on luma, and the released script's.

Standard: PSNR = 10·log10(R² / MSE), with R the data range and MSE the mean squared error over pixels and
channels. Equal images have an infinite PSNR. There is no hidden epsilon; a protocol that needs finite
numbers states a ``cap``.

Released script of Mathieu, Couprie & LeCun (ICLR 2016): images Y, Ŷ in [−1, 1],

    PSNR = 10·log10(255² / e),  e = max(128²·Σ(Y − Ŷ)² / (C·H·W), 1e-4),

with 128², not 127.5², and a floor that gives equal images 88.13 dB.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from vpbench.scoring.metrics import Metric
from vpbench.scoring.metrics.frames import (
    MATHIEU2016_HIGHEST,
    MATHIEU2016_LOWEST,
    MATHIEU2016_SCALE,
    Image,
    Mask,
    checked,
    luma,
    mathieu2016_decibels,
)


def _mean_squared_error(target: Image, prediction: Image, mask: Mask | None) -> float:
    """Mean squared error over the pixels (of the mask) and channels; NaN for an empty mask."""
    pixels: int = math.prod(target.shape[:2]) if mask is None else cv2.countNonZero(mask)
    if pixels == 0:
        return math.nan
    return cv2.norm(target, prediction, cv2.NORM_L2SQR, mask) / (pixels * math.prod(target.shape[2:]))


def _standard(mean_squared_error: float, data_range: float, cap: float | None) -> float:
    decibels = 10.0 * math.log10(data_range**2 / mean_squared_error) if mean_squared_error else math.inf
    return decibels if cap is None else min(decibels, cap)


def psnr(
    target: Image,
    prediction: Image,
    *,
    data_range: float,
    mask: NDArray[np.bool_] | None = None,
    cap: float | None = None,
) -> float:
    """Standard PSNR in dB: 10·log10(data_range² / MSE), MSE over pixels and channels.

    Args:
        target: (H, W, 3), RGB in [0, data_range].
        prediction: (H, W, 3), RGB in [0, data_range].
        data_range: the value of white.
        mask: (H, W); if given, the mean runs over its true pixels only.
        cap: scores above it, infinite ones included, are reported as this many dB.

    Returns:
        dB; infinite for equal frames unless there is a cap, NaN for an empty mask.

    Raises:
        VpbenchError: a shape or the data range is wrong.
    """
    target, prediction, flags = checked(target, prediction, data_range, mask)
    return _standard(_mean_squared_error(target, prediction, flags), data_range, cap)


def psnr_luma(
    target: Image,
    prediction: Image,
    *,
    data_range: float,
    mask: NDArray[np.bool_] | None = None,
    cap: float | None = None,
) -> float:
    """Standard PSNR in dB of the luma 0.299 R + 0.587 G + 0.114 B; otherwise as :func:`psnr`."""
    target, prediction, flags = checked(target, prediction, data_range, mask)
    return _standard(_mean_squared_error(luma(target), luma(prediction), flags), data_range, cap)


def psnr_mathieu2016(
    target: Image, prediction: Image, *, data_range: float, mask: NDArray[np.bool_] | None = None
) -> float:
    """PSNR in dB as the released script computes it (see the module's docstring).

    Args:
        target: (H, W, 3), RGB in [0, data_range]; taken to [−1, 1] here.
        prediction: (H, W, 3), RGB in [0, data_range].
        data_range: the value of white.
        mask: (H, W); if given, the mean runs over its true pixels only. The script itself blackens what is
            outside the mask and then divides by all pixels, which is ``masking="black"`` of a protocol.

    Returns:
        dB, from −0.03 to 88.13; NaN for an empty mask.

    Raises:
        VpbenchError: a shape or the data range is wrong.
    """
    target, prediction, flags = checked(target, prediction, data_range, mask)
    error = _mean_squared_error(target, prediction, flags)
    return mathieu2016_decibels(MATHIEU2016_SCALE**2 * (2.0 / data_range) ** 2 * error)


PSNR = Metric(
    label="PSNR",
    unit="dB",
    low=0.0,
    high=math.inf,
    higher_is_better=True,
    source="10·log10(data_range² / MSE) over pixels and RGB channels",
    function=psnr,
)
PSNR_LUMA = Metric(
    label="PSNR (luma)",
    unit="dB",
    low=0.0,
    high=math.inf,
    higher_is_better=True,
    source="10·log10(data_range² / MSE) of the ITU-R BT.601 luma",
    function=psnr_luma,
)
PSNR_MATHIEU2016 = Metric(
    label="PSNR (mathieu2016)",
    unit="dB",
    low=MATHIEU2016_LOWEST,
    high=MATHIEU2016_HIGHEST,
    higher_is_better=True,
    source="released evaluation script of Mathieu, Couprie & LeCun, ICLR 2016",
    function=psnr_mathieu2016,
)
