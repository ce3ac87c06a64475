"""The prepared clips that a run was scored on: found by its manifest, or prepared again for a few clips."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpbench.clips import Clip, PreparedClips, is_archive, is_prepared, load_clip, open_archive, open_prepared
from vpbench.errors import UsageError, VpbenchError
from vpbench.escape import plain
from vpbench.manifest import protocol_of, split_of
from vpbench.prepare import cache_folder, prepare
from vpbench.protocol import Protocol
from vpbench.splits import Sources, find_sources
from vpbench.workers import SerialExecutor


@dataclass(frozen=True)
class ClipFinder:
    """Where to look for a run's clips.

    Attributes:
        split: ``--split``: needed for a split of one's own; the run's name of a built-in one is enough.
        data: ``--data``: videos, prepared clips or an archive; ``None``: the cache of ``vpbench run``.
    """

    split: str | None = None
    data: Path | None = None

    def find(self, manifest: dict[str, Any], indices: Iterable[int]) -> tuple[dict[int, Clip], list[int]]:
        """Load clips that a run scored, with their targets and flow.

        Where the cache lacks some of them and their sources are found, these are prepared there.

        Args:
            manifest: the run's.
            indices: which clips.

        Returns:
            The clips by index, and the indices of those whose pixels or flow differ from what was scored
            (another decoder, another version of the flow, other files).

        Raises:
            UsageError: the split or its sources are not found, or are not those of the run.
            VpbenchError: clips are damaged.
        """
        protocol = protocol_of(manifest)
        wanted = sorted(set(indices))
        prepared = self._open(manifest, protocol, wanted)
        scored = manifest["prepared"]["clips"]
        missing = [index for index in wanted if index not in prepared.contents]
        if missing:
            raise UsageError(
                f"Clip {missing[0]} is not in {prepared.folder}. Name clips that the run scored, and the folder "
                "that holds them as --data."
            )
        clips = {
            index: load_clip(
                prepared.folder, index, protocol, None if prepared.is_archive else prepared.contents[index]
            )
            for index in wanted
        }
        return clips, [index for index in wanted if scored.get(str(index)) != prepared.contents[index]]

    def _open(self, manifest: dict[str, Any], protocol: Protocol, wanted: list[int]) -> PreparedClips:
        data = self.data
        if data is not None and data.is_dir() and is_prepared(data):
            clips = open_prepared(data)
            if clips.split["hash"] != manifest["split"]["hash"]:
                scored = plain(manifest["split"]["name"])
                raise UsageError(
                    f"{data} holds clips of split '{clips.split['name']}'; the run scored '{scored}'."
                )
            clips.check_serves(protocol)
            return clips
        split = split_of(manifest, self.split)
        if data is not None and data.is_dir() and is_archive(data):
            clips = open_archive(data, split.name, split.hash, (clip.index for clip in split.clips))
            clips.check_serves(protocol)
            return clips
        folder = cache_folder(split, protocol)
        if is_prepared(folder):
            try:
                clips = open_prepared(folder)
            except VpbenchError:
                pass  # being written, or left unfinished: `prepare` below waits, and mends it
            else:
                if set(wanted) <= set(clips.contents):
                    return clips
        sources = find_sources(split, data)
        chosen = Sources({i: path for i, path in sources.found.items() if i in wanted}, sources.missing)
        return prepare(split, chosen, protocol, folder, SerialExecutor())
