"""The state of a training: networks, optimisers and how far it is; on disk it is one checkpoint file."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vpbench.errors import UsageError, VpbenchError
from vpbench.models.networks.build import make_discriminator, make_generator
from vpbench.models.networks.patch_words import PatchWords
from vpbench.models.recipes.recipe import Phase, Recipe
from vpbench.models.training.settings import Settings
from vpbench.models.weights.checkpoint import (
    Checkpoint,
    Info,
    flatten_optimiser,
    load_checkpoint,
    load_weights,
    restore_optimiser,
    save_checkpoint,
)

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class State:
    """What training changes.

    Args:
        recipe: what is trained.
        fabric: on what.
        path: of its checkpoint.
        loaded: a checkpoint to resume from.

    Attributes:
        generator: G.
        averaged: the moving average of G's weights, or G itself where the recipe asks for none: what is
            validated and shipped.
        discriminator: D; it takes part in adversarial phases only.
        wrapped_g: G as Fabric runs it, on every process.
        wrapped_d: the same of D.
        optimiser_g: of the phase that runs.
        optimiser_d: of the phase that runs, if it is adversarial.
        step: steps done.
        seconds: time spent on them.
        validated: scores of the latest validation.
    """

    def __init__(self, recipe: Recipe, fabric: Fabric, path: Path, loaded: Checkpoint | None) -> None:
        self.recipe, self.path, self._fabric = recipe, path, fabric
        torch.manual_seed(recipe.seed)
        self.generator = make_generator(recipe.network)
        torch.manual_seed(recipe.seed_of_d + 1)
        self.discriminator = make_discriminator(recipe.network)
        self.averaged = self.generator
        self.step, self.seconds = 0, 0.0
        self.validated: dict[str, float] = {}
        self._judged = False  # whether D has learnt anything
        # Adam's moments, from the phase before or a checkpoint, until the next phase's optimiser takes them.
        self._moments: dict[str, dict[str, Tensor]] = {"g": {}, "d": {}}
        if loaded is not None:
            self._load(loaded)
        if recipe.average:
            self.averaged = copy.deepcopy(self.generator).requires_grad_(False)
            if loaded is not None:
                load_weights(self.averaged, loaded.part("g" if loaded.bare else "average"), str(loaded.path))
            _channels_last(self.averaged)
        # Channels-last makes convolutions faster on CPUs and on tensor cores; results agree to rounding.
        self.wrapped_g: Any = fabric.setup_module(_channels_last(self.generator))
        self.wrapped_d: Any = None
        self.optimiser_g: Any = None
        self.optimiser_d: Any = None

    def _load(self, loaded: Checkpoint) -> None:
        load_weights(self.generator, loaded.part("g"), str(loaded.path))
        self._judged = bool(loaded.part("d"))
        if self._judged:
            load_weights(self.discriminator, loaded.part("d"), str(loaded.path))
        self.step, self.seconds = loaded.step, loaded.info.seconds
        self.validated = loaded.info.validation
        self._moments = {which: loaded.part(f"optimiser_{which}") for which in ("g", "d")}

    def learn_words(self, centroids: NDArray[np.float32]) -> None:
        """Give a network of type ``patch_words`` its centroids ``(K, 64)``."""
        for module in (self.generator, self.averaged):
            assert isinstance(module, PatchWords)  # noqa: S101 -- the recipe says so
            module.centroids.copy_(torch.from_numpy(centroids))

    def start_phase(self, phase: Phase, begins: bool) -> None:
        """Make a phase's optimisers; Adam's moments are kept from the phase before or the checkpoint.

        Args:
            phase: the phase.
            begins: whether none of its steps is done.
        """
        self._keep_moments()
        if phase.restart and begins:
            self.generator.load_state_dict(self.averaged.state_dict())
            self._moments = {"g": {}, "d": {}}
            self._judged = False
            torch.manual_seed((phase.seed or self.recipe.seed) + 1)
            self.discriminator.load_state_dict(make_discriminator(self.recipe.network).state_dict())
        self.optimiser_g = self._optimiser("g", phase, self.generator)
        self.optimiser_d = None
        if phase.adversarial:
            self._judged = True
            if self.wrapped_d is None:
                self.wrapped_d = self._fabric.setup_module(_channels_last(self.discriminator))
            self.optimiser_d = self._optimiser("d", phase, self.discriminator)

    def _optimiser(self, which: str, phase: Phase, module: nn.Module) -> Any:
        kind = torch.optim.Adam if phase.optimiser == "adam" else torch.optim.SGD
        wrapped: Any = self._fabric.setup_optimizers(kind(module.parameters(), lr=phase.rate[0]))
        if phase.optimiser == "adam" and self._moments[which]:
            restore_optimiser(wrapped.optimizer, self._moments[which], f"{self.path}")
        return wrapped

    def _keep_moments(self) -> None:
        for which, wrapped in (("g", self.optimiser_g), ("d", self.optimiser_d)):
            if wrapped is not None:
                self._moments[which] = flatten_optimiser(wrapped.optimizer)

    def descend(self, which: Literal["g", "d"], loss: Tensor, rate: float, clip: float) -> float:
        """One step of G's or D's optimiser down its loss; returns the loss.

        Raises:
            VpbenchError: the loss is not finite.
        """
        value = float(loss.detach())
        if not math.isfinite(value):
            raise VpbenchError(
                f"The loss of {which.upper()} is {value} at step {self.step + 1}. The last good checkpoint is "
                f"{self.path}; lower the rates or set `clip` in the recipe, and train again."
            )
        module, optimiser = (
            (self.generator, self.optimiser_g) if which == "g" else (self.discriminator, self.optimiser_d)
        )
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad()
        self._fabric.backward(loss)
        if clip:
            torch.nn.utils.clip_grad_norm_(module.parameters(), clip)
        optimiser.step()
        return value

    @torch.no_grad()
    def average(self) -> None:
        """Update the averaged weights after a step; over the first steps the average is a shorter one."""
        if self.averaged is self.generator:
            return
        decay = min(self.recipe.average, (1 + self.step) / (10 + self.step))
        for mean, current in zip(self.averaged.parameters(), self.generator.parameters(), strict=True):
            mean.lerp_(current, 1 - decay)

    def save(self, info: Mapping[str, Any]) -> None:
        """Write a checkpoint to resume from.

        Raises:
            VpbenchError: the weights are not finite, which nothing could resume from; or the disk is full.
        """
        if not all(bool(tensor.isfinite().all()) for tensor in self.generator.parameters()):
            raise VpbenchError(
                f"The weights of G are no longer finite at step {self.step}. The last good checkpoint is {self.path}; "
                "lower the rates or set `clip` in the recipe, and train again."
            )
        self._keep_moments()
        tensors = _prefixed("g", self.generator.state_dict())
        if self.averaged is not self.generator:
            tensors |= _prefixed("average", self.averaged.state_dict())
        if self._judged:
            tensors |= _prefixed("d", self.discriminator.state_dict())
        for which, moments in self._moments.items():
            tensors |= _prefixed(f"optimiser_{which}", moments)
        save_checkpoint(self.path, tensors, self.recipe, self.step, self._facts(info))

    def save_weights(self, path: Path, info: Mapping[str, Any]) -> None:
        """Write G's weights alone, averaged if the recipe says so, to predict with."""
        tensors = _prefixed("g", self.averaged.state_dict())
        save_checkpoint(path, tensors, self.recipe, self.step, self._facts(info))

    def _facts(self, info: Mapping[str, Any]) -> Info:
        seconds, version = round(self.seconds, 1), str(torch.__version__)
        return Info(**info, seconds=seconds, validation=self.validated, torch=version)


