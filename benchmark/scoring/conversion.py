"""What a protocol does to frames before it compares them: rounding, another size, luma, swapped channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vpbench.scoring.metrics.frames import luma

if TYPE_CHECKING:
    from vpbench.scoring.protocol import Rounding, ScoredAs

_Image = NDArray[Any]


def as_scored(
    target: NDArray[np.uint8],
    prediction: NDArray[np.float32],
    mask: NDArray[np.bool_] | None,
    how: ScoredAs,
) -> tuple[_Image, _Image, NDArray[np.bool_] | None]:
    """The true frame, the predicted one and the moving area as they are compared.

    Args:
        target: ``(H, W, 3)``, RGB.
        prediction: ``(H, W, 3)``, RGB, in [0, 1].
        mask: bool ``(H, W)``, or ``None``.
        how: what to do.

    Returns:
        Frames as uint8, or as floating-point numbers in [0, 1], ``(H', W', 3)``; and the area ``(H', W')``.
    """
    images: list[_Image] = [target, prediction if how.rounding is None else rounded(prediction, how.rounding)]
    if how.size is not None:
        across = (how.size[1], how.size[0])
        images = [cv2.resize(scaled(image), across, interpolation=cv2.INTER_LINEAR) for image in images]
        if mask is not None:
            rows, columns = (_nearest(*lengths) for lengths in zip(mask.shape, how.size, strict=True))
            mask = mask[np.ix_(rows, columns)]
    if how.colour == "luma":
        images = [cv2.merge([luma(scaled(image))] * 3) for image in images]
    elif how.colour == "bgr":
        images = [np.ascontiguousarray(image[..., ::-1]) for image in images]
    return images[0], images[1], mask


def _nearest(length: int, to: int) -> NDArray[np.int64]:
    """Of ``length`` pixels, those in which the centres of ``to`` pixels lie."""
    return (2 * np.arange(to) + 1) * length // (2 * to)


def rounded(frame: NDArray[np.float32], rounding: Rounding) -> NDArray[np.uint8]:
    """A frame in [0, 1] as bytes. Of a frame that was bytes before, both ways of rounding give these."""
    levels = np.clip(frame, 0, 1) * np.float32(
        255
    )  # in float32, in which k / 255 · 255 is k for every byte k
    return np.asarray(np.floor(levels) if rounding == "down" else np.rint(levels), np.uint8)


def scaled(image: _Image) -> NDArray[np.float64]:
    """A frame, bytes or in [0, 1], as float64 in [0, 1]."""
    if image.dtype != np.uint8:
        return image.astype(np.float64, copy=False)
    result = image.astype(np.float64)
    result /= 255.0
    return result
