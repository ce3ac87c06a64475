"""Frames out of videos, of folders of pictures, of numbered pictures, and of arrays of sequences.

Nothing else in vpbench opens a video file.
"""

from __future__ import annotations

import io
import os
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # our errors name the file; FFmpeg's own lines do not

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin  # noqa: F401 -- so that Pillow knows TIFF without loading all its formats

from vpbench.errors import VpbenchError
from vpbench.files import is_file, is_folder, numbered, open_file, read_bytes
from vpbench.video.arrays import MOST_PIXELS, count_sequences, read_sequence

VIDEO_SUFFIXES = frozenset({".avi", ".mp4", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"})
PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})

_LARGEST_PICTURE = 2**29  # bytes
_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"  # what a PNG file begins with; width and height follow


def decoder() -> dict[str, str]:
    """What decodes: it is part of the identity of prepared clips, since decoders differ in the last bit."""
    return {"opencv": cv2.__version__, "ffmpeg": _ffmpeg_version()}


def _ffmpeg_version() -> str:
    found = re.findall(r"(avcodec|avformat|swscale):\s+YES \(([\d.]+)\)", cv2.getBuildInformation())
    return ", ".join(f"{library} {version}" for library, version in found) or "unknown"


def read_frames(path: Path, first: int, count: int) -> NDArray[np.uint8]:
    """Decode frames ``first`` … ``first + count - 1`` (0-based, in decoding order).

    Args:
        path: a video file; a folder of pictures, which are taken in natural order of their names; numbered
            pictures, ``folder/name_%06d.png``; or a grey sequence of an array, ``sequences.npy/17``, counted from 0.
        first: number of frames to skip; of numbered pictures, the number of the first to return.
        count: number of frames to return.

    Returns:
        uint8 ``(count, H, W, 3)``, RGB.

    Raises:
        VpbenchError: the file is missing, empty, truncated or not a video, has too few frames, or its frames
            differ in size; names the file.
    """
    if is_folder(path):
        return _read_pictures(path, first, count)
    if (sequence := _sequence(path)) is not None:
        return np.repeat(read_sequence(path.parent, sequence, first, count)[..., None], 3, axis=3)
    if _are_numbered(path):
        return _stack([read_picture(one) for one in source_files(path, first, count)], path)
    frames: list[NDArray[Any]] = []
    with open_video(path) as capture:
        for position in range(first + count):
            # Frames are decoded, never seeked to: seeking is inexact in many containers.
            if not capture.grab():
                raise VpbenchError(
                    f"{path} has only {position} frames that can be decoded; {first + count} are needed. "
                    "Is it truncated?"
                )
            if position >= first:
                frames.append(cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB))
    return _stack(frames, path)


def has_frames(path: Path, first: int, count: int, arrays: dict[Path, int]) -> bool:
    """Whether a source is there; of numbered pictures and sequences, whether these are.

    Args:
        path: the source, as for :func:`read_frames`.
        first: see there.
        count: see there.
        arrays: how many sequences each array has; what is not known yet is added.

    Raises:
        VpbenchError: an array of sequences is damaged, or is none; names it.
    """
    if is_folder(path):
        return True
    if (sequence := _sequence(path)) is not None:
        if path.parent not in arrays:
            arrays[path.parent] = count_sequences(path.parent) if is_file(path.parent) else 0
        return sequence < arrays[path.parent]
    if _are_numbered(path):  # one after another: a list may ask for any number of them
        return all(is_file(path.with_name(path.name % number)) for number in range(first, first + count))
    return is_file(path)


def source_files(path: Path, first: int, count: int) -> list[Path]:
    """The files that frames are read from, some of them or, of a folder, all; see :func:`read_frames`."""
    if is_folder(path):
        return sorted(path.iterdir())
    if _sequence(path) is not None:
        return [path.parent]
    if _are_numbered(path):
        return [path.with_name(path.name % number) for number in range(first, first + count)]
    return [path]


def _sequence(path: Path) -> int | None:
    """The number of the sequence, if the path names one of an array."""
    return numbered(path.name) if path.parent.suffix == ".npy" else None


def _are_numbered(path: Path) -> bool:
    """Whether the path names numbered pictures: one ``%d``, or ``%06d``, in the name, and no other ``%``."""
    name = re.fullmatch(r"[^%]*%(?:0[1-9]|01\d)?d[^%]*", path.name)
    return name is not None and path.suffix.lower() in PICTURE_SUFFIXES


