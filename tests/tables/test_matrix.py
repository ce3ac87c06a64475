"""All pairs of rows, printed in every format."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from boards import HOSTILE_LABELS, board_of, graded_runs, make_board
from runs import by_column, make_run

from vpbench import escape
from vpbench.tables.formats.export import FORMATS
from vpbench.tables.render import render


def test_each_pair_has_its_difference_and_who_is_better(tmp_path: Path) -> None:
    board = board_of(*graded_runs(tmp_path, {"low": 0, "high": 4, "as_high": 4.1}), sort="rank")
    text = render(board, matrix=True)
    assert max(map(escape.width, text.splitlines())) <= 80
    labels = board.rows["label"].tolist()
    assert set(labels[:2]) == {"high", "as_high"}
    cells = {
        label: re.search(rf"^{n}\. {label} +(\S+) +(\S+) +(\S+)$", text, re.MULTILINE).groups()  # type: ignore[union-attr]
        for n, label in enumerate(labels, start=1)
    }
    assert [cells[label][n] for n, label in enumerate(labels)] == ["–"] * 3
    low = board.ranking.pairs.differences[0, 2]
    assert cells[labels[0]][2] == f"+{low:.2f}•"
    assert cells["low"][0] == f"−{low:.2f}"
    assert not cells[labels[0]][1].endswith("•")
    assert "•: the row is significantly better than the column." in " ".join(text.split())
    notes = " ".join(render(board, matrix=True, all_notes=True).split())
    for part in (
        "Row − column: PSNR (dB ↑) of the 1st frame.",
        "the same frames for all rows, in PSNR of the 1st frame the 30 clips (30 clusters)",
        "max-T over all pairs of rows",
    ):
        assert part in notes


def test_csv_and_json_have_a_line_for_each_pair(tmp_path: Path) -> None:
    board = board_of(*graded_runs(tmp_path, {"low": 0, "high": 4, "as_high": 4.1}), rank_by="psnr_2")
    rows = list(csv.DictReader(io.StringIO(render(board, "csv", matrix=True))))
    assert [(row["a"], row["b"], row["better"]) for row in rows] == [
        ("low", "high", "high"),
        ("low", "as_high", "as_high"),
        ("high", "as_high", ""),
    ]
    data = json.loads(render(board, "json", matrix=True))
    assert (data["kind"], data["statistics"]["frame"], data["clusters"]) == ("vpbench-pairs", 2, 30)
    assert [pair["difference"] for pair in data["pairs"]] == [float(row["difference"]) for row in rows]
    assert data["pairs"][0]["p"] == pytest.approx(1 / 1001)
    assert data["pairs"][2]["p"] > 0.05
    assert data["pairs"][2]["better"] is None


def test_lower_is_better_turns_it_round(tmp_path: Path) -> None:
    board = board_of(*graded_runs(tmp_path, {"low": 0, "high": 4}))
    assert render(board, "csv", matrix=True).endswith(",high")
    statistics = board.ranking.statistics
    turned = replace(statistics, column=replace(statistics.column, higher_is_better=False))
    board = replace(board, ranking=replace(board.ranking, statistics=turned))
    assert render(board, "csv", matrix=True).endswith(",low")


@pytest.mark.parametrize("form", FORMATS)
def test_few_clusters_and_old_runs_have_differences_without_significance(tmp_path: Path, form: str) -> None:
    clusters = {clip: f"{clip % 2}.avi" for clip in range(30)}
    few = board_of(*graded_runs(tmp_path / "few", {"low": 0, "high": 4}, split={"clusters": clusters}))
    text = render(few, form, matrix=True)
    assert "nan" not in text.lower()
    assert not re.search(r"•|<strong>\+|\*\*\+|textbf\{\+", text)
    if form == "csv":
        assert text.splitlines()[1].endswith(",,")
    (old,) = graded_runs(tmp_path / "old", {"old": 0}, schema=1)
    mixed = render(board_of(old, *graded_runs(tmp_path / "new", {"new": 4})), form, matrix=True)
    assert "nan" not in mixed.lower()


@pytest.mark.parametrize("form", FORMATS)
def test_hostile_names_stay_names(tmp_path: Path, form: str) -> None:
    text = render(make_board(tmp_path, HOSTILE_LABELS), form, matrix=True)
    assert "<script" not in text or form in ("text", "csv", "latex")
    if form == "text":
        assert max(map(escape.width, text.splitlines())) <= 80


def test_the_command_prints_it_and_names_the_baseline(cli, tmp_path: Path) -> None:
    folders = graded_runs(tmp_path, {"low": 0, "high": 4})
    assert "Row − column" in " ".join(cli("leaderboard", *folders, "--matrix").stdout.split())
    refused = cli("leaderboard", *folders, "--matrix", "--format", "bibtex")
    assert refused.exit_code == 2
    assert "--matrix" in refused.stderr
    shown = cli("leaderboard", *folders, "--against", "low", "--ci").stdout
    assert "Difference: PSNR of the 1st frame − that of low; wins: the share of the clips" in " ".join(
        shown.split()
    )
    assert re.search(r"^high .* \+\d\.\d\d +100$", shown, re.MULTILINE)
    assert cli("leaderboard", *folders, "--against", "lw").exit_code == 2


def test_one_row_is_a_matrix_of_nothing(tmp_path: Path) -> None:
    scores = {n: by_column(psnr=[30.0, 29.0], ssim=[0.9, 0.8], sharpness=[25.0, 24.0]) for n in range(8)}
    board = board_of(make_run(tmp_path / "a", scores=scores))
    assert json.loads(render(board, "json", matrix=True))["pairs"] == []
    for form in FORMATS:
        render(board, form, matrix=True)
