"""``vpbench migrate``: runs of an older vpbench get what comparisons need."""

from __future__ import annotations

from pathlib import Path

import click

from vpbench.cli.options import (
    RUN_DATA,
    clip_request,
    data_option,
    read_runs,
    run_split_option,
    runs_argument,
    workers_option,
)
from vpbench.cli.output import progress_bar, say, warn


@click.command()
@runs_argument
@run_split_option("The runs'")
@click.option("--protocol", metavar="FILE.toml", help="The runs' protocol, where it is one of your own.")
@data_option(RUN_DATA)
@workers_option
def migrate(
    runs: tuple[Path, ...], split: str | None, protocol: str | None, data: Path | None, workers: int | None
) -> None:
    """Add to RUNS of an older vpbench what comparisons need.

    Runs of schema 1 do not say on which frames rows are to be compared, nor which clips are independent. It is computed
    from their clips, which must be at hand and be those that were scored. No score changes.

    Runs of the present schema get the clusters of the list that --split names, where it now has others.
    """
    from vpbench.evaluation.migration import migrate as migrate_runs
    from vpbench.parallel.execution import Workers

    found = read_runs(runs)
    changed = 0
    for run in migrate_runs(
        found,
        clip_request(split, data),
        Workers(workers),
        protocol=protocol,
        warn=warn,
        progress=progress_bar,
    ):
        say(f"Migrated {run.folder}.")
        changed += 1
    if changed < len(found):
        say(f"{len(found) - changed} of {len(found)} runs needed nothing.")
