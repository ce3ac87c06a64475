"""A Dask cluster with a shared file system, as an executor; it gets the same work as local processes do."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from vpbench.errors import UsageError, VpbenchError

_PACKAGES = ("vpbench", "numpy", "scipy", "opencv-contrib-python-headless")
_SCHEMES = ("tcp", "tls", "ws", "wss", "ucx")
PATIENCE = 20.0  # seconds to wait for the scheduler and for a first worker


@contextmanager
def dask_executor(scheduler: str) -> Iterator[tuple[Executor, int]]:
    """Connect to a Dask scheduler; gives its executor and the number of workers.

    If a worker is lost, Dask repeats its work on another one; clips are written whole or not at all, and scores by
    this process only, so nothing is lost and nothing is counted twice.

    Args:
        scheduler: its address, such as ``tcp://host:8786``.

    Raises:
        UsageError: Dask is not installed, the address is none, or the workers have several threads each.
        VpbenchError: no scheduler or worker answers, or the workers have other versions of libraries that scores
            depend on.
    """
    try:
        import distributed
    except ImportError:
        raise UsageError("--executor dask needs Dask: pip install 'vpbench[cluster]'.") from None
    _check_address(scheduler)
    for name in ("distributed", "distributed.client"):  # tracebacks and news of what is told in one line
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        connect: Any = distributed.Client  # it has no types
        client = connect(scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise VpbenchError(f"No Dask scheduler answers at {scheduler}: {error}") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise VpbenchError(f"The Dask scheduler at {scheduler} has no workers; start some.") from None
        threads = client.nthreads()
        if any(count > 1 for count in threads.values()):
            raise UsageError(
                f"The Dask workers at {scheduler} have several threads each; start them with --nthreads 1 (and "
                "--nworkers N), since vpbench works on one clip at a time in each process."
            )
        here = _versions()
        for address, there in client.run(_versions).items():
            other = [
                f"{name} {there[name]} there, {here[name]} here" for name in here if there[name] != here[name]
            ]
            if other:
                raise VpbenchError(
                    f"The Dask worker {address} has other versions, which may give other scores: {'; '.join(other)}."
                )
        yield client.get_executor(pure=False), len(threads)


def _check_address(scheduler: str) -> None:
    """Refuse what cannot be an address, at which Dask ends in a traceback after a long wait."""
    import distributed

    scheme, _, place = scheduler.rpartition("://")
    if scheme not in ("", *_SCHEMES) or not re.fullmatch(r"[^\s/]+:[0-9]+/?", place):
        raise UsageError(
            f"--scheduler {scheduler}: give the address that the Dask scheduler prints, tcp://HOST:PORT (not that of "
            "its dashboard)."
        )
    security: Any = distributed.Security  # it has no types
    if scheme in ("tls", "wss") and not security().get_connection_args("client").get("ssl_context"):
        raise UsageError(
            f"--scheduler {scheduler}: name your certificates in Dask's configuration (distributed.comm.tls)."
        )


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found
