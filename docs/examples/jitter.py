"""A stochastic predictor: ``vpbench run --model jitter.py:Jitter --samples 10``."""

from typing import ClassVar

import numpy as np

import vpbench


class Jitter(vpbench.Predictor):
    """Shifts the last frame at random, up to ``reach`` pixels a frame."""

    stochastic: ClassVar[bool] = True

    def __init__(self, reach: int = 2) -> None:
        self.reach = reach

    def sample(self, inputs, targets, seed):
        """Draw one future; all randomness comes from the seed."""
        shift = np.random.default_rng(seed).integers(-self.reach, self.reach + 1, size=2)
        return np.stack([np.roll(inputs[-1], k * shift, axis=(0, 1)) for k in range(1, targets + 1)])
