"""``vpbench leaderboard``: the table of finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vpbench.cli.options import (
    check_out,
    format_option,
    level_option,
    metrics_option,
    notes_option,
    precision_option,
    print_or_write,
    read_runs,
    runs_argument,
    steps_option,
    table_out_option,
)
from vpbench.errors import UsageError
from vpbench.tables.formats.export import FORMATS

if TYPE_CHECKING:
    from vpbench.analysis.strata import By


@click.command()
@runs_argument
@format_option(
    *FORMATS,
    "bibtex",
    what="CSV and JSON have all numbers in full; bibtex gives what to cite with the rows.",
)
@table_out_option
@click.option("--common", is_flag=True, help="Count only the clips that all runs scored.")
@click.option(
    "--rows", "only", multiple=True, metavar="LABEL", help="Only these rows; * and ? stand for others."
)
@metrics_option("Only these columns of scores, in this order.")
@steps_option
@click.option(
    "--sort",
    metavar="KEY",
    help="rank, label, or a column of the CSV such as psnr_1: best first.  [as given]",
)
@click.option(
    "--rank", "rank_by", metavar="KEY", help="What ranks go by.  [the first metric, 1st frame: psnr_1]"
)
@click.option("--against", metavar="ROW", help="Give each row's difference to this one.  [last_frame]")
@level_option("Level of the intervals, and of the ranks.")
@click.option("--ci/--no-ci", "intervals", default=None, help="Intervals beneath the means.  [in HTML]")
@click.option(
    "--matrix", is_flag=True, help="All pairs of rows, in the score that ranks, instead of the table."
)
@click.option("--facts/--no-facts", default=None, help="Cost, moving area, training data.  [in HTML]")
@click.option(
    "--by",
    type=click.Choice(["motion", "difficulty", "class"]),
    help="In parts: by how far things move, by how well a copy of the last frame does, by UCF101's classes.",
)
@precision_option
@notes_option
@click.option("--group/--no-group", default=True, help="One row for the training seeds of a method.  [group]")
def leaderboard(
    runs: tuple[Path, ...],
    form: str,
    out: Path | None,
    common: bool,
    only: tuple[str, ...],
    metrics: tuple[str, ...],
    steps: tuple[str, ...],
    sort: str | None,
    rank_by: str | None,
    against: str | None,
    level: float,
    intervals: bool | None,
    matrix: bool,
    facts: bool | None,
    by: By | None,
    precision: int | None,
    notes: str,
    group: bool,
) -> None:
    """Print the table of finished runs: RUN… are folders of runs, or folders that hold some.

    \b
    vpbench leaderboard runs --sort rank --ci                 who is better, and how surely
    vpbench leaderboard runs --by motion                      who is better where
    vpbench leaderboard runs --format latex --precision 1     for a paper
    """  # noqa: D301 -- click reads the \b
    from vpbench.analysis.leaderboard import LeaderboardOptions, build_leaderboard

    check_out(out)
    if by is not None and facts:
        raise UsageError(f"--facts: a table by {by} has no room for them; print them without --by.")
    if matrix and (form == "bibtex" or by is not None):
        raise UsageError(f"--matrix does not go with {'--format bibtex' if by is None else '--by'}.")
    options = LeaderboardOptions(
        only=only,
        metrics=metrics,
        sort=sort,
        group=group,
        rank_by=rank_by,
        level=level,
        against=against,
        common=common,
        steps=steps,
    )
    board = build_leaderboard(read_runs(runs), options, published=() if by else None)
    if form == "bibtex":
        from vpbench.tables.bibtex import entries

        text = entries(board)
    else:
        from vpbench.analysis.strata import build_strata
        from vpbench.tables.render import render

        table = board if by is None else build_strata(board, by)
        text = render(
            table,
            form,
            intervals=intervals,
            facts=facts,
            precision=precision,
            matrix=matrix,
            all_notes=notes == "all",
        )
    print_or_write(text, out)
