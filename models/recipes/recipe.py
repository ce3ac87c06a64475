"""Recipes: how a model is trained, as plain data read from TOML files.

Two kinds ship with vpbench: ``paper/NAME`` has the paper's widths, optimiser, rates and batches; ``compact/NAME``
is what was trained on a CPU for the weights that ship, with every deviation and its reason in the file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from vpbench.errors import UsageError, unknown_name

FOLDER = Path(__file__).parent
LOSSES = ("l1", "l2", "gdl_l1", "gdl_l2", "adv")
INITS = ("default", "he", "differences")
NETWORKS = ("multi_scale", "single_scale", "flow_guided")


@dataclass(frozen=True)
class Network:
    """Which network. ``type`` is one of :data:`NETWORKS`.

    The rest is as in :class:`vpbench.models.networks.generator.Generator`.

    Attributes:
        type: family.
        width: multiplier of the hidden layers' feature maps.
        inputs: input frames.
        targets: frames predicted at once.
        starts_as_copy: the output starts as a copy of the last frame.
        init: of the hidden layers: ``default``, ``he`` or ``differences``.
    """

    type: str
    width: float = 1.0
    inputs: int = 4
    targets: int = 1
    starts_as_copy: bool = False
    init: str = "default"


@dataclass(frozen=True)
class Data:
    """Which footage is decoded into the cache.

    Attributes:
        segments: segments of each video.
        length: frames of a segment.
    """

    segments: int = 8
    length: int = 6


@dataclass(frozen=True)
class Phase:
    """One phase of training; optimisers start anew with each.

    Attributes:
        steps: optimiser steps of G (and of D, where it takes part).
        loss: weight of each of :data:`LOSSES`; ``adv`` brings D in.
        patch: side of the patches, pixels.
        batch: samples of a global batch.
        movement: least movement of a patch (see :class:`vpbench.models.footage.patches.Selection`).
        still: share of patches that need not move.
        every_pair: each pair of consecutive frames of a patch must move so much, not their mean.
        optimiser: ``sgd`` or ``adam``.
        rate: G's learning rate at the phase's start and end, geometric in between.
        rate_d: D's.
        warmup: steps over which the rates rise from 0.
        balanced: divide each sample's losses by its own ℓ1 error, taken as a constant; the loss then falls with the
            logarithm of the error, as a mean of PSNRs does, and patches that hardly move count as much as others.
        clip: largest norm of a step's gradient; 0 for no limit.
        name: for people.
    """

    steps: int
    loss: dict[str, float]
    patch: int = 32
    batch: int = 8
    movement: float = 0.001
    still: float = 0.0
    every_pair: bool = False
    optimiser: str = "sgd"
    rate: tuple[float, float] = (0.04, 0.005)
    rate_d: tuple[float, float] = (0.02, 0.02)
    warmup: int = 0
    clip: float = 0.0
    balanced: bool = False
    name: str = ""

    @property
    def adversarial(self) -> bool:
        """Whether D takes part."""
        return self.loss.get("adv", 0.0) > 0

    @property
    def batches_per_step(self) -> int:
        """D and G each get a fresh batch (Algorithm 1)."""
        return 2 if self.adversarial else 1

    def rate_at(self, index: int, rates: tuple[float, float]) -> float:
        """The learning rate of step ``index``: geometric from start to end, after a linear warm-up."""
        start, end = rates
        rate = float(start * (end / start) ** (index / max(1, self.steps - 1)))
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
        if (self.network, self.data, self.seed) != (other.network, other.data, other.seed):
            return False
        mine, theirs = ([p for first, _, p in recipe.timeline() if first < step] for recipe in (self, other))
        return mine == theirs


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
    network = _build(Network, table.pop("network", None), f"{where}, [network]")
    data = _build(Data, table.pop("data", {}), f"{where}, [data]")
    listed = table.pop("phases", [])
    if not isinstance(listed, list | tuple) or not listed:
        raise UsageError(f"{where}: it needs at least one [[phases]].")
    phases = tuple(_phase(phase, f"{where}, phase {number}") for number, phase in enumerate(listed, 1))
    table["deviations"] = tuple(table.get("deviations", ()))
    recipe: Recipe = _build(Recipe, {**table, "network": network, "phases": phases, "data": data}, where)
    _check(recipe, where)
    return recipe


def _phase(table: Any, where: str) -> Phase:
    if isinstance(table, dict):
        table = {**table, **{key: _rates(table[key], where) for key in ("rate", "rate_d") if key in table}}
    phase: Phase = _build(Phase, table, where)
    if not isinstance(phase.loss, dict) or not phase.loss:
        raise UsageError(f"{where}: loss must be a table of weights.")
    for name in phase.loss:
        if name not in LOSSES:
            raise UsageError(f"{where}: {unknown_name('loss', name, list(LOSSES))}")
    if phase.optimiser not in ("sgd", "adam"):
        raise UsageError(f"{where}: {unknown_name('optimiser', phase.optimiser, ['sgd', 'adam'])}")
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
    if not 0 < network.width <= 4:
        raise UsageError(f"{where}: width must be above 0 and at most 4.")
    if recipe.data.length < network.inputs + network.targets:
        raise UsageError(
            f"{where}: segments of {recipe.data.length} frames are shorter than {network.inputs} inputs and "
            f"{network.targets} targets."
        )
