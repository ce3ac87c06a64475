"""The options that say where the frames of runs come from, for the commands that show them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vpbench.errors import UsageError

if TYPE_CHECKING:
    from vpbench.clips.opening import Opened
    from vpbench.scoring.protocol import Protocol


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


DEFAULT_PROTOCOL = "mathieu2016"


_FOLDER = click.Path(file_okay=False, path_type=Path)


def clip_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options by which `run`, `prepare` and `study` say which clips, and what does the work."""
    for option in (
        click.option(
            "--workers", type=click.IntRange(min=1), help="Worker processes.  [default: processors]"
        ),
        click.option(
            "--executor",
            "executor_name",
            type=click.Choice(["processes", "dask"]),
            default="processes",
            show_default=True,
            help="Worker processes here, or the workers of a Dask cluster with a shared file system.",
        ),
        click.option("--scheduler", metavar="tcp://HOST:PORT", help="The Dask cluster's scheduler."),
        click.option("--limit", type=click.IntRange(min=1), help="Only the first N clips."),
        click.option("--require-all", is_flag=True, help="Refuse a partial copy of the split."),
        click.option(
            "--data",
            type=_FOLDER,
            envvar="VPBENCH_DATA",
            show_envvar=True,
            help="Folder of the videos, of prepared clips, or of the authors' archive UCF101frm10p.",
        ),
        click.option(
            "--split",
            "split_name",
            metavar="NAME|FOLDER|FILE.csv",
            help="Which clips.  [default: ucf101-every10th with --data, else demo]",
        ),
    ):
        command = option(command)
    return command


_protocol_option = click.option(
    "--protocol",
    "protocol_name",
    default=DEFAULT_PROTOCOL,
    show_default=True,
    metavar="NAME|FILE.toml",
    help="How clips are scored (`vpbench list protocols`).",
)


def labels_of(specs: list[Any], labels: tuple[str, ...]) -> list[str]:
    """The runs' labels, which are names of folders."""
    from vpbench.runs.manifest import LABEL

    if labels and len(labels) != len(specs):
        raise UsageError(
            f"--as is given {len(labels)} times for {len(specs)} --model; give one for each, or none."
        )
    names = list(labels) or [spec.label for spec in specs]
    for name in names:
        if not LABEL.fullmatch(name):
            raise UsageError(
                f"'{name}' cannot be a run's label, which names a folder: letters, digits and _ . , = + - only; "
                "give another with --as."
            )
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise UsageError(f"Two models have the label '{twice}'; tell them apart with --as.")
    return names


def dask_scheduler(executor_name: str, scheduler: str | None) -> str | None:
    """The address of the Dask scheduler, if one is to be used."""
    if (executor_name == "dask") != (scheduler is not None):
        raise UsageError("--executor dask and --scheduler tcp://HOST:PORT go together.")
    return scheduler


def opened_clips(
    split_name: str | None,
    data: Path | None,
    protocol: Protocol,
    require_all: bool,
    limit: int | None,
    workers: int | None,
    scheduler: str | None = None,
    out: Path | None = None,
) -> AbstractContextManager[Opened]:
    """The clips that the options mean; warnings and progress go to standard error."""
    from vpbench.clips.opening import open_clips

    context = click.get_current_context()
    if context.get_parameter_source("data") is click.core.ParameterSource.ENVIRONMENT and not (
        split_name in (None, "ucf101-every10th") or split_name.endswith(".csv")
    ):
        data = None  # the variable says where UCF101 is; other splits have their own place
    return open_clips(
        split_name,
        data,
        protocol,
        require_all=require_all,
        limit=limit,
        workers=workers,
        scheduler=scheduler,
        out=out,
        warn=lambda text: click.echo(f"Warning: {text}", err=True),
        progress=progress_bar,
    )


@contextmanager
def progress_bar(label: str, length: int) -> Iterator[Callable[[], None]]:
    """A progress bar on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr, show_pos=True) as bar:
        yield lambda: bar.update(1)
