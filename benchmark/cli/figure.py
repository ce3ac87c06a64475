"""``vpbench figure``: the paper's kinds of figure, and an animation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vpbench.cli.options import FILE, frame_options, options, read_runs, runs_argument
from vpbench.cli.output import say

if TYPE_CHECKING:
    from vpbench.evaluation.replay import Replay
    from vpbench.figures.scene import Scene


@click.group()
def figure() -> None:
    """Draw frames of runs: the moving area, strips with zooms, an animation.

    Frames are those that a run saved (`run --save-predictions`) or those of its predictor run again.
    """


_figure_options = options(
    runs_argument,
    click.option("--out", type=FILE, required=True, help="File to write."),
    click.option(
        "--clip", type=int, help="Which clip.  [default: where the runs differ most; median of one run]"
    ),
    click.option("--grey", is_flag=True, help="Luma only, as in the paper's Figure 5."),
    frame_options,
)
_dpi_option = click.option(
    "--dpi",
    type=click.IntRange(50, 1200),
    default=220,
    show_default=True,
    help="Pixels per inch of a PNG or WebP; a PDF keeps the frames' own.",
)


@figure.command()
@_figure_options
@_dpi_option
@click.option("--frame", type=int, default=1, show_default=True, help="Which predicted frame.")
def masks(frame: int, dpi: int, grey: bool, out: Path, **source: Any) -> None:
    """Show what the moving area keeps of target and predictions, as PDF, PNG or WebP (Figure 3)."""
    from vpbench.figures import figures

    figures.check_suffix(out)
    scene = _scene(**source)
    figures.save(figures.masks(scene, frame, grey=grey), out, dpi)
    say(f"{out}: {scene.caption}; predicted frame {frame}. Below: its moving area, all else black.")


@figure.command()
@_figure_options
@_dpi_option
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
    say(f"{out}: {scene.caption}. Under each prediction: its scores.")


@figure.command()
@_figure_options
def animation(grey: bool, out: Path, **source: Any) -> None:
    """Animate inputs, then truth beside predictions, as GIF, APNG (.png) or WebP."""
    from vpbench.figures import animation as animated
    from vpbench.figures.figures import check_suffix

    check_suffix(out, animated.SUFFIXES)
    scene = _scene(**source)
    animated.write(*animated.animate(scene, grey=grey), out)
    say(f"{out}: {scene.caption}.")


def _scene(runs: tuple[Path, ...], clip: int | None, replay: Replay) -> Scene:
    from vpbench.figures.scene import gather

    return gather(read_runs(runs), clip, replay)
