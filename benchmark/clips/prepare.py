"""``prepare``: videos → prepared clips, in parallel, resumable, each clip whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Literal

from msgspec import structs

from vpbench.clips.manifest import (
    SCHEMA,
    Geometry,
    PreparedManifest,
    PreparedSplit,
    read_manifest,
    write_manifest,
)
from vpbench.clips.one_clip import ClipJob, prepare_clip
from vpbench.clips.prepared import PreparedClips, open_prepared
from vpbench.errors import UsageError, VpbenchError
from vpbench.files import below, lock_folder, remove_leftovers
from vpbench.parallel.execution import Execution
from vpbench.parallel.processes import map_in_order
from vpbench.scoring.protocol import NO_FLOW, Protocol
from vpbench.splits import Sources, Split
from vpbench.video import flow_files
from vpbench.video.decoding import decoder
from vpbench.video.flow_files import FlowFiles
from vpbench.video.flow_source import EstimatedFlow, FlowSource

EXACT_FLOW = {"name": "exact"}
WITHOUT_FLOW = {"name": NO_FLOW}
_MOST_NAMED = 10  # damaged sources named in one error


def prepare(
    split: Split,
    sources: Sources,
    protocol: Protocol,
    folder: Path,
    execution: Execution,
    files: FlowFiles | None = None,
) -> PreparedClips:
    """Prepare the clips of a split for a protocol, and return them opened.

    Clips that are there already, made in the same way from the same files, are kept. Clips that other runs
    prepared in the folder stay in its manifest.

    Args:
        split: the split.
        sources: where the sources of the clips to prepare are.
        protocol: gives frames, size and flow estimator.
        folder: where to write.
        execution: how the work is executed.
        files: the user's own flows, for a protocol whose flow is ``files``.

    Raises:
        UsageError: the folder holds clips that were prepared otherwise; or flows and protocol do not fit.
        VpbenchError: sources that cannot be used (all others are prepared first), or the disk is full or read-only.
    """
    split.check_length(protocol.frames, protocol.name)
    flow = _flow_source(split, protocol, files)
    method = PreparedManifest(
        status="running",
        split=PreparedSplit(
            name=split.name,
            hash=split.hash,
            total=split.total,
            missing=tuple(sources.missing),
            clusters=split.clusters,
        ),
        geometry=Geometry.of(protocol),
        flow=_described(flow, protocol),
        decoder=decoder(),
        clips={},
    )
    place = folder.absolute()  # workers of a cluster have another working folder
    jobs = [
        ClipJob(place, clip, path and path.absolute(), split.size, protocol, flow)
        for clip in split.clips
        if clip.index in sources.found
        for path in [sources.found[clip.index]]
    ]
    with lock_folder(folder, wait=True):
        clips = _clips_there(folder, method)
        problems = _prepare_clips(jobs, execution, clips)
        status: Literal["running", "complete"] = "running" if problems else "complete"
        manifest = structs.replace(method, status=status, clips=dict(sorted(clips.items())))
        if read_manifest(folder, finished=False) != manifest:
            write_manifest(folder, manifest)
    if problems:
        raise VpbenchError(
            f"{len(problems)} of {len(jobs)} sources cannot be used; the other clips are prepared. "
            "Repair or remove these and run again:\n"
            + "\n".join(problems[:_MOST_NAMED])
            + (f"\n… and {len(problems) - _MOST_NAMED} more" if len(problems) > _MOST_NAMED else "")
        )
    return open_prepared(folder)


def _prepare_clips(jobs: list[ClipJob], execution: Execution, clips: dict[int, str]) -> list[str]:
    """Prepare clips, keep ``clips`` (index → content hash) up to date, and return what is wrong with sources."""
    problems = []
    outcomes = map_in_order(execution.executor, prepare_clip, [(job,) for job in jobs], execution.window)
    for job, (content, problem) in zip(jobs, outcomes, strict=True):
        if problem:
            problems.append(problem)
            clips.pop(job.clip.index, None)
        else:
            clips[job.clip.index] = content
        execution.progress()
    return problems


def cache_folder(split: Split, protocol: Protocol, files: FlowFiles | None = None) -> Path:
    """Where ``vpbench run`` keeps the prepared clips of a split.

    The name is a hash of the split, the frames and size, the decoder, and the flow method, each with
    versions and parameters; source files are compared clip by clip. ``$VPBENCH_CACHE`` moves it.

    Raises:
        UsageError: flows and protocol do not fit.
    """
    from platformdirs import user_cache_path

    flow = _flow_source(split, protocol, files)
    root = os.environ.get("VPBENCH_CACHE")
    key = [
        SCHEMA,
        split.hash,
        str(split.folder.resolve()) if split.folder else None,
        Geometry.of(protocol).data(),
        decoder(),
        _described(flow, protocol),
    ]
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:12]
    cache = (Path(root) if root else user_cache_path("vpbench")) / "clips"
    return below(cache, f"{split.name}-{digest}")


def _flow_source(split: Split, protocol: Protocol, files: FlowFiles | None) -> FlowSource | None:
    """Where the flow of a split's clips comes from; ``None``: it is known exactly, or the protocol has none."""
    if protocol.flow == flow_files.NAME and files is None:
        raise UsageError(
            f"Protocol '{protocol.name}' takes its flow from files: name their folder (--flow files:DIR), or give "
            "clips that were prepared with them as --data."
        )
    if protocol.flow != flow_files.NAME and files is not None:
        raise UsageError(f"Protocol '{protocol.name}' takes its flow from '{protocol.flow}', not from files.")
    without = split.origin == "synthetic" or protocol.flow == NO_FLOW
    return files or (None if without else EstimatedFlow(protocol.flow))


def _described(flow: FlowSource | None, protocol: Protocol) -> dict[str, Any]:
    """The flow of clips as their manifest says it."""
    if flow is not None:
        return flow.describe()
    return WITHOUT_FLOW if protocol.flow == NO_FLOW else EXACT_FLOW


def _clips_there(folder: Path, method: PreparedManifest) -> dict[int, str]:
    """The clips that are there, made by the same method; afterwards there is a manifest, and leftovers are gone."""
    clips: dict[int, str] = {}
    if (folder / "manifest.json").exists():
        there = read_manifest(folder, finished=False)
        old, new = _made(there), _made(method)
        other = [key for key in new if old[key] != new[key]]
        if other:
            raise UsageError(
                f"{folder} holds clips that were prepared otherwise: "
                + "; ".join(f"{key} is {old[key]}, not {new[key]}" for key in other)
                + ". Choose another --out."
            )
        clips = dict(there.clips)
    else:
        # Clips without their manifest do not belong here either: how they were made is not known.
        others = [p.name for p in folder.iterdir() if p.name[0] != "."]
        if others:
            raise UsageError(f"{folder} holds other things ({others[0]}); choose an empty folder as --out.")
        write_manifest(folder, method)
    remove_leftovers(folder)
    return clips


def _made(manifest: PreparedManifest) -> dict[str, Any]:
    """What must be the same for clips to share a folder."""
    split = manifest.split
    return {
        "split": {"name": split.name, "hash": split.hash, "total": split.total},
        "geometry": manifest.geometry.data(),
        "flow": manifest.flow,
        "decoder": manifest.decoder,
    }
