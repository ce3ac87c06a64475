"""The command line. Heavy imports stand inside the commands, so that ``--help`` is quick."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vpbench.errors import UsageError, VpbenchError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from vpbench.opening import Opened
    from vpbench.protocol import Protocol
    from vpbench.runs import Run

DEFAULT_PROTOCOL = "mathieu2016"
_FOLDER = click.Path(file_okay=False, path_type=Path)


@cache
def _command_entries() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group="vpbench.commands")}


class _Group(click.Group):
    """Turns errors into a message and an exit code, suggests commands, and finds those of other packages.

    Commands beside the ones below come by the entry-point group ``vpbench.commands``, so that the core need
    not import the packages that provide them (``train`` is one); their modules import little at the top.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_command_entries()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in _command_entries():
            return own
        command: click.Command = _command_entries()[cmd_name].load()
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except VpbenchError as error:
            from vpbench.escape import visible

            click.echo(f"Error: {visible(str(error))}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("\nInterrupted. What was finished is kept: run the same command to go on.", err=True)
            ctx.exit(1)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            from vpbench.errors import unknown_name

            raise unknown_name("command", args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="vpbench")
def main() -> None:
    """Measure video-prediction models under one ruler.

    \b
    vpbench run --model last_frame --model optical_flow     on real footage that comes along
    vpbench run --model optical_flow --data UCF-101         on the paper's test split
    """  # noqa: D301 -- click reads the \b


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


@main.command()
@click.option(
    "--model",
    "models",
    multiple=True,
    required=True,
    metavar="NAME[,key=value]",
    help="A predictor (`vpbench list predictors`) or FILE.py:Class, with its options, or frames:DIR, a folder of "
    "predicted frames. May be repeated.",
)
@click.option(
    "--as", "labels", multiple=True, metavar="LABEL", help="Label of the run; one for each --model."
)
@clip_options
@_protocol_option
@click.option("--out", type=_FOLDER, default=Path("runs"), show_default=True, help="Folder of runs.")
@click.option("--save-predictions", is_flag=True, help="Keep the predicted frames as float32 arrays.")
@click.option("--batch-size", type=click.IntRange(min=1), default=1, show_default=True, help="Clips at once.")
@click.option("--device", default="cpu", show_default=True, help="Where trained models run, e.g. cuda.")
@click.option(
    "--samples",
    type=int,
    metavar="N",
    help="Futures drawn of each clip (stochastic predictors).  [default: 1]",
)
@click.option("--seed", type=int, help="Where their randomness comes from.  [default: 0]")
@click.option("--force", is_flag=True, help="Give up a run in the folder that does not match.")
def run(
    models: tuple[str, ...],
    labels: tuple[str, ...],
    split_name: str | None,
    data: Path | None,
    protocol_name: str,
    require_all: bool,
    limit: int | None,
    workers: int | None,
    executor_name: str,
    scheduler: str | None,
    out: Path,
    save_predictions: bool,
    batch_size: int,
    device: str,
    samples: int | None,
    seed: int | None,
    force: bool,
) -> None:
    """Score predictors and print the table.

    An interrupted run goes on where it stopped when the command is given again.
    """
    from vpbench.predictor import PredictorSpec, check_fits
    from vpbench.protocol import get_protocol
    from vpbench.samples import check_samples

    specs = [PredictorSpec.parse(model) for model in models]
    names = labels_of(specs, labels)
    protocol = get_protocol(protocol_name)
    predictors, draws = [], []
    for spec in specs:
        predictor = spec.create(device)
        check_fits(predictor, spec.name, protocol.inputs, protocol.targets, protocol.name)
        predictors.append(predictor)
        draws.append(check_samples(predictor, spec.name, samples, seed))

    from vpbench.evaluation import evaluate_clips
    from vpbench.leaderboard import build
    from vpbench.tables.sheets import render

    runs: list[Run] = []
    scheduler = dask_scheduler(executor_name, scheduler)
    with opened_clips(split_name, data, protocol, require_all, limit, workers, scheduler) as opened:
        for predictor, drawn, spec, label in zip(predictors, draws, specs, names, strict=True):
            with progress_bar(f"Scoring {label}", opened.count) as step:
                runs.extend(
                    evaluate_clips(
                        predictor,
                        spec,
                        label,
                        opened.clips,
                        protocol,
                        out,
                        opened.executor,
                        window=opened.window + batch_size,
                        batch_size=batch_size,
                        limit=limit,
                        samples=drawn,
                        save_predictions=save_predictions,
                        force=force,
                        progress=step,
                    )
                )
    click.echo(render(build(runs), "text"))
    for one in runs:
        click.echo(f"Run: {one.folder}", err=True)


@main.command()
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
    from vpbench.protocol import get_protocol

    protocol = get_protocol(protocol_name)
    scheduler = dask_scheduler(executor_name, scheduler)
    with opened_clips(split_name, data, protocol, require_all, limit, workers, scheduler, out) as opened:
        clips = opened.clips
        click.echo(f"{len(clips.contents)} clips of split '{clips.split['name']}' are prepared in {out}.")


@main.command("list")
@click.argument(
    "what", type=click.Choice(["predictors", "protocols", "splits", "metrics", "flows", "published"])
)
def list_(what: str) -> None:
    """Print what there is, with its definition."""
    from vpbench import listing

    click.echo(getattr(listing, what)())


@main.command()
@click.option(
    "--data", type=_FOLDER, envvar="VPBENCH_DATA", show_envvar=True, help="Folder of UCF101's videos."
)
def doctor(data: Path | None) -> None:
    """Say what is installed, and which devices and data are found."""
    from vpbench.environment import doctor as examine

    rows = examine(data)
    width = max(len(what) for _, what, _ in rows)
    for state, what, detail in rows:
        click.echo(f"{state:<8} {what:<{width}}  {detail}")
    if any(state == "fault" for state, _, _ in rows):
        raise VpbenchError("Repair what is marked as a fault above.")


def labels_of(specs: list[Any], labels: tuple[str, ...]) -> list[str]:
    """The runs' labels, which are names of folders."""
    from vpbench.runs import LABEL

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
    from vpbench.opening import open_clips

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
