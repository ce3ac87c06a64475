"""A baseline beyond the paper: optical flow done with more care, and still without learning anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vpbench.baselines.optical_flow import BilinearSampler, OpticalFlow
from vpbench.video.repeats import distinct_frames

if TYPE_CHECKING:
    from numpy.typing import NDArray


class OpticalFlowRefined(OpticalFlow):
    """Moves the last input on by a constant flow, as :class:`OpticalFlow` does, in three respects more carefully.

    - The flow is estimated at full resolution.
    - It looks back from the last input to the last input that differs from it, so that a repeated frame is not
      taken for standstill.
    - It is taken where each pixel comes from. With b the flow back, what is seen at y was at y + b(y) before;
      if it moves on in the same way, what will be seen at x is now at y = x + b(y). One step of that
      fixed point, from y = x + b(x), gives the displacement d(x) = b(x + b(x)).

    The first predicted frame samples the last input at x + d(x), the second samples the first predicted frame at
    x + d(x), and so on; borders are replicated and nothing is rounded. Inputs without two distinct frames are
    repeated.

    Args:
        estimator: name of the flow estimator (see :data:`vpbench.video.flow.ESTIMATORS`), or ``files:DIR`` for flows
            made elsewhere (see :mod:`vpbench.video.flow_files`): those from the last input back to an earlier one.

    Raises:
        UsageError: there is no such estimator or folder.
    """

    def __init__(self, estimator: str = "dis-fine") -> None:
        super().__init__(estimator)

    def displacement(self, inputs: NDArray[np.uint8], clip: int | None) -> NDArray[np.float32]:
        """d, ``(H, W, 2)``, pixels."""
        last, *before = distinct_frames(inputs)
        if not before:
            return np.zeros((*inputs.shape[1:3], 2), np.float32)
        back = self.flow.between(inputs, last, before[0], clip)
        return BilinearSampler(back)(back)
