"""``vpbench figure``: the paper's kinds of figure, and an animation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vpbench.cli.options import frame_options

if TYPE_CHECKING:
    from vpbench.figures.scene import Scene


@click.group()
def figure() -> None:
    """Draw frames of runs: the moving area, strips with zooms, an animation.

    Frames are those that a run saved (`run --save-predictions`) or those of its predictor run again.
    """


def _options(command: Callable[..., None]) -> Callable[..., None]:
    """The argument and the options that the figures share."""
    for option in (
        frame_options,
        click.option("--grey", is_flag=True, help="Luma only, as in the paper's Figure 5."),
        click.option(
            "--clip", type=int, help="Which clip.  [default: where the runs differ most; median of one run]"
        ),
        click.option(
            "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write."
        ),
        click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path)),
    ):
        command = option(command)
    return command


_dpi = click.option(
    "--dpi",
    type=click.IntRange(50, 1200),
    default=220,
    show_default=True,
    help="Pixels per inch of a PNG or WebP; a PDF keeps the frames' own.",
)


@figure.command()
@_options
@_dpi
@click.option("--frame", type=int, default=1, show_default=True, help="Which predicted frame.")
def masks(frame: int, dpi: int, grey: bool, out: Path, **source: Any) -> None:
    """Show what the moving area keeps of target and predictions, as PDF, PNG or WebP (Figure 3)."""
    from vpbench.figures import figures

    figures.check_suffix(out)
    scene = _scene(**source)
    figures.save(figures.masks(scene, frame, grey=grey), out, dpi)
    click.echo(f"{out}: {scene.caption}; predicted frame {frame}. Below: its moving area, all else black.")


@figure.command()
@_options
@_dpi
@click.option(
    "--frame",
    "frames",
    type=int,
    multiple=True,
    help="Which predicted frame; may be repeated.  [default: the first two]",
)
@click.option(
    "--zoom",
    "zooms",
    multiple=True,
    metavar="X,Y,W,H",
    help="A part to enlarge, in pixels; may be given twice.  [default: where most moves]",
)
def strip(
    frames: tuple[int, ...], zooms: tuple[str, ...], dpi: int, grey: bool, out: Path, **source: Any
) -> None:
    """Show inputs, target and predictions with enlarged parts, as PDF, PNG or WebP (Figures 4 and 5)."""
    from vpbench.figures import figures

    figures.check_suffix(out)
    scene = _scene(**source)
    shown = tuple(dict.fromkeys(frames)) or tuple(range(1, min(2, scene.protocol.targets) + 1))
    figures.save(figures.strip(scene, shown, grey=grey, zooms=zooms), out, dpi)
    click.echo(f"{out}: {scene.caption}. Under each prediction: its scores.")


@figure.command()
@_options
def animation(grey: bool, out: Path, **source: Any) -> None:
    """Animate inputs, then truth beside predictions, as GIF, APNG (.png) or WebP."""
    from vpbench.figures import animation as animated
    from vpbench.figures.figures import check_suffix

    check_suffix(out, animated.SUFFIXES)
    scene = _scene(**source)
    animated.write(*animated.frames_of(scene, grey=grey), out)
    click.echo(f"{out}: {scene.caption}.")


def _scene(
    runs: tuple[Path, ...],
    clip: int | None,
    split: str | None,
    data: Path | None,
    saved_only: bool,
    models: tuple[str, ...],
    device: str,
) -> Scene:
    from vpbench.evaluation.replay import ClipFinder
    from vpbench.figures.scene import gather
    from vpbench.predictors.spec import PredictorSpec
    from vpbench.runs.run import find_runs, read_run

    read = [read_run(folder) for path in runs for folder in find_runs(path)]
    return gather(
        read,
        clip,
        ClipFinder(split, data),
        again=not saved_only,
        models=[*map(PredictorSpec.parse, models)],
        device=device,
    )
