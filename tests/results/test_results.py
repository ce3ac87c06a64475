"""What is committed under results/ is whole, and its page is in step with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from msgspec.structs import replace
from runs import make_run

from vpbench.errors import VpbenchError
from vpbench.predictors.seen import Seen
from vpbench.runs.manifest import Submission
from vpbench.runs.untrusted import read_untrusted
from vpbench.submission.page import page
from vpbench.submission.submit import check_committed, submit

RESULTS = Path(__file__).parents[2] / "results"
RUNS = sorted(path.parent for path in (RESULTS / "runs").rglob("manifest.json"))
SAID = Submission("Mine", "Me, 2026", "none", test_clips_seen="no", submitted="2026-01-01")


@pytest.mark.parametrize("folder", RUNS, ids=[str(path.relative_to(RESULTS)) for path in RUNS])
def test_every_committed_run_is_whole(folder: Path) -> None:
    check_committed(folder, RESULTS / "runs")


def test_there_are_runs_and_nothing_else() -> None:
    assert RUNS
    files = {path for path in (RESULTS / "runs").rglob("*") if path.is_file() and path.name != ".lock"}
    assert files == {folder / name for folder in RUNS for name in ("manifest.json", "scores.jsonl")}


def test_the_page_is_in_step() -> None:
    made = page(RESULTS / "runs")
    assert (RESULTS / "LEADERBOARD.md").read_text(encoding="utf-8") == made, (
        "run `vpbench standings results/runs` and commit results/LEADERBOARD.md"
    )


def add(root: Path, where: Path, label: str, **changes: object) -> Path:
    changes = {"split": {"name": "mine"}, "prepared": {"hash": "a" * 16}, **changes}
    run = make_run(where / label, label=label, **changes)  # type: ignore[arg-type]
    partial = dict(changes["split"]).get("total", 3) != 3  # type: ignore[call-overload]
    return submit(read_untrusted(run), replace(SAID, partial=partial), root)


def test_a_table_for_each_split_and_protocol(cli: Callable[..., Result], tmp_path: Path) -> None:
    root = tmp_path / "results" / "runs"
    add(root, tmp_path / "a", "one")
    add(root, tmp_path / "a", "two")
    add(root, tmp_path / "b", "one", protocol="full-frame")
    add(root, tmp_path / "c", "one", split={"name": "other"})
    done = cli("standings", root)
    assert done.exit_code == 0, done.output
    text = (tmp_path / "results" / "LEADERBOARD.md").read_text(encoding="utf-8")
    headings = [line for line in text.splitlines() if line.startswith("##")]
    assert headings[:4] == [
        "## Measured",
        "### mine, full-frame",
        "### mine, mathieu2016",
        "### other, mathieu2016",
    ]
    assert "## Published" in headings
    assert any("Figure 5" in heading for heading in headings)
    assert page(root) == text, "made again it is the same"
    assert str(tmp_path) not in text, "no path of the machine"


def test_runs_of_a_part_stand_apart(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    add(root, tmp_path / "a", "whole")
    add(root, tmp_path / "a", "part", split={"name": "mine", "total": 5})
    scores = {5: [{"psnr": 30.0, "ssim": 0.9, "sharpness": 20.0}] * 2}
    add(root, tmp_path / "a", "other_part", split={"name": "mine", "total": 5}, scores=scores)
    assert page(root).count("### mine, mathieu2016") == 2


def test_a_damaged_entry_is_named(tmp_path: Path) -> None:
    folder = add(tmp_path / "runs", tmp_path, "one")
    (folder / "scores.jsonl").write_text("nonsense\n")
    with pytest.raises(VpbenchError, match=r"one/scores\.jsonl, line 1"):
        page(tmp_path / "runs")


def test_names_cannot_write_markdown_or_html(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    add(root, tmp_path, "a_b", description={"marks": ["<script>x</script> [a](http://b) | `c`"]})
    text = page(root)
    assert "<script>" not in text
    assert "[a](http" not in text


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (True, "test clips were seen"),
        (False, "test clips were not seen"),
        ("tuned", "a choice was made with an eye on test clips"),
    ],
)
def test_what_was_said_of_a_run_stands_beneath_its_table(
    tmp_path: Path, seen: bool | Seen, words: str
) -> None:
    run = make_run(tmp_path / "run", label="one", split={"name": "mine"}, prepared={"hash": "a" * 16})
    said = {
        "method": "A|B",
        "training_data": "UCF101",
        "test_clips_seen": seen,
        "code_url": "https://a.org/b",
    }
    submit(read_untrusted(run), replace(SAID, **said), tmp_path / "runs")
    assert rf"- one: A\|B; trained on UCF101; {words}; https://a.org/b." in page(tmp_path / "runs")
