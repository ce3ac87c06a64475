"""``vpbench study``: how far the numbers move when nothing moves but the ruler, or when the inputs are corrupted."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vpbench.cli.options import (
    FOLDER,
    clip_options,
    device_option,
    format_option,
    labels_of,
    model_options,
    notes_option,
    options,
)
from vpbench.cli.output import progress_bar, say, warn
from vpbench.errors import UsageError
from vpbench.tables.formats.export import FORMATS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vpbench.clips.opening import ClipRequest
    from vpbench.parallel.execution import Workers
    from vpbench.predictors.corrupted import Corruption


def corruption_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a study of robustness: ``corruptions`` (``None`` for the other study) and the rest."""

    @wraps(command)
    def call(
        *,
        corruptions: bool,
        kinds: tuple[str, ...],
        severities: tuple[int, ...],
        seed: int | None,
        protocol_name: str | None,
        notes: str,
        **rest: Any,
    ) -> None:
        chosen: list[Corruption] | None = None
        if corruptions:
            from vpbench.study.robustness import choose

            chosen = choose(kinds, severities, seed or 0)
        else:
            given = {
                "--corruption": kinds,
                "--severity": severities,
                "--seed": seed is not None,
                "--protocol": protocol_name,
                "--notes": notes == "all",
            }
            for option in (name for name, value in given.items() if value):
                raise UsageError(f"{option} goes with --corruptions.")
        command(corruptions=chosen, protocol_name=protocol_name, all_notes=notes == "all", **rest)

    return options(
        click.option("--corruptions", is_flag=True, help="Corrupt the inputs, and keep to one protocol."),
        click.option(
            "--corruption",
            "kinds",
            multiple=True,
            metavar="KIND",
            help="Only this one (`vpbench list corruptions`); may be repeated.",
        ),
        click.option(
            "--severity",
            "severities",
            multiple=True,
            type=int,
            metavar="1…5",
            help="Only this one; may be repeated.",
        ),
        click.option("--seed", type=int, help="Where the corruptions' randomness comes from.  [default: 0]"),
        click.option(
            "--protocol",
            "protocol_name",
            metavar="NAME|FILE.toml",
            help="With --corruptions: how clips are scored.  [default: the split's; mathieu2016 for most]",
        ),
        notes_option,
    )(call)


@click.command()
@model_options(
    "A predictor, as for `vpbench run`. May be repeated.", "Label of the row; one for each --model."
)
@clip_options
@device_option
@corruption_options
@format_option(*(form for form in FORMATS if form not in ("json", "html")), what="What is printed.")
@click.option(
    "--out",
    type=FOLDER,
    help="Also write study.txt, .md, .csv and the figure, study.pdf and .png, here; with --corruptions robustness.txt "
    "and so on, and the runs, with which an interrupted study goes on.",
)
def study(
    models: tuple[str, ...],
    labels: tuple[str, ...],
    clips: ClipRequest,
    workers: Workers,
    device: str,
    corruptions: list[Corruption] | None,
    protocol_name: str | None,
    all_notes: bool,
    form: str,
    out: Path | None,
) -> None:
    """Score the same predictions under every protocol, or the same predictors on corrupted inputs.

    Each model predicts once. Its predictions are scored under the built-in protocols that ask for the same
    frame, under the paper's measures with other moving areas and other details, and after sharpening. The table
    shows how far the numbers move.

    With --corruptions each model predicts from clean inputs, and from noisy, compressed, repeated, lost and
    covered ones, in five severities; targets and masks stay clean. The table shows how far the scores fall.
    """
    from vpbench.clips.opening import open_clips
    from vpbench.predictors.entrant import Entrant
    from vpbench.predictors.spec import PredictorSpec

    if out is not None:
        from vpbench.study.figure import require_matplotlib

        require_matplotlib()
    specs = [PredictorSpec.parse(model) for model in models]
    entrants = [
        Entrant.enter(label, spec, spec.create(device))
        for label, spec in zip(labels_of(specs, labels), specs, strict=True)
    ]
    open_for = partial(open_clips, clips, workers=workers, warn=warn, progress=progress_bar)
    if corruptions is None:
        from vpbench.study.figure import draw
        from vpbench.study.run import run_study
        from vpbench.study.settings import settings_for_clips
        from vpbench.study.table import render_study

        done = run_study(entrants, settings_for_clips(clips), open_for, progress_bar)
        _show("study", partial(render_study, done), form, out, lambda: draw(done))
    else:
        from vpbench.files import temporary_folder
        from vpbench.scoring.built_in import get_protocol
        from vpbench.study.robustness import run_robustness
        from vpbench.study.robustness_figure import draw_robustness
        from vpbench.study.robustness_table import render_robustness

        protocol = clips.adapt(get_protocol(protocol_name or clips.protocol))
        with temporary_folder() if out is None else nullcontext(out / "runs") as runs:
            found = run_robustness(entrants, corruptions, protocol, open_for, runs, progress_bar)
        _show(
            "robustness",
            partial(render_robustness, found, all_notes=all_notes),
            form,
            out,
            lambda: draw_robustness(found),
        )


def _show(
    name: str, render: Callable[[str], str], form: str, out: Path | None, figure: Callable[[], Figure]
) -> None:
    """Print the tables, and write them and the figure to a folder, if one is named."""
    say(render(form))
    if out is None:
        return
    from vpbench.files import make_folder, write_text
    from vpbench.study.figure import write_figure

    make_folder(out)
    written = [out / f"{name}.{suffix}" for suffix in ("txt", "md", "csv")]
    for path, kind in zip(written, ("text", "markdown", "csv"), strict=True):
        write_text(path, render(kind))
    for path in (*written, *write_figure(figure(), out / name)):
        say(f"Written: {path}", err=True)
