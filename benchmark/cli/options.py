"""The options that several commands share, each declared once, and what the commands make of them."""

from __future__ import annotations

import errno
import math
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vpbench.cli.output import say
from vpbench.errors import UsageError

if TYPE_CHECKING:
    from vpbench.clips.opening import ClipRequest
    from vpbench.parallel.execution import Workers
    from vpbench.predictors.spec import PredictorSpec
    from vpbench.runs.run import Run

Command = Callable[..., None]
Option = Callable[[Command], Command]


class _Path(click.Path):
    """A path that a file could have: the system is asked, as names may be too long for it, or hold NUL."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, as click checks it, if it can be one."""
        try:
            Path(value).stat()
        except ValueError:
            self.fail("it holds NUL, which no name has.", param, ctx)
        except OSError as error:
            if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
                self.fail(f"{f'{value}'[:100]}…: {error.strerror}.", param, ctx)
        return super().convert(value, param, ctx)


class Number(click.FloatRange):
    """A number in a range; `nan` is in every range of click's, and is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, if it is one."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


COUNT = click.IntRange(1, 10**9)
PROCESSES = click.IntRange(1, 1024)
FILE = _Path(dir_okay=False, path_type=Path)
FOLDER = _Path(file_okay=False, path_type=Path)
RUN = _Path(exists=True, file_okay=False, path_type=Path)
ANY_PATH = _Path(path_type=Path)


def options(*declared: Option) -> Option:
    """One decorator of several; their order is that of ``--help``."""

    def decorate(command: Command) -> Command:
        for option in reversed(declared):
            command = option(command)
        return command

    return decorate


# Predictors


def model_options(model_help: str, label_help: str) -> Option:
    """``--model``, as ``models``, and ``--as``, as ``labels``."""
    return options(
        click.option(
            "--model", "models", multiple=True, required=True, metavar="NAME[,key=value]", help=model_help
        ),
        click.option("--as", "labels", multiple=True, metavar="LABEL", help=label_help),
    )


device_option = click.option(
    "--device", default="cpu", show_default=True, help="Where trained models run, e.g. cuda."
)


def labels_of(specs: Sequence[PredictorSpec], labels: Sequence[str]) -> list[str]:
    """The runs' labels, which are names of folders: those given, or one for each predictor."""
    from vpbench.runs.manifest import LABEL, LABELS

    if labels and len(labels) != len(specs):
        raise UsageError(
            f"--as is given {len(labels)} times for {len(specs)} --model; give one for each, or none."
        )
    names = list(labels) or [spec.label for spec in specs]
    for name in names:
        if not LABEL.fullmatch(name):
            raise UsageError(
                f"'{name}' cannot be a run's label, which names a folder: {LABELS}; give another with --as."
            )
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise UsageError(f"Two models have the label '{twice}'; tell them apart with --as.")
    return names


# Clips, and what does the work

protocol_option = click.option(
    "--protocol",
    "protocol_name",
    metavar="NAME|FILE.toml",
    help="How clips are scored (`vpbench list protocols`).  [default: the split's; mathieu2016 for most]",
)
workers_option = click.option("--workers", type=PROCESSES, help="Worker processes.  [default: processors]")


def data_option(what: str) -> Option:
    """``--data``."""
    return click.option("--data", type=FOLDER, envvar="VPBENCH_DATA", show_envvar=True, help=what)


def clip_options(command: Command) -> Command:
    """The options by which `run`, `prepare` and `study` say which clips (``clips``) and workers (``workers``)."""

    @wraps(command)
    def call(
        *,
        split: str | None,
        data: Path | None,
        flow: str | None,
        require_all: bool,
        limit: int | None,
        scheduler: str | None,
        executor: str,
        workers: int | None,
        **rest: Any,
    ) -> None:
        command(
            clips=clip_request(split, data, flow=flow, require_all=require_all, limit=limit),
            workers=_workers(workers, executor, scheduler),
            **rest,
        )

    return options(
        click.option(
            "--split",
            metavar="NAME|FOLDER|FILE.csv",
            help="Which clips.  [default: ucf101-every10th with --data, else demo]",
        ),
        data_option("Folder of the videos, of prepared clips, or of the authors' archive UCF101frm10p."),
        click.option(
            "--flow",
            metavar="NAME|files:DIR",
            help="Flow of the moving areas: an estimator (`vpbench list flows`), or files of yours.  [default: the "
            "protocol's]",
        ),
        click.option("--require-all", is_flag=True, help="Refuse a partial copy of the split."),
        click.option("--limit", type=COUNT, help="Only the first N clips."),
        click.option("--scheduler", metavar="tcp://HOST:PORT", help="The Dask cluster's scheduler."),
        click.option(
            "--executor",
            type=click.Choice(["processes", "dask"]),
            default="processes",
            show_default=True,
            help="Worker processes here, or the workers of a Dask cluster with a shared file system.",
        ),
        workers_option,
    )(call)


