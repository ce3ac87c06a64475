"""``vpbench standings``: the page ``results/LEADERBOARD.md``."""

from __future__ import annotations

from pathlib import Path

import click

from vpbench.cli.options import FILE, RUN
from vpbench.cli.output import say


@click.command()
@click.argument("runs", type=RUN, default=Path("results/runs"))
@click.option("--out", type=FILE, help="The page.  [default: LEADERBOARD.md beside RUNS]")
def standings(runs: Path, out: Path | None) -> None:
    """Write the page of all submitted runs, each checked, by split and protocol.

    RUNS is the folder of submitted runs (results/runs).
    """
    from vpbench.files import write_text
    from vpbench.submission.page import page
    from vpbench.submission.submit import submissions_locked

    out = out or runs.parent / "LEADERBOARD.md"
    with submissions_locked(runs):
        write_text(out, page(runs))
    say(f"{out} is written.")
