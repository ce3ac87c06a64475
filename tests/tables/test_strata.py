"""Strata as they are printed: each format has the parts, their numbers, and what is missing."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from boards import board_of, line_of
from click.testing import Result
from runs import make_run
from strata import varied_runs

from vpbench.analysis.strata import build_strata
from vpbench.tables.render import render

FRAME = {"psnr": 31.25, "ssim": 0.9, "sharpness": 20.0}


@pytest.fixture
def by(cli: Callable[..., Result], tmp_path: Path) -> Callable[..., str]:
    """Prints strata of two runs."""
    varied_runs(tmp_path, "a", "b")

    def call(*arguments: object, runs: Path = tmp_path) -> str:
        done = cli("leaderboard", runs, "--by", *arguments)
        assert done.exit_code == 0, done.stderr
        return done.output

    return call


def test_text_has_a_part_below_the_other(by: Callable[..., str]) -> None:
    text = by("motion")
    assert max(map(len, text.splitlines())) <= 80
    headings = [line for line in text.splitlines() if line.startswith("motion ")]
    assert [heading.split(":")[0] for heading in headings] == [
        *("motion < 1.5 px", "motion 1.5–3 px", "motion ≥ 3 px")
    ]
    made = build_strata(board_of(*(Path(run) for run in _folders(by))), "motion")
    first = made.strata[0]
    assert headings[0] == (
        f"motion < 1.5 px: {first.total} frames (1st {first.frames[1]}, 2nd {first.frames[2]}), "
        f"{first.clips} clips, {first.clusters} clusters"
    )
    printed = line_of(text[text.index(headings[0]) :], "a").split()
    assert float(printed[1].strip("•")) == pytest.approx(first.board.rows["psnr_1"][0], abs=0.006)
    assert "Motion: median |flow| in the moving area of a frame." in " ".join(text.split())
    where = "where a copy of the last frame is below 50 dB, PSNR capped there."
    assert where not in " ".join(text.split())
    assert where in " ".join(by("motion", "--notes", "all").split())
    assert "Continued" not in text
    assert "\n[" not in text
    assert "In brackets: 95 % intervals." in " ".join(by("motion", "--ci").split())


def _folders(by: Callable[..., str]) -> list[str]:
    rows = csv.DictReader(io.StringIO(by("class", "--format", "csv")))
    return list(dict.fromkeys(row["source"] for row in rows))


def test_csv_has_a_line_for_each_part_and_row(by: Callable[..., str]) -> None:
    rows = list(csv.DictReader(io.StringIO(by("difficulty", "--format", "csv"))))
    assert [row["label"] for row in rows] == ["a", "b"] * 3
    assert [row["stratum"] for row in rows[::2]] == [
        *("SSIM of the copy ≥ 0.9", "SSIM of the copy 0.6–0.9", "SSIM of the copy < 0.6")
    ]
    for row in rows:
        assert int(row["frames"]) == int(row["frames_1"]) + int(row["frames_2"])
        assert int(row["clusters"]) <= int(row["clips"])
        assert float(row["psnr_1"]) < 50


def test_json_has_the_bounds(by: Callable[..., str]) -> None:
    data = json.loads(by("motion", "--format", "json"))
    assert (data["kind"], data["schema"], data["by"]) == ("vpbench-strata", 1, "motion")
    assert [(part["low"], part["high"]) for part in data["strata"]] == [(None, 1.5), (1.5, 3.0), (3.0, None)]
    assert [[row["label"] for row in part["rows"]] for part in data["strata"]] == [["a", "b"]] * 3
    assert "Motion: median" in data["notes"][0]


@pytest.mark.parametrize(
    ("form", "heading"),
    [
        ("markdown", "| *Archery: "),
        ("latex", r"\multicolumn{7}{l}{\emph{Archery: "),
        ("html", 'scope="rowgroup">Archery: '),
    ],
)
def test_other_formats_have_the_parts_too(by: Callable[..., str], form: str, heading: str) -> None:
    text = by("class", "--format", form)
    assert text.count(heading) == 1
    assert "Classes: those of UCF101." in text


def test_what_latex_reads_is_escaped(by: Callable[..., str]) -> None:
    text = by("motion", "--format", "latex")
    assert r"\emph{motion \textless{} 1.5 px: " in text
    assert r"\emph{motion $\geq$ 3 px: " in text


def test_a_long_latex_table_is_continued_in_others(tmp_path: Path) -> None:
    folders = varied_runs(tmp_path, *(f"run{n}" for n in range(20)))
    text = render(build_strata(board_of(*folders), "class"), "latex")
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 2
    assert text.count("Continued.") == 1
    names = [line for line in text.splitlines() if line.startswith(r"\label")]
    assert len(set(names)) == 2
    assert text.count("higher is better") == 1


@pytest.mark.parametrize("form", ["text", "markdown", "latex", "html", "csv", "json"])
def test_an_empty_part_is_named(tmp_path: Path, form: str) -> None:
    runs = [
        make_run(tmp_path / label, label=label, scores={1: [FRAME, FRAME]}) for label in "ab"
    ]  # motion 2 px
    text = " ".join(render(build_strata(board_of(*runs), "motion"), form).split())
    if form in ("csv", "json"):
        assert "motion ≥ 3 px" in text
        assert "NaN" not in text
    else:
        assert "No frames: motion " in text
        assert "2 frames (1st 1, 2nd 1), 1 clip, 1 cluster" in text
        assert "fewer than 6 clusters" in text


def test_published_rows_and_facts_have_no_place(
    cli: Callable[..., Result], by: Callable[..., str], tmp_path: Path
) -> None:
    for folder in varied_runs(tmp_path / "ucf", "a", split={"name": "ucf101-every10th"}):
        text = by("motion", runs=folder)
        assert "published" not in text.lower()
    refused = cli("leaderboard", tmp_path, "--by", "motion", "--facts")
    assert refused.exit_code == 2
    assert "--facts: a table by motion has no room for them" in refused.stderr
    wrong = cli("leaderboard", tmp_path, "--by", "mood")
    assert wrong.exit_code == 2


def test_eight_frames_are_counted_together(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", protocol="ucf101-8to8", scores={1: [FRAME] * 8})
    text = render(build_strata(board_of(run), "motion"))
    assert "motion 1.5–3 px: 8 frames (1st 1, 8th 1), 1 clip, 1 cluster" in text


def test_differences_to_a_baseline_stand_beside_the_scores(by: Callable[..., str]) -> None:
    text = by("motion", "--against", "a", "--format", "markdown")
    assert "Difference: PSNR of the 1st frame − that of a; wins:" in text
    assert "difference PSNR" in text
    for row in csv.DictReader(io.StringIO(by("motion", "--against", "a", "--format", "csv"))):
        assert (row["psnr_1_difference"] == "") == (row["label"] == "a")
    assert "Difference" not in by("motion")
