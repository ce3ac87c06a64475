"""What a frame is like, whoever predicts it: how well a copy of the last input frame does, and how far things move.

Comparisons need a set of frames, and strata, that do not depend on the predictors compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vpbench.scoring.protocol import MetricUse
from vpbench.scoring.score import score_frame
from vpbench.video.flow_colour import UNKNOWN_ABOVE, known_flow, squared_motion

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vpbench.scoring.clip import Clip
    from vpbench.scoring.protocol import Protocol
    from vpbench.scoring.score import Scores

_SSIM = "ssim"


def frame_facts(
    clip: Clip, protocol: Protocol, scored: tuple[NDArray[np.float32], Scores] | None = None
) -> list[dict[str, float | None]]:
    """What holds of each target frame of a clip under a protocol.

    Args:
        clip: with its targets, and the flow or flow images that the protocol's mask rule needs.
        protocol: the protocol.
        scored: predictions for the clip and their scores, which are not computed again where the predictions are
            such a copy.

    Returns:
        For each target:

        - ``copy``: the score of a copy of the last input frame in the column of the protocol's rule of exclusion;
          ``None`` without such a rule, or if it is undefined.
        - ``copy_ssim``: that copy's SSIM: the protocol's own, if it has such a column, else that inside the masks of
          its first column with the border ``replicate``; ``None`` if it is undefined.
        - ``motion``: median of |flow|, in pixels of the clip, over the moving area of the frame, where the flow is
          known; ``None`` if nothing moves there, or if the moving area does not come from vectors.
    """
    copy = clip.inputs[-1].astype(np.float32)
    copy /= np.float32(255)
    ssim_column, metrics = _metrics(protocol)
    facts = []
    for k in range(protocol.targets):
        mask = clip.moving_area(k, protocol.mask)
        if (
            scored is not None
            and metrics.keys() <= protocol.metrics.keys()
            and np.array_equal(scored[0][k], copy)
        ):
            scores = scored[1][k]
        else:
            scores = score_frame(clip.targets[k], copy, mask, metrics, protocol.scored_as)
        facts.append(
            {
                "copy": scores[protocol.exclude.column] if protocol.exclude else None,
                "copy_ssim": scores[ssim_column],
                "motion": _median_motion(clip, k, mask),
            }
        )
    return facts


def _metrics(protocol: Protocol) -> tuple[str, dict[str, MetricUse]]:
    """The columns that a copy is scored in, and which of them is the SSIM; its key is new if the protocol has none."""
    first = next(iter(protocol.metrics.values()))
    own = [column for column, use in protocol.metrics.items() if use.metric == _SSIM]
    column = own[0] if own else "copy_ssim"
    metrics = {column: protocol.metrics.get(column, MetricUse(_SSIM, first.masking, {"border": "replicate"}))}
    if protocol.exclude is not None:
        metrics[protocol.exclude.column] = protocol.metrics[protocol.exclude.column]
    return column, metrics


def _median_motion(clip: Clip, target: int, mask: NDArray[np.bool_] | None) -> float | None:
    if mask is None or clip.flows is None:
        return None
    vectors = np.ascontiguousarray(clip.flows[target]).view(np.complex64)[
        ..., 0
    ]  # numpy selects these faster
    moving = vectors[mask].view(np.float32).reshape(-1, 2)
    squares = squared_motion(moving)
    if not squares.max(initial=0.0) <= UNKNOWN_ABOVE:  # cheap test: some flow may be unknown
        squares = squares[known_flow(moving)]
    return float(np.median(np.sqrt(squares, out=squares))) if len(squares) else None
