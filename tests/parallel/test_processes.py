"""Work that is a map over clips: in order, not too far ahead, and with one thread a worker."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from work import threads, wait_and_write

from vpbench.errors import VpbenchError
from vpbench.parallel.execution import Workers
from vpbench.parallel.processes import (
    SerialExecutor,
    limit_threads,
    make_executor,
    map_in_order,
    submit,
)


@pytest.mark.slow
def test_workers_use_one_thread():
    with make_executor(2) as executor:
        there = executor.submit(threads).result()
    assert there == {"opencv": 1, "blas": 1}
    limit_threads()
    assert threads() == {"opencv": 1, "blas": 1}


@pytest.mark.slow
def test_an_error_waits_for_what_the_workers_do(tmp_path: Path):
    """Locks of folders that they write into are held as long as they do."""
    with pytest.raises(ZeroDivisionError), make_executor(2) as executor:  # noqa: PT012
        started = submit(executor, wait_and_write, tmp_path / "file", 1.0)
        while not started.running():
            time.sleep(0.01)
        raise ZeroDivisionError
    assert (tmp_path / "file").read_text() == "done"


@pytest.fixture
def _no_semaphores(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where there is no /dev/shm, or none that can be written to."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("multiprocessing.synchronize._multiprocessing.SemLock", refuse)


@pytest.mark.usefixtures("_no_semaphores")
def test_without_semaphores_one_process_works_or_an_error_says_so(cli: Callable[..., Result], tmp_path: Path):
    options = ("run", "--model", "last_frame", "--split", "synthetic", "--limit", 5, "--out", tmp_path)
    done = cli(*options, "--workers", 2)
    assert done.exit_code == 1
    assert "No worker processes can be started" in done.stderr
    assert "Read-only file system" in done.stderr
    assert "--workers 1" in done.stderr
    with Workers().start(clips=100) as execution:
        assert isinstance(execution.executor, SerialExecutor)


def test_processes_that_cannot_be_started_are_an_error(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr("concurrent.futures.ProcessPoolExecutor.submit", refuse)
    with make_executor(2) as executor, pytest.raises(VpbenchError, match=r"temporarily.*fewer --workers"):
        submit(executor, pow, 2, 2)


def test_memory_does_not_hold_all_clips():
    """What is submitted ahead is bounded; results are taken in order (tests/speed/memory.py measures)."""

    class Later(Future[Any]):
        """Is done when it is asked for."""

        def __init__(self, call: Any) -> None:
            super().__init__()
            self.call = call

        def result(self, timeout: float | None = None) -> Any:
            return self.call()

    class Watching(Executor):
        ahead = 0
        most = 0

        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            self.ahead += 1
            self.most = max(self.most, self.ahead)
            return Later(lambda: fn(*args, **kwargs))

    executor = Watching()
    taken = []
    for value in map_in_order(executor, pow, ((k, 2) for k in range(100)), window=5):
        executor.ahead -= 1
        taken.append(value)
    assert taken == [k * k for k in range(100)]
    assert executor.most == 5


def test_what_is_done_is_handed_on_at_once():
    done = []
    for value in map_in_order(SerialExecutor(), done.append, ((k,) for k in range(10)), window=5):
        assert value is None
        if len(done) == 4:
            break
    assert done == [0, 1, 2, 3]


def test_an_error_of_one_clip_stops_the_rest():
    def fail(k: int) -> int:
        if k == 3:
            raise VpbenchError("clip 3")
        return k

    results = map_in_order(SerialExecutor(), fail, ((k,) for k in range(10)), window=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(VpbenchError, match="clip 3"):
        next(results)
