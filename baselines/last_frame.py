"""The baseline "last input" of the paper's Table 2: the future looks like the present."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpbench.predictor import Predictor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class LastFrame(Predictor):
    """Repeats the last input frame."""

    def predict_next(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the last input, float32 ``(H, W, 3)`` in [0, 1]."""
        last: NDArray[np.float32] = inputs[-1]
        return last
