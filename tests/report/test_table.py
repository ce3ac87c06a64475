"""The table of a page marks the rows that the printed table marks, and says what the marks mean."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from runs import by_column, make_run

from vpbench.analysis.leaderboard import Leaderboard, build_leaderboard
from vpbench.report.page import PageOptions, make_page
from vpbench.report.table import page_table
from vpbench.runs.run import Run, read_run
from vpbench.tables.formats.sheet import BEST, MISSING, SECOND
from vpbench.tables.render import render
from vpbench.tables.scores import score_cells

# PSNR of each row, which of them has seen test clips, and the marks that are expected.
CASES = {
    "two rows": ([31.0, 30.0], None, [BEST, 0]),
    "three rows": ([31.0, 30.0, 29.0], None, [BEST, SECOND, 0]),
    "a best that is tied as printed": ([31.001, 31.004, 30.0], None, [BEST, BEST, 0]),
    "a row that has seen test clips": ([40.0, 31.0, 30.0, 29.0], 0, [0, BEST, SECOND, 0]),
    "two rows, and one that has seen test clips": ([40.0, 31.0, 30.0], 0, [0, BEST, 0]),
    "one row": ([31.0], None, [0]),
}


def runs_of(tmp_path: Path, psnr: list[float], contaminated: int | None = None, **split: object) -> list[Run]:
    runs = []
    for n, value in enumerate(psnr):
        scores = {1: by_column(psnr=[value] * 2, ssim=[0.9 - n / 10] * 2, sharpness=[25.0] * 2)}
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


def printed_marks(board: Leaderboard) -> list[int]:
    """The places of the first scores of the measured rows in the printed table."""
    cells = [
        re.search(r"\d\.\d\d(.)", line) for line in render(board).splitlines() if re.match(r"r\d ", line)
    ]
    return [{" ": 0, "•": BEST, "◦": SECOND}[found[1]] for found in cells if found]


@pytest.mark.parametrize("case", CASES)
def test_the_page_marks_what_the_printed_table_marks(tmp_path: Path, case: str) -> None:
    psnr, contaminated, expected = CASES[case]
    runs = runs_of(tmp_path, psnr, contaminated)
    assert printed_marks(build_leaderboard(runs)) == expected
    text = html.unescape(make_page(runs, PageOptions()).html)
    rows = re.findall(r'<tr>\n<th scope="row" class="label" data-value="r\d">.*?</tr>', text, re.DOTALL)
    first = [re.search(r'<td data-value="[\d.]+"(?: class="place-(\d)")?>', row) for row in rows]
    assert [int(found[1] or 0) for found in first if found] == expected
    marked = set(re.findall(r'class="place-(\d)"', text))
    assert ("Bold: best" in text) == (str(BEST) in marked)
    assert ("underlined: second" in text) == (str(SECOND) in marked)


def test_published_rows_take_no_place_and_keep_their_digits(tmp_path: Path) -> None:
    board = build_leaderboard(runs_of(tmp_path, [20.0, 19.0, 18.0], name="ucf101-every10th", total=379))
    assert len(board.published) == 10
    cells = score_cells(board, board.columns[0], 1, precision=3)
    assert cells.means[0] == "20.000"
    assert cells.means[-1] == "31.6"  # better than any measured one
    assert cells.places == [BEST, SECOND, 0, *[0] * 10]
    rows = page_table(board).rows
    assert [row.published for row in rows] == [False] * 3 + [True] * 10
    assert {cell.place for row in rows[3:] for cell in row.cells} == {0}


def test_what_is_missing_is_a_dash_and_sorts_last(tmp_path: Path) -> None:
    nothing = by_column(psnr=[60.0] * 2, ssim=[1.0] * 2, sharpness=[50.0] * 2, counted=[False] * 2)
    board = build_leaderboard([read_run(make_run(tmp_path / "a", scores={1: nothing}))])
    cells = page_table(board).rows[0].cells
    assert [cell.text for cell in cells[:4]] == [MISSING, MISSING, MISSING, "0"]
    assert [cell.value for cell in cells[:4]] == [None, None, None, 0]
