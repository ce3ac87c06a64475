"""``vpbench leaderboard``: the table of finished runs."""

from __future__ import annotations

from pathlib import Path

import click

from vpbench.errors import UsageError


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "latex", "csv", "json", "html", "bibtex"]),
    default="text",
    show_default=True,
    help="CSV and JSON have all numbers in full; bibtex gives what to cite with the rows.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file.")
@click.option("--common", is_flag=True, help="Count only the clips that all runs scored.")
@click.option(
    "--rows", "only", multiple=True, metavar="LABEL", help="Only these rows; * and ? stand for others."
)
@click.option("--metrics", metavar="KEY,…", help="Only these columns of scores, in this order.")
@click.option(
    "--sort",
    metavar="KEY",
    help="rank, label, or a column of the CSV such as psnr_1: best first.  [as given]",
)
@click.option(
    "--rank", "rank_by", metavar="KEY", help="What ranks go by.  [the first metric, 1st frame: psnr_1]"
)
@click.option(
    "--level",
    type=click.FloatRange(0.5, 0.999),
    default=0.95,
    show_default=True,
    help="Level of the intervals and of the ranks.",
)
@click.option("--ci/--no-ci", "intervals", default=None, help="Intervals beneath the means.  [in HTML]")
@click.option("--facts/--no-facts", default=None, help="Cost, moving area, training data.  [in HTML]")
@click.option(
    "--precision",
    type=click.IntRange(0, 10),
    help="Digits after the point; one more for scores in [0, 1].  [2]",
)
@click.option("--group/--no-group", default=True, help="One row for the training seeds of a method.  [group]")
def leaderboard(
    runs: tuple[Path, ...],
    form: str,
    out: Path | None,
    common: bool,
    only: tuple[str, ...],
    metrics: str | None,
    sort: str | None,
    rank_by: str | None,
    level: float,
    intervals: bool | None,
    facts: bool | None,
    precision: int | None,
    group: bool,
) -> None:
    """Print the table of finished runs: RUN… are folders of runs, or folders that hold some.

    \b
    vpbench leaderboard runs --sort rank --ci                 who is better, and how surely
    vpbench leaderboard runs --format latex --precision 1     for a paper
    """  # noqa: D301 -- click reads the \b
    from vpbench.analysis.leaderboard import build
    from vpbench.files import write_atomic
    from vpbench.runs.run import find_runs, read_run

    if out is not None and not out.parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.parent}.")
    board = build(
        [read_run(folder) for path in runs for folder in find_runs(path)],
        common=common,
        level=level,
        rank_by=rank_by,
        group=group,
        only=only,
        metrics=[key.strip() for key in metrics.split(",")] if metrics else (),
        sort=sort,
    )
    if form == "bibtex":
        from vpbench.tables.bibtex import entries

        text = entries(board)
    else:
        from vpbench.tables.leaderboard import render

        text = render(board, form, intervals=intervals, facts=facts, precision=precision)
    if out is None:
        click.echo(text)
    else:
        write_atomic(out, (text.rstrip("\n") + "\n").encode())
