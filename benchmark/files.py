"""Files written whole or not at all, folders with a lock, and paths that stay inside their folder."""

from __future__ import annotations

import errno
import glob
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import Any

from vpbench.errors import UsageError, VpbenchError
from vpbench.escape import visible
from vpbench.signals import breakable, unbroken

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_CANNOT_FLUSH = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
_LONGEST_STEM = 50  # characters of a name that are repeated in that of its temporary file


def os_error(error: OSError, doing: str) -> VpbenchError:
    """The error to show for an ``OSError``: what failed, why, and that nothing is lost."""
    return VpbenchError(
        f"Cannot {doing}: {error.strerror or error}. Nothing that was finished is lost; run it again."
    )


def write_atomic(path: Path, data: bytes, *, crowded: bool = False) -> None:
    """Write ``data`` to ``path`` so that it exists whole or not at all, even if the power fails.

    It is written and flushed to a temporary file next to it, which then takes its place. What a process that was
    killed left of the same file is removed.

    Args:
        path: the file.
        data: its content.
        crowded: the folder may hold thousands of files, and is not searched for leftovers;
            :func:`remove_leftovers` does that once.

    Raises:
        VpbenchError: the disk is full or read-only, or the folder is missing; names the path.
    """
    try:
        if not crowded:
            pattern = f".{glob.escape(path.name[:_LONGEST_STEM])}.????????.tmp"
            _remove_abandoned(path.parent.glob(pattern))
        with unbroken(), _unfinished(path) as (descriptor, temporary):
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                _fsync(stream.fileno())
            mask = os.umask(0)
            os.umask(mask)
            temporary.chmod(0o666 & ~mask)  # mkstemp makes files that only their owner can read
            temporary.replace(path)
    except OSError as error:
        raise os_error(error, f"write {path}") from error


@contextmanager
def _unfinished(path: Path) -> Iterator[tuple[int, Path]]:
    """A new file next to ``path``, locked as long as the block lasts, which tells it from what a dead process left.

    Gives a descriptor, which the block closes, and the file's path; the file is gone after the block.
    """
    descriptor, name = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.name[:_LONGEST_STEM]}.", suffix=".tmp"
    )
    held = os.dup(descriptor) if fcntl else None  # a lock lasts until the last descriptor is closed
    try:
        if held is not None:
            _lock(held, wait=True)
            if not os.fstat(held).st_nlink:  # taken for abandoned in the moment before it was locked
                os.close(descriptor)
                with _unfinished(path) as another:
                    yield another
                return
        yield descriptor, Path(name)
    finally:
        if held is not None:
            os.close(held)
        with suppress(OSError):  # the error that ended the block says more
            Path(name).unlink(missing_ok=True)


