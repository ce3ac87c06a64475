"""Files written whole or not at all, folders with a lock, and paths that stay inside their folder."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from vpbench.errors import UsageError, VpbenchError
from vpbench.escape import visible

_LARGEST_JSON = 64 * 2**20  # bytes; a manifest of 100,000 clips has 5 MiB


def os_error(error: OSError, doing: str) -> VpbenchError:
    """The error to show for an ``OSError``: what failed, why, and that nothing is lost."""
    return VpbenchError(
        f"Cannot {doing}: {error.strerror or error}. Nothing that was finished is lost; run it again."
    )


def write_atomic(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` through a temporary file next to it, so that it exists whole or not at all.

    Raises:
        VpbenchError: the disk is full or read-only, or the folder is missing; names the path.
    """
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)  # mkstemp makes files that only their owner can read
        Path(temporary).replace(path)
    except OSError as error:
        raise os_error(error, f"write {path}") from error
    finally:
        if temporary is not None:
            with suppress(OSError):  # the error above says more
                Path(temporary).unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a table or a page, atomically, with names made harmless (:func:`vpbench.escape.visible`)."""
    write_atomic(path, (visible(text).rstrip("\n") + "\n").encode())


def write_json(path: Path, data: Any) -> None:
    """Write ``data`` as indented JSON, atomically; NaN and infinity are refused (they are not JSON)."""
    write_atomic(path, (json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())


def read_json(path: Path, kind: str | None = None) -> dict[str, Any]:
    """Read a JSON object, which must have ``"kind": kind`` if a kind is given.

    Raises:
        VpbenchError: the file is missing, is no JSON object, or is of another kind; names the path.
    """
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise VpbenchError(f"{path} is larger than {_LARGEST_JSON >> 20} MiB; vpbench did not write it.")
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise VpbenchError(f"Cannot read {path}: {error.strerror}.") from error
    except ValueError as error:
        raise VpbenchError(f"{path} is damaged: {error}.") from None
    except RecursionError:
        raise VpbenchError(f"{path} is damaged: it is nested too deeply.") from None
    if not isinstance(data, dict):
        raise VpbenchError(f"{path} is damaged: it holds no JSON object.")
    if kind is not None and data.get("kind") != kind:
        raise VpbenchError(f"{path} is not a {kind} manifest (its kind is {data.get('kind')!r}).")
    return data


def make_folder(path: Path) -> None:
    """Make a folder and its parents; the error names the path."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise VpbenchError(f"Cannot make the folder {path}: {error.strerror}.") from error


@contextmanager
def lock_folder(folder: Path, wait: bool) -> Iterator[None]:
    """Hold the lock of a folder; it is the operating system's, so it is released when the process that holds it ends.

    Args:
        folder: where the file ``.lock`` is; created if it is missing.
        wait: wait for another process to release it, rather than fail.

    Raises:
        VpbenchError: another process holds it and ``wait`` is false; or the lock is a symbolic link.
    """
    from filelock import FileLock, Timeout

    make_folder(folder)
    if (folder / ".lock").is_symlink():
        raise VpbenchError(f"{folder / '.lock'} is a symbolic link, which vpbench never makes; remove it.")
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        raise VpbenchError(
            f"Another vpbench is writing into {folder}. Wait until it has finished, or choose another --out."
        ) from None
    except OSError as error:
        raise os_error(error, f"lock {folder}") from error
    try:
        yield
    finally:
        with suppress(OSError):
            lock.release()


def inside(folder: Path, relative: str, where: str) -> Path:
    """``folder / relative``, refused if ``relative`` is absolute or climbs out of the folder.

    Raises:
        UsageError: names ``where`` the path came from.
    """
    parts = PurePosixPath(relative.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or not parts.parts or ":" in parts.parts[0]:
        raise UsageError(f"{where}: the path '{relative}' must be relative and stay inside its folder.")
    return folder.joinpath(*parts.parts)
