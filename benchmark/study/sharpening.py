"""How the protocol study sharpens predictions before it scores them.

The paper tried blind deconvolution (Krishnan et al.) on its predictions and found them sharper and less similar
to the truth (section 4.3). That program is not part of vpbench; two well-known methods of scikit-image replace
it. They do not imitate it: they assume a blur, where it estimates one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.float32]

# Unsharp mask: the blur's standard deviation in pixels, and how much of the difference is added.
UNSHARP_RADIUS = 1.0
UNSHARP_AMOUNT = 1.0
# Richardson–Lucy: the standard deviation in pixels of the blur that is undone, and the iterations.
DECONVOLUTION_SIGMA = 1.0
DECONVOLUTION_ITERATIONS = 5


@dataclass(frozen=True)
class Change:
    """Something done to a prediction before it is scored.

    Attributes:
        summary: what, with its parameters.
        function: a frame, float32 ``(H, W, 3)`` in [0, 1], to another.
    """

    summary: str
    function: Callable[[Frame], Frame]


def unsharp(frame: Frame) -> Frame:
    """Unsharp mask of each channel, clipped to [0, 1]: frame + amount · (frame − its Gaussian blur)."""
    from skimage import filters

    sharpen: Any = filters.unsharp_mask  # scikit-image has no types
    # The axis counted from the front: scikit-image 0.26 takes −1 for the first rows.
    sharp = sharpen(frame, radius=UNSHARP_RADIUS, amount=UNSHARP_AMOUNT, channel_axis=2)
    return np.asarray(np.clip(sharp, 0.0, 1.0), dtype=np.float32)


def deconvolved(frame: Frame) -> Frame:
    """Richardson–Lucy deconvolution of each channel by a Gaussian, clipped to [0, 1].

    The frame is continued by its mirror image, so that its border does not ring against black.
    """
    from skimage import restoration

    deconvolve: Any = restoration.richardson_lucy  # scikit-image has no types
    blur = _gaussian()
    margin = 2 * len(blur)
    sides = ((margin, margin), (margin, margin))
    channels = [
        deconvolve(np.pad(channel, sides, mode="symmetric"), blur, num_iter=DECONVOLUTION_ITERATIONS)[
            margin:-margin, margin:-margin
        ]
        for channel in np.moveaxis(frame.astype(np.float64), 2, 0)
    ]
    return np.asarray(np.clip(np.stack(channels, axis=2), 0.0, 1.0), dtype=np.float32)


@cache
def _gaussian() -> NDArray[np.float64]:
    """The blur that is undone, out to four standard deviations; its sum is 1."""
    reach = round(4 * DECONVOLUTION_SIGMA)
    profile = np.exp(-0.5 * (np.arange(-reach, reach + 1) / DECONVOLUTION_SIGMA) ** 2)
    kernel = np.outer(profile, profile)
    return np.asarray(kernel / kernel.sum())


CHANGES: dict[str, Change] = {
    "unsharp": Change(f"unsharp mask, radius {UNSHARP_RADIUS:g} px, amount {UNSHARP_AMOUNT:g}", unsharp),
    "richardson-lucy": Change(
        f"Richardson–Lucy, Gaussian blur of σ {DECONVOLUTION_SIGMA:g} px, {DECONVOLUTION_ITERATIONS} iterations",
        deconvolved,
    ),
}
