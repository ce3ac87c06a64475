"""The Middlebury colour code: flow as an image, hue for direction and saturation for speed.

Source: S. Baker, D. Scharstein et al., "A Database and Evaluation Methodology for Optical Flow", IJCV 2011;
D. Scharstein's ``colorcode.cpp`` and D. Sun's ``computeColor.m``.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from vpbench.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Middlebury's sentinel: a component beyond this, in pixels, says that the flow is not known there.
UNKNOWN_ABOVE = 1e9
# Rows of the wheel in each of its segments: red to yellow, yellow to green, … magenta to red.
_SEGMENTS = (15, 6, 4, 11, 13, 6)


@cache
def colour_wheel() -> NDArray[np.float64]:
    """The 55 colours of the wheel: float64 ``(55, 3)`` RGB, whole numbers in [0, 255], read-only.

    Every row, and every blend of two neighbours, has a channel that is zero.
    """
    rows: list[tuple[int, int, int]] = []
    for segment, length in enumerate(_SEGMENTS):
        for i in range(length):
            ramp = 255 * i // length
            rows.append(
                (
                    (255, ramp, 0),
                    (255 - ramp, 255, 0),
                    (0, 255, ramp),
                    (0, 255 - ramp, 255),
                    (ramp, 0, 255),
                    (255, 0, 255 - ramp),
                )[segment]
            )
    wheel = np.array(rows, dtype=np.float64)
    wheel.setflags(write=False)
    return wheel


def squared_motion(flow: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return u² + v² in float64, px²: ``(H, W)`` from a flow ``(H, W, 2)``; NaN where a component is NaN."""
    squares = flow.astype(np.float64)
    squares *= squares
    return np.asarray(squares[..., 0] + squares[..., 1])


def known_flow(flow: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Where the flow is known: bool ``(H, W)``; false for NaN and for components beyond ±1e9."""
    known = np.abs(flow) <= UNKNOWN_ABOVE
    return np.asarray(known[..., 0] & known[..., 1])


def largest_motion(flow: NDArray[np.floating]) -> float:
    """Return the largest known |flow| in pixels; 1.0 if nothing moves or nothing is known."""
    squares = squared_motion(flow)
    top = float(squares.max(initial=0.0))
    if not top <= UNKNOWN_ABOVE:  # cheap test: some flow may be unknown
        top = float(squares.max(initial=0.0, where=known_flow(flow)))
    return float(np.sqrt(top)) or 1.0


def check_flow(flow: NDArray[np.floating]) -> None:
    """Refuse what is not a flow field.

    Raises:
        UsageError: the shape is not ``(H, W, 2)`` or the values are not floating-point.
    """
    if flow.ndim != 3 or flow.shape[2] != 2 or flow.dtype.kind != "f":
        raise UsageError(
            f"A flow must be floating-point (height, width, 2), not {flow.dtype} of shape {flow.shape}."
        )


def check_max_motion(max_motion: float | str) -> None:
    """Refuse a ``max_motion`` that is neither a positive finite number nor ``"frame"``.

    Raises:
        UsageError: saying what was given.
    """
    if max_motion != "frame" and not (isinstance(max_motion, int | float) and 0 < max_motion < np.inf):
        raise UsageError(f'max_motion must be a number of pixels above 0, or "frame", not {max_motion!r}.')


def colour_code(flow: NDArray[np.floating], max_motion: float | Literal["frame"]) -> NDArray[np.uint8]:
    """Colour a flow field.

    With r = |flow| / m and c the wheel's colour for the direction: 1 − r(1 − c) for r ≤ 1, 0.75·c beyond;
    the byte is ⌊255·colour⌋. All arithmetic is in float64.

    Args:
        flow: ``(H, W, 2)``, pixels, u to the right and v down.
        max_motion: m, the motion in pixels that has full saturation, or ``"frame"`` for the largest known
            |flow| of this field. A field without motion is white.

    Returns:
        uint8 ``(H, W, 3)`` RGB; black where the flow is unknown (NaN, or a component beyond ±1e9).

    Raises:
        UsageError: ``flow`` or ``max_motion`` is not of this form.
    """
    check_flow(flow)
    check_max_motion(max_motion)
    scale = largest_motion(flow) if max_motion == "frame" else float(max_motion)
    known = known_flow(flow)
    everything_known = bool(known.all())
    if not everything_known:
        flow = np.where(known[..., None], flow, 0)
    radius = np.sqrt(squared_motion(flow))
    radius /= scale

    angle = np.arctan2(-flow[..., 1].astype(np.float64), -flow[..., 0].astype(np.float64))
    position = (angle / np.pi + 1) / 2 * 54
    row = position.astype(np.intp)
    blend = position - row
    rest = 1 - blend
    beyond = radius > 1
    any_beyond = bool(beyond.any())

    wheel = colour_wheel() / 255
    image = np.empty((*radius.shape, 3), dtype=np.uint8)
    for channel in range(3):
        column = np.append(wheel[:, channel], wheel[0, channel])  # row 55 is row 0 again
        colour = rest * column[row]
        colour += blend * column[1:][row]
        shade = 1 - radius * (1 - colour)
        if any_beyond:
            shade = np.where(beyond, 0.75 * colour, shade)
        shade *= 255
        image[..., channel] = shade  # the cast drops the fraction; nothing here is negative
    if not everything_known:
        image[~known] = 0
    return image
