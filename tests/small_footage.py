"""Small videos for the tests of the models: noise that drifts, written with OpenCV."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray


def drifting(seed: int, frames: int, height: int = 64, width: int = 80, speed: int = 2) -> NDArray[np.uint8]:
    """Blurred noise that moves ``speed`` pixels to the right a frame: uint8 ``(frames, height, width, 3)``."""
    random = np.random.default_rng(seed)
    noise = random.integers(0, 256, (height, width + frames * speed, 3)).astype(np.uint8)
    noise = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX)
    starts = [(frames - 1 - frame) * speed for frame in range(frames)]
    return np.stack([noise[:, start : start + width] for start in starts])


def write_video(path: Path, frames: NDArray[np.uint8]) -> Path:
    """Write frames as a motion-JPEG AVI file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    size = (frames.shape[2], frames.shape[1])
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25.0, size)
    for frame in frames:
        writer.write(frame[..., ::-1])
    writer.release()
    return path


def write_footage(folder: Path, videos: int = 3, frames: int = 12, speed: int = 2) -> Path:
    """Videos with names of UCF101's groups 8, 9, …, and one of group 22 for validation."""
    groups = [*range(8, 8 + videos), 22]
    for group in groups:
        write_video(folder / f"v_Drift_g{group:02d}_c01.avi", drifting(group, frames, speed=speed))
    return folder
