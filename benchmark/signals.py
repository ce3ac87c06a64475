"""Ctrl-C and the request to end (SIGTERM), which wait while something is written whole or cleaned up."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass
class _State:
    """Of the main thread, where Python's signal handlers run.

    Attributes:
        depth: blocks of :func:`unbroken` that it is in.
        waiting: what to raise at the end of the outermost.
    """

    depth: int = 0
    waiting: type[BaseException] | None = None


_state = _State()


class _Block:
    """A block at a depth; no generator, whose clean-up comes late where an exception is raised on its doorstep."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._main = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> None:
        if self._main:
            if not self._depth:
                _raise_waiting()
            self._before, _state.depth = _state.depth, self._depth

    def __exit__(self, *_: object) -> None:
        if self._main:
            _state.depth = self._before
            if not self._before:
                _raise_waiting()


def unbroken() -> _Block:
    """Within the block an interruption waits for the block's end, so that no half-written file is left.

    What may take long has no place in it, unless in a block of :func:`breakable`. Threads other than the main one are
    not interrupted anyway.
    """
    return _Block(_state.depth + 1)


def breakable() -> _Block:
    """Within the block, which stands in one of :func:`unbroken`, an interruption is raised where it comes."""
    return _Block(0)


def is_unbroken() -> bool:
    """Whether the main thread is in a block that must not be broken off."""
    return _state.depth > 0


def interrupt(error: type[BaseException]) -> None:
    """Raise ``error`` here, or where the outermost block of :func:`unbroken` ends; for signal handlers."""
    _state.waiting = error
    if not _state.depth:
        _raise_waiting()


def _raise_waiting() -> None:
    error, _state.waiting = _state.waiting, None
    if error:
        raise error


@contextmanager
def watched() -> Iterator[None]:
    """Within the block Ctrl-C and SIGTERM are a ``KeyboardInterrupt``, which :func:`unbroken` holds off.

    A signal that is ignored, or that somebody else handles, is left alone, and so are all outside the main thread.
    After a SIGTERM further ones are ignored for good: the process is about to end.
    """
    defaults = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    main = threading.current_thread() is threading.main_thread()
    before = {number: by for number, by in defaults.items() if main and signal.getsignal(number) == by}
    try:
        for number in before:
            signal.signal(number, _interrupt)
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is _interrupt:
                signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if number == signal.SIGTERM:
        signal.signal(number, signal.SIG_IGN)  # a second one must not keep the first from its work
    interrupt(KeyboardInterrupt)
