"""What this machine and installation are: facts for manifests."""

from __future__ import annotations

import platform
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from vpbench.runs.manifest import Environment


def environment(device: str, torch: bool) -> Environment:
    """Versions, platform and device, for a run's manifest.

    Args:
        device: where the predictor ran.
        torch: whether torch took part.
    """
    import cv2
    import numpy as np

    with_torch = None
    if torch:
        with suppress(PackageNotFoundError):  # predictors in the parent process need not be made with torch
            with_torch = version("torch")
    return Environment(
        vpbench=version("vpbench"),
        commit=_commit(),
        python=platform.python_version(),
        numpy=np.__version__,
        opencv=cv2.__version__,
        scipy=version("scipy"),
        platform=platform.platform(),
        device=device,
        torch=with_torch,
    )


def _commit() -> str | None:
    """The commit of the checkout that vpbench runs from, or ``None`` outside of one."""
    folder = Path(__file__).resolve().parent.parent  # the package vpbench
    if not (folder.name == "benchmark" and (folder.parent / ".git").exists()):
        return None
    try:
        asked = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607 -- whichever git the user has
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return asked.stdout.strip()
