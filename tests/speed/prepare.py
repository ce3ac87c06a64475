"""How much faster `vpbench prepare` is with 2 workers than with 1, on 100 clips of 240×320.

    python tests/speed/prepare.py [--clips N] [--repeats N]

Both are commands of their own, start of Python and of the workers included, and alternate; the medians are
compared. Exits with 1 if the ratio is below 1.7. Two idle processors are needed.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from footage import write_footage

WANTED = 1.7


def seconds(listed: Path, out: Path, workers: int) -> float:
    line = [sys.executable, "-m", "vpbench", "prepare", "--split", str(listed), "--out", str(out)]
    start = time.perf_counter()
    subprocess.run([*line, "--workers", str(workers)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    taken: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as temporary:
        listed = write_footage(Path(temporary), options.clips, (240, 320))
        for repeat in range(options.repeats):
            for workers in (1, 2):
                taken[workers].append(seconds(listed, Path(temporary) / f"out-{workers}-{repeat}", workers))
    one, two = (statistics.median(taken[workers]) for workers in (1, 2))
    print(
        f"{options.clips} clips: 1 worker {one:.2f} s, 2 workers {two:.2f} s; {one / two:.2f} times as fast"
    )
    print(f"wanted: at least {WANTED:g}")
    return int(one / two < WANTED)


if __name__ == "__main__":
    sys.exit(main())
