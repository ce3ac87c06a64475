"""Multi-scale structural similarity of luma (Wang, Simoncelli & Bovik, Asilomar Conf. Signals, Systems 2003).

    MS-SSIM = SSIM₅^0.1333 · CS₁^0.0448 · CS₂^0.2856 · CS₃^0.3001 · CS₄^0.2363

Scale 1 is the frame, and each further one is half as large: means over 2×2 pixels, the last row or column
counted twice where a side is odd. CS is the mean over the map of contrast and structure,
(2 σxy + C2) / (σx² + σy² + C2), and SSIM₅ the mean of the whole map at the coarsest scale. Window and constants
are those of SSIM (:mod:`vpbench.scoring.metrics.ssim`), and windows stay inside the frame.

CS can be negative, and a negative number has no such power. A negative mean counts as 0 here, as in TensorFlow;
Wang's program returns a complex number.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vpbench.errors import UsageError, VpbenchError
from vpbench.scoring.metrics import Metric
from vpbench.scoring.metrics.frames import Image, checked, luma
from vpbench.scoring.metrics.ssim import C1, C2, RADIUS, WHITE, WINDOW

# Wang, Simoncelli & Bovik 2003, section 3.2: exponents of the scales from fine to coarse.
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
# The window must fit the coarsest scale; their program tests the side divided by 2⁴, unrounded.
SMALLEST = (2 * RADIUS + 1) * 2 ** (len(WEIGHTS) - 1)


def _window_mean(image: Image) -> Image:
    """The mean in the window, where it lies inside the image: (H, W) to (H − 10, W − 10)."""
    mean = cv2.sepFilter2D(image, -1, WINDOW, WINDOW)
    return np.asarray(mean[RADIUS:-RADIUS, RADIUS:-RADIUS])


def _similarities(x: Image, y: Image) -> tuple[float, float]:
    """Mean SSIM and mean contrast-structure of luma (H, W) in [0, 255].

    From s = x + y and d = x − y, as in :mod:`vpbench.scoring.metrics.ssim`, so that nothing cancels near 1.
    """
    s, d = x + y, x - y
    s_squared, d_squared = _window_mean(s) ** 2, _window_mean(d) ** 2
    s_variance, d_variance = _window_mean(s * s) - s_squared, _window_mean(d * d) - d_squared
    structure = (s_variance - d_variance + 2 * C2) / (s_variance + d_variance + 2 * C2)
    luminance = (s_squared - d_squared + 2 * C1) / (s_squared + d_squared + 2 * C1)
    return float((luminance * structure).mean()), float(structure.mean())


def _halved(image: Image) -> Image:
    """Means over 2×2 pixels; an odd side's last row or column is counted twice."""
    height, width = image.shape
    even = np.pad(image, ((0, height % 2), (0, width % 2)), mode="edge")
    return np.asarray((even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4)


def ms_ssim(
    target: Image, prediction: Image, *, data_range: float, mask: NDArray[np.bool_] | None = None
) -> float:
    """Multi-scale structural similarity of luma 0.299 R + 0.587 G + 0.114 B (see the module's docstring).

    Args:
        target: (H, W, 3), RGB in [0, data_range].
        prediction: (H, W, 3), RGB in [0, data_range].
        data_range: the value of white.
        mask: must be None: a pixel of the coarsest scale represents 16×16 pixels of the frame, so there is no
            mean over a moving area. Blacken what is outside it instead (``masking="black"`` of a protocol).

    Returns:
        From 0 to 1.

    Raises:
        UsageError: there is a mask.
        VpbenchError: a shape or the data range is wrong, or a side is below 176 pixels.
    """
    target, prediction, flags = checked(target, prediction, data_range, mask)
    if flags is not None:
        raise UsageError("Metric 'ms-ssim' has no mean inside a mask; use masking 'black' or 'none'.")
    if min(target.shape[:2]) < SMALLEST:
        raise VpbenchError(
            f"MS-SSIM needs frames of at least {SMALLEST} pixels a side, so that its window fits the coarsest of "
            f"{len(WEIGHTS)} scales; they are {target.shape[0]}×{target.shape[1]}. Leave such clips out, or give "
            "the protocol a larger size."
        )
    x, y = (luma(frame, WHITE / data_range) for frame in (target, prediction))
    product = 1.0
    for scale, weight in enumerate(WEIGHTS):
        whole, structure = _similarities(x, y)
        similarity = whole if scale == len(WEIGHTS) - 1 else structure
        product *= max(similarity, 0.0) ** weight
        x, y = _halved(x), _halved(y)
    return product


MS_SSIM = Metric(
    label="MS-SSIM",
    unit="",
    low=0.0,
    high=1.0,
    higher_is_better=True,
    source="Wang, Simoncelli & Bovik, Asilomar Conf. Signals, Systems and Computers 2003; five scales",
    function=ms_ssim,
)