def find_checkpoint(recipe: Recipe, own: Path, settings: Settings) -> tuple[Recipe, Checkpoint | None]:
    """The checkpoint that a training continues from, checked to be of the same computation.

    Args:
        recipe: what is to be trained.
        own: where this training's checkpoint is, if there is one.
        settings: whether it is resumed, from what else it starts, and its seed.

    Returns:
        The recipe with its seeds, and the checkpoint. A training that is resumed keeps its seeds; one that starts from
        another's checkpoint has the settings' seed in the phases that follow.

    Raises:
        UsageError: there is a checkpoint and no ``resume``; or it is of another recipe, width, data or seed.
        VpbenchError: it is damaged.
    """
    resume, start_from, seed = settings.resume, settings.start_from, settings.seed
    if own.exists() and not resume:
        raise UsageError(f"{own} exists: give --resume to continue from it, or another --out.")
    if not own.exists() and start_from is None:
        return (recipe if seed is None else recipe.with_seed(seed)), None
    path = own if own.exists() or start_from is None else start_from
    loaded = load_checkpoint(path)
    theirs = loaded.recipe
    if path == own:
        if seed not in (None, theirs.last_seed):
            raise UsageError(
                f"--seed {seed}: {own} was begun with seed {theirs.last_seed}; use another --out."
            )
        seed = theirs.last_seed
    if seed is not None:
        recipe = recipe.with_seed(seed, theirs, loaded.step)
        if recipe.last_seed != seed:
            raise UsageError(
                f"--seed {seed}: at step {loaded.step} of {path} no phase is left to begin with it."
            )
    if loaded.bare and not recipe.restarts_at(loaded.step):
        raise UsageError(
            f"{path} holds weights alone, which a phase with 'restart = true' can begin with; "
            f"'{recipe.kind}/{recipe.name}' has none at step {loaded.step}. Give a training's checkpoint.safetensors."
        )
    if not recipe.same_until(theirs, loaded.step):
        raise UsageError(
            f"{path} is of recipe '{theirs.kind}/{theirs.name}' ({theirs.network.width_in_words}, seed {theirs.seed}, "
            f"step {loaded.step}), and its steps are not the first steps of '{recipe.kind}/{recipe.name}' "
            f"({recipe.network.width_in_words}, seed {recipe.seed}). Use another --out, or the recipe and options that "
            "it was begun with."
        )
    return recipe, loaded


def _channels_last(module: torch.nn.Module) -> torch.nn.Module:
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _prefixed(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}
