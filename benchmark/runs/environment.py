"""What this machine and installation are: facts for manifests."""

from __future__ import annotations

import platform
import subprocess
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path

from vpbench.runs.manifest import Environment

# The parts of the environment on which the last bits of a score depend. Verification requires equal bits only where all
# of them are the run's. The commit is left out: it is known in a checkout only, and the version represents it.
LAST_BITS = ("vpbench", "python", "numpy", "opencv", "scipy", "torch", "platform", "device")
# Of these, what affects the predicted frames only, and does not matter where they were saved.
OF_PREDICTIONS = ("torch", "device")
# Of these, what must be the same for a run to be resumed. A run may outlive an update of the kernel or a patch release
# of Python, which the platform and the version of Python name: then its bits would rarely differ.
RESUMED_WITH = tuple(key for key in LAST_BITS if key not in ("python", "platform"))


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
        with suppress(
            metadata.PackageNotFoundError
        ):  # not every predictor in the parent process is made with torch
            with_torch = _version("torch")
    return Environment(
        vpbench=_version("vpbench"),
        commit=_commit(),
        python=platform.python_version(),
        numpy=np.__version__,
        opencv=cv2.__version__,
        scipy=_version("scipy"),
        platform=platform.platform(),
        device=device,
        torch=with_torch,
    )


@cache  # reading a package's metadata takes milliseconds, and every run asks
def _version(package: str) -> str:
    return metadata.version(package)


@cache  # of the code that runs, whatever is checked out meanwhile
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
