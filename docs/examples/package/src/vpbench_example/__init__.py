"""A predictor that comes as a package."""

import vpbench


class Mean(vpbench.Predictor):
    """The mean of the last ``frames`` frames."""

    def __init__(self, frames: int = 2) -> None:
        self.frames = frames
        self.min_inputs = frames

    def predict_next(self, inputs):
        """Predict one frame, float32 ``(height, width, 3)`` in [0, 1]."""
        return inputs[-self.frames :].mean(axis=0)
