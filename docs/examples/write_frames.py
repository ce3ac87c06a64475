"""Predicts without vpbench, and writes frames that ``vpbench run --model frames:DIR`` scores.

    python write_frames.py CLIPS DIR [png]

CLIPS is what ``vpbench prepare --out CLIPS`` wrote, or the authors' archive. Any language can do the same.
"""

import sys
from pathlib import Path

import cv2
import numpy as np

INPUTS, TARGETS = 4, 2


def predict(inputs):
    """The mean of the last two frames, twice; float32 ``(frames, height, width, 3)`` in [0, 1]."""
    return np.repeat(inputs[-2:].mean(axis=0, keepdims=True), TARGETS, axis=0).astype(np.float32)


def main(clips, out, form="npy"):
    for clip in sorted(path for path in Path(clips).iterdir() if path.name.isdigit()):
        pictures = [cv2.imread(str(clip / f"pred_{k}.png")) for k in range(1, INPUTS + 1)]
        inputs = np.stack(pictures)[..., ::-1].astype(np.float32) / 255  # OpenCV reads BGR
        folder = Path(out) / clip.name
        folder.mkdir(parents=True, exist_ok=True)
        for k, frame in enumerate(predict(inputs), start=INPUTS + 1):
            if form == "png":
                cv2.imwrite(str(folder / f"pred_{k}.png"), np.rint(frame[..., ::-1] * 255).astype(np.uint8))
            else:
                np.save(folder / f"pred_{k}.npy", frame)


if __name__ == "__main__":
    main(*sys.argv[1:])
