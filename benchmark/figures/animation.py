"""An animated comparison: the inputs, then truth and predictions side by side, as GIF, APNG or WebP."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vpbench.figures import pictures
from vpbench.files import write_atomic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vpbench.figures.scene import Scene

    Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


SUFFIXES = (".gif", ".png", ".webp")
_INPUT_MS, _PREDICTED_MS, _HOLD_MS = 350, 700, 700
_BAR, _GAP = 24, 8  # pixels: a line of text, and between panels
_BACK, _TEXT, _SOFT, _MARK = (255, 255, 255), (28, 31, 36), (105, 112, 122), (201, 74, 0)


class _Panel(NamedTuple):
    """What stands at one place: a label above, predicted frames, and beneath each its scores."""

    label: str
    frames: list[NDArray[np.uint8]]
    scores: Sequence[str]


def animate(scene: Scene, *, grey: bool = False) -> tuple[list[NDArray[np.uint8]], list[int]]:
    """The animation's frames, uint8 ``(H, W, 3)``, and how long each is shown, in milliseconds.

    Every panel shows the inputs first; then the upper left one shows the target, and the others the predictions.
    """
    inputs, targets = list(scene.clip.inputs), scene.clip.targets
    panels = [_Panel("ground truth", list(targets), [""] * len(targets))]
    panels += [
        _Panel(row.label, [pictures.to_bytes(f) for f in row.frames], row.scores) for row in scene.rows
    ]
    if grey:
        inputs = [pictures.grey(frame) for frame in inputs]
        panels = [panel._replace(frames=[pictures.grey(frame) for frame in panel.frames]) for panel in panels]
    frames = []
    for step, frame in enumerate(inputs):
        sheet = _Sheet(len(panels), frame.shape, f"input {step + 1} of {len(inputs)}", _SOFT)
        for number, panel in enumerate(panels):
            sheet.draw(number, panel.label, frame)
        frames.append(np.asarray(sheet.canvas))
    for step in range(len(targets)):
        sheet = _Sheet(len(panels), targets[step].shape, f"predicted frame {step + 1}", _MARK)
        for number, panel in enumerate(panels):
            sheet.draw(number, panel.label, panel.frames[step], panel.scores[step])
        frames.append(np.asarray(sheet.canvas))
    times = [_INPUT_MS] * len(inputs) + [_PREDICTED_MS] * len(targets)
    times[-1] += _HOLD_MS
    return frames, times


class _Sheet:
    """One frame of the animation.

    Args:
        panels: number of panels.
        shape: of a picture, ``(H, W, 3)``.
        title: what stands above them.
        colour: of the title.
    """

    def __init__(self, panels: int, shape: tuple[int, ...], title: str, colour: tuple[int, int, int]) -> None:
        self.height, self.width = shape[:2]
        self.across = _across(panels)
        down = -(-panels // self.across)
        size = (
            self.across * (self.width + _GAP) + _GAP,
            _BAR + down * (self.height + 2 * _BAR + _GAP),
        )
        self.canvas = Image.new("RGB", size, _BACK)
        self.pen = ImageDraw.Draw(self.canvas)
        self.large, self.small = ImageFont.load_default(14), ImageFont.load_default(13)
        self.pen.text((_GAP, _BAR / 2), title, colour, self.large, anchor="lm")

    def draw(self, number: int, label: str, picture: NDArray[np.uint8], scores: str | None = None) -> None:
        """Draw a panel; a prediction has scores and a frame around it, so that a glance tells it from an input."""
        x = _GAP + number % self.across * (self.width + _GAP)
        y = _BAR + number // self.across * (self.height + 2 * _BAR + _GAP)
        top, bottom = y + _BAR, y + _BAR + self.height
        self.canvas.paste(Image.fromarray(picture), (x, top))
        self.pen.text(
            (x, y + _BAR / 2), _shorten(label, self.large, self.width), _TEXT, self.large, anchor="lm"
        )
        if scores is not None:
            self.pen.rectangle((x - 2, top - 2, x + self.width + 1, bottom + 1), outline=_MARK, width=2)
            self.pen.text((x, bottom + _BAR / 2), scores, _SOFT, self.small, anchor="lm")


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


def _shorten(label: str, font: Font, width: int) -> str:
    """The label, cut to fit the width of a panel."""
    if font.getlength(label) <= width:
        return label
    while label and font.getlength(label + "…") > width:
        label = label[:-1]
    return label + "…"
