"""Names of files and folders that no file can have, and numbers that are none, given as options and arguments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from runs import make_run

LONG = "x" * 300


@pytest.mark.parametrize(
    "arguments",
    [
        ("leaderboard", LONG),
        ("compare", LONG, LONG),
        ("verify", LONG),
        ("standings", LONG),
        ("submit", LONG),
        ("report", LONG, "--out", LONG),
        ("run", "--model", "last_frame", "--split", LONG),
        ("run", "--model", "last_frame", "--split", f"{LONG}.csv"),
        ("run", "--model", "last_frame", "--data", LONG),
        ("run", "--model", "last_frame", "--out", LONG),
        ("run", "--model", "last_frame", "--protocol", f"{LONG}.toml"),
        ("run", "--model", "last_frame", "--flow", f"files:{LONG}"),
        ("run", "--model", f"frames:{LONG}"),
        ("run", "--model", f"{LONG}.py:Model"),
        ("run", "--model", f"last_frame,{LONG}={LONG}"),
        ("run", "--model", "last_frame", "--as", LONG),
        ("prepare", "--split", "synthetic", "--out", LONG),
        ("train", "--recipe", f"{LONG}.toml", "--data", ".", "--out", "out"),
        ("train", "--recipe", LONG, "--data", ".", "--out", "out"),
    ],
)
@pytest.mark.parametrize("name", [LONG, "a\0b", "a/" * 3_000 + "b"], ids=["long", "nul", "deep"])
def test_a_name_that_no_file_can_have_is_refused(
    cli: Callable[..., Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    name: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = cli("--debug", *(argument.replace(LONG, name) for argument in arguments))
    assert done.exit_code in (1, 2)
    assert "Error: " in done.stderr
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    "options", [("--level", "nan"), ("--level", "1e400"), ("--precision", "9" * 5_000), ("--level", "")]
)
def test_what_is_no_number_is_refused(
    cli: Callable[..., Result], tmp_path: Path, options: tuple[str, str]
) -> None:
    done = cli("--debug", "leaderboard", make_run(tmp_path / "run"), *options)
    assert done.exit_code == 2
    assert f"Invalid value for '{options[0]}'" in done.stderr
