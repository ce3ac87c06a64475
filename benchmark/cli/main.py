"""The command line. Heavy imports are inside the commands, so that ``--help`` is quick."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

import click

from vpbench.errors import VpbenchError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


@cache
def _command_entries() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group="vpbench.commands")}


def _load(entry: EntryPoint) -> click.Command:
    """The command of an entry point; where somebody's package is broken, one that says so."""
    try:
        return cast("click.Command", entry.load())
    except Exception as error:
        problem = f"Command '{entry.name}' ({entry.value}) cannot be loaded: {type(error).__name__}: {error}"

        def refuse(**_: Any) -> None:
            raise VpbenchError(problem)

        ignored = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
        return click.Command(entry.name, ignored, refuse, help=problem)


class _Group(click.Group):
    """Finds commands, turns errors into a message and an exit code, and suggests commands.

    All commands, vpbench's own and those of other packages, are found by the entry-point group
    ``vpbench.commands``; their modules import little at the top.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_command_entries())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = _command_entries().get(cmd_name)
        return None if entry is None else _load(entry)

    def main(self, *args: Any, **extra: Any) -> Any:
        from vpbench.cli.output import any_encoding

        with any_encoding():
            return super().main(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        from vpbench.cli.ending import ending

        with ending(ctx.params["debug"]):
            return super().invoke(ctx)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            from vpbench.errors import unknown_name

            raise unknown_name("command", args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="vpbench")
@click.option(
    "--debug",
    is_flag=True,
    envvar="VPBENCH_DEBUG",
    show_envvar=True,
    help="Show the traceback of an error that vpbench did not foresee.",
)
def main(debug: bool) -> None:
    """Measure video-prediction models under one ruler.

    \b
    vpbench run --model last_frame --model optical_flow     on real footage that comes along
    vpbench run --model optical_flow --data UCF-101         on the paper's test split
    """  # noqa: D301 -- click reads the \b
