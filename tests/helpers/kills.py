"""Calls the command line in a process that kills itself, as kill −9 does, at a chosen change of a folder."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

_PROCESS = """
import os, signal, sys
at, folder = int(sys.argv[1]), sys.argv[2]
CHANGES = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.truncate", "shutil.rmtree")
seen = 0

def watch(event, arguments):
    global seen
    paths = [str(argument) for argument in arguments if isinstance(argument, (str, os.PathLike))]
    if event not in CHANGES or not any(path.startswith(folder) for path in paths):
        return
    if event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR):
        return
    seen += 1
    if seen == at:
        os.kill(os.getpid(), signal.SIGKILL)

from vpbench.cli.main import main
import vpbench.submission.submit
sys.addaudithook(watch)
try:
    main(sys.argv[3:])
finally:
    os.write(2, f"changes: {seen}".encode())
"""


def killed_at(change: int, folder: Path, *arguments: object) -> bool:
    """Call the command line, killed just before a change of a file below ``folder``; whether it came to that."""
    return _call(change, folder, *arguments).returncode == -9


def changes_of(folder: Path, *arguments: object) -> int:
    """Call the command line without a kill; the number of changes that it makes below ``folder``."""
    done = _call(0, folder, *arguments)
    assert done.returncode == 0, done.stderr
    return int(done.stderr.rpartition("changes: ")[2])


def seeded(count: int, most: int, seed: int) -> list[int]:
    """So many different changes of 1 … ``most``, in order; all if there are not so many."""
    return sorted(random.Random(seed).sample(range(1, most + 1), min(count, most)))


def _call(change: int, folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-c", _PROCESS, str(change), str(folder), *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)
