"""``prepare``: videos → prepared clips, in parallel, resumable, each clip whole or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from msgspec import structs, to_builtins
from numpy.typing import NDArray

from vpbench.clips import prepared
from vpbench.clips.manifest import (
    SCHEMA,
    ClipRecord,
    Geometry,
    PreparedManifest,
    PreparedSplit,
    read_clip_record,
    read_manifest,
    write_manifest,
)
from vpbench.errors import UsageError, VpbenchError
from vpbench.files import lock_folder, make_folder, os_error
from vpbench.parallel.execution import Execution
from vpbench.parallel.processes import limit_threads, map_in_order
from vpbench.scoring.protocol import FLOW_IMAGE_MAX_MOTION, Protocol
from vpbench.splits import Sources, Split, SplitClip
from vpbench.video import flow_files
from vpbench.video.decoding import decoder, read_frames
from vpbench.video.flow_colour import colour_code
from vpbench.video.flow_files import FlowFiles
from vpbench.video.flow_source import EstimatedFlow, FlowSource

EXACT_FLOW = {"name": "exact"}
_SHOWN = 10  # damaged sources named in one error


@dataclass(frozen=True)
class _Job:
    """All that preparing one clip needs; sent to a worker."""

    folder: Path
    clip: SplitClip
    path: Path | None  # None: rendered by the split `synthetic`
    size_wanted: tuple[int, int] | None
    protocol: Protocol
    flow: FlowSource | None  # None: known exactly, with the frames


def prepare(
    split: Split,
    sources: Sources,
    protocol: Protocol,
    folder: Path,
    execution: Execution,
    files: FlowFiles | None = None,
) -> prepared.PreparedClips:
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
        VpbenchError: sources that cannot be used (all others are prepared first), or the disk refuses.
    """
    split.check_length(protocol.frames, protocol.name)
    source = _flow_source(split, protocol, files)
    method = PreparedManifest(
        status="running",
        split=PreparedSplit(
            name=split.name, hash=split.hash, total=len(split.clips), missing=tuple(sources.missing)
        ),
        geometry=Geometry.of(protocol),
        flow=source.describe() if source else EXACT_FLOW,
        decoder=decoder(),
        clips={},
    )
    wanted = [clip for clip in split.clips if clip.index in sources.found]
    with lock_folder(folder, wait=True):
        clips = _clips_there(folder, method)
        place = folder.absolute()  # workers of a cluster have another working folder
        jobs = [
            (_Job(place, clip, path and path.absolute(), split.size, protocol, source),)
            for clip, path in ((clip, sources.found[clip.index]) for clip in wanted)
        ]
        damaged = []
        outcomes = map_in_order(execution.executor, _prepare_clip, jobs, execution.window)
        for job, (content, problem) in zip(jobs, outcomes, strict=True):
            if problem:
                damaged.append(problem)
                clips.pop(job[0].clip.index, None)
            else:
                clips[job[0].clip.index] = content
            execution.progress()
        manifest = structs.replace(method, clips=dict(sorted(clips.items())))
        if damaged:
            write_manifest(folder, manifest)
            more = f"\n… and {len(damaged) - _SHOWN} more" if len(damaged) > _SHOWN else ""
            raise VpbenchError(
                f"{len(damaged)} of {len(wanted)} sources cannot be used; the other clips are prepared. "
                "Repair or remove these and run again:\n" + "\n".join(damaged[:_SHOWN]) + more
            )
        complete = structs.replace(manifest, status="complete")
        if read_manifest(folder, finished=False) != complete:
            write_manifest(folder, complete)
    return prepared.open_prepared(folder)


