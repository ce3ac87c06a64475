"""Runs on clips of three classes, of all sorts of motion and difficulty."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from runs import make_run

CLASSES = ("Archery", "Biking", "Swing")


def varied_runs(
    tmp_path: Path,
    *labels: str,
    clips: int = 24,
    protocol: str = "mathieu2016",
    label_end: str = "",
    motion: bool = True,
    split: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Runs with made-up scores; two clips are of one cluster, and of one class.

    Args:
        label_end: what the labels have in addition to the folders' names.
        motion: whether it is known how far things move.
    """
    rng = np.random.default_rng(5)
    shape = (clips, 2)
    moving, ssim = rng.uniform(0.8, 5, shape).tolist(), rng.uniform(0.4, 1, shape).tolist()
    copy = rng.uniform(20, 55, shape).tolist()
    clusters = {str(clip): f"{CLASSES[clip % 3]}_g{clip // 6:02d}" for clip in range(clips)}
    folders = []
    for n, label in enumerate(labels):
        psnr, sharpness = (rng.uniform(20, 60, shape) + n).tolist(), rng.uniform(10, 30, shape).tolist()
        scores = {
            clip: [
                {
                    "psnr": psnr[clip][k],
                    "ssim": ssim[clip][k] / 2,
                    "sharpness": sharpness[clip][k],
                    "counted": psnr[clip][k] < 50,
                    "copy": copy[clip][k] if protocol == "mathieu2016" else None,
                    "copy_ssim": ssim[clip][k],
                    "motion": moving[clip][k] if motion else None,
                }
                for k in range(2)
            ]
            for clip in range(clips)
        }
        folder = tmp_path / label
        folders.append(
            make_run(
                folder,
                label=label + label_end,
                scores=scores,
                split={"clusters": clusters, **(split or {})},
                protocol=protocol,
            )
        )
    return folders