def clip_request(
    split: str | None,
    data: Path | None,
    *,
    flow: str | None = None,
    require_all: bool = False,
    limit: int | None = None,
) -> ClipRequest:
    """Which clips the options mean; ``data`` may be that of the variable, which does not hold for every split."""
    from click.core import ParameterSource

    from vpbench.clips.opening import ClipRequest
    from vpbench.video.flow_source import flow_source

    source = click.get_current_context().get_parameter_source("data")
    given, default = (None, data) if source is ParameterSource.ENVIRONMENT else (data, None)
    chosen = None if flow is None else flow_source(flow)
    return ClipRequest(split, given, default, limit=limit, require_all=require_all, flow=chosen)


def _workers(count: int | None, executor: str, scheduler: str | None) -> Workers:
    from vpbench.parallel.execution import Workers

    if (executor == "dask") != (scheduler is not None):
        raise UsageError("--executor dask and --scheduler tcp://HOST:PORT go together.")
    return Workers(count, scheduler)


# Runs, and their clips and frames

runs_argument = click.argument("runs", nargs=-1, required=True, type=ANY_PATH)
RUN_DATA = "Folder of UCF101's videos, of prepared clips, or of the authors' archive."


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """The runs in folders of runs, and in folders that hold some."""
    from vpbench.runs.run import find_runs, read_run

    return [read_run(folder) for path in paths for folder in find_runs(path)]


def run_split_option(whose: str) -> Option:
    """``--split`` for the split of runs."""
    return click.option(
        "--split", metavar="FOLDER|FILE.csv", help=f"{whose} split, where it is one of your own."
    )


def frame_options(command: Command) -> Command:
    """The options by which `report` and `figure` say where the frames of runs come from (``replay``)."""

    @wraps(command)
    def call(
        *,
        split: str | None,
        data: Path | None,
        saved_only: bool,
        models: tuple[str, ...],
        device: str,
        **rest: Any,
    ) -> None:
        from vpbench.evaluation.replay import Replay
        from vpbench.predictors.spec import PredictorSpec

        named = tuple(map(PredictorSpec.parse, models))
        command(replay=Replay(clip_request(split, data), not saved_only, named, device), **rest)

    return options(
        run_split_option("The runs'"),
        data_option(
            "Folder of the videos, of prepared clips, or of the authors' archive.  [default: the cache]"
        ),
        click.option("--saved-only", is_flag=True, help="Do not run predictors again that saved no frames."),
        click.option(
            "--model",
            "models",
            multiple=True,
            metavar="FILE.py:Class",
            help="The predictor of a run that saved no frames, where it is not an installed one; may be repeated.",
        ),
        click.option("--device", default="cpu", show_default=True, help="Where predictors are run again."),
    )(call)


# Tables


def format_option(*forms: str, what: str) -> Option:
    """``--format``, as ``form``; the default is text."""
    return click.option(
        "--format", "form", type=click.Choice(forms), default="text", show_default=True, help=what
    )


def metrics_option(what: str) -> Option:
    """``--metrics``, as a tuple of keys."""
    return click.option("--metrics", metavar="KEY,…", callback=_keys, help=what)


def _keys(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    return tuple(key.strip() for key in value.split(",")) if value else ()


steps_option = click.option(
    "--steps",
    metavar="STEP,…",
    callback=_keys,
    help="The frames that are printed, such as 1,3,5; 1-3 is the mean over frames 1 to 3, all that over all.",
)


def level_option(what: str) -> Option:
    """``--level`` of intervals."""
    return click.option("--level", type=Number(0.5, 0.999), default=0.95, show_default=True, help=what)


table_out_option = click.option("--out", type=FILE, help="Write to a file.")
precision_option = click.option(
    "--precision",
    type=click.IntRange(0, 10),
    help="Digits after the point; one more for scores in [0, 1].  [2]",
)


notes_option = click.option(
    "--notes",
    type=click.Choice(["brief", "all"]),
    default="brief",
    show_default=True,
    help="At most four notes beneath the table, or all: also how numbers were found, and what explains a row.",
)


def check_out(out: Path | None) -> None:
    """Refuse, before any work, a file that cannot be written."""
    if out is not None and not out.parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.parent}.")


def print_or_write(text: str, out: Path | None) -> None:
    """Print a table, or write it to the file that the user named."""
    from vpbench.files import write_text

    if out is None:
        say(text)
    else:
        write_text(out, text)
