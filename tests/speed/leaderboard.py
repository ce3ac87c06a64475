"""How long the leaderboard of 200 runs of 379 clips and 2 frames takes, with intervals, ranks and differences.

    python tests/speed/leaderboard.py [--runs N] [--clips N] [--keep DIR]

Writes such runs into a temporary folder (made-up scores; every run drops some frames of its own, as under
`mathieu2016`), then times `vpbench leaderboard` on them in a process of its own, from start to printed table, and in
this process the reading, the building and the printing. The yardstick is the reading alone, line by line with the
standard library's json: the ratio says how much the rest costs on any machine. The limit is on processor time, which
on an idle machine is what one waits, and which a busy one lengthens less. (Windows has no `resource`.)
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from boards import many_runs

from vpbench.analysis.leaderboard import LeaderboardOptions, build_leaderboard
from vpbench.runs.run import find_runs, read_run
from vpbench.tables.render import render

LIMIT = 5.0


def seconds(function: Callable[[], Any]) -> tuple[float, Any]:
    """How long a call takes, and what it returns."""
    start = time.perf_counter()
    made = function()
    return time.perf_counter() - start, made


def main() -> int:
    """Print the times; 1 if the command takes more processor time than it should."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--clips", type=int, default=379)
    parser.add_argument("--keep", type=Path, help="write the runs here, and leave them")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder: Path = arguments.keep or Path(temporary)
        many_runs(folder, arguments.runs, arguments.clips)
        command = [sys.executable, "-m", "vpbench", "leaderboard", str(folder), "--ci", "--sort", "rank"]
        total, _ = seconds(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        processor = used.ru_utime + used.ru_stime
        files = sorted(folder.glob("*/scores.jsonl"))
        yardstick, _ = seconds(
            lambda: [json.loads(line) for file in files for line in file.read_bytes().splitlines()]
        )
        reading, runs = seconds(lambda: [read_run(one) for one in find_runs(folder)])
        building, board = seconds(lambda: build_leaderboard(runs, LeaderboardOptions(sort="rank")))
        printing, _ = seconds(lambda: render(board, intervals=True))
    print(f"{arguments.runs} runs × {arguments.clips} clips × 2 frames")
    print(f"vpbench leaderboard --ci, all in all  {total:6.2f} s")
    print(f"  of it processor time                {processor:6.2f} s   (at most {LIMIT} s)")
    print(f"  reading                             {reading:6.2f} s")
    print(f"  intervals and ranks                 {building:6.2f} s")
    print(f"  printing                            {printing:6.2f} s")
    print(f"json line by line, the yardstick      {yardstick:6.2f} s   ratio {total / yardstick:.2f}")
    return int(processor > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
