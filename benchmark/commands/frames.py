"""The options that say where the frames of runs come from, for the commands that show them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click


def frame_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options ``split``, ``data``, ``saved_only``, ``models`` and ``device``."""
    for option in (
        click.option("--device", default="cpu", show_default=True, help="Where predictors are run again."),
        click.option(
            "--model",
            "models",
            multiple=True,
            metavar="FILE.py:Class",
            help="The predictor of a run that saved no frames, where it is not an installed one; may be repeated.",
        ),
        click.option("--saved-only", is_flag=True, help="Do not run predictors again that saved no frames."),
        click.option(
            "--data",
            type=click.Path(file_okay=False, path_type=Path),
            envvar="VPBENCH_DATA",
            show_envvar=True,
            help="Folder of the videos, of prepared clips, or of the authors' archive.  [default: the cache]",
        ),
        click.option(
            "--split", metavar="FOLDER|FILE.csv", help="The runs' split, where it is one of your own."
        ),
    ):
        command = option(command)
    return command
