"""Which clips the user means, and how they are opened: prepared ones, an archive, or videos prepared in the cache."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from vpbench.clips.manifest import PreparedSplit
from vpbench.clips.prepare import cache_folder, prepare
from vpbench.clips.prepared import PreparedClips, is_archive, is_prepared, open_archive, open_prepared
from vpbench.errors import UsageError, VpbenchError
from vpbench.files import is_folder
from vpbench.parallel.execution import Execution, ProgressBar, Workers, no_progress_bar
from vpbench.scoring.built_in import with_flow
from vpbench.scoring.protocol import Protocol
from vpbench.splits import DATA_SETS, Split, find_sources, get_split
from vpbench.video.flow_files import FlowFiles
from vpbench.video.flow_source import FlowSource

UCF101 = "ucf101-every10th"
PAPERS_PROTOCOL = "mathieu2016"
_MOST_NAMED = 10  # missing sources named in one message

Warn = Callable[[str], None]


def no_warning(text: str) -> None:
    """Warn nobody."""


@dataclass(frozen=True)
class ClipRequest:
    """Which clips the user means.

    Attributes:
        split: name of the split, or the split; by default ``ucf101-every10th`` if there is a folder of data, else
            ``demo``.
        data: folder of videos, of prepared clips, or the authors' archive.
        default_data: the folder of ``$VPBENCH_DATA``, which says where UCF101 is, or is that of several data sets. It
            is used instead of ``data`` for these, and for lists (CSV files), which may be of UCF101; every other split
            has its own place.
        only: only these clips; all of them must be found.
        limit: at most the first N of the clips that are found.
        require_all: refuse a partial copy of the split.
        flow: the user's choice of flow, for a protocol that states it (:meth:`adapt`); by default the protocol's.
    """

    split: str | Split | None = None
    data: Path | None = None
    default_data: Path | None = None
    only: tuple[int, ...] | None = None
    limit: int | None = None
    require_all: bool = False
    flow: FlowSource | None = None

    def adapt(self, protocol: Protocol) -> Protocol:
        """The protocol with the flow of this request, under another name if that is not the protocol's own.

        Raises:
            UsageError: there is a choice of flow, and the protocol uses none.
        """
        if self.flow is None:
            return protocol
        if not protocol.mask.needs_vectors:
            raise UsageError(
                f"Protocol '{protocol.name}' has no moving area from flow vectors: leave out --flow."
            )
        return with_flow(protocol, self.flow.name)

    @property
    def flow_files(self) -> FlowFiles | None:
        """The user's own flows, if any."""
        return self.flow if isinstance(self.flow, FlowFiles) else None

    @property
    def folder(self) -> Path | None:
        """Where to look for the clips; ``None``: where the split says."""
        name = self.split.name if isinstance(self.split, Split) else self.split
        takes_default = name is None or name == UCF101 or name in DATA_SETS or name.endswith(".csv")
        return self.default_data if self.data is None and takes_default else self.data

    @property
    def kind(self) -> Literal["prepared", "archive", "videos"]:
        """What the folder holds; ``videos`` too if there is none."""
        if self.folder is None or not is_folder(self.folder):
            return "videos"
        if is_prepared(self.folder):
            return "prepared"
        return "archive" if is_archive(self.folder) else "videos"

    def find_split(self) -> Split:
        """Return the split of videos or of an archive.

        Raises:
            UsageError: there is no such split.
        """
        if isinstance(self.split, Split):
            return self.split
        return get_split(self.split_name, self.folder)

    @property
    def split_name(self) -> str:
        """Name of the split, or the path of the user's own."""
        if isinstance(self.split, Split):
            return self.split.name
        return self.split or (UCF101 if self.folder else "demo")

    def means(self, split: PreparedSplit) -> bool:
        """Whether clips were prepared of the split of this request; a data set's is known by its name alone.

        Raises:
            UsageError: there is no such split.
        """
        if isinstance(self.split, str) and self.split in DATA_SETS:
            return split.name == self.split
        return split.hash == self.find_split().hash

    @property
    def protocol(self) -> str:
        """Name of the protocol that clips of the split are scored under where the user names none.

        Raises:
            VpbenchError: the folder of prepared clips is damaged.
        """
        if isinstance(self.split, Split):
            return self.split.protocol or PAPERS_PROTOCOL
        name = self.split_name
        if self.kind == "prepared" and self.folder is not None and self.split is None:
            name = open_prepared(self.folder).split.name
        return name if name in DATA_SETS else PAPERS_PROTOCOL


@dataclass(frozen=True)
class OpenClips:
    """Clips for a protocol, and the workers for further work on them."""

    clips: PreparedClips
    execution: Execution


