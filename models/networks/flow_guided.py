"""The flow-guided network: beyond the paper, "the combination of the current system with optical flow".

The next frame is, at every pixel, a softmax mixture of candidates (the last frame, and frames moved on along
several flows) plus a residual. At the start the mixture is mostly a constant-flow prediction, so the
network only learns to repair it: at occlusions, where the flow is wrong, and noise.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vpbench.models.footage.flows import FIELDS
from vpbench.models.networks.generator import scaled
from vpbench.models.networks.sampling import sample

CANDIDATES = 9
# Indices of the optical-flow baseline's prediction, and of its refinement that takes the flow where each pixel comes
# from. On 30 validation clips the latter is mostly the better one, so the mixture starts with it.
BASELINE, REFINED = 1, 3
# Logit that the refined candidate starts with: about 70 % of the mixture.
_START = 3.0
# Differences between candidates are small; this brings the network's inputs to a common size.
_GAIN = 4.0
# Feature maps of the three levels at width 1.
_MAPS = (128, 256, 384)


def candidates(frames: Tensor, flows: Tensor) -> Tensor:
    """What the next frame may look like at each pixel.

    Args:
        frames: ``(B, T · 3, H, W)``, oldest first, T ≥ 2.
        flows: ``(B, 2 · FIELDS, H, W)``, pixels, as :func:`vpbench.models.footage.flows.guiding_flows` has them.

    Returns:
        ``(B, CANDIDATES, 3, H, W)``: the last frame; moved on by the forward flow (the baseline), by the backward
        flow, by the backward flow taken where the pixel comes from, with the acceleration of the previous pair, by
        the mean of both pairs, by the other estimator's; the frame before it moved on twice; and the second of
        the moved ones, slightly blurred.
    """
    last, before = frames[:, -3:], frames[:, -6:-3]
    forward, back, earlier, other = (flows[:, at : at + 2] for at in range(0, 2 * FIELDS, 2))
    carried = sample(back, back)
    previous = sample(earlier, back)
    moved = sample(last, back)
    return torch.stack(
        [
            last,
            sample(last, -forward),
            moved,
            sample(last, carried),
            sample(last, 2 * back - previous),
            sample(last, 0.5 * (back + previous)),
            sample(last, other),
            sample(before, 2 * back),
            functional.avg_pool2d(functional.pad(moved, (1, 1, 1, 1), mode="replicate"), 3, stride=1),
        ],
        1,
    )


class _Block(nn.Sequential):
    """Two 3×3 convolutions with SiLU."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(
            nn.Conv2d(before, after, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(after, after, 3, padding=1),
            nn.SiLU(),
        )


class FlowGuided(nn.Module):
    """A small U-Net that mixes :func:`candidates` and adds a residual.

    SiLU rather than ReLU: with ReLU, ℓ1 and Adam the last hidden layer died within 400 steps in trials.

    Args:
        inputs: number of input frames.
        width: multiplier of the feature maps.
    """

    targets = 1
    scales = 1
    multiple = 4

    def __init__(self, inputs: int = 4, width: float = 1.0) -> None:
        super().__init__()
        self.inputs = inputs
        fine, middle, coarse = (scaled(maps, width) for maps in _MAPS)
        self.down1 = _Block(3 * (CANDIDATES + 1) + 2 * FIELDS, fine)
        self.down2 = _Block(fine, middle)
        self.bottom = _Block(middle, coarse)
        self.up2 = _Block(coarse + middle, middle)
        self.up1 = _Block(middle + fine, fine)
        self.head = nn.Conv2d(fine, CANDIDATES + 3, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        assert self.head.bias is not None  # noqa: S101 -- made so above
        nn.init.zeros_(self.head.bias)
        with torch.no_grad():
            self.head.bias[REFINED] = _START

    def forward(self, frames: Tensor, flows: Tensor, margin: int = 0) -> list[Tensor]:
        """Predict the next frame.

        Args:
            frames: ``(B, inputs · 3, H, W)`` in [−1, 1].
            flows: ``(B, 2 · FIELDS, H, W)``, pixels.
            margin: pixels at each side that are only sampled from and are cut off; what remains is a
                multiple of :attr:`multiple`.

        Returns:
            One prediction ``(B, 3, H − 2 margin, W − 2 margin)``; its values may leave [−1, 1].
        """
        choice = candidates(frames, flows)
        if margin:
            inner = slice(margin, -margin)
            choice, frames, flows = (t[..., inner, inner] for t in (choice, frames, flows))
        base = choice[:, BASELINE]
        differences = (choice - base[:, None]).flatten(1, 2) * _GAIN
        seen = torch.cat([differences, base, flows.clamp(-16, 16) / 4], 1)
        seen = seen.contiguous(memory_format=torch.channels_last)
        fine: Tensor = self.down1(seen)
        middle: Tensor = self.down2(functional.avg_pool2d(fine, 2))
        coarse: Tensor = self.bottom(functional.avg_pool2d(middle, 2))
        middle = self.up2(torch.cat([_twice(coarse), middle], 1))
        head = self.head(self.up1(torch.cat([_twice(middle), fine], 1))).float()
        shares = head[:, :CANDIDATES].softmax(1)
        return [(shares[:, :, None] * choice).sum(1) + head[:, CANDIDATES:]]


def _twice(images: Tensor) -> Tensor:
    return functional.interpolate(images, scale_factor=2.0, mode="nearest")
