"""A clip: what is given to a predictor, and what its predictions are scored against."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vpbench.scoring.masks import moving_area
from vpbench.scoring.protocol import MaskRule


@dataclass(frozen=True)
class Clip:
    """Inputs and targets of one test item.

    Attributes:
        index: number of the clip in its split.
        inputs: uint8 ``(T, H, W, 3)``, RGB.
        targets: uint8 ``(N, H, W, 3)``, RGB.
        flows: for each target the flow from the frame before it to it, float32 ``(H, W, 2)`` in pixels;
            ``None`` if not read.
        flow_images: for each target its colour-coded flow, uint8 ``(H, W, 3)``; ``None`` if not read.
    """

    index: int
    inputs: NDArray[np.uint8]
    targets: NDArray[np.uint8]
    flows: tuple[NDArray[np.float32], ...] | None = None
    flow_images: tuple[NDArray[np.uint8], ...] | None = None
    _areas: dict[tuple[int, MaskRule], NDArray[np.bool_] | None] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def moving_area(self, target: int, rule: MaskRule) -> NDArray[np.bool_] | None:
        """Where a target frame moves, bool ``(H, W)``; ``None`` where the rule has no moving area.

        Args:
            target: which target, from 0.
            rule: the protocol's rule; the clip was read for a protocol with the same needs.

        Raises:
            UsageError: the flow or the flow image that the rule needs was not read.
        """
        if (target, rule) not in self._areas:
            self._areas[target, rule] = moving_area(
                rule,
                None if self.flows is None else self.flows[target],
                None if self.flow_images is None else self.flow_images[target],
            )
        return self._areas[target, rule]
