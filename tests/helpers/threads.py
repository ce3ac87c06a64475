"""How many threads a process computes with. A worker process finds helpers by name, but no test module."""

from __future__ import annotations

import cv2
from threadpoolctl import threadpool_info


def threads() -> dict[str, int]:
    return {
        "opencv": cv2.getNumThreads(),
        "blas": max(info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"),
    }