def cache_folder(split: Split, protocol: Protocol, files: FlowFiles | None = None) -> Path:
    """Where ``vpbench run`` keeps the prepared clips of a split.

    The name is a hash of the split, the frames and size, the decoder, and the flow method, each with
    versions and parameters; source files are compared clip by clip. ``$VPBENCH_CACHE`` moves it.

    Raises:
        UsageError: flows and protocol do not fit.
    """
    from platformdirs import user_cache_path

    source = _flow_source(split, protocol, files)
    root = os.environ.get("VPBENCH_CACHE")
    key = [
        SCHEMA,
        split.hash,
        str(split.folder.resolve()) if split.folder else None,
        Geometry.of(protocol).data(),
        decoder(),
        source.describe() if source else EXACT_FLOW,
    ]
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:12]
    return (Path(root) if root else user_cache_path("vpbench")) / "clips" / f"{split.name}-{digest}"


def _flow_source(split: Split, protocol: Protocol, files: FlowFiles | None) -> FlowSource | None:
    """Where the flow of a split's clips comes from; ``None``: it is known exactly."""
    if protocol.flow == flow_files.NAME and files is None:
        raise UsageError(
            f"Protocol '{protocol.name}' takes its flow from files: name their folder (--flow files:DIR), or give "
            "clips that were prepared with them as --data."
        )
    if protocol.flow != flow_files.NAME and files is not None:
        raise UsageError(f"Protocol '{protocol.name}' takes its flow from '{protocol.flow}', not from files.")
    if files is not None:
        return replace(files, folder=files.folder.absolute())
    return None if split.origin == "synthetic" else EstimatedFlow(protocol.flow)


def _clips_there(folder: Path, method: PreparedManifest) -> dict[int, str]:
    """The clips that are there, made by the same method; a manifest is there afterwards, and leftovers are not."""
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
        # Clips without their manifest are strangers too: how they were made is not known.
        strangers = [p.name for p in folder.iterdir() if p.name[0] != "."]
        if strangers:
            raise UsageError(
                f"{folder} holds other things ({strangers[0]}); choose an empty folder as --out."
            )
        write_manifest(folder, method)
    for leftover in folder.glob(".clip-*.tmp"):
        shutil.rmtree(leftover, ignore_errors=True)
    for leftover in folder.glob(".manifest.json.*.tmp"):
        leftover.unlink(missing_ok=True)
    return clips


def _made(manifest: PreparedManifest) -> dict[str, Any]:
    """What must be the same for clips to stand in one folder."""
    split = manifest.split
    return {
        "split": {"name": split.name, "hash": split.hash, "total": split.total},
        "geometry": manifest.geometry.data(),
        "flow": manifest.flow,
        "decoder": manifest.decoder,
    }


def _prepare_clip(job: _Job) -> tuple[str, str]:
    """Prepare one clip unless it is there; returns its content hash, or what is wrong with its source."""
    target = job.folder / str(job.clip.index)
    try:
        source = _source_key(job)
    except VpbenchError as error:
        return "", f"clip {job.clip.index}: {error}"
    try:
        record = read_clip_record(target)
        if record.source == source and all((target / name).is_file() for name in record.files):
            return record.content, ""
    except VpbenchError:
        pass  # not there or not whole: it is made anew
    limit_threads()
    try:
        frames, flows = _frames_and_flow(job)
    except VpbenchError as error:
        return "", f"clip {job.clip.index}: {error}"
    inputs = job.protocol.inputs
    content = hashlib.blake2b(digest_size=16)
    files: dict[str, bytes] = {}
    for position, frame in enumerate(frames):
        kind, number = ("pred", position + 1) if position < inputs else ("target", position - inputs + 1)
        files[f"{kind}_{number}.png"] = _png(frame)
        content.update(f"{frame.shape}".encode() + frame.tobytes())
    for name, vectors in zip(prepared.flow_image_names(inputs, len(flows)), flows, strict=True):
        files[name] = _png(colour_code(vectors, FLOW_IMAGE_MAX_MOTION))
    for number, vectors in enumerate(flows, start=1):
        buffer = io.BytesIO()
        np.save(buffer, vectors, allow_pickle=False)
        files[f"flow_{number}.npy"] = buffer.getvalue()
        content.update(vectors.tobytes())
    record = ClipRecord(
        index=job.clip.index,
        source=source,
        content=content.hexdigest(),
        files={name: prepared.file_hash(data) for name, data in files.items()},
    )
    files["clip.json"] = (json.dumps(to_builtins(record), indent=1) + "\n").encode()
    _write_clip(target, files)
    return content.hexdigest(), ""


