"""A predictor in a file: ``vpbench run --model linear.py:Linear,strength=0.5``."""

import numpy as np

import vpbench


class Linear(vpbench.Predictor):
    """Continues the change between the last two frames, pixel by pixel.

    Args:
        strength: 0 repeats the last frame, 1 continues at full speed.
    """

    min_inputs = 2

    def __init__(self, strength: float = 1.0) -> None:
        self.strength = strength

    def predict_next(self, inputs):
        """Predict one frame; vpbench calls this again, with that frame as the last input, for the next one."""
        return np.clip(inputs[-1] + self.strength * (inputs[-1] - inputs[-2]), 0, 1)

    def describe(self):
        """What the run's manifest records."""
        return {"parameters": 0}
