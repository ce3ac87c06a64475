"""Frames that repeat the one before them, as videos that were converted to a higher frame rate have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Least mean squared difference of two distinct frames, values in [0, 1]. A repeated frame differs from the first by
# what the codec adds to it.
LEAST_DIFFERENCE = 2e-5


def are_distinct(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Whether two frames show more than one moment: mean squared difference ≥ :data:`LEAST_DIFFERENCE`.

    Args:
        one: uint8 ``(H, W, 3)``.
        other: the same shape.
    """
    difference = one.astype(np.int16) - other
    return float(np.square(difference, dtype=np.int32).mean()) >= LEAST_DIFFERENCE * 255**2


def distinct_frames(frames: NDArray[np.uint8]) -> list[int]:
    """Find the last frame, and going back from it each frame that differs from the one found before.

    Args:
        frames: uint8 ``(T, H, W, 3)``, T ≥ 1.

    Returns:
        Positions in ``frames``, newest first.
    """
    found = [len(frames) - 1]
    for position in range(len(frames) - 2, -1, -1):
        if are_distinct(frames[position], frames[found[-1]]):
            found.append(position)
    return found
