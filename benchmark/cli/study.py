"""``vpbench study``: how far the numbers move when nothing moves but the ruler."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vpbench.cli.options import clip_options

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from vpbench.clips.opening import Opened
    from vpbench.scoring.protocol import Protocol


_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.option(
    "--model",
    "models",
    multiple=True,
    required=True,
    metavar="NAME[,key=value]",
    help="A predictor, as for `vpbench run`. May be repeated.",
)
@click.option(
    "--as", "labels", multiple=True, metavar="LABEL", help="Label of the row; one for each --model."
)
@clip_options
@click.option("--device", default="cpu", show_default=True, help="Where trained models run, e.g. cuda.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "latex", "csv"]),
    default="text",
    show_default=True,
    help="What is printed.",
)
@click.option(
    "--out", type=_FOLDER, help="Also write study.txt, .md, .csv and the figure, study.pdf and .png, here."
)
def study(
    models: tuple[str, ...],
    labels: tuple[str, ...],
    split_name: str | None,
    data: Path | None,
    require_all: bool,
    limit: int | None,
    workers: int | None,
    executor_name: str,
    scheduler: str | None,
    device: str,
    form: str,
    out: Path | None,
) -> None:
    """Score the same predictions under every protocol.

    Each model predicts once. Its predictions are scored under the built-in protocols that ask for the same
    frame, under the paper's measures with other moving areas and other details, and after sharpening. The table
    shows how far the numbers move.
    """
    from vpbench.cli.options import dask_scheduler, labels_of, opened_clips, progress_bar
    from vpbench.clips.prepared import geometry, is_archive, is_prepared
    from vpbench.predictors.spec import PredictorSpec
    from vpbench.scoring.built_in import MATHIEU2016, get_protocol
    from vpbench.study.run import Model, run_study
    from vpbench.study.settings import settings_for
    from vpbench.study.table import render_study

    if out is not None:
        from vpbench.study.figure import require_matplotlib

        require_matplotlib()
    scheduler = dask_scheduler(executor_name, scheduler)
    specs = [PredictorSpec.parse(model) for model in models]
    names = labels_of(specs, labels)
    made = [Model(label, spec, spec.create(device)) for label, spec in zip(names, specs, strict=True)]
    base = MATHIEU2016
    prepared = data is not None and data.is_dir() and (is_prepared(data) or is_archive(data))
    if prepared and data is not None and is_archive(data):
        base = get_protocol("mathieu2016-archive")
    settings = settings_for(base)
    if prepared:  # such a folder has clips of one geometry
        settings = tuple(s for s in settings if geometry(s.protocol) == geometry(base))

    def open_for(protocol: Protocol) -> AbstractContextManager[Opened]:
        return opened_clips(split_name, data, protocol, require_all, limit, workers, scheduler)

    done = run_study(made, settings, open_for, progress_bar)
    click.echo(render_study(done, form))
    if out is not None:
        from vpbench.files import make_folder, write_atomic
        from vpbench.study.figure import write_figure

        make_folder(out)
        written = [out / f"study.{suffix}" for suffix in ("txt", "md", "csv")]
        for path, kind in zip(written, ("text", "markdown", "csv"), strict=True):
            write_atomic(path, (render_study(done, kind) + "\n").encode())
        for path in (*written, *write_figure(done, out / "study")):
            click.echo(f"Written: {path}", err=True)
