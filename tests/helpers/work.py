"""What worker processes of tests do; they find helpers by name, but no test module."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import cv2
from threadpoolctl import threadpool_info


def threads() -> dict[str, int]:
    """How many threads a process computes with."""
    return {
        "opencv": cv2.getNumThreads(),
        "blas": max(info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"),
    }


def wait_and_write(path: Path, seconds: float) -> None:
    """Write a file after a while."""
    time.sleep(seconds)
    path.write_text("done")


def asked_to_end(where: str, seconds: float, function: Any, *arguments: Any) -> Any:
    """Call a function; this process is asked to end where it first calls another, which takes so long then.

    Args:
        where: ``rename`` or ``unlink``, of a path, or ``rmtree``.
        seconds: how long.
        function: the function.
        arguments: its arguments.
    """
    place: Any = shutil if where == "rmtree" else Path
    before = getattr(place, where)

    def ask(*given: Any, **options: Any) -> Any:
        setattr(place, where, before)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(seconds)
        return before(*given, **options)

    setattr(place, where, ask)
    return function(*arguments)
