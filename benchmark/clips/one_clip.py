"""One clip prepared: its frames decoded, the flow to its targets, and its files written whole or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from msgspec import to_builtins
from numpy.typing import NDArray

from vpbench.clips.manifest import ClipRecord, read_clip_record
from vpbench.clips.prepared import file_hash, flow_image_names
from vpbench.errors import VpbenchError
from vpbench.files import flush, make_folder, os_error
from vpbench.parallel.processes import limit_threads
from vpbench.scoring.protocol import FLOW_IMAGE_MAX_MOTION, NO_FLOW, Protocol
from vpbench.signals import unbroken
from vpbench.splits import SplitClip
from vpbench.video.decoding import read_frames, source_files
from vpbench.video.flow import MIN_SIDE
from vpbench.video.flow_colour import colour_code
from vpbench.video.flow_source import FlowSource

Frames = NDArray[np.uint8]
Flow = NDArray[np.float32]


@dataclass(frozen=True)
class ClipJob:
    """Everything that preparing one clip needs; sent to a worker.

    Attributes:
        folder: where the clip's own folder is to be.
        clip: which clip.
        path: its source; ``None``: it is rendered, by the split ``synthetic``.
        size: (height, width) that the source must have; ``None``: any.
        protocol: gives frames and size.
        flow: where the flow comes from; ``None``: it is known exactly, with the rendered frames, or the protocol has
            none.
    """

    folder: Path
    clip: SplitClip
    path: Path | None
    size: tuple[int, int] | None
    protocol: Protocol
    flow: FlowSource | None


def prepare_clip(job: ClipJob) -> tuple[str, str]:
    """Prepare a clip unless it is there; returns its content hash, or what is wrong with its source.

    Raises:
        VpbenchError: the disk is full or read-only.
    """
    target = job.folder / str(job.clip.index)
    try:
        source = _source_key(job)
        if content := _content_there(target, source):
            return content, ""
        limit_threads()
        frames, flows = _frames_and_flow(job)
    except VpbenchError as error:
        return "", f"clip {job.clip.index}: {error}"
    files, content = _encoded(frames, flows, job.protocol.inputs)
    record = ClipRecord(
        index=job.clip.index,
        source=source,
        content=content,
        files={name: file_hash(data) for name, data in files.items()},
    )
    files["clip.json"] = (json.dumps(to_builtins(record), indent=1) + "\n").encode()
    _write_clip(target, files)
    return content, ""


def _source_key(job: ClipJob) -> dict[str, Any]:
    """What decides whether a clip has to be prepared again: its place in the split, and its source file."""
    clip = job.clip
    key: dict[str, Any] = {
        "source": clip.source,
        "first_frame": clip.first_frame,
        "crop": list(clip.crop or []),
    }
    if job.path is not None:
        try:
            first = clip.first_frame + job.protocol.first_frame
            files = source_files(job.path, first, job.protocol.inputs + job.protocol.targets)
            key["files"] = [[p.name, p.stat().st_size, p.stat().st_mtime_ns] for p in files]
        except OSError as error:
            raise VpbenchError(f"Cannot read {job.path}: {error.strerror}.") from error
    return key


def _content_there(target: Path, source: dict[str, Any]) -> str | None:
    """The content hash of the clip that is there, if it is whole and was made from this source."""
    try:
        record = read_clip_record(target)
    except VpbenchError:
        return None  # not there or damaged: it is prepared again
    whole = record.source == source and all((target / name).is_file() for name in record.files)
    return record.content if whole else None


def _frames_and_flow(job: ClipJob) -> tuple[Frames, list[Flow]]:
    """The clip's frames ``(T, H, W, 3)``, cropped and resized, and for each target the flow to it, if any."""
    frames, exact = _decoded(job)
    if job.protocol.size is not None:
        size = job.protocol.size
        exact = None if exact is None else np.stack([_resize_flow(flow, size) for flow in exact])
        frames = np.stack([_resize(frame, size) for frame in frames])
    frames = np.ascontiguousarray(frames)
    if job.protocol.flow == NO_FLOW:
        return frames, []
    before_targets = range(job.protocol.inputs - 1, len(frames) - 1)
    if job.flow is not None:
        return frames, [job.flow.between(frames, at, at + 1, job.clip.index) for at in before_targets]
    assert exact is not None  # noqa: S101 -- the flow of all other clips has a source
    return frames, [np.ascontiguousarray(exact[at]) for at in before_targets]


