"""``vpbench prepare``: decode videos, estimate flow, and write clips."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vpbench.cli.options import FOLDER, clip_options, protocol_option
from vpbench.cli.output import progress_bar, say, warn

if TYPE_CHECKING:
    from vpbench.clips.opening import ClipRequest
    from vpbench.parallel.execution import Workers


@click.command()
@clip_options
@protocol_option
@click.option("--out", type=FOLDER, required=True, help="Folder to write the prepared clips to.")
def prepare(clips: ClipRequest, workers: Workers, protocol_name: str | None, out: Path) -> None:
    """Decode videos, estimate flow, and write clips in the layout of the authors' archive.

    `run` does this by itself, in a cache folder; prepared clips of one's own serve other people's scripts.
    """
    from vpbench.clips.opening import open_clips
    from vpbench.scoring.built_in import get_protocol

    protocol = clips.adapt(get_protocol(protocol_name or clips.protocol))
    with open_clips(clips, protocol, workers, out=out, warn=warn, progress=progress_bar) as opened:
        prepared = opened.clips
        say(f"{len(prepared.contents)} clips of split '{prepared.split.name}' are prepared in {out}.")
