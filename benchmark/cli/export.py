"""``vpbench export``: the scores of each clip for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vpbench.cli.options import ANY_PATH, check_out, read_runs, runs_argument
from vpbench.cli.output import say
from vpbench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpbench.runs.run import Run


@click.command()
@runs_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(["parquet", "csv", "tensorboard"]),
    default="parquet",
    show_default=True,
    help="parquet and tensorboard need the extras of these names.",
)
@click.option("--out", type=ANY_PATH, required=True, help="The file; for tensorboard the folder.")
def export(runs: tuple[Path, ...], form: str, out: Path) -> None:
    """Write the scores of each clip and frame: RUN… are folders of runs, or folders that hold some.

    As Parquet or CSV they are one table, a row for each run, clip and predicted frame; in Python, `vpbench.load` gives
    the same. For TensorBoard each run is a folder below --out: `frame/psnr` is the mean at each predicted frame,
    `clip/psnr` that of each clip, by its index.
    """
    read = read_runs(runs)
    if form == "tensorboard":
        _events(read, out)
    else:
        _table(read, form, out)
    say(f"Written: {out}", err=True)


def _table(runs: Sequence[Run], form: str, out: Path) -> None:
    from vpbench.analysis.tidy import load_runs
    from vpbench.files import write_atomic, write_text
    from vpbench.tables.formats.data import csv
    from vpbench.tables.formats.parquet import parquet

    check_out(out)
    if out.is_dir():
        raise UsageError(f"--out {out}: it is a folder; name a file.")
    table = load_runs(runs)
    if form == "csv":
        write_text(out, csv(table))
    else:
        write_atomic(out, parquet(table))


def _events(runs: Sequence[Run], out: Path) -> None:
    from vpbench.analysis.tidy import load_runs
    from vpbench.files import below, make_folder, write_atomic
    from vpbench.tables.formats.tensorboard import tensorboard

    files: dict[Path, bytes] = {}
    for run in {run.folder.resolve(): run for run in runs}.values():
        names = (run.recorded.split.name, run.recorded.protocol.name, run.recorded.label)
        path = below(out, *names) / "events.out.tfevents.vpbench"
        if path in files:
            raise UsageError(f"Two runs would be written to {path.parent}; export them to different folders.")
        time = (run.folder / "scores.jsonl").stat().st_mtime
        files[path] = tensorboard(load_runs([run]), run.metrics, time)
    for path, data in files.items():
        make_folder(path.parent)
        write_atomic(path, data)
