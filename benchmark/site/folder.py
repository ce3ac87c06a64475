"""A site's folder: written whole or not at all, in the place of what an earlier call wrote, and of nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from vpbench.errors import UsageError
from vpbench.files import lock_folder, make_folder, os_error
from vpbench.signals import unbroken

# A file in each site's folder, by which a later call knows that it may replace it.
MARKER = ".vpbench-site"
_SAYS = "This folder was written by `vpbench site`, which replaces it as a whole.\n"


def check_folder(out: Path) -> None:
    """Refuse a folder that holds anything but a site.

    Raises:
        UsageError: names it.
    """
    try:
        others = out.is_dir() and not (out / MARKER).is_file() and any(out.iterdir())
    except OSError as error:
        raise UsageError(f"--out {out}: {error.strerror}.") from error
    if others:
        raise UsageError(
            f"--out {out}: the folder holds something else than a site; name another, or empty it."
        )


def write_folder(out: Path, files: Mapping[str, bytes]) -> None:
    """Write files as the whole content of a folder.

    They are written beside it, and then take its place. What a process that was killed left is put in order first.

    Args:
        out: the folder.
        files: name below it, with ``/``, to content.

    Raises:
        UsageError: the folder holds something else than a site.
        VpbenchError: the disk is full or read-only, or another process is writing there; the old site is still there.
    """
    out = out.resolve()
    check_folder(out)
    make_folder(out.parent)
    work = out.with_name(f".{out.name}.tmp")
    new, old = work / "new", work / "old"
    try:
        with lock_folder(work, wait=False):
            try:
                if old.exists() and not out.exists():
                    old.rename(out)
                _remove(new, old)
                _fill(new, {MARKER: _SAYS.encode(), **files})
                check_folder(out)
                with unbroken():
                    _exchange(new, out, old)
            except OSError as error:
                raise os_error(error, f"write {out}") from error
            finally:
                if out.exists():
                    _remove(new, old)
    finally:
        with suppress(OSError):  # another process may have begun
            (work / ".lock").unlink()
            work.rmdir()


def _fill(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _exchange(new: Path, out: Path, old: Path) -> None:
    if out.exists():
        out.rename(old)
    try:
        new.rename(out)
    except OSError:
        if old.exists():
            old.rename(out)
        raise


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
