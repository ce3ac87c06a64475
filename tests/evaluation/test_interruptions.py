"""Signals, kill −9, dead workers, full and read-only disks, two runs at once: nothing that was finished is lost."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import psutil
import pytest
from folders import prepare_folder, tree
from footage import moving_frames, write_video
from runs import score_lines

from vpbench.errors import VpbenchError
from vpbench.files import lock_folder, write_atomic
from vpbench.runs.run import read_run

pytestmark = pytest.mark.slow

KILLS = 6  # of a run and of a preparation each
SLOW = """
import os, time
from pathlib import Path
from vpbench import Predictor

class Slow(Predictor):
    "Waits at its third frame while the file HOLD is there."
    seen = 0

    def predict_next(self, inputs):
        time.sleep(0.04)
        Slow.seen += 1
        while Slow.seen > 2 and os.path.exists(os.environ.get("HOLD", "")):
            time.sleep(0.01)
        return inputs[-1]

class Dies(Predictor):
    "Kills its process at the third clip that it sees."
    seen = 0

    def predict_batch(self, inputs, targets):
        Dies.seen += 1
        if Dies.seen == 3 and Path(os.environ["DIE"]).exists():
            os.kill(os.getpid(), 9)
        return [clip[-1:].repeat(targets, 0) for clip in inputs]
"""
CLIPS = 8
NAME = Path("videos") / "mathieu2016" / "own.Slow"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `videos`, `prepared`, a slow predictor in `own.py`, and its finished run in `whole`."""
    folder = tmp_path_factory.mktemp("interruptions")
    for number in range(CLIPS):
        write_video(folder / "videos" / f"clip_{number}.avi", moving_frames(6, size=(32, 40), seed=number))
    prepare_folder(folder / "videos", folder / "prepared")
    (folder / "own.py").write_text(SLOW)
    code, _, err = ended(start(folder, folder / "whole"))
    assert code == 0, err
    return folder


def start(place: Path, out: Path, *more: object, model: str = "Slow") -> subprocess.Popen[str]:
    arguments = ("run", "--data", place / "prepared", "--model", f"{place / 'own.py'}:{model}", "--out", out)
    return start_vpbench(*arguments, *more)