def _decoded(job: ClipJob) -> tuple[Frames, Flow | None]:
    """The clip's frames, cropped, and the exact flow between them where that is known."""
    clip, protocol = job.clip, job.protocol
    if job.path is None:
        from vpbench.splits import synthetic

        rendered, flow = synthetic.render(clip.index, protocol.frames)
        return rendered[protocol.first_frame :], flow[protocol.first_frame :]
    frames = read_frames(
        job.path, clip.first_frame + protocol.first_frame, protocol.inputs + protocol.targets
    )
    height, width = frames.shape[1:3]
    if job.size is not None and (height, width) != job.size:
        raise VpbenchError(
            f"{job.path} is {width}×{height} pixels; this split's videos are {job.size[1]}×{job.size[0]}."
        )
    if clip.crop is not None:
        x, y, w, h = clip.crop
        if x + w > width or y + h > height or not w or not h:
            raise VpbenchError(
                f"{job.path} is {width}×{height} pixels; the crop {w}×{h} at ({x}, {y}) leaves it."
            )
        frames = frames[:, y : y + h, x : x + w]
    if min(frames.shape[1:3]) < MIN_SIDE:
        raise VpbenchError(
            f"{job.path} is {width}×{height} pixels; at least {MIN_SIDE}×{MIN_SIDE} are needed."
        )
    return frames, None


def _resize(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    return np.asarray(cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_LINEAR))


def _resize_flow(flow: Flow, size: tuple[int, int]) -> Flow:
    scale = np.array([size[1] / flow.shape[1], size[0] / flow.shape[0]], np.float32)
    return np.asarray(_resize(flow, size) * scale, dtype=np.float32)


def _encoded(frames: Frames, flows: list[Flow], inputs: int) -> tuple[dict[str, bytes], str]:
    """The clip's files by name, and the hash of its pixels and flow."""
    content = hashlib.blake2b(digest_size=16)
    files: dict[str, bytes] = {}
    for position, frame in enumerate(frames):
        kind, number = ("pred", position + 1) if position < inputs else ("target", position - inputs + 1)
        files[f"{kind}_{number}.png"] = _png(frame)
        content.update(f"{frame.shape}".encode() + frame.tobytes())
    for name, flow in zip(flow_image_names(inputs, len(flows)) if flows else [], flows, strict=True):
        files[name] = _png(colour_code(flow, FLOW_IMAGE_MAX_MOTION))
    for number, flow in enumerate(flows, start=1):
        buffer = io.BytesIO()
        np.save(buffer, flow, allow_pickle=False)
        files[f"flow_{number}.npy"] = buffer.getvalue()
        content.update(flow.tobytes())
    return files, content.hexdigest()


def _png(image: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


def _write_clip(target: Path, files: dict[str, bytes]) -> None:
    """Write a clip's folder next to its place, then move it there."""
    temporary = target.parent / f".clip-{target.name}-{uuid.uuid4().hex}.tmp"
    with unbroken():
        try:
            _put(target, files, temporary)
        except OSError as error:
            raise os_error(error, f"write {target}") from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _put(target: Path, files: dict[str, bytes], temporary: Path) -> None:
    make_folder(temporary / "new")
    for name, data in files.items():
        (temporary / "new" / name).write_bytes(data)
    for path in (*(temporary / "new").iterdir(), temporary / "new"):
        flush(path)
    if target.exists():
        target.rename(temporary / "old")
    try:
        (temporary / "new").rename(target)
    except OSError:
        # On a cluster, a worker that was thought to be lost may have put the same clip there just now.
        if not (target / "clip.json").exists():
            raise
