"""What the metrics share: checked arguments, luma, the box that has to be looked at, the released script's decibels.

The boxes make small moving areas cheap and change no score. Where two images are equal, and above all where
both were blackened outside the moving area, errors are exactly 0 and structural similarity is exactly 1, so
a metric only has to look at the box around the pixels in which they differ.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vpbench.errors import VpbenchError

Image = NDArray[np.float64]
Mask = NDArray[np.uint8]

# ITU-R BT.601 luma, as in the released script. (Matlab's rgb2gray has 0.2989, 0.5870, 0.1140.)
LUMA = np.array([[0.299, 0.587, 0.114]])

# The released script takes images in [−1, 1] to bytes by 128, not by 127.5 …
MATHIEU2016_SCALE = 128.0
# … compares with the square of the peak 255 …
PEAK_SQUARED = 255.0**2
# … and keeps the error from reaching 0. Equal images therefore get 10·log10(255²/1e-4) = 88.13 dB.
MATHIEU2016_FLOOR = 1e-4


class Box(NamedTuple):
    """Rows ``top`` to ``bottom`` and columns ``left`` to ``right`` of an image, the ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def empty(self) -> bool:
        """Whether no pixel is inside."""
        return self.top >= self.bottom or self.left >= self.right

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        return self.bottom - self.top, self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the box in an image."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def grown(self, pixels: int) -> Box:
        """The box with that many more rows and columns on each side."""
        return Box(self.top - pixels, self.bottom + pixels, self.left - pixels, self.right + pixels)

    def relative_to(self, other: Box) -> Box:
        """The box as seen from the top left corner of ``other``."""
        return Box(
            self.top - other.top, self.bottom - other.top, self.left - other.left, self.right - other.left
        )

    def clipped(self, other: Box) -> Box:
        """The part that is also in ``other``."""
        return Box(
            max(self.top, other.top),
            min(self.bottom, other.bottom),
            max(self.left, other.left),
            min(self.right, other.right),
        )


def checked(
    target: Image, prediction: Image, data_range: float, mask: NDArray[np.bool_] | None
) -> tuple[Image, Image, Mask | None]:
    """Check a metric's arguments and give them the memory layout and types that OpenCV needs.

    Args:
        target: (H, W, 3), RGB in [0, data_range].
        prediction: (H, W, 3), RGB in [0, data_range].
        data_range: the value of white, above 0.
        mask: (H, W), or None.

    Returns:
        Both frames as contiguous float64, and the mask as contiguous bytes 0 and 1.

    Raises:
        VpbenchError: a shape or the data range is wrong.
    """
    if target.ndim != 3 or target.shape[2] != 3 or target.size == 0:
        raise VpbenchError(f"A metric needs RGB frames (H, W, 3); the target has shape {target.shape}.")
    if prediction.shape != target.shape:
        raise VpbenchError(f"The prediction has shape {prediction.shape}, the target {target.shape}.")
    if not (math.isfinite(data_range) and data_range > 0):
        raise VpbenchError(f"data_range must be the value of white, above 0; it is {data_range}.")
    flags: Mask | None = None
    if mask is not None:
        if mask.dtype != np.bool_ or mask.shape != target.shape[:2]:
            raise VpbenchError(
                f"The mask must be boolean of shape {target.shape[:2]}; it is {mask.dtype} {mask.shape}."
            )
        flags = np.ascontiguousarray(mask).view(np.uint8)
    return (
        np.ascontiguousarray(target, dtype=np.float64),
        np.ascontiguousarray(prediction, dtype=np.float64),
        flags,
    )


def luma(frame: Image, white: float = 1.0, out: Image | None = None) -> Image:
    """Luma (H, W) of an RGB frame (H, W, 3), multiplied by ``white``; ``out`` is where to put it."""
    plane = np.empty(frame.shape[:2]) if out is None else out
    cv2.transform(frame, LUMA * white, dst=plane)
    return plane


def frame_box(image: NDArray[np.generic]) -> Box:
    """The box that holds the whole of an image (H, W) or (H, W, C)."""
    return Box(0, image.shape[0], 0, image.shape[1])


def _box_of(marked: NDArray[np.bool_]) -> Box:
    """The smallest box around the true entries of (H, W) or (H, W, C); an empty one if there are none."""
    flat = marked.reshape(marked.shape[0], -1)
    rows = np.flatnonzero(flat.any(axis=1))
    if rows.size == 0:
        return Box(0, 0, 0, 0)
    columns = np.flatnonzero(flat.any(axis=0).reshape(marked.shape[1], -1).any(axis=1))
    return Box(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)


def mask_box(mask: Mask) -> Box:
    """The smallest box around the true pixels of a mask (H, W)."""
    return _box_of(mask.view(np.bool_))


def differing_box(target: Image, prediction: Image) -> Box:
    """The smallest box around the pixels in which two images of one shape differ; NaN differs from everything."""
    edges = (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1])
    if all((target[edge] != prediction[edge]).any() for edge in edges):
        return frame_box(target)  # the common case without a mask: no need to read the images
    return _box_of(target != prediction)


def mathieu2016_decibels(mean_error: float) -> float:
    """The released script's decibels: 10·log10(255² / max(error, 1e-4)).

    Args:
        mean_error: mean error, already multiplied by 128².

    Returns:
        dB, 88.13 at most; NaN if the error is NaN.
    """
    return 10.0 * math.log10(PEAK_SQUARED / max(mean_error, MATHIEU2016_FLOOR))


# The bounds of that scale: the floor, and an error of 4 (in [−1, 1], squared or summed over two gradients).
MATHIEU2016_HIGHEST = mathieu2016_decibels(0.0)
MATHIEU2016_LOWEST = mathieu2016_decibels(MATHIEU2016_SCALE**2 * 4.0)
