"""Footage for tests: noise that moves, written with OpenCV, and clips of the split `synthetic`, rendered once."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vpbench.splits import synthetic

_RENDERED: dict[int, tuple[NDArray[np.uint8], NDArray[np.float32]]] = {}


def drifting(seed: int, frames: int, height: int = 64, width: int = 80, speed: int = 2) -> NDArray[np.uint8]:
    """Blurred noise that moves ``speed`` pixels to the right a frame: uint8 ``(frames, height, width, 3)``."""
    random = np.random.default_rng(seed)
    noise = random.integers(0, 256, (height, width + frames * speed, 3)).astype(np.uint8)
    noise = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX)
    starts = [(frames - 1 - frame) * speed for frame in range(frames)]
    return np.stack([noise[:, start : start + width] for start in starts])


def write_footage(folder: Path, videos: int = 3, frames: int = 12, speed: int = 2) -> Path:
    """Videos with names of UCF101's groups 8, 9, …, and one of group 22 for validation."""
    groups = [*range(8, 8 + videos), 22]
    for group in groups:
        write_video(folder / f"v_Drift_g{group:02d}_c01.avi", drifting(group, frames, speed=speed))
    return folder


def moving_frames(count: int, size: tuple[int, int] = (48, 64), seed: int = 0) -> NDArray[np.uint8]:
    """Smooth random frames (count, H, W, 3) that move 2 pixels to the right at each step."""
    height, width = size
    noise = np.random.default_rng(seed).uniform(0, 255, (height, width + 2 * count, 3))
    texture = cv2.GaussianBlur(noise, (0, 0), 2.0)
    texture = (texture - texture.min()) / (texture.max() - texture.min()) * 255
    return np.stack([texture[:, 2 * (count - t) : 2 * (count - t) + width] for t in range(count)]).astype(
        np.uint8
    )


def write_video(path: Path, frames: NDArray[np.uint8]) -> Path:
    """Write frames as Motion JPEG in an AVI file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = frames.shape[1:3]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def rendered(index: int, count: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """``synthetic.render``, but each clip only once; leave the arrays as they are."""
    if index not in _RENDERED or len(_RENDERED[index][0]) < count:
        _RENDERED[index] = synthetic.render(index, count)
    frames, flows = _RENDERED[index]
    return frames[:count], flows[: count - 1]
