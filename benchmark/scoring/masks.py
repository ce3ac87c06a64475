"""Moving areas: which pixels of a target frame count, by a protocol's mask rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from vpbench.errors import UsageError
from vpbench.scoring.protocol import COLOUR_THRESHOLD, MaskRule
from vpbench.video.flow_colour import (
    UNKNOWN_ABOVE,
    check_flow,
    check_max_motion,
    known_flow,
    largest_motion,
    squared_motion,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


# From this share of the maximum motion on, a channel's byte is below the threshold: exactly the double 0.8.
_STILL_BELOW = 1 - COLOUR_THRESHOLD / 255


def moving_area(
    rule: MaskRule, flow: NDArray[np.float32] | None, flow_image: NDArray[np.uint8] | None
) -> NDArray[np.bool_] | None:
    """Find the moving area of one target frame.

    Unknown flow is black in the colour code, and black is below the threshold: under the rules ``colour`` and
    ``magnitude`` such a pixel counts as moving, under ``as-printed`` it does not.

    Args:
        rule: the protocol's rule.
        flow: ``(H, W, 2)``, pixels, from the frame before the target to the target; needed by every rule that
            computes from vectors.
        flow_image: uint8 ``(H, W, 3)`` RGB, the colour-coded flow that came with the clip; needed by
            ``archive``.

    Returns:
        bool ``(H, W)``, true where the frame moves; ``None`` under the rule ``none``.

    Raises:
        UsageError: the flow or the flow image that the rule needs is missing or has the wrong shape.
    """
    if rule.kind == "none":
        return None
    if rule.kind == "archive":
        return _below_threshold(_needed_image(flow_image))
    vectors = _needed_vectors(rule, flow)
    if rule.kind == "magnitude":
        assert rule.tau is not None  # noqa: S101 -- MaskRule checks it
        return np.asarray(~(np.sqrt(squared_motion(vectors)) <= rule.tau))
    assert rule.max_motion is not None  # noqa: S101 -- MaskRule checks it
    area = _colour_area(vectors, rule.max_motion)
    return ~area if rule.kind == "as-printed" else area


def _colour_area(flow: NDArray[np.float32], max_motion: float | Literal["frame"]) -> NDArray[np.bool_]:
    """Where a channel of ``colour_code(flow, max_motion)`` is below the threshold, without the colours.

    Every colour of the wheel has a zero channel. Its byte is ⌊255·(1 − r)⌋, the smallest of the three, so the
    hue plays no part, and r alone decides: below :data:`_STILL_BELOW` the byte is 51 or more.
    """
    check_max_motion(max_motion)
    scale = largest_motion(flow) if max_motion == "frame" else float(max_motion)
    radius = squared_motion(flow)
    np.sqrt(radius, out=radius)
    radius /= scale
    # `not below` rather than `at least`: NaN, which is unknown flow, moves.
    area = np.logical_not(radius < _STILL_BELOW)
    if scale >= UNKNOWN_ABOVE:  # only then does its length not show that a flow is unknown, which is black
        area |= ~known_flow(flow)
    return np.asarray(area)


def _below_threshold(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where any channel of an image ``(H, W, 3)`` is below the threshold."""
    low = image < COLOUR_THRESHOLD
    return np.asarray(low[..., 0] | low[..., 1] | low[..., 2])


def _needed_vectors(rule: MaskRule, flow: NDArray[np.float32] | None) -> NDArray[np.float32]:
    if flow is None:
        raise UsageError(
            f"Mask rule '{rule.kind}' needs flow vectors, and these clips have only flow images. Use a protocol "
            f"with the rule 'archive', such as mathieu2016-archive, or prepare the clips from their videos."
        )
    check_flow(flow)
    return flow


def _needed_image(flow_image: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    if flow_image is None:
        raise UsageError(
            "Mask rule 'archive' needs the flow images that came with the clips, and these clips have none. "
            "Use a protocol with another rule (`vpbench list protocols`)."
        )
    if flow_image.ndim != 3 or flow_image.shape[2] != 3 or flow_image.dtype != np.uint8:
        raise UsageError(
            f"Mask rule 'archive': a flow image must be uint8 (height, width, 3), not {flow_image.dtype} of shape "
            f"{flow_image.shape}."
        )
    return flow_image
