"""Recipes: how a model is trained, as plain data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any, Literal

from msgspec import Meta

from vpbench.records import Name

Loss = Literal["l1", "l2", "gdl_l1", "gdl_l2", "adv", "words"]
Init = Literal["default", "he", "differences"]
NetworkType = Literal["multi_scale", "single_scale", "motion", "patch_lstm", "patch_words"]
Schedule = Literal["geometric", "cosine"]
Weighing = Literal["", "patch", "frame", "refined"]
# Which pairs of consecutive frames must move so much: all on average, every one, or the last input and the first
# target (released script). `every_pair` keeps inputs that repeat a frame out of training, of which UCF101 has many.
Moves = Literal["mean", "every_pair", "last_pair"]

# Ranges: they bound the memory and the time that a recipe of a stranger's can ask for.
_Width = Annotated[float, Meta(gt=0, le=4)]
_Frames = Annotated[int, Meta(ge=1, le=100)]
_Rate = Annotated[float, Meta(gt=0, le=1_000)]
_Weight = Annotated[float, Meta(ge=0, le=1e9)]
_Share = Annotated[float, Meta(ge=0, le=1)]
_Steps = Annotated[int, Meta(ge=0, le=10**9)]
_Seed = Annotated[int, Meta(ge=0, lt=2**63 - 1)]  # D's is one more
_Text = Annotated[str, Meta(max_length=5_000)]


@dataclass(frozen=True)
class Network:
    """Which network. ``type`` is a :data:`NetworkType`.

    The rest is as in :class:`vpbench.models.networks.generator.Generator`.

    Attributes:
        type: family.
        width: multiplier of the hidden layers' feature maps.
        widths: one for each scale, coarse to fine, in place of ``width``.
        width_d: D's multiplier; 0 for G's.
        inputs: input frames.
        targets: frames predicted at once.
        starts_as_copy: the output starts as a copy of the last frame.
        init: of the hidden layers: ``default``, ``he`` or ``differences``.
        leak: slope of the ReLUs below zero.
        words: centroids of quantised patches, for networks of type ``patch_words``.
    """

    type: NetworkType
    width: _Width = 1.0
    widths: tuple[_Width, ...] = ()
    width_d: Annotated[float, Meta(ge=0, le=4)] = 0.0
    inputs: _Frames = 4
    targets: _Frames = 1
    starts_as_copy: bool = False
    init: Init = "default"
    leak: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    words: Annotated[int, Meta(ge=0, le=65_536)] = 0

    @property
    def scales(self) -> int:
        """Scales of the prediction."""
        return 4 if self.type == "multi_scale" else 1

    @property
    def grey(self) -> bool:
        """Whether its predictions are grey, and to be scored where the truth is grey too."""
        return self.type == "patch_words"

    @property
    def scale_widths(self) -> tuple[float, ...]:
        """The multiplier of each scale, coarse to fine."""
        return self.widths or (self.width,) * self.scales

    @property
    def width_in_words(self) -> str:
        """``width 0.125``, or ``widths 1, 1, 0.25, 0.125``."""
        if self.widths:
            return f"widths {', '.join(f'{width:g}' for width in self.widths)}"
        return f"width {self.width:g}"


@dataclass(frozen=True)
class Data:
    """Which footage is decoded into the cache, and how patches of it are varied.

    Attributes:
        segments: segments of each video.
        length: frames of a segment; every sequence within it may be drawn.
        mirror: half of the patches are flipped left to right.
        upside_down: half of the patches are flipped top to bottom.
        reverse: half of the sequences run backwards in time.
    """

    segments: Annotated[int, Meta(ge=1, le=10_000)] = 8
    length: Annotated[int, Meta(ge=2, le=10_000)] = 6
    mirror: bool = False
    upside_down: bool = False
    reverse: bool = False


@dataclass(frozen=True)
class Phase:
    """One phase of training. The state of Adam is kept from phase to phase.

    Attributes:
        steps: optimiser steps of G (and of D, where it takes part).
        loss: weight of each :data:`Loss`; ``adv`` brings D in, ``words`` is the cross-entropy of quantised patches.
        patch: side of the patches, pixels.
        batch: samples of a global batch.
        movement: least movement of a patch (see :class:`vpbench.models.footage.patches.Selection`).
        still: share of patches that need not move.
        moves: over which pairs of frames.
        optimiser: ``sgd`` or ``adam``.
        rate: G's learning rate at the phase's start and end.
        rate_d: D's.
        schedule: how rates fall from start to end: ``geometric`` or ``cosine``.
        warmup: steps over which the rates rise from 0.
        weigh: what each sample's losses are divided by, taken as a constant, so that they fall with the logarithm
            of the error, as a mean of PSNRs does: ``patch``, its own ℓ1 error; ``frame``, the error of a copy over
            the moving pixels of the whole frame that the patch is from (its square root for losses with p = 1 and
            α = 1); ``refined``, the same of the refined optical flow, for networks of type ``motion``; nothing if
            empty.
        further: share of the steps that learn from a second frame too, predicted from the first; for networks of
            types ``motion`` and ``patch_lstm``.
        clip: largest norm of a step's gradient; 0 for no limit.
        frozen_g: D alone learns, to recognise the frames of the present G.
        restart: it begins from the averaged weights, with new optimisers and a new D: all that a file of weights
            alone can give, so that it may start from one.
        seed: of its patches; 0 for the recipe's.
        name: for the log.
    """

    steps: Annotated[int, Meta(ge=1, le=10**9)]
    loss: Annotated[dict[Loss, _Weight], Meta(min_length=1)]
    patch: Annotated[int, Meta(ge=32, le=2_048, multiple_of=8)] = 32
    batch: Annotated[int, Meta(ge=1, le=100_000)] = 8
    movement: _Share = 0.001
    still: _Share = 0.0
    moves: Moves = "mean"
    optimiser: Literal["sgd", "adam"] = "sgd"
    rate: tuple[_Rate, _Rate] = (0.04, 0.005)
    rate_d: tuple[_Rate, _Rate] = (0.02, 0.02)
    schedule: Schedule = "geometric"
    warmup: _Steps = 0
    clip: _Weight = 0.0
    weigh: Weighing = ""
    further: _Share = 0.0
    frozen_g: bool = False
    restart: bool = False
    seed: _Seed = 0
    name: _Text = ""

    @property
    def adversarial(self) -> bool:
        """Whether D takes part."""
        return self.loss.get("adv", 0.0) > 0

    def targets_at(self, index: int, network: Network) -> int:
        """Frames predicted in step ``index``: those of the network, and in the share ``further`` one more."""
        return network.targets + int((index + 1) * self.further) - int(index * self.further)

    @property
    def constant(self) -> bool:
        """Whether a step does not depend on the phase's length."""
        return self.rate[0] == self.rate[1] and self.rate_d[0] == self.rate_d[1]

    @property
    def batches_per_step(self) -> int:
        """D and G each get a fresh batch (Algorithm 1)."""
        return 2 if self.adversarial and not self.frozen_g else 1

    def rate_at(self, index: int, rates: tuple[float, float]) -> float:
        """The learning rate of step ``index``: from start to end by the schedule, after a linear warm-up."""
        start, end = rates
        done = index / max(1, self.steps - 1)
        if self.schedule == "cosine":
            rate = end + (start - end) * (1 + math.cos(math.pi * done)) / 2
        else:
            rate = float(start * (end / start) ** done)
        return rate * min(1.0, (index + 1) / self.warmup) if self.warmup else rate


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    Attributes:
        name: the row, for example ``adv_gdl``.
        kind: ``paper``, ``compact``, or ``own``.
        summary: one line.
        network: which network.
        phases: one after the other.
        data: which footage is decoded.
        seed: of weights and patches.
        average: decay of the exponential moving average of G's weights that is validated and shipped; 0 for none.
        deviations: what differs from the paper, and why.
        tuned_on_test_clips: which choice was made with an eye on test clips; empty if none was.
        expect: the result to expect.
    """

    name: Name
    kind: Literal["paper", "compact", "own"]
    summary: _Text
    network: Network
    phases: tuple[Phase, ...]
    data: Data = Data()
    seed: _Seed = 1
    average: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    deviations: tuple[_Text, ...] = field(default=())
    tuned_on_test_clips: _Text = ""
    expect: _Text = ""

    @property
    def steps(self) -> int:
        """Steps of all phases."""
        return sum(phase.steps for phase in self.phases)

    @property
    def last_seed(self) -> int:
        """The seed of the last phase: that of a training, where several share their first steps."""
        return self.phases[-1].seed or self.seed

    @property
    def seed_of_d(self) -> int:
        """The seed of the phase in which D begins."""
        return next((phase.seed for phase in self.phases if phase.adversarial), 0) or self.seed

    def with_seed(self, seed: int, begun: Recipe | None = None, step: int = 0) -> Recipe:
        """The recipe with another seed.

        Args:
            seed: the seed.
            begun: the recipe of the training that it continues, if it does.
            step: that training's steps. The phases that have begun by then keep their seeds.
        """
        if begun is None:
            return replace(self, seed=seed, phases=tuple(replace(phase, seed=0) for phase in self.phases))
        kept = [phase.seed for first, _, phase in begun.timeline() if first < step]
        later = 0 if seed == begun.seed else seed
        seeds = [*kept, *[later] * len(self.phases)]
        phases = tuple(replace(phase, seed=own) for phase, own in zip(self.phases, seeds, strict=False))
        return replace(self, seed=begun.seed, phases=phases)

    def definition(self) -> dict[str, Any]:
        """The recipe as plain data, as a checkpoint carries it."""
        return asdict(self)

    def timeline(self) -> Iterator[tuple[int, int, Phase]]:
        """(first step, first batch number, phase), in order."""
        step = batch = 0
        for phase in self.phases:
            yield step, batch, phase
            step += phase.steps
            batch += phase.steps * phase.batches_per_step

    def restarts_at(self, step: int) -> bool:
        """Whether a phase begins at ``step`` that needs no more than weights."""
        return any(phase.restart for first, _, phase in self.timeline() if first == step)

    def begun_since_restart(self, step: int) -> list[Phase]:
        """The phases begun before ``step``, from the last of them that restarts."""
        begun: list[Phase] = []
        for first, _, phase in self.timeline():
            if first < step:
                begun = [phase] if phase.restart else [*begun, phase]
        return begun

    def same_until(self, other: Recipe, step: int) -> bool:
        """Whether the first ``step`` steps of both are the same computation."""
        return self._begun(step) == other._begun(step)

    def _begun(self, step: int) -> tuple[Any, ...]:
        """Everything that the first ``step`` steps depend on.

        D's width only where D has taken part, and a phase's length only where it is over or its rates change.
        """
        phases = [
            replace(phase, name="", steps=min(phase.steps, step - first) if phase.constant else phase.steps)
            for first, _, phase in self.timeline()
            if first < step
        ]
        judged = any(phase.adversarial for phase in phases)
        network = self.network if judged else replace(self.network, width_d=0.0)
        return network, self.data, self.seed, self.average, phases
