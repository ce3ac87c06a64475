"""Peak memory of preparing and evaluating 40 and 400 clips, which must differ by less than 20 MB.

    python tests/speed/memory.py [--workers N]

Each number of clips is a command of its own; its peak resident set and the one in the run's manifest (with
more workers than one: that of the largest worker) are printed. Exits with 1 if either differs by 20 MB or more.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from footage import write_footage

LIMIT = 20.0
NUMBERS = (40, 400)


def peaks(folder: Path, clips: int, workers: int) -> tuple[float, float]:
    """Peak memory in MB of the command, and as its manifest says."""
    listed = write_footage(folder, clips, (120, 160))
    line = [sys.executable, "-m", "vpbench", "run", "--model", "optical_flow", "--split", str(listed)]
    line += ["--workers", str(workers), "--out", str(folder / "runs")]
    environment = {**os.environ, "VPBENCH_CACHE": str(folder / "cache")}
    process = subprocess.Popen(line, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(line)} failed")
    manifest = folder / "runs" / listed.stem / "mathieu2016" / "optical_flow" / "manifest.json"
    said = json.loads(manifest.read_text())["cost"]["peak_memory_mib"] * 2**20 / 1e6
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6, said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=1)
    workers = parser.parse_args().workers
    found = []
    with tempfile.TemporaryDirectory() as temporary:
        for clips in NUMBERS:
            found.append(peaks(Path(temporary), clips, workers))
            print(f"{clips} clips: command {found[-1][0]:.1f} MB, manifest {found[-1][1]:.1f} MB")
    differences = [abs(many - few) for few, many in zip(*found, strict=True)]
    print(f"difference {max(differences):.1f} MB; wanted: below {LIMIT:g}")
    return int(max(differences) >= LIMIT)


if __name__ == "__main__":
    sys.exit(main())
