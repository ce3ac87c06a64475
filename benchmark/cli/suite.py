"""``vpbench suite``: several predictors under several protocols on several splits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vpbench.cli.options import COUNT, FOLDER, clip_options, device_option, format_option, notes_option
from vpbench.cli.output import progress_bar, say, warn
from vpbench.errors import VpbenchError
from vpbench.tables.formats.export import FORMATS

if TYPE_CHECKING:
    from vpbench.clips.opening import ClipRequest
    from vpbench.parallel.execution import Workers


@click.command()
@click.argument("name", metavar="NAME|FILE.toml")
@clip_options
@click.option("--out", type=FOLDER, default=Path("runs"), show_default=True, help="Folder of runs.")
@click.option("--batch-size", type=COUNT, default=1, show_default=True, help="Clips at once.")
@device_option
@click.option("--force", is_flag=True, help="Discard runs in the folder that do not match.")
@format_option(*FORMATS, what="What is printed.")
@notes_option
def suite(
    name: str,
    clips: ClipRequest,
    workers: Workers,
    out: Path,
    batch_size: int,
    device: str,
    force: bool,
    form: str,
    notes: str,
) -> None:
    """Score several predictors under several protocols on several splits.

    A TOML file lists `models`, `protocols`, `splits` and, for stochastic predictors, `seeds`; `paper` is built in. Each
    predictor predicts once for all protocols that ask for the same inputs. The suite goes on past what
    fails, says so at the end and exits with 1; the same command resumes it, and tries that again. --split takes the
    place of the file's splits.
    """
    from vpbench.suite.definition import load_suite
    from vpbench.suite.run import SuiteOptions, run_suite
    from vpbench.suite.table import render_suite

    wanted = load_suite(name)
    if clips.split is not None:
        wanted = replace(wanted, splits=(str(clips.split),))
    elif len(wanted.splits) > 1 and clips.data is not None:
        # Each split has its own place; the folder is that of UCF101's videos and of lists of them.
        clips = replace(clips, data=None, default_data=clips.data)
    options = SuiteOptions(out, clips, workers, device, batch_size, force, warn, progress_bar)
    made = run_suite(wanted, options)
    if made.runs:
        say(render_suite(made, form, all_notes=notes == "all"))
    for what, why in made.failures:
        say(f"Failed: {what}: {why}", err=True)
    if made.failures:
        raise VpbenchError(
            f"{len(made.failures)} parts of suite '{wanted.name}' failed; the same command tries them again."
        )
