"""Folders that tests of the core need: prepared clips, and an archive like the authors' ``UCF101frm10p``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from footage import moving_frames
from numpy.typing import NDArray

from vpbench.clips.prepare import prepare
from vpbench.clips.prepared import PreparedClips
from vpbench.parallel.processes import make_executor
from vpbench.scoring.built_in import get_protocol
from vpbench.scoring.protocol import Protocol
from vpbench.splits import find_sources, get_split

# A protocol for small frames: no SSIM of the whole is needed to see whether clips arrive.
SMALL_PROTOCOL = """
name = "small"
inputs = 2
targets = 1
flow = "dis"
[mask]
kind = "colour"
max_motion = 1.0
[metrics.psnr]
metric = "psnr-mathieu2016"
masking = "black"
"""


def prepare_folder(
    split_name: str | Path,
    out: Path,
    protocol: str | Protocol = "mathieu2016",
    workers: int = 1,
    limit: int | None = None,
    data: Path | None = None,
) -> PreparedClips:
    """``vpbench prepare`` as a function."""
    rules = get_protocol(protocol) if isinstance(protocol, str) else protocol
    split = get_split(str(split_name))
    with make_executor(workers) as executor:
        return prepare(split, find_sources(split, data), rules, out, executor, limit=limit)


def write_png(path: Path, image: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))


def write_archive(folder: Path, indices: tuple[int, ...] = (1, 11)) -> Path:
    """Write clips in the layout of the authors' archive; the left half of every frame moves."""
    colours = np.full((48, 64, 3), 255, np.uint8)
    colours[:, :32] = (255, 50, 50)  # 50 is the last byte that moves
    colours[:, 32:40] = (255, 51, 51)
    for index in indices:
        frames = moving_frames(6, seed=index)
        for k in range(4):
            write_png(folder / str(index) / f"pred_{k + 1}.png", frames[k])
        for k in range(2):
            write_png(folder / str(index) / f"target_{k + 1}.png", frames[4 + k])
        for name in ("pred_4_flow.png", "target_1_flow.png"):
            write_png(folder / str(index) / name, colours)
    return folder


def read_lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "scores.jsonl").read_text().splitlines()]


def tree(folder: Path) -> dict[str, bytes]:
    """All files of a folder but its lock, by relative name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }
