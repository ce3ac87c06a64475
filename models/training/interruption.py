"""Ctrl-C and the request to end (SIGTERM), held off while a step is under way."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interruption:
    """Turns SIGINT and SIGTERM into ``KeyboardInterrupt``, between steps only.

    A training that is asked to end must save a state that some step left behind, not one from the middle of a
    step.
    """

    def __init__(self) -> None:
        self._held = self._asked = False

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Within the block both signals are handled so; outside the main thread nothing is changed."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before: dict[int, Any] = {
            number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within the block a signal waits for the block's end."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._asked:
            raise KeyboardInterrupt

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        if not self._held:
            raise KeyboardInterrupt
