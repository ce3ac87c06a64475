"""The flows that guide the ``_flow`` models: estimated for whole frames, and cached for training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vpbench.files import lock_folder
from vpbench.models.footage.videos import Segments, save_array
from vpbench.parallel.processes import make_executor, map_in_order
from vpbench.video import flow

# With inputs … x1, x2, x3: from x2 to x3 (the optical-flow baseline's), and three that look back from a frame to
# the one before it: x3 to x2, x2 to x1, and x3 to x2 by another estimator.
FIELDS = 4
FRAMES = 3


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
    segments: Segments, inputs: int, workers: int = 1, progress: Callable[[int, int], None] | None = None
) -> list[Path]:
    """Estimate :func:`guiding_flows` of the first ``inputs`` frames of every segment, or find them cached.

    Returns:
        For each video a ``.npy`` file: float16 ``(segments, FIELDS, H, W, 2)``.

    Raises:
        VpbenchError: the disk is full, or an estimator failed.
    """
    key = "-".join(str(flow.describe(name)["opencv"]) for name in ("dis",))
    files = [file.with_suffix(f".flow{inputs}-{key}.npy") for file in segments.files]
    with lock_folder(segments.folder, wait=True):
        todo = [
            (src, file, inputs) for src, file in zip(segments.files, files, strict=True) if not file.exists()
        ]
        done = len(files) - len(todo)
        if todo:
            with make_executor(min(workers, len(todo))) as executor:
                for _ in map_in_order(executor, _flows_to, todo, window=4 * workers):
                    done += 1
                    if progress:
                        progress(done, len(files))
    return files


def _flows_to(source: Path, file: Path, inputs: int) -> None:
    frames: NDArray[np.uint8] = np.load(source, mmap_mode="r")
    flows = [guiding_flows(np.ascontiguousarray(segment[:inputs])) for segment in frames]
    save_array(file, np.stack(flows).astype(np.float16))
