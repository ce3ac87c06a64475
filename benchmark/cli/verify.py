"""``vpbench verify``: a run evaluated again and compared, score by score."""

from __future__ import annotations

from pathlib import Path

import click

from vpbench.cli.options import (
    RUN,
    RUN_DATA,
    Number,
    clip_request,
    data_option,
    device_option,
    run_split_option,
    workers_option,
)
from vpbench.cli.output import progress_bar, say, warn
from vpbench.errors import VpbenchError


@click.command()
@click.argument("run", type=RUN)
@click.option(
    "--model",
    metavar="NAME[,key=value]",
    help="The run's predictor, where the run has no saved predictions and names no installed one.",
)
@run_split_option("The run's")
@click.option("--protocol", metavar="FILE.toml", help="The run's protocol, where it is one of your own.")
@data_option(RUN_DATA)
@workers_option
@device_option
@click.option(
    "--tolerance",
    type=Number(min=0),
    default=1e-9,
    show_default=True,
    help="Largest difference of a score that is accepted where versions differ.",
)
def verify(
    run: Path,
    model: str | None,
    split: str | None,
    protocol: str | None,
    data: Path | None,
    workers: int | None,
    device: str,
    tolerance: float,
) -> None:
    """Evaluate RUN again and compare it score by score.

    Its saved predictions are scored again where it has some; else its predictor predicts again. With the versions,
    platform and clips of the run, scores must be exactly equal.
    """
    from vpbench.evaluation.replay import Replay
    from vpbench.evaluation.verification import verify as evaluate_again
    from vpbench.parallel.execution import Workers
    from vpbench.predictors.spec import PredictorSpec
    from vpbench.runs.untrusted import read_untrusted

    named = () if model is None else (PredictorSpec.parse(model),)
    found = evaluate_again(
        read_untrusted(run),
        Replay(clip_request(split, data), models=named, device=device),
        Workers(workers),
        protocol=protocol,
        tolerance=tolerance,
        warn=warn,
        progress=progress_bar,
    )
    for change in found.changed:
        say(f"Not as in the run: {change}.")
    if found.changed:
        say(f"Scores may differ by {found.tolerance:g} (--tolerance).")
    if found.largest is not None:
        say(f"Largest difference: {found.largest[0]:.3g} ({found.largest[1]}).")
    if found.first is not None:
        raise VpbenchError(f"{run} is not confirmed from {found.source}. First difference: {found.first}.")
    how = "are exactly equal" if found.largest is None else "agree"
    say(f"Confirmed from {found.source}: {', '.join(found.metrics)} of {found.frames} frames {how}.")
