"""Executors for work that is a map over clips, in this process or in several, one thread each."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import FrameType
from typing import Any, TypeVar

from vpbench.errors import UsageError, VpbenchError
from vpbench.signals import interrupt, is_unbroken, unbroken

T = TypeVar("T")
_LAST_SECONDS = 2.0  # in which a worker that was asked to end may clean up
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def default_workers(clips: int) -> int:
    """As many workers as this process may use processors, but not so many that one would have fewer than 4 clips."""
    affinity = getattr(os, "sched_getaffinity", None)
    processors = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(processors, -(-clips // 4)))


@contextmanager
def make_executor(workers: int, *, at_most: bool = False) -> Iterator[Executor]:
    """An executor with that many worker processes; with one, the work is done in this process.

    The processes end with the block, and also when this process is killed. After an interruption (Ctrl-C), work that
    has not started is cancelled. Work is given to it by :func:`submit`.

    Args:
        workers: how many.
        at_most: where no processes can be started, do the work in this one.

    Raises:
        UsageError: no workers are asked for.
        VpbenchError: no processes can be started.
    """
    if workers < 1:
        raise UsageError(f"--workers {workers}: at least 1 is needed.")
    if workers == 1:
        yield SerialExecutor()
        return
    import multiprocessing

    # "spawn" because OpenCV and torch hold threads and locks that do not survive a fork.
    context = multiprocessing.get_context("spawn")
    try:
        executor = _Processes(workers, mp_context=context, initializer=_start_worker)
    except (OSError, ImportError, NotImplementedError) as error:  # there are no semaphores
        if at_most:
            yield SerialExecutor()
            return
        raise VpbenchError(
            f"No worker processes can be started on this machine, perhaps for want of /dev/shm ({error}). Use "
            "--workers 1."
        ) from None
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


class _Processes(ProcessPoolExecutor):
    """A pool of processes that an interruption finds whole."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Submit work; the first starts all processes."""
        try:
            with unbroken(), _signals_blocked():
                return super().submit(fn, *args, **kwargs)
        except OSError as error:
            for process in (self._processes or {}).values():  # nobody else would end them
                process.kill()
            raise VpbenchError(
                f"No more worker processes can be started ({error.strerror}); use fewer --workers."
            ) from None


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Processes that are started in the block get no signal before :func:`_start_worker` can handle it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class SerialExecutor(Executor):
    """Does the work in this process, as soon as it is submitted."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Call ``fn`` and return its finished future."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def map_in_order(
    executor: Executor, function: Callable[..., T], items: Iterable[tuple[Any, ...]], window: int
) -> Iterator[T]:
    """``function(*item)`` for each item, in the items' order, with at most ``window`` submitted ahead.

    Raises:
        VpbenchError: a worker process died; and whatever ``function`` raises.
    """
    from collections import deque

    waiting: deque[Future[T]] = deque()
    try:
        for item in items:
            waiting.append(submit(executor, function, *item))
            # Results are passed on as soon as they are there, so that an interruption loses as little as possible.
            if len(waiting) >= window or waiting[0].done():
                yield result(waiting.popleft())
        while waiting:
            yield result(waiting.popleft())
    finally:
        for future in waiting:
            future.cancel()


def submit(executor: Executor, function: Callable[..., T], *item: Any) -> Future[T]:
    """Submit ``function(*item)``; the death of a worker process becomes an error that says what to do."""
    try:
        return executor.submit(_call, function, *item)
    except BrokenExecutor:
        raise _worker_died() from None


def result(future: Future[T]) -> T:
    """The future's result; the loss of workers becomes an error that says what to do."""
    try:
        return future.result()
    except (BrokenExecutor, _EndedError):
        raise _worker_died() from None
    except CancelledError:  # by Dask alone: what is waited for here is not cancelled
        raise VpbenchError(
            "The connection to the Dask scheduler was lost. What was finished is kept: run the same command again."
        ) from None
    except Exception as error:
        if type(error).__name__ == "KilledWorker":  # Dask's; it has tried several workers
            raise _worker_died() from None
        raise


def _worker_died() -> VpbenchError:
    return VpbenchError(
        "A worker process died; perhaps memory ran out. What was finished is kept: run the same command "
        "again, perhaps with fewer --workers."
    )


def _start_worker() -> None:
    """Prepare a fresh worker process, before it imports anything heavy."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends the workers
    signal.signal(signal.SIGTERM, _end)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = "1"
    threading.Thread(target=_end_with_parent, daemon=True).start()
    limit_threads()


class _EndedError(BaseException):
    """A worker process was asked to end; raised in its work, which so removes its temporary files."""


@dataclass
class _State:
    """What a worker process is doing: whether it works, and whether it was asked to end."""

    working: bool = False
    asked: bool = False


_state = _State()


def _call(function: Callable[..., T], *item: Any) -> T:
    """``function(*item)``, unless this is a worker that was asked to end."""
    if _state.asked:
        raise _EndedError
    _state.working = True
    try:
        return function(*item)
    finally:
        _state.working = False


def _end(number: int, frame: FrameType | None) -> None:
    """End this worker on SIGTERM: its work is broken off, and it takes no other.

    The parent process, if it was asked too, sends its workers home. Otherwise this one goes a little later, when a
    result that is on its way has been sent: gone at once, it would leave half a message to the parent.
    """
    signal.signal(number, signal.SIG_IGN)
    _state.asked = True
    threading.Thread(target=_leave, daemon=True).start()
    if _state.working:
        interrupt(_EndedError)


def _leave() -> None:
    time.sleep(_LAST_SECONDS)
    while is_unbroken():
        time.sleep(0.01)
    os._exit(1)


def _end_with_parent() -> None:
    """End this worker when its parent is gone, even if the parent was killed and could not say so."""
    from multiprocessing import connection, parent_process

    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def limit_threads() -> None:
    """Set the thread counts of OpenCV and BLAS, and of torch if it is loaded, to 1 in this process.

    Parallelism is over clips; sums in another order would change the last bits.
    """
    import sys

    _limit_opencv_and_blas()
    if "torch" in sys.modules and sys.modules["torch"].get_num_threads() != 1:
        sys.modules["torch"].set_num_threads(1)


@contextmanager
def threads_restored() -> Iterator[None]:
    """Restore this process's thread counts when the block ends."""
    import sys

    import cv2
    from threadpoolctl import threadpool_limits

    opencv, before = cv2.getNumThreads(), sys.modules.get("torch")
    torch = before.get_num_threads() if before else None
    with threadpool_limits(None):  # changes nothing, but restores on exit
        try:
            yield
        finally:
            cv2.setNumThreads(opencv)
            if before and torch is not None:
                before.set_num_threads(torch)
            _limit_opencv_and_blas.cache_clear()


@cache
def _limit_opencv_and_blas() -> None:
    import cv2
    from threadpoolctl import threadpool_limits

    cv2.setNumThreads(1)
    threadpool_limits(1)
