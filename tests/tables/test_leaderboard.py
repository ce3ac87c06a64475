"""What the printed leaderboard shows: places, dashes, intervals, facts, a table a metric."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from boards import SPLIT, line_of, make_board, wide_board
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
        "31.70•",
        "0.940•",
        "25.00•",
        "2",
        "30.70•",
        "0.940•",
        "25.00•",
        "2",
    ]
    assert line_of(text, "optical_flow ").split()[1:5] == ["30.70◦", "0.930◦", "25.00•", "2"]
    assert "Moving area: 25.0 %" in text  # no column where all rows have the same
    assert line_of(text, "optical_flow,estimator=edgeaware ")
    measured, _, published = text.partition("\npublished\n")
    assert "last_frame" in measured
    assert line_of(published, "Adv+GDL fine-tuned*†").split()[2:] == [
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
    assert "•: best, ◦: second of the measured rows, at the printed precision." in text


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


def test_best_is_judged_at_printed_precision_and_by_direction(tmp_path: Path) -> None:
    folders = []
    for n, psnr in enumerate([30.001, 30.004, 29.99]):
        scores = {1: by_column(psnr=[psnr] * 2, ssim=[0.9] * 2, sharpness=[25.0 + n] * 2)}
        folders.append(make_run(tmp_path / str(n), label=f"r{n}", scores=scores))
    text = render(build_leaderboard([read_run(folder) for folder in folders]))
    assert [line_of(text, f"r{n}").split()[1] for n in range(3)] == ["30.00•", "30.00•", "29.99"]
    assert [line_of(text, f"r{n}").split()[3] for n in range(3)] == ["25.00", "26.00◦", "27.00•"]


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
    for heading in ("all 8 frames", "1st frame", "8th frame", "PSNR (dB ↑) of each predicted frame."):
        assert heading in text
    steps = text[text.index("PSNR (dB ↑) of each") :]
    assert line_of(steps, "3 ").split() == ["3", "29.70•", "28.70◦", "27.70"]
    assert render(board, "markdown").count("of each predicted frame") == 3
    assert render(board, "latex").count(r"\begin{table}") == 4


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
    caption = " ".join(text.split("\n\n")[0].split())
    for part in ("95 %", "1000 resamples from seed 0", "30 clips that both count", "In brackets: intervals"):
        assert part in caption
    assert "[" not in line_of(render(made), "last_frame")
    assert "In brackets" not in render(made)
    assert "No intervals: they need 6 clips" in render(wide_board(tmp_path / "few", clips=5), intervals=True)
    assert "too narrow" in render(wide_board(tmp_path / "some", clips=12), intervals=True)
    assert "90 %" in render(wide_board(tmp_path / "level", level=0.9))


def test_facts_are_columns_and_training_data_footnotes(tmp_path: Path) -> None:
    made = wide_board(tmp_path)
    text = render(made, facts=True)
    assert max(map(escape.width, text.splitlines())) <= 80
    facts = text[text.index("  facts\n") :]
    assert line_of(facts, "last_frame").split()[1:] == ["25.0", "–", "1.5"]
    assert "published" not in facts.split("\n\n")[0]  # they have none
    assert "training data: UCF101 <train>" in text
    assert "training data" not in render(made)


def test_precision_is_for_decibels_and_one_digit_more_for_similarities(tmp_path: Path) -> None:
    cells = line_of(render(wide_board(tmp_path), precision=1), "last_frame").split()
    assert [cell.strip("•◦") for cell in cells[2:5]] == ["34.5", "0.90", "25.0"]


def test_second_best_is_marked_unless_two_share_the_best(tmp_path: Path) -> None:
    folders = []
    for n, (psnr, ssim) in enumerate([(31.0, 0.9), (30.0, 0.9), (29.0, 0.8)]):
        scores = {1: by_column(psnr=[psnr] * 2, ssim=[ssim] * 2, sharpness=[25.0] * 2)}
        folders.append(make_run(tmp_path / str(n), label=f"r{n}", scores=scores))
    made = build_leaderboard([read_run(folder) for folder in folders])
    assert [line_of(render(made), f"r{n}").split()[1] for n in range(3)] == ["31.00•", "30.00◦", "29.00"]
    assert [line_of(render(made), f"r{n}").split()[2] for n in range(3)] == ["0.900•", "0.900•", "0.800"]
    assert "<u>30.00</u>" in render(made, "markdown")
    assert r"\underline{30.00}" in render(made, "latex")
    assert "<u>30.00</u>" in render(made, "html")
    assert "<strong>31.00</strong>" in render(made, "html")
