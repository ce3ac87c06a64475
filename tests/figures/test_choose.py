"""Which clips a figure shows, and which parts it enlarges."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from runs import make_run

from vpbench.analysis.columns import Column
from vpbench.errors import UsageError
from vpbench.figures.choose import Box, choose_clip, choose_clips, parse_box, zoom_boxes
from vpbench.runs.run import Run, read_run
from vpbench.scoring.clip import Clip


def scored(tmp_path: Path, label: str, scores: dict[int, float], excluded: tuple[int, ...] = ()) -> Run:
    lines = {
        clip: [
            {"psnr": value, "ssim": 0.9, "sharpness": 20.0, "counted": clip not in excluded},
            {"psnr": 20.0, "ssim": 0.9, "sharpness": 20.0},
        ]
        for clip, value in scores.items()
    }
    return read_run(make_run(tmp_path / label, label=label, scores=lines))


def test_choice_of_clips(tmp_path: Path) -> None:
    a = scored(tmp_path, "a", {1: 30.0, 2: 20.0, 3: 25.0, 4: 60.0, 5: 28.0}, excluded=(4,))
    b = scored(tmp_path, "b", {1: 31.0, 2: 21.0, 3: 35.0, 4: 61.0, 5: 28.0}, excluded=(4,))
    column = Column("psnr", "PSNR", "dB", True, 2, -math.inf, math.inf)
    chosen = choose_clips([a, b], ["a", "b"], column, 1)
    assert chosen == {2: ["worst of a"], 3: ["median of a", "runs differ most"], 1: ["best of a"]}
    assert choose_clip([a, b], column, 1) == 3
    lower = replace(column, higher_is_better=False)
    assert choose_clips([a], ["a"], lower, 1) == {1: ["worst"], 5: ["median"], 2: ["best"]}
    assert choose_clip([a], lower, 1) == 5


def test_zooms_go_where_most_moves_and_stay_apart() -> None:

    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (6, 96, 128, 3), dtype=np.uint8)
    flow = np.zeros((96, 128, 2), np.float32)
    flow[60:80, 70:100] = 5.0
    clip = Clip(1, frames[:4], frames[4:], (flow, flow))
    first, second = zoom_boxes(clip, 1)
    assert first.x <= 75
    assert first.x + first.width >= 95
    assert first.y <= 62
    assert first.y + first.height >= 78
    apart = first.x + first.width <= second.x or second.x + second.width <= first.x
    assert apart or first.y + first.height <= second.y or second.y + second.height <= first.y
    assert parse_box("3,4,20,10", (96, 128)) == Box(3, 4, 20, 10)
    for wrong in ("1,2,3", "a,b,c,d", "-1,0,20,20", "120,0,20,20", "0,0,4,4"):
        with pytest.raises(UsageError, match="--zoom"):
            parse_box(wrong, (96, 128))
