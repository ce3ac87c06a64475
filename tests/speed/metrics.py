"""How long the three metrics of `mathieu2016` take for one frame, against scikit-image's SSIM.

    python tests/speed/metrics.py [--repeats N]

One 240×320 frame, double precision, one thread. The yardstick is scikit-image's Gaussian-weighted SSIM of the
grey frame alone. Both sides alternate within each repeat and the medians are compared, so that a busy machine
slows both. Exits with 1 if the ratio for a moving area that fills the frame exceeds 0.5.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray
from skimage.metrics import structural_similarity
from threadpoolctl import threadpool_limits

from vpbench.scoring.built_in import MATHIEU2016
from vpbench.scoring.metrics import get_metric
from vpbench.scoring.metrics.frames import LUMA

HEIGHT, WIDTH = 240, 320
LIMIT = 0.5
YARDSTICK = {
    "gaussian_weights": True,
    "sigma": 1.5,
    "use_sample_covariance": False,
    "data_range": 255.0,
}


def frames() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A photograph and the same moved by 2 pixels with a little noise, (240, 320, 3) in [0, 1]."""
    photograph = skimage.data.chelsea() / 255.0
    noise = np.random.default_rng(0).normal(scale=0.01, size=(HEIGHT, WIDTH, 3))
    target = np.ascontiguousarray(photograph[30 : 30 + HEIGHT, 60 : 60 + WIDTH])
    moved = photograph[30 : 30 + HEIGHT, 62 : 62 + WIDTH]
    return target, np.clip(moved + noise, 0, 1)


def scattered(fraction: float, spot: int = 12) -> NDArray[np.bool_]:
    """A moving area of square spots strewn over the frame, covering about ``fraction`` of it."""
    rng = np.random.default_rng(1)
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    while mask.mean() < fraction:
        row, column = rng.integers(HEIGHT - spot), rng.integers(WIDTH - spot)
        mask[row : row + spot, column : column + spot] = True
    return mask


def compact(fraction: float) -> NDArray[np.bool_]:
    """A moving area that is one rectangle of the frame's shape near its centre."""
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    height, width = (round(side * fraction**0.5) for side in mask.shape)
    top, left = (HEIGHT - height) // 2, (WIDTH - width) // 2
    mask[top : top + height, left : left + width] = True
    return mask


def clocked(function: Callable[..., Any], *arguments: Any, **parameters: Any) -> float:
    """Seconds that one call takes."""
    start = time.perf_counter()
    function(*arguments, **parameters)
    return time.perf_counter() - start


def main() -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=60)
    repeats = parser.parse_args().repeats
    cv2.setNumThreads(1)
    cases = {
        "whole frame": np.ones((HEIGHT, WIDTH), dtype=bool),
        "30 % compact": compact(0.30),
        "30 % scattered": scattered(0.30),
        "3 % compact": compact(0.03),
        "3 % scattered": scattered(0.03),
    }
    target, prediction = frames()
    grey = [frame @ (255.0 * LUMA[0]) for frame in (target, prediction)]

    columns = {
        column: (get_metric(use.metric).function, use.parameters)
        for column, use in MATHIEU2016.metrics.items()
    }
    black = {case: (target * mask[:, :, None], prediction * mask[:, :, None]) for case, mask in cases.items()}
    seconds: dict[tuple[str, str], list[float]] = {}
    with threadpool_limits(limits=1):
        for repeat in range(-3, repeats):  # the first three warm up
            taken = {("", "scikit-image"): clocked(structural_similarity, *grey, **YARDSTICK)}
            for case, pair in black.items():
                for column, (function, parameters) in columns.items():
                    taken[case, column] = clocked(function, *pair, data_range=1.0, **parameters)
            if repeat >= 0:
                for key, value in taken.items():
                    seconds.setdefault(key, []).append(value)

    medians = {key: statistics.median(values) * 1000 for key, values in seconds.items()}
    reference = medians["", "scikit-image"]
    print(
        f"OpenCV {cv2.__version__}, NumPy {np.__version__}, one thread, medians of {repeats} interleaved repeats"
    )
    print(f"scikit-image's SSIM of the grey frame: {reference:.2f} ms")
    print(f"{'moving area':16}" + "".join(f"{column + ' ms':>14}" for column in columns) + f"{'ratio':>8}")
    ratios = {}
    for case in cases:
        each = [medians[case, column] for column in columns]
        ratios[case] = sum(each) / reference
        print(f"{case:16}" + "".join(f"{value:14.2f}" for value in each) + f"{ratios[case]:8.2f}")
    if ratios["whole frame"] > LIMIT:
        print(f"Too slow: the whole frame's ratio exceeds {LIMIT}.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
