"""``vpbench compare``: two runs against each other."""

from __future__ import annotations

from pathlib import Path

import click

from vpbench.errors import UsageError

_FOLDER = click.Path(path_type=Path)


@click.command()
@click.argument("run_a", type=_FOLDER)
@click.argument("run_b", type=_FOLDER)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "latex", "csv", "json", "html"]),
    default="text",
    show_default=True,
    help="CSV has the differences, JSON everything.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file.")
@click.option("--common", is_flag=True, help="Count only the clips that both scored.")
@click.option("--metrics", metavar="KEY,…", help="Only these metrics, in this order.")
@click.option("--by", metavar="KEY", help="What clips are sorted by.  [the first metric, 1st frame: psnr_1]")
@click.option(
    "--most", type=click.IntRange(min=0), default=5, show_default=True, help="Clips to name on either side."
)
@click.option(
    "--level",
    type=click.FloatRange(0.5, 0.999),
    default=0.95,
    show_default=True,
    help="Level of the intervals.",
)
@click.option(
    "--precision",
    type=click.IntRange(0, 10),
    help="Digits after the point; one more for scores in [0, 1].  [2]",
)
def compare(
    run_a: Path,
    run_b: Path,
    form: str,
    out: Path | None,
    common: bool,
    metrics: str | None,
    by: str | None,
    most: int,
    level: float,
    precision: int | None,
) -> None:
    """Compare two runs clip by clip: by how much they differ, how surely, and where most."""
    from vpbench.analysis.comparison import compare as compare_runs
    from vpbench.files import write_atomic
    from vpbench.runs.run import read_run
    from vpbench.tables.comparison import render

    if out is not None and not out.parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.parent}.")
    comparison = compare_runs(
        read_run(run_a),
        read_run(run_b),
        common=common,
        level=level,
        metrics=[key.strip() for key in metrics.split(",")] if metrics else (),
        by=by,
        most=most,
    )
    text = render(comparison, form, precision)
    if out is None:
        click.echo(text)
    else:
        write_atomic(out, (text.rstrip("\n") + "\n").encode())
