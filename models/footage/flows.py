"""The flows that guide the ``_flow`` models: estimated for whole frames, and cached for training."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vpbench.models.footage.videos import Segments, cache_beside, flow_key, windows_of
from vpbench.video import flow

# With inputs … x1, x2, x3: from x2 to x3 (the optical-flow baseline's), and three that look back from a frame to
# the one before it: x3 to x2, x2 to x1, and x3 to x2 by another estimator.
FIELDS = 4
FRAMES = 3
ESTIMATORS = ("dis", "farneback")


def guiding_flows(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Estimate the flows between the last three input frames.

    Args:
        frames: uint8 ``(T, H, W, 3)`` RGB, T ≥ 3.

    Returns:
        float32 ``(FIELDS, H, W, 2)``, pixels.
    """
    x1, x2, x3 = frames[-FRAMES:]
    pairs = (("dis", x2, x3), ("dis", x3, x2), ("dis", x2, x1), ("farneback", x3, x2))
    return np.stack([flow.estimate(name, before, after) for name, before, after in pairs])


def cache_flows(
    segments: Segments,
    inputs: int,
    frames: int,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Estimate :func:`guiding_flows` of the first ``inputs`` frames of every window, or find them cached.

    Args:
        segments: the cache.
        inputs: input frames.
        frames: frames of a window, inputs and targets.
        workers: processes.
        progress: called with (videos done, videos).

    Returns:
        For each video a ``.npy`` file: float16 ``(windows, FIELDS, H, W, 2)``, in the order of
        :func:`vpbench.models.footage.videos.windows_of`.

    Raises:
        VpbenchError: the disk is full, or an estimator failed.
    """
    suffix = f"flow{inputs}of{frames}-{flow_key(ESTIMATORS)}"
    return cache_beside(segments, suffix, partial(_flows, inputs=inputs, frames=frames), workers, progress)


def _flows(segments: NDArray[np.uint8], inputs: int, frames: int) -> NDArray[np.float16]:
    flows = [
        guiding_flows(np.ascontiguousarray(segments[segment, start : start + inputs]))
        for segment, start in windows_of(segments, frames)
    ]
    return np.stack(flows).astype(np.float16)
