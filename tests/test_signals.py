"""Ctrl-C and SIGTERM: where they are raised, and where they wait."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from vpbench.files import temporary_folder, write_atomic
from vpbench.signals import breakable, unbroken, watched

SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Handlers as they are at the start of a program, and afterwards as they were."""
    defaults = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    before = {number: signal.signal(number, by) for number, by in defaults.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_waits_for_the_end_of_the_block(number: signal.Signals) -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), watched(), unbroken():  # noqa: PT012
        with unbroken():
            signal.raise_signal(number)
            done.append("inner")
        done.append("outer")
    assert done == ["inner", "outer"]
    with watched(), unbroken():
        done.append("it is raised once")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_raised_where_it_may_break_something(number: signal.Signals) -> None:
    with watched(), unbroken():
        with pytest.raises(KeyboardInterrupt), breakable():  # noqa: PT012
            signal.raise_signal(number)
            pytest.fail("it is raised at once")
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt), breakable():
            pytest.fail("what waited is raised at the door")


def test_handlers_are_restored_and_a_second_sigterm_is_ignored() -> None:
    with pytest.raises(KeyboardInterrupt), watched():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    with pytest.raises(KeyboardInterrupt), watched():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


def test_what_others_handle_is_left_alone() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does for what runs in the background
    with watched():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_other_threads_are_not_held() -> None:
    with watched():
        inside, leave = threading.Event(), threading.Event()

        def work() -> None:
            with unbroken():
                inside.set()
                leave.wait(10)

        thread = threading.Thread(target=work)
        thread.start()
        inside.wait(10)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        leave.set()
        thread.join()


AT_EACH_CHANGE = """
import os, signal, sys
from pathlib import Path
from vpbench.files import temporary_folder, write_atomic
from vpbench.signals import watched

at, seen, counting, folder = 0, 0, False, Path(sys.argv[1])
CHANGES = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "tempfile.mkstemp", "tempfile.mkdtemp")

def watch(event, arguments):
    global seen
    if counting and event in CHANGES:
        seen += 1
        if seen == at:
            os.kill(os.getpid(), signal.SIGTERM)

def write():
    write_atomic(folder / "file", b"new")

def use():
    with temporary_folder() as temporary:
        (temporary / "file").write_text("text")

sys.addaudithook(watch)
for work in (write, use):
    for at in range(1, 100):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        (folder / "file").write_bytes(b"old")
        seen, counting = 0, False
        try:
            with watched():
                counting = True
                work()
                counting = False
        except KeyboardInterrupt:
            pass
        else:
            break
        counting = False
        left = [path.name for path in folder.iterdir()]
        assert left == ["file"], (work, at, left)
        assert (folder / "file").read_bytes() in (b"old", b"new")
    assert at > 5, (work, at)
"""


def test_a_signal_at_any_change_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    line = [sys.executable, "-c", AT_EACH_CHANGE, str(tmp_path)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_a_temporary_folder_goes_with_its_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(ZeroDivisionError), temporary_folder() as folder:  # noqa: PT012
        write_atomic(folder / "file", b"text")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
