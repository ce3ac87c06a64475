"""Programs that some tests need: these skip without them, or fail where `.ci/run` requires them."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import NoReturn

import pytest

REQUIRED = "VPBENCH_TEST_REQUIRE"


def missing(need: str, what_to_do: str) -> NoReturn:
    """Skip the test, or fail if ``$VPBENCH_TEST_REQUIRE`` has ``need`` among its names, divided by commas."""
    if need in os.environ.get(REQUIRED, "").split(","):
        pytest.fail(f"${REQUIRED} has '{need}', which is missing: {what_to_do}", pytrace=False)
    pytest.skip(f"needs {need}: {what_to_do}")


def find_browser() -> str:
    """The path of a Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    path = next(filter(None, map(shutil.which, names)), None)
    return path or missing("browser", "apt install chromium")


def find_latex() -> str:
    """The path of a pdflatex that has booktabs."""
    path, finder = shutil.which("pdflatex"), shutil.which("kpsewhich")
    if (
        path is None
        or finder is None
        or subprocess.run([finder, "booktabs.sty"], capture_output=True, check=False).returncode != 0
    ):
        missing("latex", "apt install texlive-latex-base texlive-latex-recommended")
    return path
