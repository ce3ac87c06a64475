"""``dynamic_atoms``: optical flow whose change goes on as a sum of damped oscillations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import cv2
import numpy as np

from vpbench.baselines.optical_flow import BilinearSampler, OpticalFlow
from vpbench.models.atoms.dictionary import LENGTH, SHIPPED, changes, read_poles
from vpbench.video import flow

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Flow is explained at one place in so many pixels each way, which the estimator does not resolve anyway.
STRIDE = 4


class DynamicAtoms(OpticalFlow):
    """Moves the last input on by a flow that changes as it did before.

    b_t is the flow from frame t + 1 back to frame t. At each place, b_0, b_1, b_2 of the last four inputs are a
    sequence for each component. A sparse sum of atoms explains it (:mod:`.dictionary`), and b_3, b_4 and so on differ
    from b_2 by as much as that sum changes. The first predicted frame samples the last input at x + b_3(x), the second
    samples the first predicted frame at x + b_4(x); borders are replicated and nothing is rounded.

    Codes are found for means over 4×4 pixels, and the changes are interpolated.

    Source: Liu, Sharma, Camps & Sznaier, DYAN, ECCV 2018, after their description; ``docs/atoms.md`` says what it
    leaves open and what was taken.

    Args:
        estimator: name of the flow estimator (see :data:`vpbench.video.flow.ESTIMATORS`), or ``files:DIR`` for flows
            made elsewhere, from each input back to the one before.
        poles: TOML file of poles of your own, as :mod:`vpbench.models.atoms.learning` writes them.

    Raises:
        UsageError: there is no such estimator, folder or file; or the file is not one of poles.
    """

    min_inputs: ClassVar[int] = LENGTH + 1
    trained: ClassVar[bool] = True

    def __init__(self, estimator: str = flow.DEFAULT, poles: str | None = None) -> None:
        super().__init__(estimator)
        self.poles = read_poles(SHIPPED if poles is None else Path(poles))

    def _predict(self, inputs: NDArray[np.float32], targets: int, clip: int | None) -> NDArray[np.float32]:
        frames = np.rint(inputs * 255).astype(np.uint8)
        back = [
            self.flow.between(frames, at, at - 1, clip) for at in range(len(frames) - LENGTH, len(frames))
        ]
        predicted = np.empty((targets, *inputs.shape[1:]), dtype=np.float32)
        frame = inputs[-1]
        for target, displacement in enumerate(self.continued(np.stack(back), targets)):
            frame = predicted[target] = BilinearSampler(displacement)(frame)
        return predicted

    def continued(self, flows: NDArray[np.float32], steps: int) -> NDArray[np.float32]:
        """The flows that follow: ``(T, H, W, 2)``, oldest first, to ``(steps, H, W, 2)``, pixels."""
        length, height, width = flows.shape[:3]
        small = (max(1, width // STRIDE), max(1, height // STRIDE))
        means = np.stack([cv2.resize(one, small, interpolation=cv2.INTER_AREA) for one in flows])
        changed = changes(self.poles, means.reshape(length, -1), steps).reshape(steps, *means.shape[1:])
        wide = [cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR) for one in changed]
        return np.asarray(flows[-1] + np.stack(wide), np.float32)

    def describe(self) -> dict[str, Any]:
        """The flow, and the poles: what they were learned from, and how codes are found."""
        poles = self.poles
        return {
            **super().describe(),
            "parameters": len(poles.magnitudes) + len(poles.phases),
            "penalty": poles.penalty,
            "iterations": poles.iterations,
            "training_data": poles.training_data,
            "test_clips_seen": "no",
        }
