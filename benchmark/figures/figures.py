"""Figures like the paper's: masks (Figure 3) and prediction strips with zooms (Figures 4 and 5). Needs matplotlib."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vpbench.errors import UsageError
from vpbench.figures import pictures
from vpbench.figures.choose import Box, parse_box, zoom_boxes
from vpbench.figures.labels import wrapped
from vpbench.files import write_atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from vpbench.figures.scene import Scene


SUFFIXES = (".pdf", ".png", ".webp")
_ZOOMS = ("#ffd400", "#00c8ff")  # yellow and light blue: seen on dark and on light, and apart in grey
_GAP, _LINE = 0.05, 0.155  # inches between pictures, and for a line of text
_SIZE = 7.5  # points
_LONGEST = 120  # characters of a label that are drawn
DPI = 220  # of a PNG or WebP; a PDF keeps the frames' own pixels
_WEBP_QUALITY = 88
_MASKS_IN_ROW = 4
_LEAST, _MOST, _PAGE = 0.7, 1.5, 8.0  # inches: height of a frame in a strip, and of all its rows


def check_suffix(path: Path, allowed: Sequence[str] = SUFFIXES) -> None:
    """Refuse, before any work is done, a file that cannot be written.

    Raises:
        UsageError: the suffix is none of those allowed, or matplotlib is not installed.
    """
    from importlib.util import find_spec

    if path.suffix.lower() not in allowed:
        raise UsageError(f"--out {path}: the name must end in {' or '.join(allowed)}.")
    if allowed is SUFFIXES and find_spec("matplotlib") is None:
        raise UsageError("This figure needs matplotlib: pip install 'vpbench[figures]'.")


def save(figure: Figure, path: Path, dpi: int = DPI) -> None:
    """Write a figure as PDF, PNG or WebP, by the name's suffix; equal figures give equal files.

    Raises:
        VpbenchError: the disk refuses.
    """
    import matplotlib as mpl

    buffer = io.BytesIO()
    suffix = path.suffix.lower()
    if suffix == ".pdf":
        # Type 42: text stays text that a publisher's checks accept.
        with mpl.rc_context({"pdf.fonttype": 42}):
            figure.savefig(buffer, format="pdf", metadata={"CreationDate": None, "Creator": "vpbench"})
    elif suffix == ".png":
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": "vpbench"})
    else:
        figure.savefig(buffer, format="webp", dpi=dpi, pil_kwargs={"quality": _WEBP_QUALITY, "method": 6})
    write_atomic(path, buffer.getvalue())


def masks(scene: Scene, frame: int, *, grey: bool = False) -> Figure:
    """Figure 3: whole frames above, below them what the protocol keeps of them; target first, then the runs.

    Raises:
        UsageError: there is no such frame, or the protocol has no moving area.
    """
    scene.check_frame(frame)
    mask = scene.masks[frame - 1]
    if mask is None:
        raise UsageError(f"Protocol '{scene.protocol.name}' scores whole frames: it has no masks to show.")
    target = scene.clip.targets[frame - 1]
    columns = [("Ground truth", f"{100 * mask.mean():.0f} % moving", target)]
    columns += [
        (row.label, row.scores[frame - 1], pictures.to_bytes(row.frames[frame - 1])) for row in scene.rows
    ]
    per_row = min(_MASKS_IN_ROW, len(columns))
    width = 1.62
    height = width * target.shape[0] / target.shape[1]
    heading = _LINE * max(len(_wrapped(label, width)) for label, _, _ in columns)
    block = heading + 2 * height + _GAP + _LINE + 3 * _GAP
    blocks = -(-len(columns) // per_row)
    sheet = _Sheet(_LINE + per_row * (width + _GAP), blocks * block)
    for number, (label, score, picture) in enumerate(columns):
        x = _LINE + _GAP + number % per_row * (width + _GAP)
        y = number // per_row * block
        if number % per_row == 0:
            sheet.text("whole frame", _LINE / 2, y + heading + height / 2, upright=True)
            sheet.text("moving area", _LINE / 2, y + heading + height * 1.5 + _GAP, upright=True)
        sheet.lines(_wrapped(label, width), x + width / 2, y + heading, bold=True)
        image = pictures.grey(picture) if grey else picture
        sheet.picture(image, x, y + heading, width, height)
        kept = np.where(mask[..., None], image, 0).astype(np.uint8)
        sheet.picture(kept, x, y + heading + height + _GAP, width, height)
        sheet.text(score, x + width / 2, y + heading + 2 * height + _GAP + _LINE * 0.6)
    return sheet.figure


def strip(scene: Scene, frames: Sequence[int], *, grey: bool = False, zooms: Sequence[str] = ()) -> Figure:
    """Figures 4 and 5: the inputs, the target and each run's prediction, each with two parts enlarged.

    Args:
        scene: what is shown.
        frames: which predicted frames, 1-based; side by side.
        grey: luma only, as in Figure 5.
        zooms: ``X,Y,WIDTH,HEIGHT`` of at most two parts; by default those that move most in the first frame.

    Raises:
        UsageError: there is no such frame, or a zoom is not of that form or leaves the frame.
    """
    for frame in frames:
        scene.check_frame(frame)
    size = scene.clip.targets.shape[1:3]
    if len(zooms) > len(_ZOOMS):
        raise UsageError(f"--zoom is given {len(zooms)} times; at most {len(_ZOOMS)} parts fit.")
    boxes = [parse_box(zoom, (size[0], size[1])) for zoom in zooms] or zoom_boxes(scene.clip, frames[0])
    ratio = size[1] / size[0]
    # As large as a page allows, but not so small that nothing can be seen.
    height = max(_LEAST, min(_MOST, _PAGE / (len(scene.rows) + 1) - _LINE - 2 * _GAP))
    width = height * ratio
    part_height = (height - _GAP * (len(boxes) - 1)) / max(1, len(boxes))
    part = part_height * max(box.width / box.height for box in boxes) if boxes else 0.0
    cell = width + (_GAP + part if boxes else 0.0)
    content = len(frames) * cell + (len(frames) - 1) * 3 * _GAP
    label = 1.08

    rows: list[tuple[str, list[NDArray[np.uint8]], list[str]]] = [
        ("Ground truth", [scene.clip.targets[frame - 1] for frame in frames], [""] * len(frames))
    ]
    rows += [
        (
            row.label,
            [pictures.to_bytes(row.frames[frame - 1]) for frame in frames],
            [row.scores[frame - 1] for frame in frames],
        )
        for row in scene.rows
    ]
    inputs = [pictures.grey(frame) if grey else frame for frame in scene.clip.inputs]
    input_width = min(width, (content - _GAP * (len(inputs) - 1)) / len(inputs))
    input_height = input_width / ratio
    tall = [height + (_LINE if any(scores) else 0) + 1.6 * _GAP for _, _, scores in rows]
    top = input_height + 2 * _GAP + _LINE
    sheet = _Sheet(label + content, top + sum(tall))

    sheet.lines(["Inputs"], label - 2 * _GAP, input_height / 2, bold=True, right=True)
    for number, picture in enumerate(inputs):
        sheet.picture(picture, label + number * (input_width + _GAP), 0, input_width, input_height)
    for column, frame in enumerate(frames):
        x = label + column * (cell + 3 * _GAP)
        sheet.text(f"predicted frame {frame}", x + width / 2, top - _LINE * 0.55, italic=True)
    y = top
    for (name, images, scores), used in zip(rows, tall, strict=True):
        sheet.lines(_wrapped(name, label - 2 * _GAP), label - 2 * _GAP, y + height / 2, bold=True, right=True)
        for column, (picture, score) in enumerate(zip(images, scores, strict=True)):
            image = pictures.grey(picture) if grey else picture
            x = label + column * (cell + 3 * _GAP)
            sheet.picture(image, x, y, width, height, boxes)
            for number, box in enumerate(boxes):
                sheet.picture(
                    np.asarray(box.cut(image), np.uint8),
                    x + width + _GAP,
                    y + number * (part_height + _GAP),
                    part_height * box.width / box.height,
                    part_height,
                    edge=_ZOOMS[number],
                )
            if score:
                sheet.text(score, x + width / 2, y + height + _LINE * 0.6)
        y += used
    return sheet.figure


def _wrapped(label: str, width: float) -> list[str]:
    """A label in lines of at most ``width`` inches."""
    return wrapped(_drawable(label[:_LONGEST]), width, _inches)


def _inches(text: str) -> float:
    """The width of a bold text, without kerning."""
    return sum(map(_width_of, text))


@cache
def _width_of(character: str) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    bold = FontProperties(family="DejaVu Sans", weight="bold", size=_SIZE)
    return float(text_to_path.get_text_width_height_descent(character, bold, ismath=False)[0]) / 72


class _Sheet:
    """A figure on which things are placed in inches from the top left corner.

    Args:
        width: of what is placed, inches; a margin is added.
        height: likewise.
    """

    _MARGIN = 0.04

    def __init__(self, width: float, height: float) -> None:
        from matplotlib.figure import Figure

        self.width, self.height = width + 2 * self._MARGIN, height + 2 * self._MARGIN
        self.figure = Figure(figsize=(self.width, self.height), facecolor="white")

    def picture(
        self,
        image: NDArray[np.uint8],
        x: float,
        y: float,
        width: float,
        height: float,
        boxes: Sequence[Box] = (),
        edge: str | None = None,
    ) -> None:
        """Place a picture, with coloured boxes in it or a coloured edge around it."""
        from matplotlib.patches import Rectangle

        x, y = x + self._MARGIN, y + self._MARGIN
        place = (
            x / self.width,
            1 - (y + height) / self.height,
            width / self.width,
            height / self.height,
        )
        axes = self.figure.add_axes(place)
        axes.set_axis_off()
        # A PDF keeps the pixels as they are; a PNG's are sampled for its size.
        axes.imshow(image, aspect="auto", interpolation="none" if edge is None else "nearest")
        for box, colour in zip(boxes, _ZOOMS, strict=False):
            axes.add_patch(
                Rectangle(
                    (box.x - 0.5, box.y - 0.5),
                    box.width,
                    box.height,
                    fill=False,
                    edgecolor=colour,
                    linewidth=0.9,
                )
            )
        if edge is not None:
            axes.add_patch(
                Rectangle(
                    (0, 0),
                    1,
                    1,
                    transform=axes.transAxes,
                    fill=False,
                    edgecolor=edge,
                    linewidth=2.0,
                    clip_on=False,
                )
            )

    def text(self, text: str, x: float, y: float, *, upright: bool = False, italic: bool = False) -> None:
        """Place a line of text, centred."""
        self._text(
            text, x, y, rotation=90 if upright else 0, ha="center", style="italic" if italic else "normal"
        )

    def lines(
        self, lines: Sequence[str], x: float, y: float, *, bold: bool = False, right: bool = False
    ) -> None:
        """Place lines of text: right-aligned and centred on ``y``, or centred on ``x`` and above ``y``."""
        start = y - _LINE * (len(lines) / 2 if right else len(lines) + 0.1) + _LINE / 2
        for number, line in enumerate(lines):
            self._text(
                line,
                x,
                start + number * _LINE,
                ha="right" if right else "center",
                weight="bold" if bold else "normal",
            )

    def _text(self, text: str, x: float, y: float, **style: Any) -> None:
        self.figure.text(
            (x + self._MARGIN) / self.width,
            1 - (y + self._MARGIN) / self.height,
            _drawable(text),
            va="center",
            fontsize=_SIZE,
            parse_math=False,  # a label from a stranger is no formula
            **style,
        )


def _drawable(text: str) -> str:
    """``text`` with characters that the font lacks as their code points, ``[U+4E2D]``."""
    from matplotlib import font_manager

    font = font_manager.get_font(font_manager.findfont("DejaVu Sans"))
    known = font.get_charmap()
    return "".join(c if ord(c) in known else f"[U+{ord(c):04X}]" for c in text)
