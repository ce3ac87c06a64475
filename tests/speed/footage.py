"""Made-up footage for the scripts beside this: one video, and a list that takes clips from it again and again."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def write_footage(folder: Path, clips: int, size: tuple[int, int]) -> Path:
    """Write a video of smooth noise that moves, and `clips.csv` with as many clips of it; returns the list."""
    height, width = size
    length = 40
    noise = np.random.default_rng(0).uniform(0, 255, (height, width + 2 * length, 3))
    texture = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2.5), None, 0, 255, cv2.NORM_MINMAX).astype(
        np.uint8
    )
    writer = cv2.VideoWriter(str(folder / "noise.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (width, height))
    for t in range(length):
        writer.write(np.ascontiguousarray(texture[:, 2 * t : 2 * t + width]))
    writer.release()
    rows = [f"{k},noise.avi,{k % (length - 6)}" for k in range(1, clips + 1)]
    path = folder / f"clips_{clips}.csv"
    path.write_text("\n".join(["index,video,first_frame", *rows]) + "\n")
    return path
