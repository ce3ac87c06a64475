"""How commands end: the net under what no code foresaw, broken packages, a folder that is gone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

COMMANDS = """
import click

@click.command()
def falls():
    "Falls."
    {}[\"key\\x1b[31m\"]

@click.command()
def starves():
    "Needs much."
    raise MemoryError("Unable to allocate 1 TiB")

@click.command()
def interrupted():
    "Is interrupted."
    raise KeyboardInterrupt
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with commands of its own, and one that cannot be imported; the net is there."""
    folder = tmp_path / "broken-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    lines = [f"{name} = broken_commands:{name}" for name in ("falls", "starves", "interrupted", "gone")]
    (folder / "entry_points.txt").write_text("\n".join(["[vpbench.commands]", *lines]))
    (tmp_path / "broken_commands.py").write_text(COMMANDS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delenv("VPBENCH_DEBUG")


@pytest.mark.usefixtures("package")
def test_a_bug_is_one_line_that_says_so(command, monkeypatch: pytest.MonkeyPatch):
    done = command("falls")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: This is a bug of vpbench: KeyError: ")
    assert "broken_commands.py, line 7" in line
    assert "Please report it" in line
    assert "--debug" in line
    assert "\x1b" not in line
    monkeypatch.setenv("VPBENCH_DEBUG", "0")
    assert len(command("falls").stderr.splitlines()) == 1


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("how", ["option", "variable"])
def test_the_traceback_of_a_bug_is_shown_when_asked_for(command, monkeypatch: pytest.MonkeyPatch, how: str):
    if how == "variable":
        monkeypatch.setenv("VPBENCH_DEBUG", "1")
    done = command(*(["--debug"] if how == "option" else []), "falls")
    assert done.returncode == 1
    assert "Error: This is a bug of vpbench" in done.stderr
    assert "Traceback (most recent call last)" in done.stderr
    assert "in falls\n" in done.stderr
    assert "\x1b" not in done.stderr


@pytest.mark.usefixtures("package")
def test_commands_that_cannot_be_loaded_are_named(command):
    shown = command("--help")
    assert shown.returncode == 0
    assert "  run " in shown.stdout
    assert "Command 'gone' (broken_commands:gone) cannot be loaded" in " ".join(shown.stdout.split())
    for more in ((), ("--out", "x"), ("-h",)):
        done = command("gone", *more)
        assert done.returncode == 1
        assert done.stderr.startswith("Error: Command 'gone' (broken_commands:gone) cannot be loaded: ")
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.usefixtures("package")
def test_memory_that_runs_out_is_no_bug(command):
    done = command("starves")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: Memory ran out (Unable to allocate 1 TiB).")


@pytest.mark.usefixtures("package")
def test_an_interruption_is_a_message_and_1(command):
    done = command("interrupted")
    assert done.returncode == 1
    assert done.stderr == "\nInterrupted. What was finished is kept: run the same command to resume.\n"


def test_the_tests_run_without_the_net(cli, monkeypatch: pytest.MonkeyPatch):
    def fall(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("vpbench.cli.doctor.examine", fall)
    with pytest.raises(ZeroDivisionError):
        cli("doctor")
    monkeypatch.delenv("VPBENCH_DEBUG")
    assert cli("doctor").exit_code == 1


def test_a_working_folder_that_is_gone(tmp_path: Path):
    (tmp_path / "gone").mkdir()
    code = "import os, sys; os.rmdir(os.getcwd()); from vpbench.cli.main import main; main(sys.argv[1:])"
    for arguments in (
        ["list", "splits"],
        ["run", "--model", "last_frame", "--split", "synthetic", "--limit", "1"],
    ):
        (tmp_path / "gone").mkdir(exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=tmp_path / "gone",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 1
        assert done.stderr == "Error: The working folder no longer exists; change to one that does.\n"