@pytest.fixture
def hold(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file that holds the slow predictor up after its first clip, for as long as it is there."""
    path = tmp_path_factory.mktemp("hold") / "hold"
    path.touch()
    monkeypatch.setenv("HOLD", str(path))
    yield path
    path.unlink(missing_ok=True)


def start_vpbench(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "vpbench", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell starts what runs in the background with this signal ignored, and children inherit that.
        preexec_fn=lambda: [signal.signal(number, signal.SIG_DFL) for number in SIGNALS],
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for a process; its exit code, output and errors."""
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    until = time.monotonic() + 120
    while not condition():
        # It may have come about, and the process have ended, since.
        if process is not None and process.poll() is not None and not condition():
            raise AssertionError(process.communicate()[1])
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def lines_in(folder: Path) -> int:
    path = folder / "scores.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def gone(pids: list[int]) -> bool:
    return not any(map(_is_alive, pids))


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def workers_of(pid: int) -> list[psutil.Process]:
    """The worker processes of a process."""
    found = []
    for child in psutil.Process(pid).children():
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.fixture
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files of the processes that the test starts."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def assert_interrupted(code: int, err: str, *folders: Path) -> None:
    """The one message, the exit code, and nothing left behind."""
    assert code == 1
    assert err == "\nInterrupted. What was finished is kept: run the same command to resume.\n"
    left = [path for folder in folders for path in folder.rglob("*") if path.name.endswith(".tmp")]
    assert left == []


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", SIGNALS)
def test_an_interruption_keeps_what_was_finished(
    place: Path, tmp_path: Path, hold: Path, temporary: Path, workers: int, number: signal.Signals
):
    process = start(place, tmp_path, "--workers", workers, "--save-predictions")
    wait_for(lambda: lines_in(tmp_path / NAME) >= 2, process)
    children = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
    assert bool(children) == (workers > 1)
    os.killpg(process.pid, number)  # as a terminal does, and a queueing system: to the workers too
    hold.unlink()
    code, out, err = ended(process)
    assert_interrupted(code, err, tmp_path)
    assert list(temporary.iterdir()) == []
    assert out == ""
    wait_for(lambda: gone(children))
    assert json.loads((tmp_path / NAME / "manifest.json").read_text())["status"] == "running"
    kept = (tmp_path / NAME / "scores.jsonl").read_bytes()
    whole = (place / "whole" / NAME / "scores.jsonl").read_bytes()
    assert 0 < len(kept) < len(whole)
    assert whole.startswith(kept)

    assert ended(start(place, tmp_path, "--workers", workers, "--save-predictions"))[0] == 0
    assert (tmp_path / NAME / "scores.jsonl").read_bytes() == whole


@pytest.mark.parametrize("number", SIGNALS)
def test_an_interruption_of_a_preparation(place: Path, tmp_path: Path, number: signal.Signals):
    arguments = ("prepare", "--split", place / "videos", "--out", tmp_path / "out", "--workers", 2)
    process = start_vpbench(*arguments)
    wait_for(lambda: len(list(tmp_path.glob("out/*/clip.json"))) >= 1, process)
    os.killpg(process.pid, number)
    code, _, err = ended(process)
    if code != 0:  # it may have been quicker than the signal
        assert_interrupted(code, err, tmp_path)
    assert ended(start_vpbench(*arguments))[0] == 0
    assert same_clips(tmp_path / "out", place / "prepared")


@pytest.mark.parametrize("number", SIGNALS)
def test_an_interruption_while_workers_start(
    place: Path, tmp_path: Path, temporary: Path, number: signal.Signals
):
    """They import what they need, have no handlers yet, and get no signal before they have."""

    def import_something() -> bool:
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            return any("_socket" in file.path for w in workers_of(process.pid) for file in w.memory_maps())
        return False

    process = start(place, tmp_path, "--workers", 2)
    wait_for(import_something, process)
    workers = workers_of(process.pid)
    os.killpg(process.pid, number)
    code, _, err = ended(process)
    assert_interrupted(code, err, tmp_path, temporary)
    wait_for(lambda: gone([worker.pid for worker in workers]))
    assert ended(start(place, tmp_path, "--workers", 2))[0] == 0


def test_asked_to_end_alone_a_process_waits_for_its_workers(place: Path, tmp_path: Path, hold: Path):
    process = start(place, tmp_path, "--workers", 2, "--save-predictions")
    wait_for(lambda: lines_in(tmp_path / NAME) >= 2, process)
    process.terminate()
    time.sleep(0.3)
    process.terminate()  # a second request does not break off the first
    hold.unlink()
    code, _, err = ended(process)
    assert_interrupted(code, err, tmp_path)


def same_clips(one: Path, other: Path) -> bool:
    return tree(one) == tree(other)


def test_kill_9_at_random_moments_of_a_run(place: Path, tmp_path: Path):
    """Killed again and again, the run goes on each time and ends with the scores of the uninterrupted one."""
    moments = random.Random(20160502)
    whole = (place / "whole" / NAME / "scores.jsonl").read_bytes()
    kills = 0
    while kills < KILLS:
        process = start(place, tmp_path, "--workers", 1 + kills % 2, "--save-predictions")
        begun = time.monotonic()
        wait_for(lambda: (tmp_path / NAME).exists() or time.monotonic() > begun + 5)  # noqa: B023
        time.sleep(moments.uniform(0, 0.4))
        children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.kill()
        ended(process)
        wait_for(lambda: gone([child.pid for child in children]))  # noqa: B023
        kills += 1
        if (tmp_path / NAME / "scores.jsonl").exists():
            assert whole.startswith((tmp_path / NAME / "scores.jsonl").read_bytes())
    code, _, err = ended(start(place, tmp_path, "--workers", 1, "--save-predictions"))
    assert code == 0, err
    run = read_run(tmp_path / NAME)
    assert run.manifest.status == "complete"
    assert (tmp_path / NAME / "scores.jsonl").read_bytes() == whole
    assert len(list((tmp_path / NAME / "predictions").glob("*/pred_[56].npy"))) == 2 * CLIPS
    assert not list((tmp_path / NAME).glob(".*.tmp"))


def test_kill_9_at_random_moments_of_a_preparation(place: Path, tmp_path: Path):
    moments = random.Random(19980101)
    out = tmp_path / "out"
    arguments = ("prepare", "--split", place / "videos", "--out", out, "--workers")
    for kills in range(KILLS):
        process = start_vpbench(*arguments, 1 + kills % 2)
        wait_for(lambda: out.exists())
        time.sleep(moments.uniform(0, 0.3))
        process.kill()
        ended(process)
        for record in out.glob("[0-9]*/clip.json"):  # a clip is whole or not there
            for name in json.loads(record.read_text())["files"]:
                assert (record.parent / name).is_file()
    assert ended(start_vpbench(*arguments, 2))[0] == 0
    assert same_clips(out, place / "prepared")


def test_a_worker_that_dies_is_told_and_the_rest_kept(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "die").touch()
    monkeypatch.setenv("DIE", str(tmp_path / "die"))
    code, _, err = ended(start(place, tmp_path / "runs", "--workers", 2, model="Dies"))
    assert code == 1
    assert "A worker process died" in err
    assert "run the same command again" in err
    assert "Traceback" not in err
    (tmp_path / "die").unlink()
    assert ended(start(place, tmp_path / "runs", "--workers", 2, model="Dies"))[0] == 0
    assert len(score_lines(tmp_path / "runs" / NAME.parent / "own.Dies")) == 2 * CLIPS


def test_a_worker_that_is_asked_to_end(place: Path, tmp_path: Path, hold: Path):
    """As by a guard against memory running out: it asks the largest process."""
    process = start(place, tmp_path, "--workers", 2, "--save-predictions")
    wait_for(lambda: lines_in(tmp_path / NAME) >= 2, process)
    workers = workers_of(process.pid)
    assert len(workers) == 2
    workers[0].terminate()
    wait_for(lambda: gone([workers[0].pid]), process)
    hold.unlink()
    code, _, err = ended(process)
    assert code == 1
    assert err.startswith("Error: A worker process died")
    assert "Traceback" not in err
    assert ended(start(place, tmp_path, "--save-predictions"))[0] == 0
    assert not list(tmp_path.rglob(".*.tmp"))


def test_a_second_run_into_the_same_folder_is_refused(place: Path, tmp_path: Path, hold: Path):
    first = start(place, tmp_path, "--workers", 1)
    wait_for(lambda: lines_in(tmp_path / NAME) >= 2, first)
    code, _, err = ended(start(place, tmp_path, "--workers", 1))
    assert code == 1
    assert "Another vpbench is writing into" in err
    assert str(tmp_path / NAME) in err
    hold.unlink()
    assert ended(first)[0] == 0
    whole = (place / "whole" / NAME / "scores.jsonl").read_bytes()
    assert (tmp_path / NAME / "scores.jsonl").read_bytes() == whole


def test_two_preparations_of_one_folder_take_turns(place: Path, tmp_path: Path):
    arguments = ("prepare", "--split", place / "videos", "--out", tmp_path / "out", "--workers", 1)
    both = [start_vpbench(*arguments) for _ in range(2)]
    assert [ended(process)[0] for process in both] == [0, 0]
    assert same_clips(tmp_path / "out", place / "prepared")


def test_the_lock_goes_with_its_holder(tmp_path: Path):
    with lock_folder(tmp_path / "a", wait=False):
        assert (tmp_path / "a" / ".lock").exists()
    with lock_folder(tmp_path / "a", wait=False):
        pass
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from pathlib import Path; from vpbench.files import lock_folder\n"
            "with lock_folder(Path(sys.argv[1]), wait=False):\n print('held', flush=True); time.sleep(60)",
            str(tmp_path / "a"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with (
        pytest.raises(VpbenchError, match="Another vpbench is writing"),
        lock_folder(tmp_path / "a", wait=False),
    ):
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with lock_folder(tmp_path / "a", wait=False):
        pass


def test_waiting_for_the_lock(tmp_path: Path):
    order = []

    def second() -> None:
        with lock_folder(tmp_path, wait=True):
            order.append("second")

    with lock_folder(tmp_path, wait=False):
        waiting = threading.Thread(target=second)
        waiting.start()
        time.sleep(0.2)
        order.append("first")
    waiting.join(10)
    assert order == ["first", "second"]


# A disk that is full or read-only: permission bits mean nothing to root, so the error is raised at the write.


@pytest.fixture(params=[errno.ENOSPC, errno.EROFS, errno.EIO])
def trouble(request: pytest.FixtureRequest) -> OSError:
    return OSError(request.param, os.strerror(request.param))


class Disk:
    """Lets so many writes of this process through; then each fails, half done."""

    def __init__(self, error: OSError, after: int) -> None:
        self.error, self.left = error, after

    def take(self) -> None:
        if self.left == 0:
            raise self.error
        self.left -= 1


@pytest.fixture
def fill(monkeypatch: pytest.MonkeyPatch, trouble: OSError) -> Iterator[Callable[[int], Disk]]:
    """Make the disk fail after so many writes."""
    patch = pytest.MonkeyPatch()

    def call(after: int) -> Disk:
        disk = Disk(trouble, after)
        write, write_bytes, fdopen = os.write, Path.write_bytes, os.fdopen

        def failing_write(descriptor: int, data: bytes) -> int:
            if disk.left == 0:
                write(descriptor, data[: len(data) // 2])  # a torn line
            disk.take()
            return write(descriptor, data)

        def failing_write_bytes(self: Path, data: bytes) -> int:
            disk.take()
            return write_bytes(self, data)

        def failing_fdopen(descriptor: int, mode: str) -> BinaryIO:
            stream: Any = fdopen(descriptor, mode)
            try:
                if "w" in mode:
                    disk.take()
            except OSError:
                stream.close()
                raise
            return stream

        patch.setattr(os, "write", failing_write)
        patch.setattr(Path, "write_bytes", failing_write_bytes)
        patch.setattr(os, "fdopen", failing_fdopen)
        return disk

    call.undo = patch.undo  # type: ignore[attr-defined]
    yield call
    patch.undo()


@pytest.mark.parametrize("after", [0, 1, 2, 3, 9])
def test_a_run_on_a_disk_that_fails(
    cli, fill: Any, place: Path, tmp_path: Path, trouble: OSError, after: int
):
    arguments = (
        "run",
        "--data",
        place / "prepared",
        "--model",
        "last_frame",
        "--workers",
        1,
        "--out",
        tmp_path,
    )
    fill(after)
    result = cli(*arguments)
    fill.undo()
    assert result.exit_code == 1
    assert f"Cannot write {tmp_path}" in result.stderr
    assert str(trouble.strerror) in result.stderr
    assert "Nothing that was finished is lost" in result.stderr
    folder = tmp_path / NAME.parent / "last_frame"
    assert lines_in(folder) == 2 * max(0, after - 2) + (after >= 2)  # manifest, scores, then a line pair each
    assert not list(folder.glob(".*.tmp"))
    assert cli(*arguments).exit_code == 0
    whole = (place / "whole" / NAME / "scores.jsonl").read_bytes()
    assert (folder / "scores.jsonl").read_bytes() == whole


@pytest.mark.parametrize("after", [0, 1, 5, 14])
def test_a_preparation_on_a_disk_that_fails(
    cli, fill: Any, place: Path, tmp_path: Path, trouble: OSError, after: int
):
    arguments = ("prepare", "--split", place / "videos", "--workers", 1, "--out", tmp_path / "out")
    fill(after)
    result = cli(*arguments)
    fill.undo()
    assert result.exit_code == 1
    assert f"Cannot write {tmp_path / 'out'}" in result.stderr
    assert str(trouble.strerror) in result.stderr
    assert not list((tmp_path / "out").glob(".*.tmp"))
    assert cli(*arguments).exit_code == 0
    assert same_clips(tmp_path / "out", place / "prepared")


def test_predictions_on_a_disk_that_fails(cli, fill: Any, place: Path, tmp_path: Path, trouble: OSError):
    arguments = (
        "run",
        "--data",
        place / "prepared",
        "--model",
        "last_frame",
        "--workers",
        1,
        "--out",
        tmp_path,
    )
    fill(6)  # manifest, scores, two predictions, a line pair, one prediction
    result = cli(*arguments, "--save-predictions")
    fill.undo()
    assert result.exit_code == 1
    assert "pred_6.npy" in result.stderr
    assert cli(*arguments, "--save-predictions").exit_code == 0
    folder = tmp_path / NAME.parent / "last_frame"
    assert len(list(folder.glob("predictions/*/pred_[56].npy"))) == 2 * CLIPS


def test_a_folder_that_cannot_be_made(cli, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def mkdir(self: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", mkdir)
    result = cli(
        "run", "--data", place / "prepared", "--model", "last_frame", "--workers", 1, "--out", tmp_path / "o"
    )
    assert result.exit_code == 1
    assert f"Cannot make the folder {tmp_path / 'o'}" in result.stderr
    assert "Read-only file system" in result.stderr


def test_an_out_that_is_a_file(cli, place: Path, tmp_path: Path):
    (tmp_path / "videos").write_text("a file")
    result = cli(
        "run", "--data", place / "prepared", "--model", "last_frame", "--workers", 1, "--out", tmp_path
    )
    assert result.exit_code == 1
    assert f"Cannot make the folder {tmp_path / 'videos'}" in result.stderr


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, fill: Any):
    path = tmp_path / "a.json"
    write_atomic(path, b"old")
    fill(0)
    with pytest.raises(VpbenchError, match=r"Cannot write .*a\.json"):
        write_atomic(path, b"new")
    fill.undo()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask
    with pytest.raises(VpbenchError, match=r"Cannot write .*No such file"):
        write_atomic(tmp_path / "gone" / "a.json", b"")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB, where this process may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)],
            capture_output=True,
            check=False,
        )
    except OSError as error:
        pytest.skip(f"needs mount: {error}")
    if made.returncode != 0:
        pytest.skip("needs the right to mount a file system")
    yield folder
    # Others may look into it for a moment, such as a search of the disk; what is left open here stays so.
    wait_for(
        lambda: subprocess.run(["umount", str(folder)], check=False, capture_output=True).returncode == 0
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_a_disk_that_really_is_full(cli, place: Path, small_disk: Path, workers: int):
    before = workers_of(os.getpid())
    result = cli("prepare", "--split", place / "videos", "--workers", workers, "--out", small_disk / "out")
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert f"{small_disk / 'out'}" in result.stderr
    assert workers_of(os.getpid()) == before, "they have ended, so that nobody writes any more"


def test_a_disk_that_really_is_read_only(cli, place: Path, small_disk: Path):
    made = subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], capture_output=True, check=False)
    if made.returncode != 0:
        pytest.skip("needs the right to mount a file system read-only")
    result = cli(
        *("run", "--data", place / "prepared", "--model", "last_frame", "--workers", 1),
        *("--out", small_disk / "runs"),
    )
    assert result.exit_code == 1
    assert "Read-only file system" in result.stderr
