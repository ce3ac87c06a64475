"""How long the report page of runs takes to make, and to answer in a browser.

    python tests/speed/report.py RUN…

Makes the page of these runs with `vpbench report`, with the frames that they saved, and opens it in a headless
Chromium: from the start of the navigation until a click on a heading has sorted the rows, and the page's processor
time up to then.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from browser import chromium, counted

_REPEATS = 3


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="RUN")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "index.html"
        start = time.perf_counter()
        command = [
            sys.executable,
            "-m",
            "vpbench",
            "report",
            *arguments.runs,
            "--saved-only",
            "--out",
            folder,
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        making = time.perf_counter() - start
        with chromium() as browser:
            measured = [_answering(browser, page) for _ in range(_REPEATS)]
        wall, work = min(measured, key=lambda one: one[1])
        print(f"vpbench report, {len(arguments.runs)} runs   {making:6.2f} s")
        print(f"the page                 {page.stat().st_size / 1e6:6.2f} MB")
        print(f"  until a click sorted   {wall:6.2f} s")
        print(f"  of it processor time   {work:6.2f} s")


def _answering(browser: Any, path: Path) -> tuple[float, float]:
    view = browser.new_page(viewport={"width": 1280, "height": 900})
    try:
        session = view.context.new_cdp_session(view)
        session.send("Performance.enable")
        view.goto(path.as_uri())
        before = counted(session)["ProcessTime"]
        view.reload(wait_until="commit")
        view.locator(".scores thead tr:last-child button").nth(2).click()
        view.wait_for_selector("th[aria-sort]")
        wall = view.evaluate("performance.now()") / 1000
        return wall, counted(session)["ProcessTime"] - before
    finally:
        view.close()


if __name__ == "__main__":
    main()
