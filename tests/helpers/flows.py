"""Flows as other programs write them."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def flo_bytes(flow: NDArray[np.floating]) -> bytes:
    """A flow ``(H, W, 2)`` in the Middlebury format."""
    height, width = flow.shape[:2]
    return b"PIEH" + struct.pack("<ii", width, height) + flow.astype("<f4").tobytes()


def write_flow(folder: Path, clip: int, before: int, after: int, flow: NDArray[np.floating]) -> Path:
    """Write ``folder/clip/before_after.flo``."""
    path = folder / str(clip) / f"{before}_{after}.flo"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(flo_bytes(flow))
    return path
