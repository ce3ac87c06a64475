"""Runs on three small clips, for tests of what strangers bring: folders of frames, submissions, and so on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from folders import prepare_folder
from footage import moving_frames, write_video
from numpy.typing import NDArray

SIZE = (48, 64)


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
    """Write the predictions of `last_frame` in the archive layout."""
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


def score_lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "scores.jsonl").read_text().splitlines()]


def edit_manifest(run: Path, **changes: Any) -> None:
    path = run / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
