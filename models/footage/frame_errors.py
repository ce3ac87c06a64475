"""How far off a copy of the last frame is, over the moving pixels of whole frames: what losses are weighed by.

A score is the logarithm of a whole frame's error. To first order it changes by a patch's error divided by the
error of the frame that the patch is from, so that is what a patch counts in training.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vpbench.models.footage.videos import Segments, cache_beside, windows_of

# A pixel moves where the mean absolute difference around it, in a square of this side, is above this many grey levels.
_SQUARE, _GREY_LEVELS = 15, 2.0


def moving_error(frame: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Mean squared difference of two frames over the pixels that move, as values in [−1, 1].

    Args:
        frame: ``(H, W, 3)``.
        other: the same shape.

    Returns:
        The mean over all pixels where none moves.
    """
    squares = np.square(frame.astype(np.float32) - other).mean(axis=2)
    return float(squares[moving_pixels(frame, other)].mean()) / 127.5**2


def moving_pixels(frame: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which pixels move between two frames ``(H, W, 3)``: all ``(H, W)``, where none does."""
    difference = cv2.absdiff(np.ascontiguousarray(frame), np.ascontiguousarray(other)).astype(np.float32)
    moving = cv2.blur(difference.mean(axis=2), (_SQUARE, _SQUARE)) > _GREY_LEVELS
    return np.asarray(moving if moving.any() else ~moving)


def copy_errors(segments: NDArray[np.uint8], inputs: int, frames: int) -> NDArray[np.float32]:
    """The error of a copy of the last input in every window, forwards and with time reversed.

    Args:
        segments: ``(segments, length, H, W, 3)``.
        inputs: input frames of a window.
        frames: frames of a window, inputs and targets.

    Returns:
        ``(windows, 2)``: the mean of :func:`moving_error` over the targets.
    """
    errors = []
    for segment, start in windows_of(segments, frames):
        window = segments[segment, start : start + frames]
        both = (window, window[::-1])
        errors.append([np.mean([moving_error(w[inputs - 1], target) for target in w[inputs:]]) for w in both])
    return np.asarray(errors, np.float32)


def cache_copy_errors(segments: Segments, inputs: int, frames: int, workers: int = 1) -> list[Path]:
    """:func:`copy_errors` of every video, or find them cached: a ``.npy`` file for each.

    Raises:
        VpbenchError: the disk is full.
    """
    function = partial(copy_errors, inputs=inputs, frames=frames)
    return cache_beside(segments, f"copy{inputs}of{frames}", function, workers)
