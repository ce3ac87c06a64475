"""``vpbench run``: score predictors and print the table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vpbench.cli.options import (
    _FOLDER,
    _protocol_option,
    clip_options,
    dask_scheduler,
    labels_of,
    opened_clips,
    progress_bar,
)

if TYPE_CHECKING:
    from vpbench.runs.run import Run


@click.command()
@click.option(
    "--model",
    "models",
    multiple=True,
    required=True,
    metavar="NAME[,key=value]",
    help="A predictor (`vpbench list predictors`) or FILE.py:Class, with its options, or frames:DIR, a folder of "
    "predicted frames. May be repeated.",
)
@click.option(
    "--as", "labels", multiple=True, metavar="LABEL", help="Label of the run; one for each --model."
)
@clip_options
@_protocol_option
@click.option("--out", type=_FOLDER, default=Path("runs"), show_default=True, help="Folder of runs.")
@click.option("--save-predictions", is_flag=True, help="Keep the predicted frames as float32 arrays.")
@click.option("--batch-size", type=click.IntRange(min=1), default=1, show_default=True, help="Clips at once.")
@click.option("--device", default="cpu", show_default=True, help="Where trained models run, e.g. cuda.")
@click.option(
    "--samples",
    type=int,
    metavar="N",
    help="Futures drawn of each clip (stochastic predictors).  [default: 1]",
)
@click.option("--seed", type=int, help="Where their randomness comes from.  [default: 0]")
@click.option("--force", is_flag=True, help="Give up a run in the folder that does not match.")
def run(
    models: tuple[str, ...],
    labels: tuple[str, ...],
    split_name: str | None,
    data: Path | None,
    protocol_name: str,
    require_all: bool,
    limit: int | None,
    workers: int | None,
    executor_name: str,
    scheduler: str | None,
    out: Path,
    save_predictions: bool,
    batch_size: int,
    device: str,
    samples: int | None,
    seed: int | None,
    force: bool,
) -> None:
    """Score predictors and print the table.

    An interrupted run goes on where it stopped when the command is given again.
    """
    from vpbench.predictors.predictor import check_fits
    from vpbench.predictors.samples import check_samples
    from vpbench.predictors.spec import PredictorSpec
    from vpbench.scoring.built_in import get_protocol

    specs = [PredictorSpec.parse(model) for model in models]
    names = labels_of(specs, labels)
    protocol = get_protocol(protocol_name)
    predictors, draws = [], []
    for spec in specs:
        predictor = spec.create(device)
        check_fits(predictor, spec.name, protocol.inputs, protocol.targets, protocol.name)
        predictors.append(predictor)
        draws.append(check_samples(predictor, spec.name, samples, seed))

    from vpbench.analysis.leaderboard import build
    from vpbench.evaluation.engine import evaluate_clips
    from vpbench.tables.leaderboard import render

    runs: list[Run] = []
    scheduler = dask_scheduler(executor_name, scheduler)
    with opened_clips(split_name, data, protocol, require_all, limit, workers, scheduler) as opened:
        for predictor, drawn, spec, label in zip(predictors, draws, specs, names, strict=True):
            with progress_bar(f"Scoring {label}", opened.count) as step:
                runs.extend(
                    evaluate_clips(
                        predictor,
                        spec,
                        label,
                        opened.clips,
                        protocol,
                        out,
                        opened.executor,
                        window=opened.window + batch_size,
                        batch_size=batch_size,
                        limit=limit,
                        samples=drawn,
                        save_predictions=save_predictions,
                        force=force,
                        progress=step,
                    )
                )
    click.echo(render(build(runs), "text"))
    for one in runs:
        click.echo(f"Run: {one.folder}", err=True)
