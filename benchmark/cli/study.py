"""``vpbench study``: how far the numbers move when nothing moves but the ruler."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vpbench.cli.options import (
    FOLDER,
    clip_options,
    device_option,
    format_option,
    labels_of,
    model_options,
)
from vpbench.cli.output import progress_bar, say, warn
from vpbench.tables.formats.export import FORMATS

if TYPE_CHECKING:
    from vpbench.clips.opening import ClipRequest
    from vpbench.parallel.execution import Workers


@click.command()
@model_options(
    "A predictor, as for `vpbench run`. May be repeated.", "Label of the row; one for each --model."
)
@clip_options
@device_option
@format_option(*(form for form in FORMATS if form not in ("json", "html")), what="What is printed.")
@click.option(
    "--out", type=FOLDER, help="Also write study.txt, .md, .csv and the figure, study.pdf and .png, here."
)
def study(
    models: tuple[str, ...],
    labels: tuple[str, ...],
    clips: ClipRequest,
    workers: Workers,
    device: str,
    form: str,
    out: Path | None,
) -> None:
    """Score the same predictions under every protocol.

    Each model predicts once. Its predictions are scored under the built-in protocols that ask for the same
    frame, under the paper's measures with other moving areas and other details, and after sharpening. The table
    shows how far the numbers move.
    """
    from vpbench.clips.opening import open_clips
    from vpbench.predictors.entrant import Entrant
    from vpbench.predictors.spec import PredictorSpec
    from vpbench.study.run import run_study
    from vpbench.study.settings import settings_for_clips
    from vpbench.study.table import render_study

    if out is not None:
        from vpbench.study.figure import require_matplotlib

        require_matplotlib()
    specs = [PredictorSpec.parse(model) for model in models]
    entrants = [
        Entrant.enter(label, spec, spec.create(device))
        for label, spec in zip(labels_of(specs, labels), specs, strict=True)
    ]
    open_for = partial(open_clips, clips, workers=workers, warn=warn, progress=progress_bar)
    done = run_study(entrants, settings_for_clips(clips), open_for, progress_bar)
    say(render_study(done, form))
    if out is not None:
        from vpbench.files import make_folder, write_text
        from vpbench.study.figure import write_figure

        make_folder(out)
        written = [out / f"study.{suffix}" for suffix in ("txt", "md", "csv")]
        for path, kind in zip(written, ("text", "markdown", "csv"), strict=True):
            write_text(path, render_study(done, kind))
        for path in (*written, *write_figure(done, out / "study")):
            say(f"Written: {path}", err=True)
