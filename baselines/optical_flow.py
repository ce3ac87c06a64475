"""The baseline "optical flow" of the paper's Table 2: what moved keeps moving as it did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vpbench.predictors.predictor import Predictor
from vpbench.video import flow
from vpbench.video.flow_source import EstimatedFlow, flow_source

if TYPE_CHECKING:
    from numpy.typing import NDArray


class OpticalFlow(Predictor):
    """Moves the last input on by a constant flow.

    f is the flow from the last input but one to the last. The first predicted frame samples the last input
    at x − f(x), the second samples the first predicted frame at x − f(x) again, and so on; borders are
    replicated and nothing is rounded.

    Source: the row "Optical flow" of Table 2, which the paper took from Ranzato et al. and P. Dollár. It says only
    that the flow of the inputs is propagated; the details above are this benchmark's.

    Args:
        estimator: name of the flow estimator (see :data:`vpbench.video.flow.ESTIMATORS`), or ``files:DIR`` for flows
            made elsewhere (see :mod:`vpbench.video.flow_files`).

    Raises:
        UsageError: there is no such estimator or folder.
    """

    min_inputs: ClassVar[int] = 2

    def __init__(self, estimator: str = flow.DEFAULT) -> None:
        self.flow = flow_source(estimator)
        self.timed = isinstance(self.flow, EstimatedFlow)  # reading files says nothing about the method

    def predict(self, inputs: NDArray[np.float32], targets: int) -> NDArray[np.float32]:
        """Predict ``targets`` frames, float32 ``(targets, H, W, 3)`` in [0, 1]; not with flows from files."""
        return self._predict(inputs, targets, None)

    def predict_clips(
        self, indices: Sequence[int], inputs: Sequence[NDArray[np.float32]], targets: int
    ) -> Sequence[NDArray[np.float32]]:
        """Predict for clips of a split, by whose index flows from files are found."""
        return [self._predict(clip, targets, index) for index, clip in zip(indices, inputs, strict=True)]

    def _predict(self, inputs: NDArray[np.float32], targets: int, clip: int | None) -> NDArray[np.float32]:
        sampler = BilinearSampler(self.displacement(np.rint(inputs * 255).astype(np.uint8), clip))
        frames = np.empty((targets, *inputs.shape[1:]), dtype=np.float32)
        frame = inputs[-1]
        for target in range(targets):
            frame = frames[target] = sampler(frame)
        return frames

    def displacement(self, inputs: NDArray[np.uint8], clip: int | None) -> NDArray[np.float32]:
        """Where the next frame samples the last input: −f, ``(H, W, 2)``, pixels.

        Args:
            inputs: uint8 ``(T, H, W, 3)``.
            clip: the clip's index, where it has one.
        """
        last = len(inputs) - 1
        return -self.flow.between(inputs, last - 1, last, clip)

    def describe(self) -> dict[str, Any]:
        """What fixes the flow, for the run's manifest: the estimator with its parameters, or the files' hash."""
        return {"flow": self.flow.describe()}


class BilinearSampler:
    """Samples frames at x + d(x), bilinearly, with the border replicated.

    ``cv2.remap`` rounds positions to 1/32 pixel; this does not. Positions and weights are made once, in
    float64, and serve any number of frames.

    Args:
        displacement: d, ``(H, W, 2)``, pixels, to the right and down.
    """

    def __init__(self, displacement: NDArray[np.floating]) -> None:
        height, width = displacement.shape[:2]
        columns = np.clip(np.arange(width) + displacement[..., 0].astype(np.float64), 0, width - 1)
        rows = np.clip(np.arange(height)[:, None] + displacement[..., 1].astype(np.float64), 0, height - 1)
        left, top = columns.astype(np.intp), rows.astype(np.intp)
        right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
        across, down = columns - left, rows - top
        self._corners = (
            (top * width + left, (1 - down) * (1 - across)),
            (top * width + right, (1 - down) * across),
            (bottom * width + left, down * (1 - across)),
            (bottom * width + right, down * across),
        )

    def __call__(self, frame: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sample a frame ``(H, W, C)``; the result is float32 and keeps its range."""
        pixels = frame.reshape(-1, frame.shape[2])
        total = np.zeros(frame.shape, dtype=np.float64)
        for index, weight in self._corners:
            total += pixels.take(index, axis=0) * weight[..., None]
        return total.astype(np.float32)
