"""Folders that runs start from: prepared clips, frames of another program, and an archive like ``UCF101frm10p``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from footage import moving_frames, write_video
from numpy.typing import NDArray

from vpbench.clips.prepare import prepare
from vpbench.clips.prepared import PreparedClips
from vpbench.parallel.execution import Workers
from vpbench.scoring.built_in import get_protocol
from vpbench.scoring.protocol import Protocol
from vpbench.splits import find_sources, get_split

SIZE = (48, 64)

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
    sources = find_sources(split, data)
    with Workers(workers).start(len(sources.found)) as execution:
        return prepare(split, sources.only([*sources.found][:limit]), rules, out, execution)


@dataclass(frozen=True)
class SmallClips:
    """A folder of videos, which is a split, and the same prepared for `mathieu2016`."""

    videos: Path
    prepared: Path

    def inputs(self, clip: int) -> NDArray[np.float32]:
        """The input frames of a clip, float32 (4, H, W, 3) in [0, 1]."""
        paths = [self.prepared / str(clip) / f"pred_{k}.png" for k in range(1, 5)]
        return np.stack([cv2.imread(str(path))[..., ::-1] for path in paths]).astype(np.float32) / np.float32(
            255
        )


def make_clips(folder: Path) -> SmallClips:
    videos = folder / "small"
    for number in range(3):
        write_video(videos / f"clip_{number}.avi", moving_frames(8, SIZE, seed=number))
    prepare_folder(videos, folder / "prepared")
    return SmallClips(videos, folder / "prepared")


def write_frames(clips: SmallClips, out: Path, form: str = "npy") -> Path:
    """Write the predictions of `last_frame` in the layout of the archive."""
    for clip in (1, 2, 3):
        (out / str(clip)).mkdir(parents=True)
        last = clips.inputs(clip)[-1]
        for number in (5, 6):
            if form == "npy":
                np.save(out / str(clip) / f"pred_{number}.npy", last)
            else:
                png = np.rint(last[..., ::-1] * 255).astype(np.uint8)
                assert cv2.imwrite(str(out / str(clip) / f"pred_{number}.png"), png)
    return out


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


def tree(folder: Path) -> dict[str, bytes]:
    """All files of a folder but its lock, by relative name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }
