"""Figures like the paper's: masks (Figure 3) and prediction strips with zooms (Figures 4 and 5). Needs matplotlib."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vpbench.errors import UsageError
from vpbench.figures import pictures
from vpbench.figures.canvas import BOX_COLOURS, LINE, Canvas, wrap_label
from vpbench.figures.choose import Box, check_frame, parse_box, zoom_boxes
from vpbench.files import write_atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from vpbench.figures.scene import Scene

    Picture = NDArray[np.uint8]


SUFFIXES = (".pdf", ".png", ".webp")
DPI = 220  # of a PNG or WebP; a PDF keeps the frames' own pixels
_WEBP_QUALITY = 88
_GAP = 0.05  # inches between pictures
_MASKS_IN_ROW, _MASKS_WIDTH = 4, 1.62  # of figure 3: frames side by side, and inches
_LEAST, _MOST, _PAGE = 0.7, 1.5, 8.0  # inches: height of a frame in a strip, and of all its rows
_LABEL = 1.08  # inches for the labels of a strip


def check_suffix(path: Path, allowed: Sequence[str] = SUFFIXES) -> None:
    """Refuse, before any work is done, a file that cannot be written.

    Raises:
        UsageError: the suffix is not one of those allowed, or matplotlib is not installed.
    """
    from importlib.util import find_spec

    if path.suffix.lower() not in allowed:
        raise UsageError(f"--out {path}: the name must end in {' or '.join(allowed)}.")
    if allowed is SUFFIXES and find_spec("matplotlib") is None:
        raise UsageError("This figure needs matplotlib: pip install 'vpbench[figures]'.")


def save(figure: Figure, path: Path, dpi: int = DPI) -> None:
    """Write a figure as PDF, PNG or WebP, by the name's suffix; equal figures give equal files.

    Raises:
        VpbenchError: the disk is full or read-only.
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
    check_frame(frame, scene.protocol)
    mask = scene.masks[frame - 1]
    if mask is None:
        raise UsageError(f"Protocol '{scene.protocol.name}' scores whole frames: it has no masks to show.")
    truth, *predicted = _rows(scene, [frame], grey)
    truth = truth._replace(scores=[f"{100 * mask.mean():.0f} % moving"])
    columns = [truth, *predicted]
    per_row = min(_MASKS_IN_ROW, len(columns))
    width = _MASKS_WIDTH
    height = width * mask.shape[0] / mask.shape[1]
    heading = LINE * max(len(wrap_label(label, width)) for label, _, _ in columns)
    block = heading + 2 * height + _GAP + LINE + 3 * _GAP
    blocks = -(-len(columns) // per_row)
    canvas = Canvas(LINE + per_row * (width + _GAP), blocks * block)
    for number, (label, (picture,), (score,)) in enumerate(columns):
        x = LINE + _GAP + number % per_row * (width + _GAP)
        y = number // per_row * block + heading
        if number % per_row == 0:
            canvas.text("whole frame", LINE / 2, y + height / 2, upright=True)
            canvas.text("moving area", LINE / 2, y + height * 1.5 + _GAP, upright=True)
        canvas.lines(wrap_label(label, width), x + width / 2, y, bold=True)
        canvas.picture(picture, x, y, width, height)
        kept = np.where(mask[..., None], picture, 0).astype(np.uint8)
        canvas.picture(kept, x, y + height + _GAP, width, height)
        canvas.text(score, x + width / 2, y + 2 * height + _GAP + LINE * 0.6)
    return canvas.figure


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
        check_frame(frame, scene.protocol)
    layout = _strip_layout(scene, len(frames), _boxes(scene, frames[0], zooms))
    rows = _rows(scene, frames, grey)
    heights = [layout.height + (LINE if any(row.scores) else 0) + 1.6 * _GAP for row in rows]
    inputs = [pictures.grey(frame) if grey else frame for frame in scene.clip.inputs]
    top = layout.input_height(len(inputs)) + 2 * _GAP + LINE
    canvas = Canvas(_LABEL + layout.content, top + sum(heights))
    _draw_inputs(canvas, layout, inputs)
    for column, frame in enumerate(frames):
        x = layout.column(column) + layout.width / 2
        canvas.text(f"predicted frame {frame}", x, top - LINE * 0.55, italic=True)
    y = top
    for row, height in zip(rows, heights, strict=True):
        _draw_row(canvas, layout, row, y)
        y += height
    return canvas.figure


class _Row(NamedTuple):
    """One entry of a figure: a label, and for each frame its picture and what is written below it."""

    label: str
    images: list[Picture]
    scores: list[str]


def _rows(scene: Scene, frames: Sequence[int], grey: bool) -> list[_Row]:
    """The target's frames, then each run's."""
    rows = [_Row("Ground truth", [scene.clip.targets[frame - 1] for frame in frames], [""] * len(frames))]
    for row in scene.rows:
        images = [pictures.to_bytes(row.frames[frame - 1]) for frame in frames]
        rows.append(_Row(row.label, images, [row.scores[frame - 1] for frame in frames]))
    return [row._replace(images=list(map(pictures.grey, row.images))) for row in rows] if grey else rows


@dataclass(frozen=True)
class _StripLayout:
    """Where things are in a strip, in inches.

    Attributes:
        width: of a frame.
        height: of a frame.
        frames: number of frames side by side.
        boxes: the parts that are enlarged beside each frame, one below the other.
    """

    width: float
    height: float
    frames: int
    boxes: Sequence[Box]

    @property
    def part_height(self) -> float:
        return (self.height - _GAP * (len(self.boxes) - 1)) / max(1, len(self.boxes))

    @property
    def cell(self) -> float:
        """The width of a frame and its parts."""
        if not self.boxes:
            return self.width
        part = self.part_height * max(box.width / box.height for box in self.boxes)
        return self.width + (_GAP + part)

    @property
    def content(self) -> float:
        """The width of all frames."""
        return self.frames * self.cell + (self.frames - 1) * 3 * _GAP

    def column(self, number: int) -> float:
        """Where a frame begins."""
        return _LABEL + number * (self.cell + 3 * _GAP)

    def input_width(self, inputs: int) -> float:
        return min(self.width, (self.content - _GAP * (inputs - 1)) / inputs)

    def input_height(self, inputs: int) -> float:
        return self.input_width(inputs) / (self.width / self.height)


def _strip_layout(scene: Scene, frames: int, boxes: Sequence[Box]) -> _StripLayout:
    """Frames as large as a page allows, but not so small that nothing can be seen."""
    height = max(_LEAST, min(_MOST, _PAGE / (len(scene.rows) + 1) - LINE - 2 * _GAP))
    ratio = scene.clip.targets.shape[2] / scene.clip.targets.shape[1]
    return _StripLayout(height * ratio, height, frames, boxes)


def _boxes(scene: Scene, frame: int, zooms: Sequence[str]) -> list[Box]:
    """The parts to enlarge."""
    if len(zooms) > len(BOX_COLOURS):
        raise UsageError(f"--zoom is given {len(zooms)} times; at most {len(BOX_COLOURS)} parts fit.")
    height, width = scene.clip.targets.shape[1:3]
    return [parse_box(zoom, (height, width)) for zoom in zooms] or zoom_boxes(scene.clip, frame)


def _draw_inputs(canvas: Canvas, layout: _StripLayout, inputs: Sequence[Picture]) -> None:
    width, height = layout.input_width(len(inputs)), layout.input_height(len(inputs))
    canvas.lines(["Inputs"], _LABEL - 2 * _GAP, height / 2, bold=True, right=True)
    for number, picture in enumerate(inputs):
        canvas.picture(picture, _LABEL + number * (width + _GAP), 0, width, height)


def _draw_row(canvas: Canvas, layout: _StripLayout, row: _Row, y: float) -> None:
    """A label and its frames, each with its enlarged parts and its score."""
    end = _LABEL - 2 * _GAP
    canvas.lines(wrap_label(row.label, end), end, y + layout.height / 2, bold=True, right=True)
    for column, (image, score) in enumerate(zip(row.images, row.scores, strict=True)):
        x = layout.column(column)
        canvas.picture(image, x, y, layout.width, layout.height, layout.boxes)
        for number, box in enumerate(layout.boxes):
            canvas.picture(
                np.asarray(box.cut(image), np.uint8),
                x + layout.width + _GAP,
                y + number * (layout.part_height + _GAP),
                layout.part_height * box.width / box.height,
                layout.part_height,
                edge=BOX_COLOURS[number],
            )
        if score:
            canvas.text(score, x + layout.width / 2, y + layout.height + LINE * 0.6)
