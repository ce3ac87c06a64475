"""Recipes: how a model is trained, as plain data read from TOML files.

Two kinds ship with vpbench: ``paper/NAME`` has the paper's widths, optimiser, rates and batches; ``compact/NAME``
is what was trained on a CPU for the weights that ship, with every deviation and its reason in the file.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from vpbench.errors import UsageError, unknown_name

FOLDER = Path(__file__).parent
LOSSES = ("l1", "l2", "gdl_l1", "gdl_l2", "adv")
INITS = ("default", "he", "differences")
NETWORKS = ("multi_scale", "single_scale", "flow_guided")
SCHEDULES = ("geometric", "cosine")
WEIGHINGS = ("", "patch", "frame")
# Which pairs of consecutive frames must move so much: all on average, every one, or the last input and the first
# target (released script). `every_pair` keeps inputs that repeat a frame out of training, of which UCF101 has many.
MOVES = ("mean", "every_pair", "last_pair")


@dataclass(frozen=True)
class Network:
    """Which network. ``type`` is one of :data:`NETWORKS`.

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
    """

    type: str
    width: float = 1.0
    widths: tuple[float, ...] = ()
    width_d: float = 0.0
    inputs: int = 4
    targets: int = 1
    starts_as_copy: bool = False
    init: str = "default"
    leak: float = 0.0

    @property
    def scales(self) -> int:
        """Scales of the prediction."""
        return 4 if self.type == "multi_scale" else 1

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

    segments: int = 8
    length: int = 6
    mirror: bool = False
    upside_down: bool = False
    reverse: bool = False


@dataclass(frozen=True)
class Phase:
    """One phase of training. The state of Adam is kept from phase to phase.

    Attributes:
        steps: optimiser steps of G (and of D, where it takes part).
        loss: weight of each of :data:`LOSSES`; ``adv`` brings D in.
        patch: side of the patches, pixels.
        batch: samples of a global batch.
        movement: least movement of a patch (see :class:`vpbench.models.footage.patches.Selection`).
        still: share of patches that need not move.
        moves: over which pairs of frames, one of :data:`MOVES`.
        optimiser: ``sgd`` or ``adam``.
        rate: G's learning rate at the phase's start and end.
        rate_d: D's.
        schedule: how rates fall from start to end: ``geometric`` or ``cosine``.
        warmup: steps over which the rates rise from 0.
        weigh: what each sample's losses are divided by, taken as a constant, so that they fall with the logarithm
            of the error, as a mean of PSNRs does: ``patch``, its own ℓ1 error; ``frame``, the error of a copy over
            the moving pixels of the whole frame that the patch is from (its square root for losses with p = 1 and
            α = 1); nothing if empty.
        clip: largest norm of a step's gradient; 0 for no limit.
        frozen_g: D alone learns, to tell the frames of the G that there is.
        name: for people.
    """

    steps: int
    loss: dict[str, float]
    patch: int = 32
    batch: int = 8
    movement: float = 0.001
    still: float = 0.0
    moves: str = "mean"
    optimiser: str = "sgd"
    rate: tuple[float, float] = (0.04, 0.005)
    rate_d: tuple[float, float] = (0.02, 0.02)
    schedule: str = "geometric"
    warmup: int = 0
    clip: float = 0.0
    weigh: str = ""
    frozen_g: bool = False
    name: str = ""

    @property
    def adversarial(self) -> bool:
        """Whether D takes part."""
        return self.loss.get("adv", 0.0) > 0

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
        expect: the result to expect.
    """

    name: str
    kind: str
    summary: str
    network: Network
    phases: tuple[Phase, ...]
    data: Data = Data()
    seed: int = 1
    average: float = 0.0
    deviations: tuple[str, ...] = field(default=())
    expect: str = ""

    @property
    def steps(self) -> int:
        """Steps of all phases."""
        return sum(phase.steps for phase in self.phases)

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

    def same_until(self, other: Recipe, step: int) -> bool:
        """Whether the first ``step`` steps of both are the same computation."""
        return self._begun(step) == other._begun(step)

    def _begun(self, step: int) -> tuple[Any, ...]:
        """All that the first ``step`` steps depend on.

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


def recipe_names() -> list[str]:
    """Names of the recipes that ship, as ``kind/name``, sorted."""
    return sorted(f"{path.parent.name}/{path.stem}" for path in FOLDER.glob("*/*.toml"))


def load_recipe(name: str) -> Recipe:
    """Read a recipe.

    Args:
        name: ``paper/NAME``, ``compact/NAME``, ``NAME`` for ``compact/NAME``, or the path of a TOML file.

    Raises:
        UsageError: there is no such recipe or file; it is not TOML; a key is unknown, missing, or its value wrong.
    """
    path = (
        Path(name)
        if name.endswith(".toml")
        else FOLDER / f"{name if '/' in name else f'compact/{name}'}.toml"
    )
    if not path.is_file():
        if name.endswith(".toml"):
            raise UsageError(f"--recipe {name}: there is no such file.")
        raise unknown_name("recipe", name, recipe_names())
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"Recipe {path} is not TOML: {error}.") from None
    return recipe_from(table, f"Recipe {path}")


def recipe_from(table: dict[str, Any], where: str) -> Recipe:
    """Build a recipe from plain data; ``where`` names its source in errors.

    Raises:
        UsageError: a key is unknown or missing, or a value is wrong.
    """
    table = dict(table)
    network = _network(table.pop("network", None), f"{where}, [network]")
    data = _build(Data, table.pop("data", {}), f"{where}, [data]")
    listed = table.pop("phases", [])
    if not isinstance(listed, list | tuple) or not listed:
        raise UsageError(f"{where}: it needs at least one [[phases]].")
    phases = tuple(_phase(phase, f"{where}, phase {number}") for number, phase in enumerate(listed, 1))
    table["deviations"] = tuple(table.get("deviations", ()))
    recipe: Recipe = _build(Recipe, {**table, "network": network, "phases": phases, "data": data}, where)
    _check(recipe, where)
    return recipe


def _network(table: Any, where: str) -> Network:
    if isinstance(table, dict) and isinstance(table.get("widths"), list):
        table = {**table, "widths": tuple(table["widths"])}
    network: Network = _build(Network, table, where)
    return network


def _phase(table: Any, where: str) -> Phase:
    if isinstance(table, dict):
        table = {**table, **{key: _rates(table[key], where) for key in ("rate", "rate_d") if key in table}}
    phase: Phase = _build(Phase, table, where)
    if not isinstance(phase.loss, dict) or not phase.loss:
        raise UsageError(f"{where}: loss must be a table of weights.")
    for name in phase.loss:
        if name not in LOSSES:
            raise UsageError(f"{where}: {unknown_name('loss', name, list(LOSSES))}")
    for kind, name, known in (
        ("optimiser", phase.optimiser, ("sgd", "adam")),
        ("rule for moves", phase.moves, MOVES),
        ("schedule", phase.schedule, SCHEDULES),
        ("way to weigh", phase.weigh, WEIGHINGS),
    ):
        if name not in known:
            raise UsageError(f"{where}: {unknown_name(kind, name, list(known))}")
    if phase.frozen_g and not phase.adversarial:
        raise UsageError(f"{where}: frozen_g is for adversarial phases: D alone learns.")
    if min(phase.steps, phase.batch) < 1:
        raise UsageError(f"{where}: steps and batch must be at least 1.")
    if phase.patch < 32 or phase.patch % 8:
        raise UsageError(f"{where}: patch must be a multiple of 8 and at least 32.")
    return phase


def _rates(value: Any, where: str) -> tuple[float, float]:
    pair = value if isinstance(value, list | tuple) else [value, value]
    if len(pair) != 2 or not all(isinstance(rate, int | float) and rate > 0 for rate in pair):
        raise UsageError(f"{where}: a rate is a number above 0, or two of them, for the start and the end.")
    return float(pair[0]), float(pair[1])


def _build(cls: type[Any], table: Any, where: str) -> Any:
    if not isinstance(table, dict):
        raise UsageError(f"{where}: missing, or not a table.")
    known = [entry.name for entry in fields(cls)]
    for key in table:
        if key not in known:
            raise UsageError(f"{where}: {unknown_name('key', key, known)}")
    try:
        return cls(**table)
    except TypeError as error:
        raise UsageError(f"{where}: {error}.") from None


def _check(recipe: Recipe, where: str) -> None:
    network = recipe.network
    if network.type not in NETWORKS:
        raise UsageError(f"{where}: {unknown_name('network type', network.type, list(NETWORKS))}")
    if network.init not in INITS:
        raise UsageError(f"{where}: {unknown_name('init', network.init, list(INITS))}")
    if not all(0 < width <= 4 for width in (network.width, *network.widths)):
        raise UsageError(f"{where}: width must be above 0 and at most 4.")
    if network.widths and len(network.widths) != network.scales:
        raise UsageError(f"{where}: widths must be {network.scales}, one for each scale, coarse to fine.")
    if not 0 <= network.leak < 1:
        raise UsageError(f"{where}: leak must be at least 0 and below 1.")
    if not 0 <= recipe.average < 1:
        raise UsageError(f"{where}: average must be at least 0 and below 1.")
    if recipe.data.length < network.inputs + network.targets:
        raise UsageError(
            f"{where}: segments of {recipe.data.length} frames are shorter than {network.inputs} inputs and "
            f"{network.targets} targets."
        )
