"""What `.ci/run` relies on: tests fail for want of what it installs, and ruff judges alike in every checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import needs
import pytest
from browser import chromium

ROOT = Path(__file__).parents[2]


def open_browser() -> None:
    with chromium():
        pass


@pytest.mark.parametrize(("need", "find"), [("browser", open_browser), ("latex", needs.find_latex)])
def test_a_test_without_its_program_skips_or_fails(
    monkeypatch: pytest.MonkeyPatch, need: str, find: object
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv(needs.REQUIRED, "")
    with pytest.raises(pytest.skip.Exception, match=f"needs {need}: .*install"):
        find()
    monkeypatch.setenv(needs.REQUIRED, "another," + need)
    with pytest.raises(pytest.fail.Exception, match=f"has '{need}', which is missing: .*install"):
        find()


def test_pdflatex_without_booktabs_is_not_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (("pdflatex", "#!/bin/sh\n"), ("kpsewhich", "#!/bin/sh\nexit 1\n")):
        program = tmp_path / name
        program.write_text(text)
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(needs.REQUIRED, "latex")
    with pytest.raises(pytest.fail.Exception, match="texlive-latex-recommended"):
        needs.find_latex()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("found", [True, False])
def test_ci_installs_what_is_missing_and_requires_it(tmp_path: Path, found: bool) -> None:
    """With programs that only write down how they were called."""
    checkout, programs, log = tmp_path / "checkout", tmp_path / "programs", tmp_path / "log"
    (checkout / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", checkout / ".ci" / "run")
    programs.mkdir()
    for name in ("apt-get", "make", *(("chromium", "pdflatex", "kpsewhich") if found else ())):
        program = programs / name
        program.write_text(f'#!/bin/sh\necho "{name} $* [$VPBENCH_TEST_REQUIRE]" >> {log}\n')
        program.chmod(0o755)
    for name in ("bash", "sh", "dirname"):
        (programs / name).symlink_to(str(shutil.which(name)))
    environment = {key: value for key, value in os.environ.items() if key != needs.REQUIRED}
    subprocess.run(
        [checkout / ".ci" / "run"], env=environment | {"PATH": str(programs)}, check=True, capture_output=True
    )
    lines = log.read_text().splitlines()
    assert {line.split("[")[1] for line in lines} == {"browser,latex]"}
    installed = [line for line in lines if line.startswith("apt-get install")]
    if found:
        assert not installed
    else:
        (line,) = installed
        assert {"chromium", "texlive-latex-base", "texlive-latex-recommended"} <= set(line.split())
    assert [line.split()[1] for line in lines if line.startswith("make")] == ["test", "docs", "check"]


def test_what_ci_requires_is_what_tests_ask_for() -> None:
    asked = re.findall(
        r"missing\(\s*\"(\w+)\"", "".join(path.read_text() for path in (ROOT / "tests/helpers").glob("*.py"))
    )
    assert set(asked) == {"browser", "latex"}


def test_a_folder_named_like_a_helper_does_not_change_the_order_of_imports(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "module.py").write_text(
        "import pytest\nfrom runs import make_run\n\nfrom vpbench import build\n"
    )
    (tmp_path / "runs").mkdir()  # as `make demo` leaves it
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--select", "I", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
