"""The discriminating networks of the paper: one per scale, judging whether the frames after the inputs are real.

Source: Mathieu, Couprie & LeCun (ICLR 2016), section 2.2 and Table 1: unpadded convolutions and ReLU, 2×2 max
pooling after the convolutions of the finest scale, fully connected layers. The sizes of the latter, and the 64
maps of the coarsest scale, are not in the paper; they are those of the widely used TensorFlow re-implementation.
The sigmoid is part of the loss (:func:`vpbench.models.training.losses.judged`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from vpbench.models.networks.generator import scaled


@dataclass(frozen=True)
class Judge:
    """One scale of D: feature maps, kernels, fully connected sizes, and the pooling after the convolutions."""

    maps: tuple[int, ...]
    kernels: tuple[int, ...]
    connected: tuple[int, ...]
    pool: int = 1


# Table 1, coarse to fine.
JUDGES = (
    Judge((64,), (3,), (512, 256)),
    Judge((64, 128, 128), (3, 3, 3), (1024, 512)),
    Judge((128, 256, 256), (5, 5, 5), (1024, 512)),
    Judge((128, 256, 512, 128), (7, 7, 5, 5), (1024, 512), pool=2),
)
# Patch size for which the fully connected layers are built.
PATCH = 32


class ScaleDiscriminator(nn.Module):
    """D at one scale: ``(B, channels, h, w)`` → one logit per sample.

    The fully connected layers are built for the feature maps of a 32×32 patch. Larger patches are max-pooled to
    that size (which for 32×32 is exactly the paper's 2×2 pooling, or none), so one set of weights serves both
    phases of the starred rows.
    """

    def __init__(self, channels: int, judge: Judge, size: int, width: float) -> None:
        super().__init__()
        maps = [channels, *(scaled(count, width) for count in judge.maps)]
        convolutions: list[nn.Module] = []
        for before, after, kernel in zip(maps[:-1], maps[1:], judge.kernels, strict=True):
            convolutions += [nn.Conv2d(before, after, kernel), nn.ReLU()]
        self.convolutions = nn.Sequential(*convolutions)
        self.grid = (size - sum(kernel - 1 for kernel in judge.kernels)) // judge.pool
        sizes = [maps[-1] * self.grid**2, *(scaled(count, width) for count in judge.connected)]
        connected: list[nn.Module] = []
        for before, after in pairwise(sizes):
            connected += [nn.Linear(before, after), nn.ReLU()]
        self.connected = nn.Sequential(*connected, nn.Linear(sizes[-1], 1))

    def forward(self, sequence: Tensor) -> Tensor:
        """Judge sequences of frames: logits ``(B,)``."""
        features = functional.adaptive_max_pool2d(self.convolutions(sequence), self.grid)
        logits: Tensor = self.connected(features.flatten(1))
        return logits[:, 0]


class Discriminator(nn.Module):
    """D: one :class:`ScaleDiscriminator` per scale of the generator it is trained against.

    Args:
        inputs: number of input frames.
        targets: number of frames judged.
        width: multiplier of every layer's feature maps and sizes; 1 is the paper's.
        scales: number of scales, counted from the finest.
    """

    def __init__(self, inputs: int = 4, targets: int = 1, width: float = 1.0, scales: int = 4) -> None:
        super().__init__()
        channels = 3 * (inputs + targets)
        self.judges = nn.ModuleList(
            ScaleDiscriminator(channels, judge, PATCH >> power, width)
            for power, judge in zip(range(scales - 1, -1, -1), JUDGES[-scales:], strict=True)
        )

    def forward(self, inputs: Sequence[Tensor], frames: Sequence[Tensor]) -> list[Tensor]:
        """Judge the frames given the inputs, per scale, coarse to fine.

        Args:
            inputs: ``(B, inputs · 3, h, w)`` per scale.
            frames: real or generated ``(B, targets · 3, h, w)`` per scale.

        Returns:
            Logits ``(B,)`` per scale; above 0 means "real".
        """
        return [
            judge(torch.cat([given, judged], 1))
            for judge, given, judged in zip(self.judges, inputs, frames, strict=True)
        ]
