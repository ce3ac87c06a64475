"""Frames as pictures: encoded for a page, with error maps and masks."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from vpbench.scoring.metrics.frames import LUMA

if TYPE_CHECKING:
    from numpy.typing import NDArray


_EFFORT = 2  # WebP's method, from 0 to 6; higher ones take three times as long and save 10 % of the size


def to_bytes(frame: NDArray[np.floating]) -> NDArray[np.uint8]:
    """A frame in [0, 1] as uint8, rounded, as it is looked at (scores use the unrounded one)."""
    return np.asarray(np.rint(np.clip(frame, 0, 1) * 255), np.uint8)


def grey(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A frame's luma in all three channels, uint8 ``(H, W, 3)``."""
    plane = cv2.transform(frame.astype(np.float64), LUMA)
    return np.repeat(np.rint(plane).astype(np.uint8)[..., None], 3, axis=2)


def error(target: NDArray[np.uint8], prediction: NDArray[np.float32]) -> NDArray[np.float64]:
    """Absolute error of each pixel, the mean over R, G and B: float64 ``(H, W)`` in [0, 1]."""
    return np.asarray(np.abs(prediction.astype(np.float64) - target / 255.0).mean(axis=2))


def error_scale(errors: list[NDArray[np.float64]]) -> float:
    """The error that gets the brightest colour, for maps that are to be compared: two digits, at least 0.02."""
    top = max((float(np.quantile(one, 0.998)) for one in errors), default=0.0)
    return max(0.02, float(np.ceil(top * 50) / 50))


def error_map(errors: NDArray[np.float64], scale: float) -> NDArray[np.uint8]:
    """Errors ``(H, W)`` in colour, uint8 ``(H, W, 3)`` RGB: black is 0, pale yellow is ``scale`` or more.

    Brightness goes with the square root of the error, so that a good run's map is not black next to a bad one's.
    """
    level = np.rint(np.sqrt(np.clip(errors / scale, 0, 1)) * 255).astype(np.uint8)
    return np.asarray(cv2.applyColorMap(level, cv2.COLORMAP_INFERNO)[..., ::-1])


def data_uri(frame: NDArray[np.uint8], *, quality: int | None) -> str:
    """A picture ``(H, W, 3)`` RGB as a ``data:`` address: WebP, lossless if ``quality`` is ``None``."""
    buffer = io.BytesIO()
    lossless = quality is None  # then `quality` is the effort
    Image.fromarray(frame).save(
        buffer, "WEBP", lossless=lossless, quality=20 if quality is None else quality, method=_EFFORT
    )
    return _uri("webp", buffer.getvalue())


def mask_uri(mask: NDArray[np.bool_]) -> str:
    """A mask as a ``data:`` address: PNG, transparent where it moves and black elsewhere."""
    veil = np.zeros((*mask.shape, 4), np.uint8)
    veil[..., 3] = np.where(mask, 0, 255)
    return _uri("png", cv2.imencode(".png", veil, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes())


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
