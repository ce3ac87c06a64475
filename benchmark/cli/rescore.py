"""``vpbench rescore``: a run's saved predictions, scored under another protocol."""

from __future__ import annotations

from pathlib import Path

import click

from vpbench.cli.options import (
    FOLDER,
    RUN,
    RUN_DATA,
    clip_request,
    data_option,
    notes_option,
    run_split_option,
    workers_option,
)
from vpbench.cli.output import progress_bar, say, warn


@click.command()
@click.argument("runs", nargs=-1, required=True, type=RUN)
@click.option(
    "--protocol",
    "name",
    required=True,
    metavar="NAME|FILE.toml",
    help="The other protocol (`vpbench list protocols`).",
)
@click.option("--out", type=FOLDER, default=Path("runs"), show_default=True, help="Folder of runs.")
@run_split_option("The runs'")
@data_option(RUN_DATA)
@workers_option
@click.option("--force", is_flag=True, help="Discard a run in the folder that does not match.")
@notes_option
def rescore(
    runs: tuple[Path, ...],
    name: str,
    out: Path,
    split: str | None,
    data: Path | None,
    workers: int | None,
    force: bool,
    notes: str,
) -> None:
    """Score the saved predictions of each RUN under another protocol.

    RUN has saved predictions (`vpbench run --save-predictions`). The protocol asks for the same inputs, and for no more
    frames than were predicted. The new run is of the same predictor; nothing is predicted again.
    """
    from vpbench.analysis.leaderboard import build_leaderboard
    from vpbench.evaluation.rescoring import rescore as score_again
    from vpbench.parallel.execution import Workers
    from vpbench.runs.untrusted import read_untrusted
    from vpbench.scoring.built_in import get_protocol
    from vpbench.tables.render import render

    protocol = get_protocol(name)
    made = [
        score_again(
            read_untrusted(run),
            protocol,
            out,
            clip_request(split, data),
            Workers(workers),
            force=force,
            warn=warn,
            progress=progress_bar,
        )
        for run in runs
    ]
    say(render(build_leaderboard(made), all_notes=notes == "all"))
    for one in made:
        say(f"Run: {one.folder}", err=True)
