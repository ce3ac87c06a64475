"""A suite's summary as it is printed: warnings, what it is of, and far horizons."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from boards import line_of, with_fields
from runs import by_column, make_run

from vpbench.runs.run import Run, read_run
from vpbench.suite.definition import Suite
from vpbench.suite.run import SuiteRuns
from vpbench.suite.table import render_suite

SAID = {"method": "x", "training_data": "UCF101", "citation": "x", "test_clips_seen": "tuned"}


@pytest.fixture
def made(tmp_path: Path) -> SuiteRuns:
    """Two predictors, one of them tuned, under a near and a far protocol."""

    def run(label: str, protocol: str, targets: int, psnr: float) -> Run:
        scores = {
            clip: by_column(
                psnr=[psnr - n for n in range(targets)], ssim=[0.9] * targets, sharpness=[25.0] * targets
            )
            for clip in range(8)
        }
        folder = make_run(tmp_path / protocol / label, label=label, protocol=protocol, scores=scores)
        return read_run(with_fields(folder, submission=SAID) if label == "tuned" else folder)

    suite = Suite("mine", ("last_frame", "tuned"), ("mathieu2016", "ucf101-8to8"), ("demo",))
    cells = {"mathieu2016": 2, "ucf101-8to8": 8}
    runs = {
        ("demo", protocol): [
            run("last_frame", protocol, targets, 30.0),
            run("tuned", protocol, targets, 32.0),
        ]
        for protocol, targets in cells.items()
    }
    return SuiteRuns(suite, runs=runs, notes=["Left out.", "Left out."])


def test_what_is_unfair_or_partial_is_said_in_four_notes(made: SuiteRuns) -> None:
    text = render_suite(made, "markdown").split("demo, ucf101-8to8:")[0]
    assert "| tuned<sup>‡</sup>" in text
    assert "<sup>‡</sup> tuned on test clips" in text
    assert "Clips: demo 8 of 8." in text
    assert text.count("Left out.") == 1
    beneath = text[text.rindex("|\n") :].strip("|\n ").split("\n\n")
    assert len(beneath) == 4 + 1  # and the pointer
    assert beneath[-1] == "Further notes: --notes all"
    whole = render_suite(made, "markdown", all_notes=True)
    assert "0.8 px" in whole
    assert "--notes all" not in whole


def test_far_horizons_have_a_table_by_predicted_frame(made: SuiteRuns) -> None:
    text = render_suite(made)
    assert text.count("by predicted frame") == 1
    steps = text[text.index("demo, ucf101-8to8: PSNR (dB ↑) by predicted frame; mean: over all 8 frames.") :]
    assert line_of(steps, "tuned‡").split()[1:4] == ["28.50", "32.00", "31.00"]
    rows = list(csv.DictReader(io.StringIO(render_suite(made, "csv"))))
    assert [row["score_all"] for row in rows] == ["", "", "26.5", "28.5"]
    assert [row["score"] for row in rows] == ["30.0", "32.0", "30.0", "32.0"]
