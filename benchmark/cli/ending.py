"""How a command ends: whatever happens, with one message on standard error, and an exit code."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import click
from click.exceptions import Exit, NoArgsIsHelpError

from vpbench.cli.output import say
from vpbench.errors import VpbenchError
from vpbench.escape import visible
from vpbench.signals import watched


@contextmanager
def ending(debug: bool) -> Iterator[None]:
    """Run a command in the block; what it raises becomes a message and an exit code.

    Args:
        debug: show the traceback of an exception that vpbench did not foresee.

    Raises:
        Exit: the command failed (1), was interrupted (1) or is wrong (2).
        click.UsageError: the command is wrong; click prints it, with a hint at the command's help.
        BrokenPipeError: nobody reads the output any more; click ends with 1.
    """
    try:
        with watched():
            _check_working_folder()
            yield
    except VpbenchError as error:
        say(f"Error: {error}", err=True)
        raise Exit(error.exit_code) from None
    except NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        raise click.UsageError(visible(error.format_message()), error.ctx) from None
    except KeyboardInterrupt as error:
        kept = str(error) or "What was finished is kept: run the same command to resume."
        say(f"\nInterrupted. {kept}", err=True)
        raise Exit(1) from None
    except MemoryError as error:
        say(
            f"Error: Memory ran out{f' ({error})' if str(error) else ''}. What was finished is kept.",
            err=True,
        )
        raise Exit(1) from None
    except (Exit, click.Abort, click.ClickException, BrokenPipeError):
        raise
    except Exception as error:
        say(_bug(error), err=True)
        if debug:
            sys.excepthook = _print_traceback
            raise
        raise Exit(1) from None


def _check_working_folder() -> None:
    try:
        Path.cwd()
    except OSError:
        raise VpbenchError("The working folder no longer exists; change to one that does.") from None


def _bug(error: Exception) -> str:
    """The line about an exception that no code foresaw."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    what = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return (
        f"Error: This is a bug of vpbench: {what} ({Path(place.filename).name}, line {place.lineno}). Please report it "
        f"{_where_to_report()}, with what `vpbench --debug …` prints."
    )


def _where_to_report() -> str:
    from importlib.metadata import metadata

    urls = dict(url.split(", ", 1) for url in metadata("vpbench").get_all("Project-URL") or ())
    address = urls.get("Issues") or urls.get("Repository") or urls.get("Homepage")
    return f"at {address}" if address else "to whom you have vpbench from"


def _print_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    say("".join(traceback.format_exception(kind, error, trace)).rstrip("\n"), err=True)
