"""How work over clips is executed: by which workers, how far ahead, and who hears of the progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

from vpbench.parallel.processes import SerialExecutor, default_workers, make_executor

# Called with a label and a length; the block gets a function to call after each item.
ProgressBar = Callable[[str, int], AbstractContextManager[Callable[[], None]]]


def no_progress() -> None:
    """Show nothing after an item."""


def no_progress_bar(label: str, length: int) -> AbstractContextManager[Callable[[], None]]:
    """Show no bar."""
    return nullcontext(no_progress)


@dataclass(frozen=True)
class Execution:
    """How work over clips is executed.

    Attributes:
        executor: what does the work.
        window: clips submitted ahead; memory grows with this, not with the number of clips.
        batch_size: clips that a predictor gets at once; above 1 it runs in the parent process.
        progress: called after each clip.
    """

    executor: Executor = field(default_factory=SerialExecutor)
    window: int = 8
    batch_size: int = 1
    progress: Callable[[], None] = no_progress


@dataclass(frozen=True)
class Workers:
    """The workers that the user asks for.

    Attributes:
        count: worker processes; ``None``: as many as there are processors, but fewer for few clips, and none where
            none can be started.
        scheduler: address of a Dask scheduler, whose workers are used instead.
    """

    count: int | None = None
    scheduler: str | None = None

    @contextmanager
    def start(self, clips: int) -> Iterator[Execution]:
        """Start the workers for a number of clips; they end with the block.

        Raises:
            UsageError: no workers are asked for, or the Dask workers cannot serve.
            VpbenchError: no Dask scheduler or worker answers.
        """
        if self.scheduler is None:
            count = default_workers(clips) if self.count is None else self.count
            with make_executor(count, at_most=self.count is None) as executor:
                yield Execution(executor, _window(count))
        else:
            from vpbench.parallel.dask import dask_executor

            with dask_executor(self.scheduler) as (executor, count):
                yield Execution(executor, _window(count))


def _window(workers: int) -> int:
    """Enough that no worker waits for the next clip."""
    return 2 * workers + 2
