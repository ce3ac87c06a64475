"""The clips that a request means: prepared ones opened, an archive opened, or videos prepared in the cache."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from vpbench.clips.prepare import cache_folder, prepare
from vpbench.clips.prepared import PreparedClips, is_archive, is_prepared, open_archive, open_prepared
from vpbench.errors import UsageError, VpbenchError
from vpbench.parallel.processes import default_workers, make_executor
from vpbench.scoring.protocol import Protocol
from vpbench.splits import Split, find_sources, get_split

_SHOWN = 10  # missing sources named in one warning

Progress = Callable[[str, int], AbstractContextManager[Callable[[], None]]]


def no_progress(label: str, length: int) -> AbstractContextManager[Callable[[], None]]:
    """Show no progress; in the place of a function that shows a bar with a label and a length."""
    return nullcontext(lambda: None)


@dataclass(frozen=True)
class Opened:
    """Clips for a protocol, with what does further work on them.

    Attributes:
        clips: the prepared clips.
        executor: worker processes.
        window: how many clips to submit ahead.
        count: how many of the clips are wanted.
    """

    clips: PreparedClips
    executor: Executor
    window: int
    count: int


@contextmanager
def open_clips(
    split: str | Split | None,
    data: Path | None,
    protocol: Protocol,
    *,
    require_all: bool = False,
    limit: int | None = None,
    only: Collection[int] | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    out: Path | None = None,
    warn: Callable[[str], None] = lambda text: None,
    progress: Progress = no_progress,
) -> Iterator[Opened]:
    """Open or prepare clips.

    Args:
        split: name of the split, or the split; by default ``ucf101-every10th`` if there is ``data``, else ``demo``.
        data: folder of videos, of prepared clips, or the authors' archive.
        protocol: what the clips are for.
        require_all: refuse a partial copy of the split.
        limit: the first so many of the clips that are found.
        only: no other clips than these; all of them must be found.
        workers: worker processes; by default as many as there are processors.
        scheduler: address of a Dask scheduler, whose workers are used instead.
        out: where to prepare clips; by default a folder in the cache.
        warn: called with a warning for people.
        progress: called with a label and a length; gives a function to call after each clip.

    Raises:
        UsageError: no such split or folder, or it does not serve the protocol.
        VpbenchError: videos or prepared clips are missing or damaged.
    """
    if data is not None and data.is_dir() and out is None and (is_prepared(data) or is_archive(data)):
        clips = _open(data, split)
        clips.check_serves(protocol)
        _say_missing(clips.split.name, clips.split.total, clips.split.missing, data, require_all, warn)
        if only is not None:
            clips = clips.only(_all_of(only, clips.contents, f"{data}"))
        wanted = min(len(clips.contents), limit or len(clips.contents))
        count = workers or default_workers(wanted)
        with _workers(count, scheduler) as (executor, count):
            yield Opened(clips, executor, _window(count), wanted)
        return

    found = _split(split or ("ucf101-every10th" if data else "demo"))
    found.check_length(protocol.frames, protocol.name)
    sources = find_sources(found, data)
    if only is None:
        _say_missing(found.name, len(found.clips), sources.missing, data, require_all, warn)
    selected = [clip.index for clip in found.clips if clip.index in sources.found][:limit]
    if only is not None:
        only = _all_of(only, selected, f"split '{found.name}'" + (f" in {data}" if data else ""))
        limit = 1 + max(map(selected.index, only))
        selected = only
    folder = out or cache_folder(found, protocol)
    count = workers or default_workers(len(selected))
    with _workers(count, scheduler) as (executor, count):
        with progress(f"Preparing {found.name}", limit or len(selected)) as step:
            clips = prepare(
                found, sources, protocol, folder, executor, _window(count), limit=limit, progress=step
            )
        yield Opened(clips.only(selected), executor, _window(count), len(selected))


@contextmanager
def _workers(count: int, scheduler: str | None) -> Iterator[tuple[Executor, int]]:
    """An executor on this machine or on a Dask cluster, and how many workers it has."""
    if scheduler is None:
        with make_executor(count) as executor:
            yield executor, count
    else:
        from vpbench.parallel.dask import dask_executor

        with dask_executor(scheduler) as connected:
            yield connected


def _window(workers: int) -> int:
    return 2 * workers + 2


def _split(split: str | Split) -> Split:
    return get_split(split) if isinstance(split, str) else split


def _open(data: Path, split: str | Split | None) -> PreparedClips:
    if is_archive(data):
        known = _split(split or "ucf101-every10th")
        return open_archive(data, known.name, known.hash, (clip.index for clip in known.clips))
    clips = open_prepared(data)
    if split is not None and (wanted := _split(split)).hash != clips.split.hash:
        raise UsageError(f"{data} holds clips of split '{clips.split.name}', not '{wanted.name}'.")
    return clips


def _all_of(only: Collection[int], there: Collection[int], where: str) -> list[int]:
    missing = sorted(set(only) - set(there))
    if missing:
        shown = ", ".join(map(str, missing[:_SHOWN])) + (", …" if len(missing) > _SHOWN else "")
        raise VpbenchError(f"{len(missing)} of {len(only)} clips are not found in {where}: {shown}.")
    return sorted(only)


def _say_missing(
    name: str,
    total: int,
    missing: Sequence[str],
    data: Path | None,
    require_all: bool,
    warn: Callable[[str], None],
) -> None:
    """Warn of a partial copy, or refuse it."""
    if not missing:
        return
    shown = ", ".join(missing[:_SHOWN]) + (
        f", … and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    )
    place = f" in {data}" if data else ""
    text = f"found {total - len(missing)} of the {total} clips of split '{name}'{place}; missing: {shown}"
    if require_all:
        raise VpbenchError(f"--require-all: {text}.")
    warn(f"{text}. Scores of a part are not comparable to scores of the whole.")
