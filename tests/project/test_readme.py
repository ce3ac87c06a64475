"""The README's table says what the committed runs say."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from vpbench.runs.run import read_run

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("label", ["last_frame", "optical_flow"])
def test_the_table_has_the_scores_of_the_committed_runs(label: str) -> None:
    run = read_run(ROOT / "results" / "runs" / "demo" / "mathieu2016" / label)
    line = next(
        line
        for line in (ROOT / "README.md").read_text().splitlines()
        if line.startswith(f"| {label}".replace("_", "\\_"))
    )
    printed = [float(cell) for cell in re.findall(r"\d+\.\d+", line)]
    counted = run.scores["counted"]
    measured = [
        round(float(np.mean(run.scores[metric][counted & (run.scores["frame"] == frame)])), digits)
        for frame in (1, 2)
        for metric, digits in (("psnr", 2), ("ssim", 3), ("sharpness", 2))
    ]
    assert printed == measured
    assert f"({run.manifest.protocol.hash})" in (ROOT / "README.md").read_text()