@contextmanager
def open_video(path: Path) -> Iterator[cv2.VideoCapture]:
    """Open a video file for decoding.

    Raises:
        VpbenchError: the file is missing, empty, truncated, not a video, or its frames are too large; or decoding in
            the block fails. Names the file.
    """
    _check_file(path)
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise VpbenchError(f"{path} is not a video that can be decoded.")
        sides = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        _check_pixels(path, *(int(capture.get(side)) for side in sides))
        yield capture
    except cv2.error as error:
        raise VpbenchError(f"{path} cannot be decoded: {error}") from error
    finally:
        capture.release()


def _check_file(path: Path) -> None:
    try:
        f"{path}".encode()
    except UnicodeEncodeError:  # OpenCV crashes at such a name
        raise VpbenchError(f"Cannot read {path}: its name is not UTF-8; rename it.") from None
    with open_file(path) as stream:
        head, size = stream.read(12), os.fstat(stream.fileno()).st_size
    if size == 0:
        raise VpbenchError(f"{path} is empty; copy or download it again.")
    # FFmpeg fills in what is missing from a truncated AVI file with made-up pixels; its header says how long it was.
    if head[:4] == b"RIFF" and head[8:12] == b"AVI " and len(head) == 12:
        promised = struct.unpack("<I", head[4:8])[0] + 8
        if size < promised:
            raise VpbenchError(
                f"{path} is truncated: it has {size} of {promised} bytes; copy or download it again."
            )


def _check_pixels(path: Path, width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise VpbenchError(
            f"{path} is {width}×{height} pixels; at most {MOST_PIXELS // 10**6} million are read (8K has 33)."
        )


def picture_names(folder: Path) -> list[str]:
    """Names of the pictures in a folder, in natural order (``2.png`` before ``10.png``)."""
    names = [p.name for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES and p.name[0] != "."]
    return sorted(names, key=natural_key)


def natural_key(text: str) -> list[tuple[int, int | str]]:
    """Sort key by which numbers inside names are compared as numbers."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", text) if part]


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
    return decode_picture(read_bytes(path, _LARGEST_PICTURE), path)


def decode_picture(data: bytes, path: Path) -> NDArray[np.uint8]:
    """Decode the bytes of a picture file; ``path`` is for the error.

    Raises:
        VpbenchError: it is not a complete picture of a known format, or is too large: its header is read first, since
            a small file may be a picture that takes gigabytes.
    """
    width, height = _picture_size(data, path)
    _check_pixels(path, width, height)
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        picture = None
    if picture is None:
        raise VpbenchError(f"{path} is damaged or is not a picture.")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _picture_size(data: bytes, path: Path) -> tuple[int, int]:
    """Width and height as a picture's header says, or more than any picture has, in pixels."""
    try:
        if data[:16] == _PNG:
            width, height = struct.unpack_from(">II", data, 16)
            return width, height
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp_size(data)
        with warnings.catch_warnings(action="ignore"):  # of pictures that Pillow finds large or odd
            return Image.open(io.BytesIO(data), formats=("JPEG", "BMP", "TIFF")).size
    except Image.DecompressionBombError:
        return MOST_PIXELS, MOST_PIXELS
    except (OSError, ValueError, struct.error):
        raise VpbenchError(f"{path} is damaged or is not a picture.") from None


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height in the first chunk of a WebP file; Pillow would allocate the picture to know them.

    Source: RFC 9649, sections 2.5 to 2.7.
    """
    kind = data[12:16]
    if kind == b"VP8X":
        low, high = struct.unpack_from("<HB", data, 24), struct.unpack_from("<HB", data, 27)
        return low[0] + (low[1] << 16) + 1, high[0] + (high[1] << 16) + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind != b"VP8 ":
        raise ValueError("no picture in the first chunk")
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def _stack(frames: list[NDArray[Any]], path: Path) -> NDArray[np.uint8]:
    if len({frame.shape for frame in frames}) > 1:
        sizes = sorted({f"{frame.shape[1]}×{frame.shape[0]}" for frame in frames})
        raise VpbenchError(f"{path}: the frames differ in size ({', '.join(sizes)}).")
    return np.stack(frames).astype(np.uint8, copy=False)