@contextmanager
def open_clips(
    request: ClipRequest,
    protocol: Protocol,
    workers: Workers,
    *,
    out: Path | None = None,
    warn: Warn = no_warning,
    progress: ProgressBar = no_progress_bar,
) -> Iterator[OpenClips]:
    """Open the clips that a request means; videos are prepared first.

    Args:
        request: which clips.
        protocol: what the clips are for.
        workers: who prepares videos, and does further work on the clips.
        out: where to prepare videos; by default a folder in the cache.
        warn: called with a warning for the user.
        progress: shows the progress of preparing.

    Raises:
        UsageError: no such split or folder, or it does not serve the protocol.
        VpbenchError: videos or prepared clips are missing or damaged.
    """
    if out is None and request.kind != "videos":
        clips = open_folder(request, protocol, warn)
        with workers.start(len(clips.contents)) as execution:
            yield OpenClips(clips, execution)
        return
    split, folder = request.find_split(), request.folder
    split.check_length(protocol.frames, protocol.name)
    sources = find_sources(split, folder)
    _report_missing(request, split.name, split.total, sources.missing, warn)
    selected = _select(request, sources.found, f"split '{split.name}'" + (f" in {folder}" if folder else ""))
    with workers.start(len(selected)) as execution:
        with progress(f"Preparing {split.name}", len(selected)) as step:
            clips = prepare(
                split,
                sources.only(selected),
                protocol,
                out or cache_folder(split, protocol, request.flow_files),
                replace(execution, progress=step),
                request.flow_files,
            )
        yield OpenClips(clips.only(selected), execution)


def open_folder(request: ClipRequest, protocol: Protocol, warn: Warn = no_warning) -> PreparedClips:
    """Open a folder of prepared clips or an archive, as it is.

    Raises:
        UsageError: the folder holds another split, or does not serve the protocol.
        VpbenchError: clips are missing or damaged.
    """
    folder = request.folder
    assert folder is not None  # noqa: S101 -- the kind of the request says so
    if request.kind == "archive":
        split = request.find_split()
        clips = open_archive(folder, split)
    else:
        clips = open_prepared(folder)
        if request.split is not None and not request.means(clips.split):
            raise UsageError(
                f"{folder} holds clips of split '{clips.split.name}', not '{request.split_name}'."
            )
    clips.check_serves(protocol)
    if request.flow_files is not None and clips.flow != request.flow_files.describe():
        raise UsageError(
            f"{folder} holds clips that were prepared with other flows than those in {request.flow_files.folder}. Give "
            f"the videos as --data, or score by the clips' own flows: --protocol {protocol.name} without --flow."
        )
    _report_missing(request, clips.split.name, clips.split.total, clips.split.missing, warn)
    return clips.only(_select(request, clips.contents, f"{folder}"))


def open_cached(request: ClipRequest, protocol: Protocol) -> PreparedClips | None:
    """The clips of a request from the cache, where all that it names are there; their videos may be gone."""
    if request.kind != "videos" or request.only is None:
        return None
    folder = cache_folder(request.find_split(), protocol, request.flow_files)
    if not is_prepared(folder):
        return None
    try:
        clips = open_prepared(folder)
    except VpbenchError:
        return None  # being written, or left unfinished: preparing waits for it, and completes it
    return clips.only(request.only) if set(request.only) <= set(clips.contents) else None


def _select(request: ClipRequest, found: Collection[int], where: str) -> list[int]:
    """The clips that are wanted of those found, by index."""
    wanted = found if request.only is None else request.only
    missing = sorted(set(wanted) - set(found))
    if missing:
        raise VpbenchError(
            f"{len(missing)} of {len(wanted)} clips are not found in {where}: {_named(missing)}."
        )
    return sorted(wanted)[: request.limit]


def _report_missing(
    request: ClipRequest, split: str, total: int, missing: Collection[str], warn: Warn
) -> None:
    """Warn of a partial copy, or refuse it; a request that names its clips does not need the whole split."""
    if not missing or request.only is not None:
        return
    place = f" in {request.folder}" if request.folder else ""
    text = f"found {total - len(missing)} of the {total} clips of split '{split}'{place}; missing: {_named(missing)}"
    if request.require_all:
        raise VpbenchError(f"--require-all: {text}.")
    warn(f"{text}. Scores of a part are not comparable to scores of the whole.")


def _named(things: Collection[object]) -> str:
    """The first few, and how many more there are."""
    shown = ", ".join(map(str, list(things)[:_MOST_NAMED]))
    return shown + (f", … and {len(things) - _MOST_NAMED} more" if len(things) > _MOST_NAMED else "")
