"""SSIM of RGB channels, as papers print it that score by pytorch_msssim or TensorFlow, and scikit-image's own default.

SSIM of a colour frame is not one thing: Wang et al. define it on luma (:mod:`vpbench.scoring.metrics.ssim`), and these
average it over the channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from vpbench.errors import UsageError, VpbenchError
from vpbench.scoring.metrics import Metric
from vpbench.scoring.metrics.frames import Image, checked
from vpbench.scoring.metrics.ms_ssim import ms_ssim
from vpbench.scoring.metrics.ssim import Border, ssim

_WINDOW = 7  # pixels a side: scikit-image's default


def _mean_over_channels(score: Callable[[Image, Image], float], target: Image, prediction: Image) -> float:
    """The mean score of the channels, each as a grey frame, whose luma is the channel."""
    scores = []
    for channel in range(target.shape[2]):
        x, y = (cv2.merge([np.ascontiguousarray(frame[..., channel])] * 3) for frame in (target, prediction))
        scores.append(score(np.asarray(x), np.asarray(y)))
    return sum(scores) / len(scores)


def ssim_rgb(
    target: Image,
    prediction: Image,
    *,
    data_range: float,
    border: Border,
    mask: NDArray[np.bool_] | None = None,
) -> float:
    """Mean over R, G and B of the structural similarity of the channel; otherwise as :func:`.ssim.ssim`."""
    checked(target, prediction, data_range, mask)
    score = partial(ssim, data_range=data_range, border=border, mask=mask)
    return _mean_over_channels(score, target, prediction)


def ms_ssim_rgb(
    target: Image, prediction: Image, *, data_range: float, mask: NDArray[np.bool_] | None = None
) -> float:
    """Mean over R, G and B of the multi-scale structural similarity of the channel; otherwise as ``ms-ssim``.

    pytorch_msssim gives the same but for frames with an odd side at one of the first four scales, where it adds a row
    or column of zeros and this counts the last one twice. (Compared with its version 1.0.0, on frames of the split
    ``synthetic``: within 4e-6 at 512×1024, 256×832 and 256×448, 0.0013 apart at 480×854.)

    Raises:
        UsageError: there is a mask.
        VpbenchError: a shape or the data range is wrong, or a side is below 176 pixels.
    """
    checked(target, prediction, data_range, mask)
    return _mean_over_channels(partial(ms_ssim, data_range=data_range, mask=mask), target, prediction)


def ssim_scikit_image(
    target: Image,
    prediction: Image,
    *,
    data_range: float,
    taken_range: float = 1.0,
    mask: NDArray[np.bool_] | None = None,
) -> float:
    """``skimage.metrics.structural_similarity`` as it is called with its defaults: a uniform window of 7×7 pixels.

    Args:
        target: (H, W, 3), RGB in [0, data_range].
        prediction: (H, W, 3), RGB in [0, data_range].
        data_range: the value of white.
        taken_range: the range of values that the function is told, in units of white. Without being told, versions up
            to 0.19.3 took 2 for floating-point frames, as if these lay in [−1, 1], which raises the score.
        mask: must be None.

    Returns:
        From −1 to 1: the mean over the RGB channels, without a border of 3 pixels.

    Raises:
        UsageError: there is a mask.
        VpbenchError: a shape or a range is wrong, or a side is below 7 pixels.
    """
    from skimage.metrics import structural_similarity

    target, prediction, flags = checked(target, prediction, data_range, mask)
    if flags is not None:
        raise UsageError(
            "Metric 'ssim-scikit-image' has no mean inside a mask; use masking 'black' or 'none'."
        )
    if not (math.isfinite(taken_range) and taken_range > 0):
        raise VpbenchError(f"taken_range must be above 0; it is {taken_range}.")
    if min(target.shape[:2]) < _WINDOW:
        raise VpbenchError(f"scikit-image's SSIM needs frames of at least {_WINDOW} pixels a side.")
    x, y = target / data_range, prediction / data_range
    similarity: float = structural_similarity(x, y, channel_axis=2, data_range=taken_range)  # type: ignore[no-untyped-call]
    return float(similarity)


SSIM_RGB = Metric(
    label="SSIM RGB",
    unit="",
    low=-1.0,
    high=1.0,
    higher_is_better=True,
    source="Wang et al. 2004, mean over the R, G and B channels; border by the protocol",
    function=ssim_rgb,
)
MS_SSIM_RGB = Metric(
    label="MS-SSIM RGB",
    unit="",
    low=0.0,
    high=1.0,
    higher_is_better=True,
    source="Wang, Simoncelli & Bovik 2003, mean over the R, G and B channels; five scales",
    function=ms_ssim_rgb,
)
SSIM_SCIKIT_IMAGE = Metric(
    label="SSIM (scikit-image)",
    unit="",
    low=-1.0,
    high=1.0,
    higher_is_better=True,
    source="skimage.metrics.structural_similarity: uniform window 7×7, sample covariance, mean over channels",
    function=ssim_scikit_image,
)
