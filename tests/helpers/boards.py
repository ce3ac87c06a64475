"""Leaderboards of runs with made-up scores, and lines of their printed tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from runs import by_column, make_run

from vpbench.analysis.leaderboard import Leaderboard, LeaderboardOptions, build_leaderboard
from vpbench.runs.run import read_run

SPLIT = {"name": "ucf101-every10th", "total": 379}
HOSTILE_LABELS = [
    "x|y & 50% _a_ \\ <script>alert(1)</script> $x^2$ {~#}",
    "new\nline \x1b[31mred\x1b[0m [a] `code` *b* -- \"q\" 'c' 中文 é ℓ",
    "\\input{/etc/passwd} \\\\[1cm] *",
    "=cmd|calc",
]


def board_of(*folders: Path, **options: object) -> Leaderboard:
    """The leaderboard of runs, with options of :class:`LeaderboardOptions`."""
    return build_leaderboard([read_run(folder) for folder in folders], LeaderboardOptions(**options))  # type: ignore[arg-type]


def graded_runs(
    tmp_path: Path, leads: dict[str, float], clips: int = 30, noise: float = 1.0, **options: object
) -> list[Path]:
    """Runs on clips of unequal difficulty; ``leads`` says by how many decibels each is better."""
    rng = np.random.default_rng(0)
    difficulty = rng.normal(30, 5, (clips, 2))
    folders = []
    for label, lead in leads.items():
        psnr = (difficulty + lead + rng.normal(0, noise, difficulty.shape)).tolist()
        scores = {n: by_column(psnr=psnr[n], ssim=[0.9, 0.8], sharpness=[25.0, 24.0]) for n in range(clips)}
        folders.append(make_run(tmp_path / label, label=label, scores=scores, **options))  # type: ignore[arg-type]
    return folders


def many_runs(folder: Path, runs: int, clips: int) -> list[Path]:
    """Write runs of clips of unequal difficulty, still ones among them, which are excluded where they come out well."""
    rng = np.random.default_rng(0)
    folders = []
    difficulty = rng.normal(30, 6, (clips, 2)) - np.array([0, 3])
    for n in range(runs):
        psnr = difficulty + rng.normal(n / 100, 1.5, difficulty.shape)
        ssim = np.clip(0.5 + psnr / 80, 0, 1)
        scores: dict[int, Any] = {}
        for clip in range(clips):
            scores[10 * clip + 1] = [
                {
                    "psnr": float(psnr[clip, frame]),
                    "ssim": float(ssim[clip, frame]),
                    "sharpness": float(psnr[clip, frame] - 5),
                    "moving": 0.25,
                    "counted": bool(psnr[clip, frame] < 41),
                }
                for frame in range(2)
            ]
        label = f"method_{n:03d}" if n else "last_frame"
        folders.append(make_run(folder / label, label=label, scores=scores, split={"name": "made-up"}))
    return folders


def with_fields(folder: Path, **fields: object) -> Path:
    """The run, with these fields of its manifest replaced."""
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
    return folder


def make_board(
    tmp_path: Path, labels: list[str], protocol: str = "mathieu2016", **options: object
) -> Leaderboard:
    """The leaderboard of runs on eight clips, each one decibel below the one before."""
    targets = 8 if protocol == "ucf101-8to8" else 2
    folders = []
    for n, label in enumerate(labels):
        scores = {
            clip: by_column(
                psnr=[31.7 - n - k for k in range(targets)],
                ssim=[0.94 - n / 100] * targets,
                sharpness=[25.0] * targets,
            )
            for clip in range(1, 80, 10)
        }
        folder = tmp_path / f"{protocol}-{n}"
        folders.append(make_run(folder, label=label, protocol=protocol, scores=scores, **options))  # type: ignore[arg-type]
    return build_leaderboard([read_run(folder) for folder in folders])


def wide_board(tmp_path: Path, clips: int = 30, **options: object) -> Leaderboard:
    """Three runs of enough clips for intervals, two of them seeds of one method."""
    folders = []
    for n, label in enumerate(["last_frame", "s1", "s2"]):
        scores = {
            clip: by_column(
                psnr=[31.7 + n / 3 + clip % 7 - k for k in range(2)], ssim=[0.9, 0.8], sharpness=[25.0, 24.0]
            )
            for clip in range(clips)
        }
        description = {"seed": n, "method": "Adv+GDL", "training_data": "UCF101 <train>"} if n else {}
        folders.append(
            make_run(tmp_path / label, label=label, scores=scores, split=SPLIT, description=description)
        )
    return build_leaderboard([read_run(folder) for folder in folders], LeaderboardOptions(**options))  # type: ignore[arg-type]


def line_of(text: str, start: str) -> str:
    """The first line that begins with ``start``."""
    return next(line for line in text.splitlines() if line.startswith(start))
