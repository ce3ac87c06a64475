"""The table of a page marks the rows that the printed table marks, and says what the marks mean."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from runs import by_column, make_run

from vpbench.analysis.leaderboard import Leaderboard, LeaderboardOptions, build_leaderboard
from vpbench.report.page import PageOptions, make_page
from vpbench.report.table import page_table
from vpbench.runs.run import Run, read_run
from vpbench.tables.formats.sheet import MISSING
from vpbench.tables.render import render
from vpbench.tables.scores import score_cells

# PSNR of each row, which of them has seen test clips, and which are expected to be bold.
CASES = {
    "two rows": ([31.0, 30.0], None, [True, False]),
    "three rows": ([31.0, 30.0, 29.0], None, [True, False, False]),
    "equal rows": ([31.0, 31.0, 30.0], None, [True, True, False]),
    "a row that has seen test clips": ([40.0, 31.0, 30.0, 29.0], 0, [False, True, False, False]),
    "one row": ([31.0], None, [False]),
}


def runs_of(tmp_path: Path, psnr: list[float], contaminated: int | None = None, **split: object) -> list[Run]:
    runs = []
    for n, value in enumerate(psnr):
        frames = by_column(psnr=[value] * 2, ssim=[0.9 - n / 10] * 2, sharpness=[25.0] * 2)
        scores = dict.fromkeys(range(6), frames)
        seen = {"contaminated": n == contaminated}
        made = make_run(tmp_path / f"r{n}", label=f"r{n}", scores=scores, description=seen, split=split)
        runs.append(read_run(made))
    return runs


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ({"contaminated": True}, "r0 test clips were seen in training"),
        ({"test_clips_seen": "tuned"}, "a choice was made with an eye on test clips"),
        ({"test_clips_seen": "no"}, ""),
    ],
)
def test_the_page_says_what_part_test_clips_had(tmp_path: Path, said: dict[str, object], shown: str) -> None:
    run = read_run(make_run(tmp_path / "r0", label="r0", description=said))
    assert page_table(build_leaderboard([run])).rows[0].about == shown.removeprefix("r0 ")


def printed_marks(board: Leaderboard) -> list[bool]:
    """Which first scores of the measured rows are bold in the printed table."""
    cells = [
        re.search(r"\d\.\d\d(.)", line) for line in render(board).splitlines() if re.match(r"r\d\W", line)
    ]
    return [found[1] == "•" for found in cells if found]


@pytest.mark.parametrize("case", CASES)
def test_the_page_marks_what_the_printed_table_marks(tmp_path: Path, case: str) -> None:
    psnr, contaminated, expected = CASES[case]
    runs = runs_of(tmp_path, psnr, contaminated)
    assert printed_marks(build_leaderboard(runs)) == expected
    text = html.unescape(make_page(runs, PageOptions()).html)
    rows = re.findall(r'<tr>\n<th scope="row" class="label" data-value="r\d">.*?</tr>', text, re.DOTALL)
    first = [re.search(r'<td data-value="[234]\d\.\d+"( class="bold")?>', row) for row in rows]
    assert [bool(found[1]) for found in first if found] == expected
    assert ("Bold: not significantly worse than the best" in text) == any(expected)


def test_the_page_has_the_differences_of_the_printed_table(tmp_path: Path) -> None:
    board = build_leaderboard([*runs_of(tmp_path, [31.0, 30.0])], LeaderboardOptions(against="r1"))
    groups = dict(page_table(board).groups)
    difference, wins = groups["difference"]
    assert [cell.text for cell in difference.cells] == ["+1.00", MISSING]
    assert difference.cells[0].beneath == "[+1.00, +1.00]"
    assert [(cell.text, cell.value) for cell in wins.cells] == [("100", 1.0), (MISSING, None)]
    assert "difference" not in dict(page_table(build_leaderboard(runs_of(tmp_path / "b", [31.0]))).groups)


def test_published_rows_are_never_bold_and_keep_their_digits(tmp_path: Path) -> None:
    board = build_leaderboard(runs_of(tmp_path, [20.0, 19.0, 18.0], name="ucf101-every10th", total=379))
    assert len(board.published) == 10
    cells = score_cells(board, board.columns[0], 1, precision=3)
    assert cells.means[0] == "20.000"
    assert cells.means[-1] == "31.6"  # better than any measured one
    assert cells.bold == [True, *[False] * 12]
    rows = page_table(board).rows
    assert [row.published for row in rows] == [False] * 3 + [True] * 10
    assert not any(cell.bold for row in rows[3:] for cell in row.cells)


def test_what_is_missing_is_a_dash_and_sorts_last(tmp_path: Path) -> None:
    nothing = by_column(psnr=[60.0] * 2, ssim=[1.0] * 2, sharpness=[50.0] * 2, counted=[False] * 2)
    board = build_leaderboard([read_run(make_run(tmp_path / "a", scores={1: nothing}))])
    cells = page_table(board).rows[0].cells
    assert [cell.text for cell in cells[:4]] == [MISSING, MISSING, MISSING, "0"]
    assert [cell.value for cell in cells[:4]] == [None, None, None, 0]
