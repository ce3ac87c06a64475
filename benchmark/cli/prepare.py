"""``vpbench prepare``: decode videos, estimate flow, and write clips."""

from __future__ import annotations

from pathlib import Path

import click

from vpbench.cli.options import _FOLDER, _protocol_option, clip_options, dask_scheduler, opened_clips


@click.command()
@clip_options
@_protocol_option
@click.option("--out", type=_FOLDER, required=True, help="Folder to write the prepared clips to.")
def prepare(
    split_name: str | None,
    data: Path | None,
    protocol_name: str,
    require_all: bool,
    limit: int | None,
    workers: int | None,
    executor_name: str,
    scheduler: str | None,
    out: Path,
) -> None:
    """Decode videos, estimate flow, and write clips in the layout of the authors' archive.

    `run` does this by itself, in a cache folder; prepared clips of one's own serve other people's scripts.
    """
    from vpbench.scoring.built_in import get_protocol

    protocol = get_protocol(protocol_name)
    scheduler = dask_scheduler(executor_name, scheduler)
    with opened_clips(split_name, data, protocol, require_all, limit, workers, scheduler, out) as opened:
        clips = opened.clips
        click.echo(f"{len(clips.contents)} clips of split '{clips.split.name}' are prepared in {out}.")
