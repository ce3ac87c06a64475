"""The motion network: beyond the paper, "the combination of the current system with optical flow predictions".

The next frame is, at every pixel, a softmax mixture of what several rules of motion say, and of warps along
displacements that the network corrects, plus a small residual. At the start it is nearly the prediction of the
baseline ``optical_flow_refined``; the network learns where something else is better: where the flow is wrong, at
occlusions, and where time is irregular. What kind of time it is, a patch does not show: a few facts of the whole frame
scale and shift the maps of every level (FiLM: Perez et al., AAAI 2018).

Further frames are predicted recursively: a prediction becomes the last frame, the displacement that made it
becomes the flow back to the frame before, and what the inputs showed of the rules' errors moves along.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from vpbench.models.footage.guides import FACTS, INPUTS, SPEEDS
from vpbench.models.networks.generator import scaled, upsample
from vpbench.models.networks.sampling import sample

# What the rules say, in the order of :meth:`Scene.rules`; BASE is the prediction of the refined baseline.
RULES = ("copy", "back", "refined", "two", "other", "mean", "before", "blurred")
BASE = RULES.index("refined")
# Warps whose displacements are corrected, by the rule whose displacement it is.
_WARPS = tuple(RULES.index(name) for name in ("refined", "refined", "two", "before"))
CANDIDATES = len(RULES) + len(_WARPS)
_BEFORE = RULES.index("before")
# Logit of the refined rule, and of its first corrected warp, at the start; the others have 0.
_START = 4.0
# Feature maps of the levels at width 1, and hidden units of the FiLM network. The finest level, where a map costs
# most, has few, and one layer on the way in and out: with 32 maps and two layers each a step took 1.7 times as long,
# and a trial of 600 steps was no better.
_MAPS = (24, 64, 96, 128)
_HIDDEN = 64
# Gains that bring differences of frames, flows and corrections to a common size; longest flow that is told apart.
_GAIN, _PIXELS, _FARTHEST = 4.0, 4.0, 16.0
# Maps of evidence (see Scene), and of all that the first layer sees: differences, base, four flows, evidence.
_EVIDENCE = 3 + len(SPEEDS) - 1 + 2
_SEEN = 3 * (len(RULES) - 1) + 3 + 8 + _EVIDENCE


@dataclass(frozen=True)
class Said:
    """What the rules say about the next frame, without the margin.

    Attributes:
        frames: ``(B, len(RULES), 3, h, w)``.
        displacements: where each of them samples its frame, ``(B, len(RULES), 2, h, w)``, pixels.
        earlier: the flow before the last, carried to where it would act now, ``(B, 2, h, w)``.
        evidence: how wrong rules were where each pixel comes from, ``(B, C, h, w)``.
    """

    frames: Tensor
    displacements: Tensor
    earlier: Tensor
    evidence: Tensor


@dataclass(frozen=True)
class Scene:
    """What is known when a frame is to be predicted: maps of one size, with a margin.

    Attributes:
        last: the last frame d0, ``(B, 3, H, W)``.
        before: d1, the last frame before it that differs from it.
        back: flow d0 → d1, ``(B, 2, H, W)``, pixels.
        earlier: flow d1 → d2.
        two: flow d0 → d2.
        other: flow d0 → d1 by another estimator.
        evidence: errors of d0 as it would have been predicted, signed at constant speed and mean absolute
            ones at other speeds; and back and forth, how far a pixel ends from where it began: ``(B, C, H, W)``.
        margin: pixels on each side that serve the sampling only.
    """

    last: Tensor
    before: Tensor
    back: Tensor
    earlier: Tensor
    two: Tensor
    other: Tensor
    evidence: Tensor
    margin: int

    @classmethod
    def of_inputs(cls, frames: Tensor, flows: Tensor, facts: Tensor, margin: int) -> Scene:
        """Put together what the inputs show: the arguments are those of :meth:`Motion.forward`."""
        window = frames.reshape(len(frames), -1, 3, *frames.shape[2:])
        each = torch.arange(len(window), device=frames.device)
        newest = window.shape[1] - 1
        last = window[:, newest].contiguous()
        before = window[each, newest - facts[:, 0].long()].contiguous()
        back, earlier, two, other, forth = torch.split(flows, 2, 1)
        carried = sample(earlier, earlier)
        errors = [last - sample(before, speed * carried) for speed in SPEEDS]
        lengths = [error.abs().mean(1, keepdim=True) for error in errors[1:]]
        there_and_back = (back + sample(forth, back)).clamp(-_PIXELS, _PIXELS)
        evidence = torch.cat([_GAIN * errors[0], *(_GAIN * length for length in lengths), there_and_back], 1)
        return cls(last, before, back, earlier, two, other, evidence, margin)

    def inner(self, image: Tensor) -> Tensor:
        """An image without the margin."""
        height, width = image.shape[-2:]
        return image[..., self.margin : height - self.margin, self.margin : width - self.margin]

    def rules(self) -> Said:
        """What the rules say."""
        back, half, other = (self.inner(flow) for flow in (self.back, 0.5 * self.two, self.other))
        refined = self._at(self.back, back)
        twice = refined + self._at(self.back, refined)
        earlier = self._at(self.earlier, twice)
        displacements = [
            torch.zeros_like(back),
            back,
            refined,
            0.5 * self._at(self.two, half),
            self._at(self.other, other),
            0.5 * (refined + earlier),
            twice,
        ]
        frames = [
            self._at(self.before if rule == _BEFORE else self.last, displacement)
            for rule, displacement in enumerate(displacements)
        ]
        base = frames[BASE]
        blurred = functional.avg_pool2d(functional.pad(base, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        return Said(
            torch.stack([*frames, blurred], 1),
            torch.stack([*displacements, refined], 1),
            earlier,
            self._at(self.evidence, refined),
        )

    def _at(self, image: Tensor, displacement: Tensor) -> Tensor:
        return sample(image, displacement, self.margin)

    def warps(self, displacements: Tensor) -> Tensor:
        """The frames of the corrected displacements ``(B, len(_WARPS), 2, h, w)``."""
        frames = [self.before if rule == _BEFORE else self.last for rule in _WARPS]
        warps = [self._at(*pair) for pair in zip(frames, displacements.unbind(1), strict=True)]
        return torch.stack(warps, 1)

    def after(self, frame: Tensor, displacement: Tensor) -> Scene:
        """The scene a frame later.

        In the margin, for which nothing was predicted, the refined rule stands in.

        Args:
            frame: the prediction, ``(B, 3, h, w)``.
            displacement: from it to the last frame, ``(B, 2, h, w)``.
        """
        back = self._within(sample(self.back, self.back), displacement)
        last = self._within(sample(self.last, back), frame.clamp(-1, 1))
        two = back + sample(self.back, back)
        other, evidence = sample(self.other, self.other), sample(self.evidence, back)
        return Scene(last, self.last, back, self.back, two, other, evidence, self.margin)

    def _within(self, around: Tensor, inner: Tensor) -> Tensor:
        """One image inside the margin of another."""
        if not self.margin:
            return inner
        image = around.clone()
        self.inner(image).copy_(inner)
        return image


class Motion(nn.Module):
    """A U-Net that mixes what the rules say, corrects where they sample, and adds a residual.

    Args:
        width: multiplier of the feature maps.
    """

    inputs = INPUTS
    targets = 1
    scales = 1
    multiple = 8

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        one, two, three, four = (scaled(maps, width) for maps in _MAPS)
        self.down1 = _Layers(_SEEN, one)
        self.down2, self.down3 = _Layers(one, two, two), _Layers(two, three, three)
        self.bottom = _Layers(three, four, four)
        self.onto3, self.onto2, self.onto1 = (
            nn.Conv2d(below, above, 1) for below, above in ((four, three), (three, two), (two, one))
        )
        self.up3, self.up2, self.up1 = _Layers(three, three), _Layers(two, two), _Layers(one, one)
        self.film = _Film((four, three, two, one))
        self.head = nn.Conv2d(one, CANDIDATES + 3 * len(_WARPS) + 3, 3, padding=1)
        self._initialise()

    def _initialise(self) -> None:
        """Begin with the refined rule; corrections begin so small that only their gradients count."""
        assert self.head.bias is not None  # noqa: S101 -- made so above
        # A network without data needs none of this, for which torch would import its compiler.
        if self.head.weight.is_meta:
            return
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        nn.init.normal_(self.head.weight[CANDIDATES:-3], std=1e-3)
        with torch.no_grad():
            self.head.bias[[BASE, len(RULES)]] = _START

    def forward(
        self, frames: Tensor, flows: Tensor, facts: Tensor, margin: int = 0, targets: int = 1
    ) -> list[Tensor]:
        """Predict the next frames.

        Args:
            frames: ``(B, inputs · 3, H, W)`` in [−1, 1].
            flows: ``(B, FIELDS · 2, H, W)``, pixels, as in :class:`vpbench.models.footage.guides.Guide`.
            facts: ``(B, len(FACTS))``, of the whole frame.
            margin: pixels on each side that serve the sampling only and are cut off; what remains is a
                multiple of :attr:`multiple`.
            targets: number of frames.

        Returns:
            One tensor ``(B, targets · 3, H − 2 margin, W − 2 margin)``; its values may leave [−1, 1].
        """
        scene = Scene.of_inputs(frames, flows, facts, margin)
        predicted: list[Tensor] = []
        while True:
            frame, displacement = self._next(scene, facts, further=bool(predicted))
            predicted.append(frame)
            if len(predicted) == targets:
                return [torch.cat(predicted, 1)]
            scene = scene.after(frame, displacement)

    def _next(self, scene: Scene, facts: Tensor, further: bool) -> tuple[Tensor, Tensor]:
        """The next frame, and the displacement from it to the last frame."""
        said = scene.rules()
        head = self._head(said, torch.cat([facts, torch.full_like(facts[:, :1], float(further))], 1))
        logits, corrections, residual = torch.split(head, [CANDIDATES, 3 * len(_WARPS), 3], 1)
        corrections = corrections.reshape(len(head), len(_WARPS), 3, *head.shape[2:])
        speed, shift = corrections[:, :, :1], corrections[:, :, 1:]
        corrected = said.displacements[:, list(_WARPS)] * (1 + speed) + _PIXELS * shift
        shares = logits.softmax(1)[:, :, None]
        frames = torch.cat([said.frames, scene.warps(corrected)], 1)
        displacements = torch.cat([said.displacements, corrected], 1) * self._steps(shares)
        return (shares * frames).sum(1) + residual, (shares * displacements).sum(1)

    @staticmethod
    def _steps(shares: Tensor) -> Tensor:
        """What turns each displacement into one to the last frame: halves those to the frame before it."""
        rules = [*range(len(RULES)), *_WARPS]
        return shares.new_tensor([0.5 if rule == _BEFORE else 1.0 for rule in rules])[:, None, None, None]

    def _head(self, said: Said, facts: Tensor) -> Tensor:
        base = said.frames[:, BASE]
        others = [index for index in range(len(RULES)) if index != BASE]
        differences = (said.frames[:, others] - base[:, None]).flatten(1, 2) * _GAIN
        shown = [BASE, RULES.index("two"), RULES.index("other")]
        flows = torch.cat([said.displacements[:, shown].flatten(1, 2), said.earlier], 1)
        flows = flows.clamp(-_FARTHEST, _FARTHEST) / _PIXELS
        seen = torch.cat([differences, base, flows, said.evidence], 1)
        one: Tensor = self.down1(seen.contiguous(memory_format=torch.channels_last))
        two: Tensor = self.down2(_halved(one))
        three: Tensor = self.down3(_halved(two))
        film = self.film(facts)
        up = _modulated(self.bottom(_halved(three)), film[0])
        up = _modulated(self.up3(upsample(self.onto3(up)) + three), film[1])
        up = _modulated(self.up2(upsample(self.onto2(up)) + two), film[2])
        up = _modulated(self.up1(upsample(self.onto1(up)) + one), film[3])
        head: Tensor = self.head(up)
        return head.to(base.dtype)


class _Layers(nn.Sequential):
    """3×3 convolutions with SiLU, between these numbers of maps."""

    def __init__(self, *maps: int) -> None:
        layers: list[nn.Module] = []
        for before, after in pairwise(maps):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.SiLU()]
        super().__init__(*layers)


class _Film(nn.Module):
    """From facts to a factor and a shift for each map of each level; at the start they change nothing."""

    def __init__(self, maps: tuple[int, ...]) -> None:
        super().__init__()
        self._maps = maps
        self.hidden = nn.Linear(len(FACTS) + 1, _HIDDEN)
        self.output = nn.Linear(_HIDDEN, 2 * sum(maps))
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, facts: Tensor) -> list[Tensor]:
        """For each level ``(B, 2 · maps, 1, 1)``."""
        output: Tensor = self.output(functional.silu(self.hidden(facts)))
        return list(torch.split(output[:, :, None, None], [2 * count for count in self._maps], 1))


def _modulated(maps: Tensor, film: Tensor) -> Tensor:
    factor, shift = film.chunk(2, 1)
    return maps * (1 + factor) + shift


def _halved(maps: Tensor) -> Tensor:
    return functional.avg_pool2d(maps, 2)
