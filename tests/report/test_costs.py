"""Score against cost: which rows are drawn, where, and what is said of them."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path

import pytest
from boards import board_of, graded_runs, with_fields
from pages import HOSTILE
from runs import edit_manifest, make_run

from vpbench.report.costs import Chart, cost_charts
from vpbench.report.page import PageOptions, make_page
from vpbench.runs.run import read_run

LEADS = {"cheap": 0.0, "good": 2.0, "dear": 1.0, "tuned": 3.0, "unknown": 1.5}
TIMES = {"cheap": 0.5, "good": 20.0, "dear": 3_000.0, "tuned": 1.0, "unknown": None}


@pytest.fixture
def charts(tmp_path: Path) -> dict[str, Chart]:
    runs = graded_runs(tmp_path, LEADS, noise=0.01)
    for run in runs:
        cost = {"ms_per_frame": TIMES[run.name], "peak_memory_mib": 100.0, "parameters": None}
        cost["parameters"] = 2_000_000 if run.name == "dear" else None
        if run.name in ("good", "dear"):
            cost |= {"multiply_adds": 10**9 if run.name == "good" else 4 * 10**9, "frame_size": [240, 320]}
        with_fields(run, cost=cost)
        edit_manifest(
            run, predictor={"description": {"test_clips_seen": "tuned" if run.name == "tuned" else "no"}}
        )
    return {chart.key: chart for chart in cost_charts(board_of(*runs), {0: "cheap.html"})}


def test_a_drawing_for_each_cost_that_two_rows_have(charts: dict[str, Chart]) -> None:
    assert list(charts) == ["multiply_adds", "ms_per_frame", "peak_memory_mib"]
    assert [dot.label for dot in charts["multiply_adds"].dots] == ["good", "dear"]
    assert charts["multiply_adds"].missing == "cheap, tuned, unknown"


def test_better_is_higher_and_dearer_is_further_right(charts: dict[str, Chart]) -> None:
    dots = {dot.label: dot for dot in charts["ms_per_frame"].dots}
    assert sorted(dots, key=lambda label: dots[label].x) == ["cheap", "tuned", "good", "dear"]
    assert sorted(dots, key=lambda label: -dots[label].y) == ["cheap", "dear", "good", "tuned"]
    chart = charts["ms_per_frame"]
    assert all(chart.left < dot.x < chart.right and chart.top < dot.y < chart.bottom for dot in dots.values())
    one, ten = (next(tick.at for tick in chart.xs if tick.text == text) for text in ("1", "10"))
    assert dots["tuned"].x == pytest.approx(one)
    assert dots["good"].x == pytest.approx(one + (ten - one) * 1.30103, abs=0.2)  # log10 of 20
    assert dots["cheap"].says.endswith(" dB, 0.5 ms")
    assert [dot.href for dot in dots.values()] == ["cheap.html", "", "", ""]
    assert (chart.missing, chart.y_title) == ("unknown", "PSNR of the 1st frame, dB")


def test_the_line_is_of_rows_that_may_have_a_rank_and_are_not_beaten_at_less_cost(
    charts: dict[str, Chart],
) -> None:
    dots = {dot.label: dot for dot in charts["ms_per_frame"].dots}
    assert (
        charts["ms_per_frame"].front
        == f"{dots['cheap'].x:.1f},{dots['cheap'].y:.1f} {dots['good'].x:.1f},{dots['good'].y:.1f}"
    )
    assert [label for label, dot in dots.items() if not dot.eligible] == ["tuned"]


def test_labels_stand_where_nothing_else_does(tmp_path: Path) -> None:
    leads = {f"method_{n}": n / 40 for n in range(40)}
    runs = graded_runs(tmp_path, leads, clips=8, noise=0.01)
    for n, run in enumerate(runs):
        with_fields(run, cost={"ms_per_frame": 10 + n % 3})
    (chart,) = cost_charts(board_of(*runs))
    texts = [(dot.text, len(dot.label) * 6.4) for dot in chart.dots if dot.text is not None]
    assert 2 < len(texts) < 40
    boxes = []
    for text, width in texts:
        left = text.x - {"start": 0, "middle": width / 2, "end": width}[text.anchor]
        boxes.append((left, text.y - 10, left + width, text.y))
    for one, other in combinations(boxes, 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def test_equal_costs_and_equal_scores_can_be_drawn(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / label, label=label) for label in ("a", "b")]
    charts = cost_charts(board_of(*runs))
    assert [chart.key for chart in charts] == ["ms_per_frame", "peak_memory_mib"]
    assert not charts[0].front
    assert not cost_charts(board_of(runs[0]))


def test_a_strangers_label_stays_a_text_in_the_drawing(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / label, label=label) for label in ("a", "b")]
    edit_manifest(runs[0], label=HOSTILE)
    html = make_page([read_run(run) for run in runs], PageOptions()).html
    drawing = html[html.index('<section id="cost">') : html.index('<section id="plots"')]
    assert "&lt;/script&gt;" in drawing
    assert not re.search(r"<(?:script|img)", drawing)
    assert json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL)[1])["runs"][1]["label"] == "b"  # type: ignore[index]
