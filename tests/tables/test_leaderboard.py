"""What the printed leaderboard shows: places, dashes, intervals, facts, a table a metric."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from boards import SPLIT, board_of, graded_runs, line_of, make_board, wide_board, with_fields
from runs import by_column, make_run

from vpbench import escape
from vpbench.analysis.leaderboard import Leaderboard, build_leaderboard
from vpbench.runs.run import read_run
from vpbench.tables.formats.export import FORMATS
from vpbench.tables.render import render


@pytest.fixture
def small_board(tmp_path: Path) -> Leaderboard:
    return make_board(
        tmp_path, ["last_frame", "optical_flow", "optical_flow,estimator=edgeaware"], split=SPLIT
    )


def test_text_is_table_2_in_80_columns(small_board: Leaderboard) -> None:
    text = render(small_board)
    assert max(map(escape.width, text.splitlines())) <= 80
    assert re.search(r"1st frame +2nd frame", text)
    assert line_of(text, "last_frame").split()[1:] == [
        "1",
        "31.70•",
        "0.940•",
        "25.00•",
        "8",
        "30.70•",
        "0.940•",
        "25.00•",
        "8",
    ]
    assert line_of(text, "optical_flow ").split()[1:6] == ["2", "30.70", "0.930", "25.00•", "8"]
    assert "Moving area" not in text
    assert "Moving area: 25.0 %" in render(
        small_board, all_notes=True
    )  # no column where all rows have the same
    assert line_of(text, "optical_flow,  ")
    measured, _, published = text.partition("\npublished\n")
    assert "last_frame" in measured
    assert line_of(published, "Adv+GDL fine-  ").split()[2:] == [
        "–",
        "32.0",
        "0.92",
        "25.4",
        "–",
        "28.9",
        "0.89",
        "25.0",
        "–",
    ]
    assert "†" not in measured
    assert "•: not significantly worse than the best of the rows" in " ".join(text.split())


def test_counts_of_three_digits_still_fit(tmp_path: Path) -> None:
    scores = by_column(psnr=[30.0, 29.0], ssim=[0.9, 0.8], sharpness=[25.0, 24.0])
    folders = [
        make_run(
            tmp_path / str(n),
            label="optical_flow_edgewar" + "e" * n,
            split=SPLIT,
            scores=dict.fromkeys(range(379), scores),
        )
        for n in range(2)
    ]
    text = render(build_leaderboard([read_run(folder) for folder in folders]))
    assert max(map(escape.width, text.splitlines())) <= 80
    assert line_of(text, "optical_flow_edgewar ").split()[1:3] == ["1", "30.00•"]


def test_one_row_has_no_best(tmp_path: Path) -> None:
    board = make_board(tmp_path, ["last_frame"])
    assert "•" not in render(board)
    assert "**" not in render(board, "markdown")


def test_bold_is_not_significantly_worse_than_the_best_of_each_column(tmp_path: Path) -> None:
    text = render(board_of(*graded_runs(tmp_path, {"r0": 0.1, "r1": 0, "r2": -3})))
    rows = [line_of(text, f"r{n}").split() for n in range(3)]
    assert [row[1] for row in rows] == ["1", "1", "3"]
    assert [row[2].endswith("•") for row in rows] == [True, True, False]
    assert [row[3] for row in rows] == ["0.900•"] * 3
    markdown = render(board_of(*graded_runs(tmp_path / "b", {"r0": 0.1, "r1": 0, "r2": -3})), "markdown")
    assert markdown.count("**0.900**") == 3
    assert "**Bold**: not significantly worse than the best" in markdown


def test_one_clip_is_no_clips(tmp_path: Path) -> None:
    board = board_of(*graded_runs(tmp_path, {"last_frame": 5, "r1": 0}, clips=1))
    text = " ".join(render(board, all_notes=True).split())
    assert "PSNR of the 1st frame the 1 clip (1 cluster) where" in text
    assert "they need 6 clusters of clips, and here is 1." in text


def test_few_clusters_have_no_rank_no_interval_and_no_bold(tmp_path: Path) -> None:
    clusters = {clip: f"{clip % 2}.avi" for clip in range(30)}
    board = board_of(*graded_runs(tmp_path, {"r0": 5, "r1": 0}, split={"clusters": clusters}))
    for form in FORMATS:
        text = render(board, form, intervals=True)
        assert "•" not in text
        assert "textbf" not in text
        assert "strong" not in text
        assert "**" not in text
    text = " ".join(render(board, intervals=True, all_notes=True).split())
    assert "The clips are of 2 clusters." in text
    assert (
        "No ranks, and none is marked best; no intervals: they need 6 clusters of clips, and here are 2."
        in text
    )


def test_missing_means_are_dashes_and_never_best(tmp_path: Path) -> None:
    nothing = by_column(psnr=[60.0, None], ssim=[1.0, 1.0], sharpness=[50.0, 50.0], counted=[False, False])
    some = by_column(psnr=[30.0, 30.0], ssim=[0.9, 0.9], sharpness=[25.0, 25.0])
    folders = [
        make_run(tmp_path / name, label=name, scores={1: scores})
        for name, scores in (("none", nothing), ("one", some), ("two", some))
    ]
    made = build_leaderboard([read_run(folder) for folder in folders])
    assert line_of(render(made), "none").split() == ["none", "–", "–", "–", "0", "–", "–", "–", "0"]
    assert "none 1 + 0 excluded, 0 + 1 undefined" in render(made)
    for form in FORMATS:
        assert "nan" not in render(made, form).lower()


def test_long_horizons_are_followed_by_a_table_a_metric(tmp_path: Path) -> None:
    board = make_board(tmp_path, ["last_frame", "optical_flow", "gdl"], "ucf101-8to8")
    text = render(board)
    assert max(map(escape.width, text.splitlines())) <= 80
    for heading in ("all 8 frames", "PSNR (dB ↑) by predicted frame; mean: over all 8 frames."):
        assert heading in text
    steps = text[text.index("PSNR (dB ↑) by") :]
    assert line_of(steps, "frame").split() == ["frame", "mean", *"12345678"]
    assert line_of(steps, "last_frame").split()[1:5] == ["28.20•", "31.70•", "30.70•", "29.70•"]
    assert render(board, "markdown").count("by predicted frame") == 3
    assert render(board, "latex").count(r"\begin{table") == 4


def test_one_target_is_one_group(tmp_path: Path) -> None:
    scores = {1: by_column(psnr=[30.0], ssim=[0.9])}
    text = render(
        build_leaderboard([read_run(make_run(tmp_path / "a", protocol="dvf2017-like", scores=scores))])
    )
    assert "1st frame" in text
    assert "2nd" not in text


def test_intervals_and_spreads_stand_beneath_the_means_in_80_columns(tmp_path: Path) -> None:
    made = wide_board(tmp_path)
    text = render(made, intervals=True)
    assert max(map(escape.width, text.splitlines())) <= 80
    row = made.rows.iloc[1]
    assert f"[{row['psnr_1_low']:.2f}, {row['psnr_1_high']:.2f}]" in text
    assert f"±{row['psnr_1_sd']:.2f}" in text
    notes = " ".join(render(made, intervals=True, all_notes=True).split())
    for part in (
        "The clips are of 30 clusters.",
        "the 30 clips (30 clusters) where a copy of the last frame is below 50 dB, PSNR capped there",
        "studentised bootstrap over clusters, 95 %, 1000 resamples from seed 0, max-T over all pairs of rows",
        "In brackets: 95 % intervals.",
        "±: standard deviation over training seeds.",
    ):
        assert part in notes
    assert "[" not in line_of(render(made), "last_frame")
    assert "In brackets" not in render(made)
    assert "they need 6 clusters" in render(wide_board(tmp_path / "few", clips=5), intervals=True)
    assert "90 %" in render(wide_board(tmp_path / "level", level=0.9))


def test_facts_are_columns_and_training_data_footnotes(tmp_path: Path) -> None:
    made = wide_board(tmp_path)
    text = render(made, facts=True)
    assert max(map(escape.width, text.splitlines())) <= 80
    facts = text[text.index("  facts\n") :]
    assert line_of(facts, "last_frame").split()[-4:] == ["25.0", "–", "1.5", "100"]
    assert "MACs" not in text
    assert "published" not in facts.split("\n\n")[0]  # they have none
    assert "training data: UCF101 <train>" in " ".join(text.split())
    assert "training data" not in render(made)


def test_multiply_adds_are_a_column_with_the_size_of_the_frame_where_a_row_has_them(tmp_path: Path) -> None:
    run = graded_runs(tmp_path, {"one": 0.0, "two": 1.0})
    cost = {"ms_per_frame": 1.5, "peak_memory_mib": 100.0, "parameters": 2_000}
    with_fields(run[0], cost={**cost, "multiply_adds": 12_029_625_600, "frame_size": [240, 320]})
    made = board_of(*run)
    text = render(made, facts=True)
    assert line_of(text[text.index("  facts\n") :], "one").split()[-4:] == ["2k", "12G", "1.5", "100"]
    assert line_of(text[text.index("  facts\n") :], "two").split()[-4:] == ["–", "–", "1.5", "100"]
    assert "MACs: multiply-adds of the networks to predict a frame of 320×240 pixels." in " ".join(
        text.split()
    )
    assert made.rows["multiply_adds"].tolist()[0] == 12_029_625_600


def test_precision_is_for_decibels_and_one_digit_more_for_similarities(tmp_path: Path) -> None:
    cells = line_of(render(wide_board(tmp_path), precision=1), "last_frame").split()
    assert [cell.strip("•◦") for cell in cells[2:5]] == ["34.5", "0.90", "25.0"]
