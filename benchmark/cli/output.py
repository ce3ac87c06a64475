"""What vpbench prints. All of it goes through :func:`say`, which makes it harmless to the terminal."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import TextIOWrapper

import click

from vpbench.errors import VpbenchError
from vpbench.escape import lookalikes, visible

_LONGEST_MESSAGE = 10_000  # characters


def say(text: str, *, err: bool = False) -> None:
    """Print a message or a table: on standard output, or on standard error, which may be gone.

    Control characters, marks that reorder or hide text and lone surrogates appear escaped
    (:func:`vpbench.escape.visible`), since file names, and what files hold, may be a stranger's.

    Raises:
        VpbenchError: standard output cannot be written, for instance because the disk is full.
        BrokenPipeError: nobody reads it any more.
    """
    if err:
        if len(text) > _LONGEST_MESSAGE:
            text = f"{text[:_LONGEST_MESSAGE]}… ({len(text) - _LONGEST_MESSAGE} more characters)"
        with suppress(OSError):  # a terminal that was closed; the work is worth more
            click.echo(visible(text), file=sys.stderr)
        return
    try:
        click.echo(visible(text), file=sys.stdout)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise VpbenchError(f"Cannot write to standard output: {error.strerror}.") from error


def say_findings(rows: Sequence[tuple[str, str, str]]) -> None:
    """Print lines of a state, what it is the state of, and a detail, in columns."""
    width = max(len(what) for _, what, _ in rows)
    for state, what, detail in rows:
        say(f"{state:<8} {what:<{width}}  {detail}")


def warn(text: str) -> None:
    """A warning on standard error."""
    say(f"Warning: {text}", err=True)


@contextmanager
def progress_bar(label: str, length: int) -> Iterator[Callable[[], None]]:
    """A progress bar on standard error, where that is a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda: None
        return
    with click.progressbar(length=length, label=visible(label), file=sys.stderr, show_pos=True) as bar:
        yield lambda: bar.update(1)


@contextmanager
def any_encoding() -> Iterator[None]:
    """Within the block, characters that the encoding of the standard streams lacks are replaced, not refused."""
    codecs.register_error("vpbench.lookalikes", _look_alike)
    streams = [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, TextIOWrapper)]
    before = [stream.errors for stream in streams]
    for stream in streams:
        stream.reconfigure(errors="vpbench.lookalikes")
    try:
        yield
    finally:
        for stream, errors in zip(streams, before, strict=True):
            with suppress(OSError, ValueError):  # what it still held cannot be written, or it is closed
                stream.reconfigure(errors=errors)


def _look_alike(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return lookalikes(error.object[error.start : error.end]), error.end
