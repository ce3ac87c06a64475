"""Axes of the drawings of scores, laid out here, so that these need no script."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from vpbench.tables.cells import short

WIDTH, HEIGHT = 760, 380
LEFT, RIGHT, TOP, BOTTOM = 58, 18, 14, 46
_MOST_TICKS = 7
LARGEST = 1e15  # a run may say any number; this is beyond all that are true


class Tick(NamedTuple):
    """A tick of an axis: where, and what it says."""

    at: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """What all drawings have.

    Attributes:
        key: which of its kind.
        name: what it is called.
        x_title: of the axis.
        y_title: of the axis.
        xs: ticks.
        ys: ticks.
        width: of the whole, pixels, as ``height``.
        height: of the whole.
        left: where the axes' rectangle begins, as ``right``, ``top`` and ``bottom``.
        right: where it ends.
        top: where it begins.
        bottom: where it ends.
    """

    key: str
    name: str
    x_title: str
    y_title: str
    xs: list[Tick]
    ys: list[Tick]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


class Scale(NamedTuple):
    """Pixels of values, or of their logarithms."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        shown = math.log10(value) if self.logarithmic else value
        return round(self.start + (shown - self.low) / (self.high - self.low) * (self.end - self.start), 1)


def logarithmic(values: Sequence[float]) -> tuple[Scale, list[Tick]]:
    """The horizontal axis of values above 0: their pixels, and its ticks."""
    low, high = math.log10(min(values)), math.log10(max(values))
    margin = max(0.04 * (high - low), 0.21)  # so wide that there is a tick
    scale = Scale(low - margin, high + margin, LEFT, WIDTH - RIGHT, logarithmic=True)
    decades = range(math.floor(scale.low), math.ceil(scale.high) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        ticks = [tick for tick in ticks if scale.low <= math.log10(tick) <= scale.high]
        if len(ticks) <= _MOST_TICKS:
            break
    every = max(1, math.ceil(len(ticks) / _MOST_TICKS))
    return scale, [Tick(scale(t), short(t) if t >= 1000 else f"{t:g}") for t in ticks[::every]]


def linear(values: Sequence[float]) -> tuple[Scale, list[Tick]]:
    """The vertical axis of values: their pixels, and its ticks."""
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or abs(high) * 0.01 or 1.0
    scale = Scale(low - margin, high + margin, HEIGHT - BOTTOM, TOP, logarithmic=False)
    power = 10.0 ** math.floor(math.log10((scale.high - scale.low) / 5))
    step = next(n * power for n in (1, 2, 5, 10) if (scale.high - scale.low) / (n * power) <= _MOST_TICKS)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(scale.low / step), math.floor(scale.high / step)
    return scale, [Tick(scale(n * step), f"{n * step:.{digits}f}") for n in range(first, last + 1)]
