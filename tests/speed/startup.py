"""How long `vpbench --help` takes, beside an interpreter that does nothing.

    python tests/speed/startup.py [--repeats N]

Both alternate; the medians are printed, of the time on the clock and of the processor's, which a busy machine
changes less. Exits with 1 if the help takes 0.3 s or more of the processor's time.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

LIMIT = 0.3


def seconds(line: list[str]) -> tuple[float, float]:
    """On the clock, and of the processor."""
    start, before = time.perf_counter(), os.times()
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - start, used


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    script = Path(sysconfig.get_path("scripts")) / "vpbench"
    lines = {"python -c pass": [sys.executable, "-c", "pass"], "vpbench --help": [str(script), "--help"]}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in lines}
    for _ in range(repeats + 1):
        for name, line in lines.items():
            taken[name].append(seconds(line))
    for name, values in taken.items():
        clock, used = (statistics.median(column) for column in zip(*values[1:], strict=True))
        print(f"{name:<15} {clock * 1e3:6.0f} ms on the clock, {used * 1e3:6.0f} ms of the processor")
    print(f"wanted: below {LIMIT * 1e3:.0f} ms")
    return int(used >= LIMIT)


if __name__ == "__main__":
    sys.exit(main())
