"""``vpbench verify``: a run evaluated again and compared, score by score."""

from __future__ import annotations

from pathlib import Path

import click

from vpbench.errors import VpbenchError


@click.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--model",
    metavar="NAME[,key=value]",
    help="The run's predictor, where the run has no saved predictions and names no installed one.",
)
@click.option("--split", metavar="FOLDER|FILE.csv", help="The run's split, where it is one of your own.")
@click.option("--protocol", metavar="FILE.toml", help="The run's protocol, where it is one of your own.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="VPBENCH_DATA",
    show_envvar=True,
    help="Folder of UCF101's videos, of prepared clips, or of the authors' archive.",
)
@click.option("--workers", type=click.IntRange(min=1), help="Worker processes.  [default: processors]")
@click.option("--device", default="cpu", show_default=True, help="Where trained models run, e.g. cuda.")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
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
    from vpbench.cli.options import progress_bar
    from vpbench.evaluation.verification import verify as evaluate_again
    from vpbench.runs.untrusted import read_untrusted

    read = read_untrusted(run)
    context = click.get_current_context()
    if context.get_parameter_source("data") is click.core.ParameterSource.ENVIRONMENT:
        data = data if read.manifest.split.name == "ucf101-every10th" else None
    found = evaluate_again(
        read,
        model=model,
        split=split,
        protocol=protocol,
        data=data,
        workers=workers,
        device=device,
        tolerance=tolerance,
        warn=lambda text: click.echo(f"Warning: {text}", err=True),
        progress=progress_bar,
    )
    for change in found.changed:
        click.echo(f"Not as in the run: {change}.")
    if found.changed:
        click.echo(f"Scores may differ by {found.tolerance:g} (--tolerance).")
    if found.largest is not None:
        click.echo(f"Largest difference: {found.largest[0]:.3g} ({found.largest[1]}).")
    if found.first is not None:
        raise VpbenchError(f"{run} is not confirmed from {found.source}. First difference: {found.first}.")
    how = "are exactly equal" if found.largest is None else "agree"
    click.echo(f"Confirmed from {found.source}: {', '.join(found.metrics)} of {found.frames} frames {how}.")
