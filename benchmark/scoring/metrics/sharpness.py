"""Sharpness difference: how far apart the gradients of two frames are, in dB.

∇x and ∇y are backward differences along a row and a column.

Released script of Mathieu, Couprie & LeCun (ICLR 2016): images Y, Ŷ in [−1, 1]; per channel, over rows
2…H−1 and columns 2…W−1 (counted from 1) but divided by all pixels,

    s = max(128²·Σ( ||∇xŶ| − |∇xY|| + ||∇yŶ| − |∇yY|| ) / (C·H·W), 1e-4),  score = 10·log10(255² / s).

The error is not squared, yet it is multiplied by 128² and divided into a squared peak. The published
values (about 25) require it.

The paper's printed formula is another measure: the absolute difference of the sums of the gradients,

    s = Σ | (|∇xY| + |∇yY|) − (|∇xŶ| + |∇yŶ|) | / N,  score = 10·log10(max² / s).

It states neither units nor N. Here images are in [0, 255], max is 255, and N counts channels and those
pixels that have both differences, rows 2…H and columns 2…W. As in the script, s is at least 1e-4, so that
equal frames get 88.13 dB.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from vpbench.errors import VpbenchError
from vpbench.scoring.metrics import Metric
from vpbench.scoring.metrics.frames import (
    MATHIEU2016_HIGHEST,
    MATHIEU2016_LOWEST,
    MATHIEU2016_SCALE,
    Box,
    Image,
    Mask,
    checked,
    differing_box,
    luma,
    mask_box,
    mathieu2016_decibels,
)

# Rows worked on at once, so that the gradients of a band stay in the processor's cache.
_BAND = 16


def _gradient_error(target: Image, prediction: Image, mask: Mask | None, area: Box, *, joint: bool) -> float:
    """Sum of the differences of absolute gradients over the pixels (of the mask) in ``area`` and channels.

    Args:
        target: (H, W) or (H, W, 3).
        prediction: like the target.
        mask: (H, W) bytes, or None.
        area: the pixels that count; none in the first row or column.
        joint: compare |∇x| + |∇y| instead of each of the two.
    """
    # A pixel's gradients reach back to its left and upper neighbours only.
    differing = differing_box(target, prediction)
    area = area.clipped(Box(differing.top, differing.bottom + 1, differing.left, differing.right + 1))
    if mask is not None:
        area = area.clipped(mask_box(mask))
    if area.empty:
        return 0.0
    left, right = area.left, area.right
    band_shape = (min(_BAND, area.bottom - area.top), right - left, *target.shape[2:])
    buffers = np.empty((2, 2, *band_shape))
    total = 0.0
    for top in range(area.top, area.bottom, _BAND):
        bottom = min(top + _BAND, area.bottom)
        gradients = []
        for image, (along_x, along_y) in zip(
            (target, prediction), buffers[:, :, : bottom - top], strict=True
        ):
            here = image[top:bottom, left:right]
            x = cv2.absdiff(here, image[top:bottom, left - 1 : right - 1], dst=along_x)
            y = cv2.absdiff(here, image[top - 1 : bottom - 1, left:right], dst=along_y)
            gradients.append((cv2.add(x, y, dst=x),) if joint else (x, y))
        flags = None if mask is None else mask[top:bottom, left:right]
        for of_target, of_prediction in zip(*gradients, strict=True):
            total += cv2.norm(of_target, of_prediction, cv2.NORM_L1, flags)
    return total


def _score(
    target: Image, prediction: Image, mask: Mask | None, *, scale: float, printed: bool = False
) -> float:
    """The score in dB of images (H, W) or (H, W, 3), whose error is multiplied by ``scale``."""
    height, width = target.shape[:2]
    area = Box(1, height, 1, width) if printed else Box(1, height - 1, 1, width - 1)
    if area.empty:
        smallest = 2 if printed else 3
        raise VpbenchError(
            f"Sharpness needs frames of at least {smallest}×{smallest} pixels; they are {height}×{width}."
        )
    if mask is not None:
        pixels = cv2.countNonZero(mask[area.slices])
    elif printed:
        pixels = math.prod(area.shape)
    else:
        pixels = height * width
    if pixels == 0:
        return math.nan
    total = _gradient_error(target, prediction, mask, area, joint=printed)
    return mathieu2016_decibels(scale * total / (pixels * math.prod(target.shape[2:])))


def sharpness_mathieu2016(
    target: Image, prediction: Image, *, data_range: float, mask: NDArray[np.bool_] | None = None
) -> float:
    """Sharpness difference in dB as the released script computes it (see the module's docstring).

    Args:
        target: (H, W, 3), RGB in [0, data_range]; taken to [−1, 1] here.
        prediction: (H, W, 3), RGB in [0, data_range].
        data_range: the value of white.
        mask: (H, W); if given, the mean runs over those of its true pixels that are not on the frame's
            border. Gradients are those of the whole images. The script itself blackens what is outside the
            mask and then divides by all pixels, which is ``masking="black"`` of a protocol.

    Returns:
        dB, from −0.03 to 88.13; NaN if the mask leaves no pixel.

    Raises:
        VpbenchError: a shape or the data range is wrong, or a side is below 3 pixels.
    """
    target, prediction, flags = checked(target, prediction, data_range, mask)
    return _score(target, prediction, flags, scale=MATHIEU2016_SCALE**2 * 2.0 / data_range)


def sharpness_luma(
    target: Image, prediction: Image, *, data_range: float, mask: NDArray[np.bool_] | None = None
) -> float:
    """:func:`sharpness_mathieu2016` of the luma 0.299 R + 0.587 G + 0.114 B, as one channel."""
    target, prediction, flags = checked(target, prediction, data_range, mask)
    scale = MATHIEU2016_SCALE**2 * 2.0 / data_range
    return _score(luma(target), luma(prediction), flags, scale=scale)


def sharpness_printed(
    target: Image, prediction: Image, *, data_range: float, mask: NDArray[np.bool_] | None = None
) -> float:
    """Sharpness difference in dB by the paper's printed formula (see the module's docstring).

    Args:
        target: (H, W, 3), RGB in [0, data_range]; taken to [0, 255] here.
        prediction: (H, W, 3), RGB in [0, data_range].
        data_range: the value of white.
        mask: (H, W); if given, the mean runs over those of its true pixels that have both differences.

    Returns:
        dB, from 21.05 to 88.13; NaN if the mask leaves no pixel.

    Raises:
        VpbenchError: a shape or the data range is wrong, or a side is below 2 pixels.
    """
    target, prediction, flags = checked(target, prediction, data_range, mask)
    return _score(target, prediction, flags, scale=255.0 / data_range, printed=True)


SHARPNESS_MATHIEU2016 = Metric(
    label="Sharpness",
    unit="dB",
    low=MATHIEU2016_LOWEST,
    high=MATHIEU2016_HIGHEST,
    higher_is_better=True,
    source="released evaluation script of Mathieu, Couprie & LeCun, ICLR 2016",
    function=sharpness_mathieu2016,
)
SHARPNESS_PRINTED = Metric(
    label="Sharpness (printed)",
    unit="dB",
    low=mathieu2016_decibels(2 * 255.0),
    high=MATHIEU2016_HIGHEST,
    higher_is_better=True,
    source="Mathieu, Couprie & LeCun, ICLR 2016, section 3, the formula as printed; values in [0, 255]",
    function=sharpness_printed,
)
SHARPNESS_LUMA = Metric(
    label="Sharpness (luma)",
    unit="dB",
    low=MATHIEU2016_LOWEST,
    high=MATHIEU2016_HIGHEST,
    higher_is_better=True,
    source="the released script's sharpness difference on the ITU-R BT.601 luma",
    function=sharpness_luma,
)
