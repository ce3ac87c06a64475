"""Tables by predicted frame: which frames, means over several of them, and what papers print of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from boards import line_of, make_board
from click.testing import Result
from runs import by_column, make_run

from vpbench import escape
from vpbench.analysis.columns import parse_steps, printed_steps
from vpbench.analysis.comparison import compare
from vpbench.analysis.leaderboard import Leaderboard, LeaderboardOptions, build_leaderboard
from vpbench.errors import UsageError
from vpbench.results.published_tables import PublishedRow, PublishedTable, Source
from vpbench.runs.run import Run, read_run
from vpbench.scoring.protocol import MetricUse, Protocol
from vpbench.tables.render import render

FORMS = ["text", "markdown", "latex", "html"]


def runs_of(tmp_path: Path, targets: int = 8, clips: int = 8) -> list[Run]:
    """Two runs of made-up scores, some of whose frames do not count."""
    rng = np.random.default_rng(1)
    rules = Protocol("far", 1, "", {"psnr": MetricUse("psnr")}, targets=targets)
    made = []
    for label in ("last_frame", "method"):
        scores = {
            clip: by_column(
                psnr=rng.normal(30, 2, targets).tolist(), counted=(rng.random(targets) < 0.8).tolist()
            )
            for clip in range(clips)
        }
        made.append(read_run(make_run(tmp_path / label, label=label, protocol=rules, scores=scores)))
    return made


def board_of(runs: list[Run], *steps: str, **options: object) -> Leaderboard:
    return build_leaderboard(runs, LeaderboardOptions(steps=steps, **options))  # type: ignore[arg-type]


def test_steps_are_frames_ranges_and_all() -> None:
    assert parse_steps(["1", "3", "1-3", "all", "3", "2-2"], 8) == (1, 3, "1-3", "all", 2)
    for wrong in ("0", "03", "1-", "-3", "3-1", "9", "1-9", "x", "1–3", "", "1e3", "１"):
        with pytest.raises(UsageError, match="--steps"):
            parse_steps([wrong], 8)


def test_many_frames_are_thinned_to_round_ones() -> None:
    assert printed_steps(2) == (1, 2)
    assert printed_steps(10) == ("all", *range(1, 11))
    assert printed_steps(20) == ("all", 1, 5, 10, 15, 20)
    assert printed_steps(28) == ("all", 1, 10, 20, 28)
    assert printed_steps(40) == ("all", 1, 10, 20, 30, 40)


def test_a_mean_over_frames_is_over_those_that_count(tmp_path: Path) -> None:
    runs = runs_of(tmp_path)
    board = board_of(runs, "3", "1-3", "2-8", "all")
    assert board.frames == board.horizon == (3, "1-3", "2-8", "all")
    for run, row in zip(runs, board.measured.to_dict("records"), strict=True):
        scores = run.scores
        for frame, low, high in (("1-3", 1, 3), ("2-8", 2, 8), ("all", 1, 8), (3, 3, 3)):
            here = scores["counted"] & (scores["frame"] >= low) & (scores["frame"] <= high)
            assert row[f"psnr_{frame}"] == pytest.approx(scores["psnr"][here].mean())
            assert row[f"frames_counted_{frame}"] == here.sum()
    assert board.measured["psnr_1-3_low"].notna().all()
    assert board.measured["psnr_1-3_difference"].notna().tolist() == [False, True]


@pytest.mark.parametrize("form", FORMS)
def test_a_mean_cannot_be_taken_for_a_frame(tmp_path: Path, form: str) -> None:
    text = render(board_of(runs_of(tmp_path), "1", "3", "1-3"), form)
    assert text.count("mean 1–3" if form != "latex" else "mean 1--3") == 1
    assert "over frames a to b, not of frame b" in " ".join(text.split())
    assert "mean: over all" not in text


def test_the_table_by_frame_has_marks_published_rows_and_80_columns(tmp_path: Path) -> None:
    row = PublishedRow("Paper", {"psnr": {1: 31.0, "1-3": 29.5}}, ("*",), verified=False)
    common = {"place": "T", "page": None, "summary": "", "protocol": "far", "split": "demo"}
    paper = PublishedTable(
        Source("x", "X", "", "", ""), "t", frames=(1, "1-3"), labels={}, decimals={"psnr": 1}, rows=(row,),
        marks={"*": "as printed"}, **common,
    )  # type: ignore[arg-type]  # fmt: skip
    board = build_leaderboard(
        runs_of(tmp_path), LeaderboardOptions(steps=("1", "3", "1-3")), published=[paper]
    )
    steps = render(board).split("by predicted frame")[1]
    assert line_of(steps, "Paper*†").split() == ["Paper*†", "31.0", "–", "29.5"]
    assert "* as printed." in steps
    wide = render(make_board(tmp_path / "wide", ["last_frame", "a" * 60], "ucf101-8to8"))
    assert max(map(escape.width, wide.splitlines())) <= 80


def test_two_frames_are_chosen_in_the_form_of_the_papers_table(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, targets=2)
    text = render(board_of(runs, "1", "1-2"))
    assert "mean of frames 1–2" in text
    assert "2nd frame" not in text
    assert "by predicted frame" not in text
    assert "Dropped frames (1st + 1–2)" in text


def test_a_mean_can_rank_and_sort(tmp_path: Path) -> None:
    board = board_of(runs_of(tmp_path), "1-3", rank_by="psnr_1-3", sort="psnr_1-3")
    means = board.measured["psnr_1-3"].tolist()
    assert means == sorted(means, reverse=True)
    assert "PSNR of frames 1–3" in " ".join(render(board).split())


def test_the_commands_have_it_and_data_has_it_all(cli: Callable[..., Result], tmp_path: Path) -> None:
    folders = [run.folder for run in runs_of(tmp_path)]
    rows = csv.DictReader(
        io.StringIO(cli("leaderboard", *folders, "--steps", "1-3", "--format", "csv").stdout)
    )
    assert {"psnr_1-3", "psnr_1", "psnr_8", "psnr_all"} <= set(next(rows))
    data = json.loads(cli("leaderboard", *folders, "--steps", "1, 1-3", "--format", "json").stdout)
    assert data["horizon"] == [1, "1-3"]
    parts = cli("leaderboard", *folders, "--steps", "1-3", "--by", "difficulty").stdout
    assert "mean of frames 1–3" in parts
    refused = cli("leaderboard", *folders, "--steps", "9")
    assert (refused.exit_code, "8 frames are predicted" in refused.stderr) == (2, True)
    shown = cli("compare", *folders, "--steps", "1,2-8").stdout
    assert "mean of frames 2–8" in shown
    assert "all 8 frames" not in shown


def test_a_comparison_of_a_range_is_of_its_frames(tmp_path: Path) -> None:
    one, other = runs_of(tmp_path)
    made = compare(one, other, steps=("2-3",), by="psnr_all")
    (difference,) = made.differences
    both = [np.lexsort((run.scores["frame"], run.scores["clip"])) for run in (one, other)]
    frames = one.scores["frame"][both[0]]
    here = (frames >= 2) & (frames <= 3)
    lead = one.scores["psnr"][both[0]] - other.scores["psnr"][both[1]]
    assert difference.frame == "2-3"
    assert difference.mean == pytest.approx(lead[here].mean())
