"""Files written whole or not at all: flushed before they stand, and without what killed processes left."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from folders import prepare_folder
from runs import make_run

from vpbench.errors import VpbenchError
from vpbench.files import flush, remove_leftovers, write_atomic, write_text

KILLED = """
import os, sys
from pathlib import Path
from vpbench.files import write_atomic
os.fsync = lambda descriptor: os.kill(os.getpid(), 9)
write_atomic(Path(sys.argv[1]), b"half of it")
"""


@pytest.fixture
def killed() -> Callable[[Path], Path]:
    """Has a process write a file, which is killed before the file stands; gives what that leaves."""

    def call(path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        there = set(path.parent.iterdir())
        done = subprocess.run([sys.executable, "-c", KILLED, str(path)], timeout=60, check=False)
        assert done.returncode == -9
        (left,) = set(path.parent.iterdir()) - there
        return left

    return call


def test_a_file_is_on_the_disk_before_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    happened = []
    flush, replace = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        happened.append(f"flushed {os.fstat(descriptor).st_size}")
        flush(descriptor)

    def rename(self: Path, target: Path) -> Path:
        happened.append(f"renamed to {target.name}")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", rename)
    write_atomic(tmp_path / "a", b"12345")
    assert happened == ["flushed 5", "renamed to a"]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EIO])
def test_a_file_system_that_cannot_flush_is_no_failing_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
):
    def fsync(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    if number == errno.EIO:
        with pytest.raises(VpbenchError, match="Input/output error"):
            write_atomic(tmp_path / "file", b"text")
        with pytest.raises(OSError, match="Input/output error"):
            flush(tmp_path)
    else:
        write_atomic(tmp_path / "file", b"text")
        flush(tmp_path)
        assert (tmp_path / "file").read_bytes() == b"text"


def test_what_a_killed_process_left_of_a_file_is_removed_with_the_next_writing(
    tmp_path: Path, killed: Callable[[Path], Path]
):
    left, other = killed(tmp_path / "page.html"), killed(tmp_path / "page.md")
    mine = tmp_path / ".page.html.backup.tmp"
    mine.write_text("a user's own")
    write_text(tmp_path / "page.html", "text")
    assert not left.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"page.html", other.name, mine.name}
    remove_leftovers(tmp_path)
    assert not other.exists()


def test_a_file_that_another_process_is_writing_is_left_alone(tmp_path: Path):
    code = KILLED.replace("os.kill(os.getpid(), 9)", "(print(flush=True), sys.stdin.read())")
    line = [sys.executable, "-c", code, str(tmp_path / "a")]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        write_atomic(tmp_path / "a", b"mine")
        remove_leftovers(tmp_path)
        assert (tmp_path / "a").read_bytes() == b"mine"
        writer.communicate(timeout=60)
    assert writer.returncode == 0
    assert (tmp_path / "a").read_bytes() == b"half of it"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_long_names_can_be_written(tmp_path: Path):
    for name in ("x" * 255, "中" * 85):
        write_atomic(tmp_path / name, b"1")
        assert (tmp_path / name).read_bytes() == b"1"


def test_what_a_killed_run_left_is_removed(cli, videos: Path, tmp_path: Path, killed: Callable[[Path], Path]):
    prepare_folder(videos, tmp_path / "prepared")
    call = ("run", "--data", tmp_path / "prepared", "--model", "last_frame", "--out", tmp_path / "runs")
    assert cli(*call, "--save-predictions", "--workers", 1).exit_code == 0
    run = tmp_path / "runs" / "videos" / "mathieu2016" / "last_frame"
    left = [
        killed(run / name)
        for name in ("scores.jsonl", "predictions/1/pred_5.npy", "predictions/99/pred_5.npy")
    ]
    assert cli(*call, "--workers", 1).exit_code == 0
    assert not any(path.exists() for path in left)


def test_what_a_killed_preparation_left_is_removed(
    cli, videos: Path, tmp_path: Path, killed: Callable[[Path], Path]
):
    call = ("prepare", "--split", videos, "--out", tmp_path / "out", "--workers", 1)
    assert cli(*call).exit_code == 0
    left = [killed(tmp_path / "out" / "manifest.json"), tmp_path / "out" / ".clip-1-ab.tmp" / "new"]
    left[1].mkdir(parents=True)
    assert cli(*call).exit_code == 0
    assert not any(path.exists() for path in left)


def test_what_was_left_beside_pages_is_removed(cli, tmp_path: Path, killed: Callable[[Path], Path]):
    run = make_run(tmp_path / "run")
    left = [killed(tmp_path / "table.csv"), killed(tmp_path / "page" / "index.html")]
    assert cli("leaderboard", run, "--format", "csv", "--out", tmp_path / "table.csv").exit_code == 0
    assert cli("report", run, "--out", tmp_path / "page", "--saved-only").exit_code == 0
    (tmp_path / "results" / "runs").mkdir(parents=True)
    left.append(killed(tmp_path / "results" / "LEADERBOARD.md"))
    assert cli("standings", tmp_path / "results" / "runs").exit_code == 0
    assert not any(path.exists() for path in left)
