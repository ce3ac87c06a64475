"""The notes beneath a table: at most four, what several rows have in common once, and nothing unfair hidden."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from boards import SPLIT, board_of, graded_runs, with_fields
from runs import by_column, make_run

from vpbench.analysis.leaderboard import Leaderboard, build_leaderboard
from vpbench.runs.run import read_run
from vpbench.tables.render import render

SAID = {"method": "x", "training_data": "UCF101", "citation": "x"}


def unfair_board(tmp_path: Path) -> Leaderboard:
    """Rows with every warning that there is, a recipe each, and frames that were dropped."""
    leads = {
        name: 0.5 * n for n, name in enumerate(["last_frame", "seen", "tuned", "samples", "other", "part"])
    }
    folders = graded_runs(tmp_path, leads, noise=3, split=SPLIT)
    for n, folder in enumerate(folders[1:]):
        described = {"name": folder.name, "options": {}, "description": {"marks": [f"recipe {n}", "compact"]}}
        with_fields(folder, predictor=described)
    with_fields(folders[1], submission={**SAID, "test_clips_seen": "yes"})
    with_fields(folders[2], submission={**SAID, "test_clips_seen": "tuned"})
    with_fields(folders[3], samples={"count": 5, "seed": 0, "scored": "best"})
    manifest = json.loads((folders[4] / "manifest.json").read_text())
    clips = dict.fromkeys(manifest["prepared"]["clips"], "1" * 16)
    with_fields(folders[4], prepared={**manifest["prepared"], "hash": "q" * 16, "clips": clips})
    with_fields(folders[5], status="running")
    return board_of(*folders, allow_incomplete=True)


def beneath(text: str, form: str) -> list[str]:
    """The paragraphs beneath the first table."""
    if form == "latex":
        (box,) = re.findall(r"\\begin\{minipage\}.*?\n(.*?)\\end\{minipage\}", text, re.DOTALL)
        return [line for line in box.splitlines() if line]
    if form == "html":
        return re.findall(r"<p>.*?</p>", text)
    if form == "markdown":
        return text[text.rindex("|\n") :].strip().split("\n\n")
    return [text[text.rindex("\n\n") :].strip()]


@pytest.mark.parametrize("form", ["text", "markdown", "latex", "html"])
def test_nothing_unfair_is_hidden_in_four_notes(tmp_path: Path, form: str) -> None:
    board = unfair_board(tmp_path)
    text = render(board, form)
    words_of = " ".join(text.split())
    signs = {"§": r"\S{}", "‡": r"\textdaggerdbl{}", "#": r"\#", "‖": r"$\|$", "¶": r"\P{}"}
    for sign, latex in signs.items():
        shown = latex if form == "latex" else sign
        assert text.count(shown) >= 2, sign  # at its row, and explained
    for words in (
        "contaminated",
        "tuned on test clips",
        "best of several samples",
        "prepared differently",
        "complete",
    ):
        assert words in words_of
    assert "recipe" not in text
    assert "compact" not in text
    assert text.count("--notes all") == 1
    paragraphs = beneath(text, form)
    if form == "text":
        places = [words_of.index(start) for start in ("Means over", "Published rows:", "§ trained")]
        assert places == sorted(places)
    else:
        pointer = [one for one in paragraphs if "--notes all" in one]
        assert len(paragraphs) - len(pointer) <= 4
    whole = " ".join(render(board, form, all_notes=True).split())
    for words in ("recipe 0", "compact", "bootstrap over clusters", "hash qqqqqqqqqqqqqqqq", "0.8 px"):
        assert words in whole
    assert "--notes all" not in whole


def test_data_has_the_same_notes_and_all_footnotes(tmp_path: Path) -> None:
    board = unfair_board(tmp_path)
    brief, whole = (json.loads(render(board, "json", all_notes=every)) for every in (False, True))
    assert len(brief["notes"]) <= 3  # the fourth are the footnotes
    assert set(brief["notes"]) < set(whole["notes"])
    assert brief["footnotes"] == whole["footnotes"] == board.footnotes
    assert brief["rows"] == whole["rows"]


def test_the_latex_of_a_paper_has_the_pointer_as_a_comment(tmp_path: Path) -> None:
    assert "\n% Further notes: --notes all\n" in render(board_of(*graded_runs(tmp_path, {"a": 0})), "latex")


def dropping(tmp_path: Path, dropped: dict[str, int]) -> str:
    """The printed table of runs that lose this many first frames of ten."""
    folders = []
    for label, lost in dropped.items():
        scores = {
            clip: by_column(
                psnr=[60.0 if clip < lost else 30.0, 29.0],
                ssim=[0.9, 0.8],
                sharpness=[25.0, 24.0],
                counted=[clip >= lost, True],
            )
            for clip in range(10)
        }
        folders.append(make_run(tmp_path / label, label=label, scores=scores))
    board = build_leaderboard([read_run(folder) for folder in folders])
    return " ".join(render(board).split())


def test_rows_that_lost_the_same_frames_are_named_once(tmp_path: Path) -> None:
    text = dropping(tmp_path, {"a": 2, "b": 1, "c": 2, "d": 2})
    assert "Dropped frames (1st + 2nd): b 1 + 0 excluded; the other 3 rows 2 + 0 excluded." in text
    assert "Excluded are frames whose PSNR is 50 dB or more." in text
    assert "each row 3 + 0 excluded." in dropping(tmp_path / "same", {"a": 3, "b": 3})
    assert "(1st + 2nd): b 1 + 0 excluded. Excluded" in dropping(tmp_path / "one", {"a": 0, "b": 1, "c": 0})
    assert "c none; a, b 1 + 0 excluded" in dropping(tmp_path / "two", {"a": 1, "b": 1, "c": 0})
    assert "Dropped" not in dropping(tmp_path / "none", {"a": 0, "b": 0})


def test_many_rows_that_lost_different_frames_are_a_range(tmp_path: Path) -> None:
    lost = {f"r{n:02d}": n % 10 for n in range(20)}
    text = dropping(tmp_path, lost)
    assert "Dropped frames (1st + 2nd): 0–9 + 0 excluded." in text
    board = build_leaderboard([read_run(tmp_path / label) for label in lost])
    assert "r04, r14 4 + 0 excluded" in " ".join(render(board, all_notes=True).split())
