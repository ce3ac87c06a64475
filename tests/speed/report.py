"""How long the report page of runs takes to make, and to answer in a browser.

    python tests/speed/report.py RUN…

Makes the page of these runs with `vpbench report`, with the frames that they saved, and opens it in a headless
Chromium: from the start of the navigation until a click on a heading has sorted the rows, and the page's processor
time up to then. Exits with 1 if that is two seconds or more.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from browser import chromium, reloading

LIMIT = 2.0
_REPEATS = 3


def main() -> int:
    """Print the times; 1 if the page takes more processor time than it should."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="RUN")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "index.html"
        start = time.perf_counter()
        options = ["--saved-only", "--out", folder]
        command = [sys.executable, "-m", "vpbench", "report", *arguments.runs, *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        making = time.perf_counter() - start
        measured = []
        with chromium() as browser:
            for _ in range(_REPEATS):
                with reloading(browser, page) as (view, counted):
                    view.locator(".scores thead tr:last-child button").nth(2).click()
                    view.wait_for_selector("th[aria-sort]")
                    wall = view.evaluate("performance.now()") / 1000
                    measured.append((counted()["ProcessTime"], wall))
        work, wall = min(measured)
        print(f"vpbench report, {len(arguments.runs)} runs   {making:6.2f} s")
        print(f"the page                 {page.stat().st_size / 1e6:6.2f} MB")
        print(f"  until a click sorted   {wall:6.2f} s")
        print(f"  of it processor time   {work:6.2f} s   (at most {LIMIT} s)")
    return int(work >= LIMIT)


if __name__ == "__main__":
    sys.exit(main())
