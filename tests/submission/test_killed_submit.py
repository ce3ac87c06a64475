"""A submission that is killed: the old entry or the new one stands, once, and the next call leaves nothing behind."""

from __future__ import annotations

import json
import shutil
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from folders import tree
from kills import Forks
from runs import make_run, score_lines

from vpbench.errors import UsageError
from vpbench.runs.run import find_runs
from vpbench.submission.submit import submissions_locked

OPTIONS = (
    "--method",
    "Mine",
    "--citation",
    "Me",
    "--training-data",
    "none",
    "--test-clips-seen",
    "no",
    "--force",
)


def entry(root: Path, label: str = "last_frame") -> Path:
    return root / "mine" / "mathieu2016" / label


def good_run(folder: Path, label: str = "last_frame") -> Path:
    return make_run(folder, label=label, split={"name": "mine"}, prepared={"hash": "a" * 16})


@pytest.fixture
def root(tmp_path: Path, cli) -> Path:
    """Submitted runs with one entry, whose clip 1 has other scores than those of ``new``."""
    run = good_run(tmp_path / "old")
    path = run / "scores.jsonl"
    path.write_text(path.read_text().replace("30.1", "29.1", 1))
    folder = tmp_path / "results" / "runs"
    assert cli("submit", run, *OPTIONS, "--to", folder).exit_code == 0
    return folder


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return good_run(tmp_path / "new")


@pytest.mark.slow
def test_killed_at_any_moment(cli, forks: Forks, root: Path, new: Path, tmp_path: Path):
    shutil.copytree(root, tmp_path / "whole")
    before = tree(entry(root))
    most = forks.call(tmp_path / "whole", "submit", new, *OPTIONS, "--to", tmp_path / "whole").changes
    after = tree(entry(tmp_path / "whole"))
    assert most > 10
    for change in range(1, most + 1, most // 10):
        place = tmp_path / f"{change}" / "runs"
        shutil.copytree(root, place)
        assert forks.call(place, "submit", new, *OPTIONS, "--to", place, at=change).code == -9
        with suppress(UsageError):  # there is none for a moment
            assert find_runs(place) == [entry(place)], "leftovers are not runs"
        done = cli("standings", place)
        assert done.exit_code == 0, done.output
        assert (place.parent / "LEADERBOARD.md").read_text().count("- last\\_frame:") == 1
        assert tree(entry(place)) in (before, after)
        assert cli("submit", new, *OPTIONS, "--to", place).exit_code == 0
        assert tree(place) == tree(tmp_path / "whole")


def test_an_entry_that_was_being_replaced_is_restored(cli, root: Path):
    kept = tree(entry(root))
    entry(root).rename(entry(root, ".last_frame.old.tmp"))
    shutil.copytree(entry(root, ".last_frame.old.tmp"), entry(root, ".last_frame.tmp"))
    with pytest.raises(UsageError, match="no run"):
        find_runs(root)
    assert cli("standings", root).exit_code == 0
    assert tree(root) == {f"mine/mathieu2016/last_frame/{name}": data for name, data in kept.items()}


def test_an_unfinished_entry_is_not_taken_for_the_old_one_of_another(cli, root: Path):
    """`.a.old.tmp` may be what was left of `a`, or the beginning of `a.old`."""
    unfinished = entry(root, ".other.old.tmp")
    shutil.copytree(entry(root), unfinished)
    manifest = json.loads((unfinished / "manifest.json").read_text())
    (unfinished / "manifest.json").write_text(json.dumps({**manifest, "label": "other.old"}))
    (entry(root, ".third.old.tmp")).mkdir()
    assert cli("standings", root).exit_code == 0
    assert [path.name for path in entry(root).parent.iterdir()] == ["last_frame"]


def test_leftovers_are_no_rows(cli, root: Path):
    shutil.copytree(entry(root), entry(root, ".last_frame.tmp"))
    shutil.copytree(entry(root), entry(root, ".git") / "last_frame")
    done = cli("leaderboard", root, "--format", "json")
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout)["rows"]) == 1
    assert len(score_lines(entry(root))) == 6


def test_two_submissions_take_turns(cli, root: Path, new: Path):
    results = []
    with submissions_locked(root):
        second = threading.Thread(target=lambda: results.append(cli("submit", new, *OPTIONS, "--to", root)))
        second.start()
        second.join(0.5)
        assert second.is_alive(), "it waits"
    second.join(30)
    assert [done.exit_code for done in results] == [0]
