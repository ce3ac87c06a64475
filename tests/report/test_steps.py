"""Score against predicted frame: the lines of the page, and their table."""

from __future__ import annotations

import html
import math
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from boards import HOSTILE_LABELS, make_board

from vpbench.analysis.leaderboard import Leaderboard
from vpbench.report.page import PageOptions, make_page
from vpbench.report.steps import step_charts
from vpbench.runs.run import read_run


@pytest.fixture
def board(tmp_path: Path) -> Leaderboard:
    return make_board(tmp_path, ["last_frame", "optical_flow", "gdl"], "ucf101-8to8")


def test_a_drawing_for_each_metric_and_a_line_for_each_row(board: Leaderboard) -> None:
    charts = step_charts(board)
    assert [chart.key for chart in charts] == ["psnr", "ssim", "sharpness"]
    first = charts[0]
    assert [line.label for line in first.lines] == ["last_frame", "optical_flow", "gdl"]
    assert first.lines[0].says == "last_frame: 31.70 dB at frame 1, 24.70 dB at frame 8"
    assert [tick.text for tick in first.xs] == [str(n) for n in range(1, 9)]
    heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", first.lines[0].path)]
    assert len(heights) == 8
    assert heights == sorted(heights)  # scores fall, so lines go down
    assert all(first.top <= y <= first.bottom for y in heights)


def test_lines_differ_not_by_colour_alone(tmp_path: Path) -> None:
    charts = step_charts(make_board(tmp_path, [f"r{n:02d}" for n in range(20)], "ucf101-8to8"))
    lines = charts[0].lines
    shapes = {(line.dash, re.sub(r"M[\d.]+ [\d.]+", "M", line.marks)) for line in lines}
    assert len(shapes) == len(lines) == 20
    places = sorted(line.text_y for line in lines)
    assert all(high - low >= 13.9 for low, high in pairwise(places))
    assert charts[0].top <= places[0]
    assert places[-1] <= charts[0].bottom


def test_of_many_rows_the_best_are_drawn(tmp_path: Path) -> None:
    chart = step_charts(make_board(tmp_path, [f"r{n:02d}" for n in range(25)], "ucf101-8to8"))[0]
    assert [line.label for line in chart.lines] == [f"r{n:02d}" for n in range(20)]
    assert chart.missing == 5


def test_a_line_is_broken_where_there_is_no_score(board: Leaderboard) -> None:
    rows = board.rows.copy()
    rows.loc[0, "psnr_3"] = math.nan
    rows.loc[1, "psnr_8"] = math.inf
    rows.loc[2, [f"psnr_{n}" for n in range(1, 9)]] = math.nan
    chart = step_charts(replace(board, rows=rows))[0]
    assert [line.label for line in chart.lines] == ["last_frame", "optical_flow"]
    assert chart.lines[0].path.count("M") == 2
    assert chart.lines[1].path.count("L") == 6
    assert "inf" not in repr(chart.lines)
    assert chart.missing == 1


def test_two_frames_need_no_drawing(tmp_path: Path) -> None:
    assert step_charts(make_board(tmp_path, ["a", "b"])) == []


def test_the_page_has_the_drawings_their_numbers_and_no_harm(tmp_path: Path) -> None:
    made = make_board(tmp_path, HOSTILE_LABELS, "ucf101-8to8")
    text = make_page([read_run(entry.runs[0].folder) for entry in made.entries], PageOptions()).html
    section = text[
        text.index('<section id="horizon">') : text.index("</section>", text.index('id="horizon"'))
    ]
    assert section.count("<svg") == section.count("<details>") == 3
    assert "<script" not in section
    assert "PSNR (dB ↑) by predicted frame" in html.unescape(section)
