"""A predictor in a file: ``vpbench run --model linear.py:Linear,strength=0.5``."""

import numpy as np

import vpbench


class Linear(vpbench.Predictor):
    """Goes on as the last two frames went, pixel by pixel.

    Args:
        strength: 0 repeats the last frame, 1 goes on at full speed.
    """

    min_inputs = 2

    def __init__(self, strength: float = 1.0) -> None:
        self.strength = strength

    def predict_next(self, inputs):
        """Predict one frame; vpbench asks again, with that frame as the last input, for the next one."""
        return np.clip(inputs[-1] + self.strength * (inputs[-1] - inputs[-2]), 0, 1)

    def describe(self):
        """What the run's manifest shall say."""
        return {"parameters": 0}