def _remove_abandoned(files: Iterable[Path]) -> None:
    """Remove those of these temporary files whose writers are no more."""
    for leftover in files:
        with suppress(OSError):
            descriptor = os.open(leftover, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
            try:
                if _lock(descriptor, wait=False):
                    leftover.unlink(missing_ok=True)
            finally:
                os.close(descriptor)


def _lock(descriptor: int, wait: bool) -> bool:
    """Lock an open file, as far as the file system has locks; whether it is locked now."""
    if fcntl is None:
        return True  # Windows, where a file that is open cannot be removed
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files and folders of processes that were killed; hold the lock of the folder around this."""
    found = list(folder.glob(".*.tmp"))
    folders = [path for path in found if path.is_dir() and not path.is_symlink()]
    for path in folders:
        shutil.rmtree(path, ignore_errors=True)
    _remove_abandoned(set(found).difference(folders))


def flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk; errors of the disk are those of ``os.fsync``."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        if path.is_dir():  # Windows opens no folders
            return
        raise
    try:
        _fsync(descriptor)
    finally:
        os.close(descriptor)


def _fsync(descriptor: int) -> None:
    """Flush, as far as the file system can: some cannot, for folders or at all, which is no failure."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_FLUSH:
            raise


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that is gone after the block, however that ends."""
    with unbroken():
        folder = Path(tempfile.mkdtemp(prefix="vpbench-"))
        try:
            with breakable():
                yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a table or a page, atomically, with names made harmless (:func:`vpbench.escape.visible`)."""
    write_atomic(path, (visible(text).rstrip("\n") + "\n").encode())


def write_json(path: Path, data: Any) -> None:
    """Write ``data`` as indented JSON, atomically; NaN and infinity are refused (they are not JSON)."""
    write_atomic(path, (json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())


def open_file(path: Path, *, links: bool = True) -> BufferedReader:
    """Open a file for reading if it is an ordinary one, not a folder, a pipe or a device, at which reading may not end.

    Args:
        path: the file.
        links: follow a symbolic link.

    Raises:
        VpbenchError: it is missing, is none, or cannot be opened; names it.
    """
    kept = 0 if links else getattr(os, "O_NOFOLLOW", 0)
    flags = os.O_RDONLY | kept | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        what = "it is a symbolic link" if not links and path.is_symlink() else error.strerror
        raise VpbenchError(f"Cannot read {path}: {what}.") from error
    except ValueError:  # NUL, or a lone surrogate where file names have none
        raise VpbenchError(f"Cannot read {path}: no file has such a name.") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise VpbenchError(f"Cannot read {path}: it is not an ordinary file.")
    return os.fdopen(descriptor, "rb")


def read_bytes(path: Path, most: int | None = None) -> bytes:
    """The bytes of an ordinary file.

    Args:
        path: the file.
        most: bytes that it may have.

    Raises:
        VpbenchError: it is missing, not an ordinary file, larger, or cannot be read; names it.
    """
    with open_file(path) as stream:
        try:
            if most is not None and os.fstat(stream.fileno()).st_size > most:
                raise VpbenchError(f"{path} is larger than {_size(most)}; no file of its kind is.")
            return stream.read()
        except OSError as error:
            raise VpbenchError(f"Cannot read {path}: {error.strerror}.") from error


def _size(size: int) -> str:
    return f"{size >> 20} MiB" if size >= 2**20 else f"{size >> 10} KiB"


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


def is_file(path: Path) -> bool:
    """Whether there is an ordinary file, which may be behind a link; never an error, whatever the name."""
    return _is(path, stat.S_ISREG)


def is_folder(path: Path) -> bool:
    """Whether there is a folder, which may be behind a link; never an error, whatever the name."""
    return _is(path, stat.S_ISDIR)


def _is(path: Path, kind: Callable[[int], bool]) -> bool:
    try:
        return kind(path.stat().st_mode)
    except (OSError, ValueError):  # too long, NUL, or nothing that may be looked at
        return False


def numbered(name: str) -> int | None:
    """The index of the clip whose folder has the name, if it is one: digits without leading zeros, below 2³¹."""
    return int(name) if re.fullmatch(r"0|[1-9][0-9]{0,9}", name) and int(name) < 2**31 else None


def can_name_folder(name: str, most: int = 100) -> bool:
    """Whether a name of at most ``most`` characters may become that of a folder, as :data:`FOLDER_NAMES` says."""
    fits = 0 < len(name) <= most and name.isprintable() and len(name.encode()) <= 2 * most
    return fits and name[0] != "." and not {*name} & {"/", "\\"}


_LONGEST_NAME = 125  # characters, of at most two bytes on average; a file system's limit is 255
FOLDER_NAMES = "at most 100 visible characters, without / and \\, the first of them not a dot"


def below(root: Path, *names: str) -> Path:
    """The folder ``root / name / …``, where each name is that of a folder in the one before.

    Raises:
        UsageError: a name would lead elsewhere, or a link that is there does.
    """
    for name in names:
        if not can_name_folder(name, _LONGEST_NAME):
            raise UsageError(f"{root} cannot hold a folder of the name {name[:_LONGEST_NAME]!r}.")
    folder = root.joinpath(*names)
    try:
        within = folder.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise VpbenchError(f"Cannot use the folder {folder}: {error}.") from error
    if not within:
        raise UsageError(f"{folder} is behind a symbolic link that leads out of {root}; remove the link.")
    return folder


def inside(folder: Path, relative: str, where: str) -> Path:
    """``folder / relative``, refused if ``relative`` is absolute or climbs out of the folder.

    Raises:
        UsageError: names ``where`` the path came from.
    """
    parts = PurePosixPath(relative.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or not parts.parts or ":" in parts.parts[0]:
        raise UsageError(f"{where}: the path '{relative}' must be relative and stay inside its folder.")
    return folder.joinpath(*parts.parts)
