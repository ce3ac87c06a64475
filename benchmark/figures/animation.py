"""An animated comparison: the inputs, then truth and predictions side by side, as GIF, APNG or WebP."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vpbench.figures import pictures
from vpbench.files import write_atomic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vpbench.figures.scene import Scene


SUFFIXES = (".gif", ".png", ".webp")
_INPUT_MS, _PREDICTED_MS, _HOLD_MS = 350, 700, 700
_BAR, _GAP = 24, 8  # pixels: a line of text, and between panels
_BACK, _TEXT, _SOFT, _MARK = (255, 255, 255), (28, 31, 36), (105, 112, 122), (201, 74, 0)


def frames_of(scene: Scene, *, grey: bool = False) -> tuple[list[NDArray[np.uint8]], list[int]]:
    """The animation's frames, uint8 ``(H, W, 3)``, and how long each is shown, in milliseconds.

    Every panel shows the inputs first; then the upper left one shows what followed, the others what was predicted.
    """
    inputs, targets = scene.clip.inputs, scene.clip.targets
    height, width = targets.shape[1:3]
    panels = [("ground truth", [""] * len(targets), list(targets))]
    panels += [
        (row.label, list(row.scores), [pictures.to_bytes(f) for f in row.frames]) for row in scene.rows
    ]
    across = _across(len(panels))
    down = -(-len(panels) // across)
    size = (across * (width + _GAP) + _GAP, _BAR + down * (height + 2 * _BAR + _GAP))
    fonts = _font(14), _font(13)

    def sheet(step: int) -> NDArray[np.uint8]:
        canvas = Image.new("RGB", size, _BACK)
        pen = ImageDraw.Draw(canvas)
        ahead = step - len(inputs)
        title = f"predicted frame {ahead + 1}" if ahead >= 0 else f"input {step + 1} of {len(inputs)}"
        pen.text((_GAP, _BAR / 2), title, _MARK if ahead >= 0 else _SOFT, fonts[0], anchor="lm")
        for number, (label, scores, frames) in enumerate(panels):
            x = _GAP + number % across * (width + _GAP)
            y = _BAR + number // across * (height + 2 * _BAR + _GAP)
            picture = frames[ahead] if ahead >= 0 else inputs[step]
            canvas.paste(Image.fromarray(pictures.grey(picture) if grey else picture), (x, y + _BAR))
            pen.text((x, y + _BAR / 2), _cut(label, fonts[0], width), _TEXT, fonts[0], anchor="lm")
            if ahead >= 0:
                # Beside the picture's edge, so that a glance tells predictions from inputs.
                pen.rectangle(
                    (x - 2, y + _BAR - 2, x + width + 1, y + _BAR + height + 1), outline=_MARK, width=2
                )
                pen.text((x, y + _BAR + height + _BAR / 2), scores[ahead], _SOFT, fonts[1], anchor="lm")
        return np.asarray(canvas)

    steps = len(inputs) + len(targets)
    times = [_INPUT_MS] * len(inputs) + [_PREDICTED_MS] * len(targets)
    times[-1] += _HOLD_MS
    return [sheet(step) for step in range(steps)], times


def write(frames: list[NDArray[np.uint8]], times: list[int], path: Path) -> None:
    """Write an endless animation: GIF (256 colours, the same in every frame), APNG or WebP (all colours).

    Raises:
        VpbenchError: the disk is full or read-only.
    """
    images = [Image.fromarray(frame) for frame in frames]
    options: dict[str, object] = {"save_all": True, "duration": times, "loop": 0}
    suffix = path.suffix.lower()
    if suffix == ".gif":
        # One palette for all: with one per frame, what does not move would flicker.
        palette = Image.fromarray(np.concatenate(frames)).quantize(256, Image.Quantize.MEDIANCUT)
        images = [image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for image in images]
        options["optimize"] = False
    elif suffix == ".webp":
        options |= {"quality": 90, "method": 4}
    buffer = io.BytesIO()
    images[0].save(
        buffer, {".gif": "GIF", ".png": "PNG", ".webp": "WEBP"}[suffix], append_images=images[1:], **options
    )
    write_atomic(path, buffer.getvalue())


def _across(panels: int) -> int:
    """Panels per row: three in one row, else about as many rows as columns."""
    return panels if panels <= 3 else math.ceil(math.sqrt(panels))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font that comes with Pillow."""
    return ImageFont.load_default(size)


def _cut(label: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """A label that fits a panel's width."""
    if font.getlength(label) <= width:
        return label
    while label and font.getlength(label + "…") > width:
        label = label[:-1]
    return label + "…"
