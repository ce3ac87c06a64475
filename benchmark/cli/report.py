"""``vpbench report``: a page to look at runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vpbench.cli.options import FOLDER, frame_options, read_runs, runs_argument
from vpbench.cli.output import say
from vpbench.errors import UsageError

if TYPE_CHECKING:
    from vpbench.evaluation.replay import Replay


@click.command()
@runs_argument
@click.option("--out", type=FOLDER, required=True, help="Folder of the page.")
@click.option(
    "--clips", metavar="N,N,…", help="Which clips to show.  [default: worst, median, best, most different]"
)
@click.option(
    "--frame", "frames", type=int, multiple=True, help="Which predicted frame to show; may be repeated."
)
@click.option("--title", help="Title of the page.")
@frame_options
def report(
    runs: tuple[Path, ...],
    out: Path,
    clips: str | None,
    frames: tuple[int, ...],
    title: str | None,
    replay: Replay,
) -> None:
    """Write a page on runs: OUT/index.html, one file that needs no network.

    RUN… are folders of runs, or folders that hold some. The page has the table, the distribution of the scores,
    score against motion, and, for chosen clips, inputs, target, predictions, error maps and masks. Frames are those
    that a run saved (`run --save-predictions`) or those of its predictor run again; else the page says why it has
    none.
    """
    from vpbench.files import make_folder, write_text
    from vpbench.report.page import PageOptions, make_page

    try:
        indices = tuple(dict.fromkeys(int(index) for index in clips.split(","))) if clips else ()
    except ValueError:
        raise UsageError(f"--clips {clips}: give the numbers of clips, with commas.") from None
    page = make_page(
        read_runs(runs),
        PageOptions(clips=indices, frames=tuple(dict.fromkeys(frames)), title=title, replay=replay),
    )
    make_folder(out)
    write_text(out / "index.html", page.html)
    for remark in page.remarks:
        say(f"Note: {remark}", err=True)
    shown = f"frames of the clips {', '.join(map(str, page.clips))}" if page.clips else "no frames"
    say(f"{out / 'index.html'}: {(out / 'index.html').stat().st_size / 1e6:.1f} MB, {shown}.")
