"""A canvas in inches for figures: pictures, lines of text and untrusted labels, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from vpbench.figures.labels import wrapped

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vpbench.figures.choose import Box

BOX_COLOURS = ("#ffd400", "#00c8ff")  # yellow and light blue: seen on dark and on light, and apart in grey
LINE = 0.155  # inches for a line of text
_SIZE = 7.5  # points
_LONGEST = 120  # characters of a label that are drawn
_MARGIN = 0.04  # inches around everything


class Canvas:
    """A figure on which things are placed in inches from the top left corner.

    Args:
        width: of what is placed, inches; a margin is added.
        height: likewise.
    """

    def __init__(self, width: float, height: float) -> None:
        from matplotlib.figure import Figure

        self.width, self.height = width + 2 * _MARGIN, height + 2 * _MARGIN
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

        x, y = x + _MARGIN, y + _MARGIN
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
        for box, colour in zip(boxes, BOX_COLOURS, strict=False):
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
        start = y - LINE * (len(lines) / 2 if right else len(lines) + 0.1) + LINE / 2
        for number, line in enumerate(lines):
            self._text(
                line,
                x,
                start + number * LINE,
                ha="right" if right else "center",
                weight="bold" if bold else "normal",
            )

    def _text(self, text: str, x: float, y: float, **style: Any) -> None:
        self.figure.text(
            (x + _MARGIN) / self.width,
            1 - (y + _MARGIN) / self.height,
            _drawable(text),
            va="center",
            fontsize=_SIZE,
            parse_math=False,  # an untrusted label is not a formula
            **style,
        )


def wrap_label(label: str, width: float) -> list[str]:
    """A label in lines of at most ``width`` inches of bold text."""
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


def _drawable(text: str) -> str:
    """``text`` with characters that the font lacks as their code points, ``[U+4E2D]``."""
    from matplotlib import font_manager

    font = font_manager.get_font(font_manager.findfont("DejaVu Sans"))
    known = font.get_charmap()
    return "".join(c if ord(c) in known else f"[U+{ord(c):04X}]" for c in text)
