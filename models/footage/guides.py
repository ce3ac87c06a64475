"""What guides the motion network in one window: flows between distinct frames, and facts of the whole frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from vpbench.video import flow
from vpbench.video.repeats import distinct_frames

INPUTS = 4
# With d0 the last input, d1 the last one before it that differs from it, and so on: d0 → d1, d1 → d2, d0 → d2,
# d0 → d1 by another estimator, d1 → d0. The first FINE of them are in full resolution, the others in half.
FIELDS = 5
FINE = 2
_ESTIMATORS = ("dis-fine", "dis-fine", "dis", "farneback", "dis")
ESTIMATORS = tuple(dict.fromkeys(_ESTIMATORS))
# Multiples of d1 → d2 by which the last input is predicted in hindsight; the first is that of constant speed.
SPEEDS = (1.0, 0.0, 0.5, 1.5)
# The facts, in order. Ages are counted in frames before the last input; 0 where there is no such frame.
FACTS = (
    "age of d1",
    "age of d2",
    "log difference of the first pair of inputs, against the last pair",
    "log difference of the second pair, against the last pair",
    "log difference of the last pair",
    "log motion d0 → d1",
    "log motion d1 → d2",
    "log motion d0 → d2",
    "log motion d2 → d3",
    "d1 → d2 along d0 → d1",
    "d0 → d2 along d0 → d1",
    "d2 → d3 along d1 → d2",
    "share of pixels that move",
    "log error of d0 → d1, against that of a copy",
    *(f"log error of speed {speed:g} in hindsight, against that of speed 1" for speed in SPEEDS[1:]),
)

# The flow between two frames of a window, by an estimator's name and the frames' positions.
Flows = Callable[[str, int, int], NDArray[np.float32]]
Field = NDArray[np.float32]

# Differences of values in [0, 1], and pixels of motion, below which logarithms level out.
_LEAST_DIFFERENCE, _LEAST_MOTION = 1e-4, 0.02
# Pixels a frame from which something moves.
_MOVES = 0.5


@dataclass(frozen=True)
class Guide:
    """What guides the network in one window.

    Attributes:
        fields: float32 ``(FIELDS, H, W, 2)``, pixels; zero where one of the frames is missing.
        facts: float32 ``(len(FACTS),)``.
    """

    fields: Field
    facts: NDArray[np.float32]


def guide(inputs: NDArray[np.uint8], flows: Flows | None = None) -> Guide:
    """Find what guides the network.

    Args:
        inputs: uint8 ``(INPUTS, H, W, 3)`` RGB.
        flows: where flows come from; by default they are estimated.

    Raises:
        UsageError: a side of the frames is below 16.
    """
    if flows is None:

        def flows(name: str, start: int, end: int) -> Field:
            return flow.estimate(name, inputs[start], inputs[end])

    size = inputs.shape[1:3]
    fields = np.zeros((FIELDS, *size, 2), np.float32)
    for index, pair in enumerate(pairs_of(inputs)):
        if pair is not None:
            field = flows(*pair)
            fields[index] = field if index < FINE else doubled(halved(field), size)
    return Guide(fields, facts_of(inputs, fields, flows))


def pairs_of(inputs: NDArray[np.uint8]) -> list[tuple[str, int, int] | None]:
    """Estimator, first frame and second frame of each field; ``None`` where a frame is missing."""
    found = distinct_frames(inputs)
    ends = ((0, 1), (1, 2), (0, 2), (0, 1), (1, 0))
    return [
        (name, found[start], found[end]) if max(start, end) < len(found) else None
        for name, (start, end) in zip(_ESTIMATORS, ends, strict=True)
    ]


def halved(field: Field) -> Field:
    """A flow ``(H, W, 2)`` in half resolution: means of 2×2, the last row and column repeated if odd."""
    height, width = field.shape[:2]
    even = cv2.copyMakeBorder(field, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    half = ((width + 1) // 2, (height + 1) // 2)
    return np.asarray(cv2.resize(even, half, interpolation=cv2.INTER_AREA), np.float32)


def doubled(field: NDArray[np.floating], size: tuple[int, ...], top: int = 0, left: int = 0) -> Field:
    """A part of a flow in full resolution, bilinearly, from its halves.

    Args:
        field: ``(h, w, 2)``, as :func:`halved` returns it.
        size: rows and columns wanted.
        top: first row wanted, counted in full resolution.
        left: first column.
    """
    height, width = field.shape[:2]
    whole = cv2.resize(field.astype(np.float32), (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(whole[top : top + size[0], left : left + size[1]], np.float32)


def facts_of(inputs: NDArray[np.uint8], fields: Field, flows: Flows) -> NDArray[np.float32]:
    """Facts of the whole frame that say what kind of time it is in: see :data:`FACTS`.

    Args:
        inputs: uint8 ``(INPUTS, H, W, 3)``.
        fields: ``(FIELDS, H, W, 2)``.
        flows: for the one flow that is not among the fields.
    """
    found = distinct_frames(inputs)
    ages = [found[0] - found[index] if index < len(found) else 0 for index in (1, 2)]
    grey = [_grey(frame) for frame in inputs]
    pairs = [_log_difference(*pair) for pair in pairwise(grey)]
    back, earlier, two = fields[:3, ::2, ::2]
    third = np.zeros_like(back)
    if len(found) > 3:
        third = flows(ESTIMATORS[0], found[2], found[3])[::2, ::2]
    moves = np.hypot(*np.moveaxis(fields[0], 2, 0)) > _MOVES
    return np.array(
        [
            *ages,
            pairs[0] - pairs[-1],
            pairs[1] - pairs[-1],
            pairs[-1] + 4,
            *(np.log(np.abs(field).mean() + _LEAST_MOTION) for field in (back, earlier, two, third)),
            _along(earlier, back),
            _along(two, back),
            _along(third, earlier),
            moves.mean(),
            *_hindsight([grey[position] for position in found], fields, moves),
        ],
        np.float32,
    )


def _grey(frame: NDArray[np.uint8]) -> Field:
    """``(H, W)`` in [0, 1]."""
    bytes_ = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY)
    return np.asarray(bytes_, np.float32) / np.float32(255)


def _log_difference(one: Field, other: Field, where: NDArray[np.bool_] | None = None) -> float:
    difference = np.abs(one - other)
    return float(np.log((difference if where is None else difference[where]).mean() + _LEAST_DIFFERENCE))


def _along(field: Field, reference: Field) -> float:
    """How many times the reference's motion the field has in its direction, where the reference moves."""
    moves = np.square(reference).sum(-1) > _MOVES**2
    if not moves.any():
        return 0.0
    share = (field[moves] * reference[moves]).sum() / np.square(reference[moves]).sum()
    return float(np.clip(share, -2, 5))


def _hindsight(distinct: list[Field], fields: Field, moves: NDArray[np.bool_]) -> list[float]:
    """The last facts: logarithms of errors over the pixels that move, relative to one another."""
    unknown = [0.0] * len(SPEEDS)
    if len(distinct) < 2 or not moves.any():
        return unknown
    last, before = distinct[:2]
    flow_error = _log_difference(last, warped(before, fields[0]), moves)
    unknown[0] = flow_error - _log_difference(last, before, moves)
    if len(distinct) < 3:
        return unknown
    carried = warped(fields[1], fields[1])
    errors = [_log_difference(last, warped(before, speed * carried), moves) for speed in SPEEDS]
    return [unknown[0], *(error - errors[0] for error in errors[1:])]


def warped(image: Field, displacement: Field) -> Field:
    """An image ``(H, W)`` or ``(H, W, C)`` sampled at x + d(x), to 1/32 pixel, with the border replicated."""
    height, width = displacement.shape[:2]
    columns = np.arange(width, dtype=np.float32) + displacement[..., 0]
    rows = np.arange(height, dtype=np.float32)[:, None] + displacement[..., 1]
    return np.asarray(cv2.remap(image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