def _source_key(job: _Job) -> dict[str, Any]:
    """What tells whether a clip has to be prepared again: its place in the split, and its source file."""
    clip = job.clip
    key: dict[str, Any] = {
        "source": clip.source,
        "first_frame": clip.first_frame,
        "crop": list(clip.crop or []),
    }
    if job.path is not None:
        try:
            files = sorted(job.path.iterdir()) if job.path.is_dir() else [job.path]
            key["files"] = [[p.name, p.stat().st_size, p.stat().st_mtime_ns] for p in files]
        except OSError as error:
            raise VpbenchError(f"Cannot read {job.path}: {error.strerror}.") from error
    return key


def _frames_and_flow(job: _Job) -> tuple[NDArray[np.uint8], list[NDArray[np.float32]]]:
    clip, protocol = job.clip, job.protocol
    used = protocol.inputs + protocol.targets
    exact = None
    if job.path is None:
        from vpbench.splits import synthetic

        all_frames, all_flow = synthetic.render(clip.index, protocol.frames)
        frames, exact = all_frames[protocol.first_frame :], all_flow[protocol.first_frame :]
    else:
        frames = read_frames(job.path, clip.first_frame + protocol.first_frame, used)
    height, width = frames.shape[1:3]
    if job.size_wanted is not None and (height, width) != job.size_wanted:
        raise VpbenchError(
            f"{job.path} is {width}×{height} pixels; this split's videos are "
            f"{job.size_wanted[1]}×{job.size_wanted[0]}."
        )
    if clip.crop is not None:
        x, y, w, h = clip.crop
        if x + w > width or y + h > height or not w or not h:
            raise VpbenchError(
                f"{job.path} is {width}×{height} pixels; the crop {w}×{h} at ({x}, {y}) leaves it."
            )
        frames = frames[:, y : y + h, x : x + w]
    if min(frames.shape[1:3]) < 16:
        raise VpbenchError(f"{job.path} is {width}×{height} pixels; at least 16×16 are needed.")
    if protocol.size is not None:
        exact = None if exact is None else np.stack([_resize_flow(f, protocol.size) for f in exact])
        frames = np.stack([_resize(frame, protocol.size) for frame in frames])
    frames = np.ascontiguousarray(frames)
    before_targets = range(protocol.inputs - 1, used - 1)
    if job.flow is not None:
        return frames, [job.flow.between(frames, at, at + 1, clip.index) for at in before_targets]
    assert exact is not None  # noqa: S101 -- the flow of all other splits has a source
    return frames, [np.ascontiguousarray(exact[at]) for at in before_targets]


def _resize(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    return np.asarray(cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_LINEAR))


def _resize_flow(vectors: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    scale = np.array([size[1] / vectors.shape[1], size[0] / vectors.shape[0]], np.float32)
    return np.asarray(_resize(vectors, size) * scale, dtype=np.float32)


def _png(image: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


def _write_clip(target: Path, files: dict[str, bytes]) -> None:
    """Write a clip's folder beside its place, then rename it there."""
    temporary = target.parent / f".clip-{target.name}-{uuid.uuid4().hex}.tmp"
    try:
        make_folder(temporary / "new")
        for name, data in files.items():
            (temporary / "new" / name).write_bytes(data)
        if target.exists():
            target.rename(temporary / "old")
        try:
            (temporary / "new").rename(target)
        except OSError:
            # On a cluster, a worker that was taken for lost may have put the same clip there just now.
            if not (target / "clip.json").exists():
                raise
    except OSError as error:
        raise os_error(error, f"write {target}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
