"""The baseline "last input" of the paper's Table 2: the future looks like the present."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpbench.predictors.predictor import Predictor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class LastFrame(Predictor):
    """Repeats the last input frame."""

    def predict(self, inputs: NDArray[np.float32], targets: int) -> NDArray[np.float32]:
        """Return the last input ``targets`` times: float32 ``(targets, H, W, 3)`` in [0, 1]."""
        import numpy as np

        return np.broadcast_to(inputs[-1], (targets, *inputs.shape[1:]))
