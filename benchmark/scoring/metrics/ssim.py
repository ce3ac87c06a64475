"""Structural similarity of luma (Wang, Bovik, Sheikh & Simoncelli, IEEE Trans. Image Processing 13, 2004).

    SSIM = (2 μx μy + C1)(2 σxy + C2) / ((μx² + μy² + C1)(σx² + σy² + C2)),  C1 = (K1 L)², C2 = (K2 L)²,

where the moments are weighted by a Gaussian window, of luma in [0, L] with L = 255. The score is the mean of
that map. How the window meets the border of the frame differs between programs and moves the score:

- ``zero-full``: the frame continues in black and the window visits every place where it touches the frame,
  so the map is (H + 10) × (W + 10): the released script of Mathieu, Couprie & LeCun (ICLR 2016).
- ``valid``: the window stays inside the frame, so the map is (H − 10) × (W − 10): Wang's own program.
- ``replicate``: the frame's border pixels continue and the map is H × W: Matlab's ``ssim``.
- ``symmetric``: the frame's mirror image continues it, border pixels included, and the map is H × W: programs that
  filter by ``scipy.ndimage`` as it is, such as pyssim.

The map is computed from s = x + y and d = x − y, which needs two variances and no covariance: with S, D their
means and Vs, Vd their variances,

    1 − SSIM = 2 (A·Vd + B·D²) / ((A + D²)(B + Vd)),  A = S² + 2 C1,  B = Vs + 2 C2.

Nothing cancels in it as SSIM nears 1, and it is exactly 0 where the images are equal throughout the window.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from vpbench.errors import VpbenchError, unknown_name
from vpbench.scoring.metrics import Metric
from vpbench.scoring.metrics.frames import Box, Image, checked, differing_box, frame_box, luma, mask_box

Border = Literal["zero-full", "valid", "replicate", "symmetric"]

# Wang et al. 2004, section III-C and their program: window, and the constants against division by 0.
RADIUS = 5
_SIGMA = 1.5
WHITE = 255.0
C1 = (0.01 * WHITE) ** 2
C2 = (0.03 * WHITE) ** 2

WINDOW = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / _SIGMA) ** 2)
WINDOW /= WINDOW.sum()

# The map is made in bands of this many rows, which stay in the processor's cache, and the window applied to
# blocks of this side as a product with a banded matrix: twice as fast as cv2.sepFilter2D, thrice in OpenCV 4.
_BLOCK = 16
_SEEN = _BLOCK + 2 * RADIUS
_DOWN = np.stack([np.pad(WINDOW, (i, _BLOCK - 1 - i)) for i in range(_BLOCK)])
_ACROSS = np.ascontiguousarray(_DOWN.T)


def _surround(planes: Image, inner: Box, border: Border) -> None:
    """Overwrite what lies around ``inner`` in (N, H, W) with its border pixels, its mirror image, or with 0."""
    top, bottom, left, right = inner
    copied = border in ("replicate", "symmetric")
    planes[:, :, :left] = planes[:, :, left : left + 1] if copied else 0.0
    planes[:, :, right:] = planes[:, :, right - 1 : right] if copied else 0.0
    if border == "symmetric":
        _mirror(planes.swapaxes(1, 2), left, right)
    planes[:, :top] = planes[:, top : top + 1] if copied else 0.0
    planes[:, bottom:] = planes[:, bottom - 1 : bottom] if copied else 0.0
    if border == "symmetric":
        _mirror(planes, top, bottom)


def _mirror(planes: Image, first: int, end: int) -> None:
    """Continue rows ``first`` to ``end`` of (N, H, W) by their mirror image, as far as windows look."""
    rows = end - first
    for away in range(RADIUS):
        back = away % (2 * rows)  # there and back again, in frames that are smaller than the window
        back = min(back, 2 * rows - 1 - back)
        if first - 1 - away >= 0:
            planes[:, first - 1 - away] = planes[:, first + back]
        if end + away < planes.shape[1]:
            planes[:, end + away] = planes[:, end - 1 - back]


def _dissimilarity(mean_s: Image, mean_d: Image, square_s: Image, square_d: Image) -> Image:
    """(1 − SSIM) / 2 from the means of s, d, s² and d² in the window, which are overwritten."""
    mean_s *= mean_s
    mean_d *= mean_d
    square_s -= mean_s
    square_d -= mean_d
    a, b, d_squared, d_variance = mean_s, square_s, mean_d, square_d
    a += 2 * C1
    b += 2 * C2
    result = a * d_variance
    a += d_squared
    d_variance += b
    a *= d_variance
    b *= d_squared
    result += b
    result /= a
    return result


def _bands(
    target: Image, prediction: Image, area: Box, data_range: float, border: Border
) -> Iterator[tuple[Box, Image]]:
    """The map (1 − SSIM) / 2 of ``area``, which may reach beyond the frame, as bands and their places."""
    blocks = -(-area.shape[1] // _BLOCK)
    planes = np.empty((4, _SEEN, blocks * _BLOCK + 2 * RADIUS))
    down = np.empty((4, _BLOCK, planes.shape[2]))
    means = np.empty((4, _BLOCK, blocks * _BLOCK))
    # The same two as batches of blocks, which overlap in the first: (blocks, 4·16, 26) and (blocks, 4·16, 16).
    down_blocks = sliding_window_view(down.reshape(-1, down.shape[2]), _SEEN, 1)[:, ::_BLOCK].swapaxes(0, 1)
    mean_blocks = means.reshape(-1, blocks, _BLOCK).swapaxes(0, 1)
    for top in range(area.top, area.bottom, _BLOCK):
        windows = Box(top, top + _BLOCK, area.left, area.right).grown(RADIUS)
        seen = windows.clipped(frame_box(target))
        inner = seen.relative_to(windows)
        x, y = planes[2:]
        luma(target[seen.slices], WHITE / data_range, out=x[inner.slices])
        luma(prediction[seen.slices], WHITE / data_range, out=y[inner.slices])
        _surround(planes[2:], inner, border)
        np.add(x, y, out=planes[0])
        np.subtract(x, y, out=planes[1])
        np.multiply(planes[:2], planes[:2], out=planes[2:])
        np.matmul(_DOWN, planes, out=down)
        np.matmul(down_blocks, _ACROSS, out=mean_blocks)
        band = area._replace(top=top, bottom=min(top + _BLOCK, area.bottom))
        rows, columns = band.shape
        # Whole blocks first: numpy is several times slower on parts of rows.
        yield band, _dissimilarity(*means)[:rows, :columns]


def ssim(
    target: Image,
    prediction: Image,
    *,
    data_range: float,
    border: Border,
    mask: NDArray[np.bool_] | None = None,
) -> float:
    """Mean structural similarity of luma 0.299 R + 0.587 G + 0.114 B; Gaussian window 11×11, σ 1.5.

    Args:
        target: (H, W, 3), RGB in [0, data_range].
        prediction: (H, W, 3), RGB in [0, data_range].
        data_range: the value of white.
        border: how the window meets the border of the frame (see the module's docstring).
        mask: (H, W); if given, the map's mean runs over its true pixels only, after the map was cropped to
            the frame (``zero-full``) or the mask by 5 pixels on each side (``valid``). Windows look beyond
            the mask.

    Returns:
        From −1 to 1; NaN if the mask leaves no pixel.

    Raises:
        VpbenchError: a shape or the data range is wrong, or a side is below 11 pixels for ``valid``.
        UsageError: there is no such border.
    """
    if border not in get_args(Border):
        raise unknown_name("SSIM border", str(border), list(get_args(Border)))
    target, prediction, flags = checked(target, prediction, data_range, mask)
    domain = frame_box(target)
    if border == "valid":
        domain = domain.grown(-RADIUS)
        if domain.empty:
            raise VpbenchError(
                f"SSIM with border 'valid' needs frames of at least {2 * RADIUS + 1} pixels a side; "
                f"they are {target.shape[0]}×{target.shape[1]}. Use border 'replicate' or 'zero-full'."
            )
    elif border == "zero-full" and flags is None:
        domain = domain.grown(RADIUS)

    pixels = math.prod(domain.shape) if flags is None else cv2.countNonZero(flags[domain.slices])
    if pixels == 0:
        return math.nan
    area = differing_box(target, prediction)
    if area.empty:
        return 1.0
    area = area.grown(RADIUS).clipped(domain)
    if flags is not None:
        area = area.clipped(mask_box(flags))
    if area.empty:
        return 1.0
    total = 0.0
    for band, dissimilarity in _bands(target, prediction, area, data_range, border):
        inside = slice(None) if flags is None else flags[band.slices].view(np.bool_)
        total += float(dissimilarity[inside].sum())
    return 1.0 - 2.0 * total / pixels


SSIM = Metric(
    label="SSIM",
    unit="",
    low=-1.0,
    high=1.0,
    higher_is_better=True,
    source="Wang, Bovik, Sheikh & Simoncelli, IEEE Trans. Image Processing 13 (2004); border by the protocol",
    function=ssim,
)
