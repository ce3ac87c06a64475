"""``vpbench compare``: two runs against each other."""

from __future__ import annotations

from pathlib import Path

import click

from vpbench.cli.options import (
    ANY_PATH,
    check_out,
    format_option,
    level_option,
    metrics_option,
    notes_option,
    precision_option,
    print_or_write,
    steps_option,
    table_out_option,
)
from vpbench.tables.formats.export import FORMATS


@click.command()
@click.argument("run_a", type=ANY_PATH)
@click.argument("run_b", type=ANY_PATH)
@format_option(*FORMATS, what="CSV has the differences, JSON everything.")
@table_out_option
@click.option("--common", is_flag=True, help="Count only the clips that both scored.")
@metrics_option("Only these metrics, in this order.")
@steps_option
@click.option("--by", metavar="KEY", help="What clips are sorted by.  [the first metric, 1st frame: psnr_1]")
@click.option(
    "--most", type=click.IntRange(min=0), default=5, show_default=True, help="Clips to name on either side."
)
@level_option("Level of the intervals.")
@precision_option
@notes_option
def compare(
    run_a: Path,
    run_b: Path,
    form: str,
    out: Path | None,
    common: bool,
    metrics: tuple[str, ...],
    steps: tuple[str, ...],
    by: str | None,
    most: int,
    level: float,
    precision: int | None,
    notes: str,
) -> None:
    """Compare two runs clip by clip: by how much they differ, how surely, and where most."""
    from vpbench.analysis.comparison import compare as compare_runs
    from vpbench.runs.run import read_run
    from vpbench.tables.render import render

    check_out(out)
    comparison = compare_runs(
        read_run(run_a),
        read_run(run_b),
        common=common,
        level=level,
        metrics=metrics,
        by=by,
        most=most,
        steps=steps,
    )
    print_or_write(render(comparison, form, precision=precision, all_notes=notes == "all"), out)
