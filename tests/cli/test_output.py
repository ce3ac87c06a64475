"""What is printed: harmless to a terminal, in any encoding, by one function."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from folders import prepare_folder
from runs import edit_manifest, make_run

import vpbench
from vpbench.cli.output import say
from vpbench.escape import lookalikes, visible

ROOT = Path(__file__).parents[2]
EVIL = "a\x1b[2Jb\x07\x9b31mc\u202ed\u2066e\u2028f\ud800g\x7f\r"
SHOWN = r"a\u001b[2Jb\u0007\u009b31mc\u202ed\u2066e\u2028f\ud800g\u007f\u000d"


def test_what_a_terminal_obeys_is_escaped_and_all_else_stays(capsys: pytest.CaptureFixture[str]):
    assert visible(EVIL) == SHOWN
    assert json.loads(visible(json.dumps([EVIL, "\U000e0041"], ensure_ascii=False))) == [EVIL, "\U000e0041"]
    plain = "two\nlines,\ta tab, é 中文 ↑ … 👍"
    assert visible(plain) == plain
    say(EVIL)
    say(EVIL, err=True)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == (f"{SHOWN}\n", f"{SHOWN}\n")


def test_a_message_has_a_limit(capsys: pytest.CaptureFixture[str]):
    say("x" * 100_000, err=True)
    assert capsys.readouterr().err == "x" * 10_000 + "… (90000 more characters)\n"


def test_nothing_else_prints():
    """Neither print nor click.echo, nor a write to a standard stream, but in the one module."""
    package = Path(vpbench.__file__).parent
    sources = [
        *(path for path in package.rglob("*.py") if path.name not in ("output.py", "__main__.py")),
        *(
            path
            for name in ("baselines", "models", "splits", "results")
            for path in (ROOT / name).rglob("*.py")
        ),
    ]
    calls = [
        f"{path}:{node.lineno}"
        for path in sources
        if path.name != "registry.py"  # a tool for those who maintain vpbench
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func)
        in ("print", "click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write")
    ]
    assert calls == []


def test_the_missing_sources_of_a_strangers_clips(cli, videos: Path, tmp_path: Path):
    prepare_folder(videos, tmp_path / "prepared")
    path = tmp_path / "prepared" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["split"] |= {"missing": [EVIL.replace("\ud800", "")], "total": 4}
    path.write_text(json.dumps(manifest))
    done = cli(
        *("run", "--model", "last_frame", "--data", tmp_path / "prepared", "--workers", 1),
        *("--out", tmp_path / "runs"),
    )
    assert done.exit_code == 0, done.stderr
    assert SHOWN.replace(r"\ud800", "") in done.stderr
    assert "\x1b" not in done.output


@pytest.mark.slow
def test_a_path_in_a_reports_notes(cli, synthetic_runs: Path, tmp_path: Path):
    run = tmp_path / "a\x1b[2J\u202e\udcffb" / "last_frame"
    shutil.copytree(synthetic_runs / "last_frame", run)
    for path in run.glob("predictions/*/*.npy"):
        path.write_bytes(b"damaged")
    done = cli("report", run, "--out", tmp_path / "page")
    assert done.exit_code == 0, done.stderr
    note = next(line for line in done.stderr.splitlines() if line.startswith("Note: "))
    assert r"a\u001b[2J\u202e\udcffb" in note
    assert not set("\x1b\u202e\udcff") & {*done.output, *(tmp_path / "page" / "index.html").read_text()}


def test_what_click_says_of_an_argument(cli, tmp_path: Path):
    done = cli("standings", tmp_path / "a\x1b[2J\u202eb")
    assert done.exit_code == 2
    assert "does not exist" in done.stderr
    assert not set("\x1b\u202e") & {*done.stderr}


@pytest.mark.parametrize("form", ["text", "markdown", "latex", "csv", "json", "html", "bibtex"])
def test_texts_in_tables_have_a_limit_and_files_are_harmless_too(cli, tmp_path: Path, form: str):
    """Texts of the most characters that a manifest may have."""
    evil = EVIL.replace("\ud800", "")  # which no file may hold
    run = make_run(tmp_path / "run", label="long" * 5_000, description={"method": ["x" * 400] * 10_000})
    edit_manifest(
        run,
        submission={
            "method": f"{evil}{'y' * 19_000}",
            "citation": f"{evil}{'z' * 19_000}",
            "training_data": "w" * 20_000,
            "test_clips_seen": False,
        },
    )
    done = cli(
        "leaderboard", run, "--format", form, *["--facts"] * (form != "bibtex"), "--out", tmp_path / "table"
    )
    assert done.exit_code == 0, done.output
    text = (tmp_path / "table").read_text(encoding="utf-8")
    assert len(text) < 50_000
    assert not {*"\x1b\x07\x9b\u202e\u2066\ud800\x7f\r"} & {*text}


# Encodings that lack some characters


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "ascii", "koi8-r"])
def test_any_encoding_will_do(encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    make_run(tmp_path / "run")
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    for arguments in (
        ("leaderboard", tmp_path / "run", "--ci"),
        ("list", "protocols"),
        ("list", "metrics"),
        ("list", "published"),
        ("run", "--help"),
        ("--help",),
        ("leaderboard", tmp_path / "↑中 gone"),
    ):
        line = [sys.executable, "-m", "vpbench", *map(str, arguments)]
        done = subprocess.run(line, capture_output=True, timeout=120, check=False)
        assert b"Traceback" not in done.stderr, done.stderr.decode(encoding)
        assert done.returncode == (2 if "gone" in str(arguments[-1]) else 0)
        (done.stdout or done.stderr).decode("utf-8" if encoding == "ascii" else encoding)


def test_what_stands_in_for_what_is_missing():
    assert lookalikes("↑↓ – ≥ … 中") == "^v?-?>=?...??"
    assert len(lookalikes("↑↓–—−×·•◦†")) == 10, "columns stay beneath each other"


@pytest.mark.slow
def test_a_full_disk_behind_standard_output(tmp_path: Path):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    make_run(tmp_path / "run")
    with full.open("w") as stream:
        done = subprocess.run(
            [sys.executable, "-m", "vpbench", "leaderboard", str(tmp_path / "run")],
            stdout=stream,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "Error: Cannot write to standard output: No space left on device.\n"
