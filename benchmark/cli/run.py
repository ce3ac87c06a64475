"""``vpbench run``: score predictors and print the table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vpbench.cli.options import (
    COUNT,
    FOLDER,
    clip_options,
    device_option,
    labels_of,
    model_options,
    notes_option,
    protocol_option,
)
from vpbench.cli.output import progress_bar, say, warn

if TYPE_CHECKING:
    from vpbench.clips.opening import ClipRequest
    from vpbench.parallel.execution import Workers
    from vpbench.runs.run import Run


@click.command()
@model_options(
    "A predictor (`vpbench list predictors`) or FILE.py:Class, with its options, or frames:DIR, a folder of "
    "predicted frames. May be repeated.",
    "Label of the run; one for each --model.",
)
@clip_options
@protocol_option
@click.option("--out", type=FOLDER, default=Path("runs"), show_default=True, help="Folder of runs.")
@click.option("--save-predictions", is_flag=True, help="Keep the predicted frames as float32 arrays.")
@click.option("--batch-size", type=COUNT, default=1, show_default=True, help="Clips at once.")
@device_option
@click.option(
    "--samples",
    type=int,
    metavar="N",
    help="Futures drawn of each clip (stochastic predictors).  [default: 1]",
)
@click.option("--seed", type=int, help="Where their randomness comes from.  [default: 0]")
@click.option("--force", is_flag=True, help="Discard a run in the folder that does not match.")
@notes_option
def run(
    models: tuple[str, ...],
    labels: tuple[str, ...],
    clips: ClipRequest,
    workers: Workers,
    protocol_name: str | None,
    out: Path,
    save_predictions: bool,
    batch_size: int,
    device: str,
    samples: int | None,
    seed: int | None,
    force: bool,
    notes: str,
) -> None:
    """Score predictors and print the table.

    An interrupted run resumes where it stopped when the command is given again.
    """
    from vpbench.analysis.leaderboard import build_leaderboard
    from vpbench.clips.opening import open_clips
    from vpbench.evaluation.engine import Known, evaluate_clips
    from vpbench.predictors.entrant import Entrant
    from vpbench.predictors.spec import PredictorSpec
    from vpbench.scoring.built_in import get_protocol
    from vpbench.tables.render import render

    specs = [PredictorSpec.parse(model) for model in models]
    names = labels_of(specs, labels)
    protocol = clips.adapt(get_protocol(protocol_name or clips.protocol))
    entrants = []
    for label, spec in zip(names, specs, strict=True):
        entrants.append(Entrant.enter(label, spec, spec.create(device), samples, seed))
        entrants[-1].check_fits(protocol)
    runs: list[Run] = []
    with open_clips(clips, protocol, workers, warn=warn, progress=progress_bar) as opened:
        for entrant in entrants:
            with progress_bar(f"Scoring {entrant.label}", len(opened.clips.contents)) as step:
                execution = replace(opened.execution, batch_size=batch_size, progress=step)
                runs += evaluate_clips(
                    entrant,
                    opened.clips,
                    protocol,
                    out,
                    execution,
                    save_predictions=save_predictions,
                    force=force,
                    known=Known(frames=runs[0] if runs else None),
                )
    say(render(build_leaderboard(runs), all_notes=notes == "all"))
    for one in runs:
        say(f"Run: {one.folder}", err=True)
