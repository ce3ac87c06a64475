"""Frames out of videos and of folders of pictures. Nothing else in vpbench opens a video file."""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # our errors name the file; FFmpeg's own lines do not

import cv2
import numpy as np
from numpy.typing import NDArray

from vpbench.errors import VpbenchError

VIDEO_SUFFIXES = frozenset({".avi", ".mp4", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"})
PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})


def decoder() -> dict[str, str]:
    """What decodes: it is part of the identity of prepared clips, since decoders differ in the last bit."""
    return {"opencv": cv2.__version__, "ffmpeg": _ffmpeg_version()}


def _ffmpeg_version() -> str:
    found = re.findall(r"(avcodec|avformat|swscale):\s+YES \(([\d.]+)\)", cv2.getBuildInformation())
    return ", ".join(f"{library} {version}" for library, version in found) or "unknown"


def read_frames(path: Path, first: int, count: int) -> NDArray[np.uint8]:
    """Decode frames ``first`` … ``first + count - 1`` (0-based, in decoding order).

    Args:
        path: a video file, or a folder of pictures, which are taken in natural order of their names.
        first: number of frames to skip.
        count: number of frames to return.

    Returns:
        uint8 ``(count, H, W, 3)``, RGB.

    Raises:
        VpbenchError: the file is missing, empty, truncated or not a video, has too few frames, or its frames
            differ in size; names the file.
    """
    if path.is_dir():
        return _read_pictures(path, first, count)
    _check_file(path)
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise VpbenchError(f"{path} is not a video that can be decoded.")
        frames: list[NDArray[Any]] = []
        for position in range(first + count):
            # Frames are decoded, never seeked to: seeking is inexact in many containers.
            if not capture.grab():
                raise VpbenchError(
                    f"{path} has only {position} frames that can be decoded; {first + count} are needed. "
                    "Is it truncated?"
                )
            if position >= first:
                frames.append(cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB))
    except cv2.error as error:
        raise VpbenchError(f"{path} cannot be decoded: {error}") from error
    finally:
        capture.release()
    return _stack(frames, path)


def _check_file(path: Path) -> None:
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            head = stream.read(12)
    except OSError as error:
        raise VpbenchError(f"Cannot read {path}: {error.strerror}.") from error
    if size == 0:
        raise VpbenchError(f"{path} is empty; copy or download it again.")
    # FFmpeg fills in what is missing from a truncated AVI file with made-up pixels; its header says how long it was.
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        promised = struct.unpack("<I", head[4:8])[0] + 8
        if size < promised:
            raise VpbenchError(
                f"{path} is truncated: it has {size} of {promised} bytes; copy or download it again."
            )


def picture_names(folder: Path) -> list[str]:
    """Names of the pictures in a folder, in natural order (``2.png`` before ``10.png``)."""
    names = [p.name for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES and p.name[0] != "."]
    return sorted(names, key=natural_key)


def natural_key(text: str) -> list[tuple[int, int | str]]:
    """Sort key by which numbers inside names are compared as numbers."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", text) if part]


def _read_pictures(folder: Path, first: int, count: int) -> NDArray[np.uint8]:
    names = picture_names(folder)
    if len(names) < first + count:
        raise VpbenchError(f"{folder} has only {len(names)} pictures; {first + count} are needed.")
    return _stack([read_picture(folder / name) for name in names[first : first + count]], folder)


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read a picture file as uint8 ``(H, W, 3)``, RGB.

    Raises:
        VpbenchError: the file is missing or is not a complete picture; names it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise VpbenchError(f"Cannot read {path}: {error.strerror}.") from error
    return decode_picture(data, path)


def decode_picture(data: bytes, path: Path) -> NDArray[np.uint8]:
    """Decode the bytes of a picture file; ``path`` is for the error."""
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error:
        picture = None
    if picture is None:
        raise VpbenchError(f"{path} is damaged or is not a picture.")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _stack(frames: list[NDArray[Any]], path: Path) -> NDArray[np.uint8]:
    if len({frame.shape for frame in frames}) > 1:
        sizes = sorted({f"{frame.shape[1]}×{frame.shape[0]}" for frame in frames})
        raise VpbenchError(f"{path}: the frames differ in size ({', '.join(sizes)}).")
    return np.stack(frames).astype(np.uint8, copy=False)
