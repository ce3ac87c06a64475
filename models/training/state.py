"""The state of a training: networks, optimisers and how far it is; on disk it is one checkpoint file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from vpbench.errors import UsageError, VpbenchError
from vpbench.models.networks.build import make_discriminator, make_generator
from vpbench.models.recipes.recipe import Phase, Recipe
from vpbench.models.weights.checkpoint import (
    Checkpoint,
    flatten_optimiser,
    load_checkpoint,
    load_weights,
    restore_optimiser,
    save_checkpoint,
)


class State:
    """What training changes.

    Args:
        recipe: what is trained.
        fabric: on what.
        loaded: a checkpoint to go on from.

    Attributes:
        generator: G.
        discriminator: D; it takes part in adversarial phases only.
        wrapped_g: G as Fabric runs it, on every process.
        wrapped_d: the same of D.
        optimiser_g: of the phase that runs.
        optimiser_d: of the phase that runs, if it is adversarial.
        step: steps done.
        seconds: time spent on them.
        validated: scores of the latest validation.
    """

    def __init__(self, recipe: Recipe, fabric: Fabric, loaded: Checkpoint | None) -> None:
        self.recipe, self._fabric, self._loaded = recipe, fabric, loaded
        torch.manual_seed(recipe.seed)
        self.generator = make_generator(recipe.network)
        torch.manual_seed(recipe.seed + 1)
        self.discriminator = make_discriminator(recipe.network)
        self.step, self.seconds = 0, 0.0
        self.validated: dict[str, float] = {}
        self._judged = False  # whether D has learnt anything
        if loaded is not None:
            load_weights(self.generator, loaded.part("g"), str(loaded.path))
            self._judged = bool(loaded.part("d"))
            if self._judged:
                load_weights(self.discriminator, loaded.part("d"), str(loaded.path))
            self.step, self.seconds = loaded.step, float(loaded.info["seconds"])
            self.validated = dict(loaded.info["validation"])
        # Channels-last makes convolutions faster on CPUs and on tensor cores; results agree to rounding.
        self.wrapped_g: Any = fabric.setup_module(_channels_last(self.generator))
        self.wrapped_d: Any = None
        self.optimiser_g: Any = None
        self.optimiser_d: Any = None

    def start_phase(self, phase: Phase, within: bool) -> None:
        """Make a phase's optimisers, and restore their state if the checkpoint is ``within`` the phase."""
        self.optimiser_g = self._fabric.setup_optimizers(_optimiser(phase, self.generator))
        self.optimiser_d = None
        if phase.adversarial:
            self._judged = True
            if self.wrapped_d is None:
                self.wrapped_d = self._fabric.setup_module(_channels_last(self.discriminator))
            self.optimiser_d = self._fabric.setup_optimizers(_optimiser(phase, self.discriminator))
        if within and self._loaded is not None:
            restore_optimiser(self.optimiser_g.optimizer, self._loaded.part("optimiser_g"))
            if phase.adversarial:
                restore_optimiser(self.optimiser_d.optimizer, self._loaded.part("optimiser_d"))
        self._loaded = None

    def save(self, path: Path, info: Mapping[str, Any]) -> None:
        """Write a checkpoint to go on from.

        Raises:
            VpbenchError: the weights are not finite, which nothing could go on from; or the disk is full.
        """
        if not all(bool(tensor.isfinite().all()) for tensor in self.generator.parameters()):
            raise VpbenchError(
                f"The weights of G are no longer finite at step {self.step}. The last good checkpoint is {path}; "
                "lower the rates or set `clip` in the recipe, and train again."
            )
        tensors = _prefixed("g", self.generator.state_dict())
        if self.optimiser_g is not None:
            tensors |= _prefixed("optimiser_g", flatten_optimiser(self.optimiser_g.optimizer))
        if self._judged:
            tensors |= _prefixed("d", self.discriminator.state_dict())
        if self.optimiser_d is not None:
            tensors |= _prefixed("optimiser_d", flatten_optimiser(self.optimiser_d.optimizer))
        save_checkpoint(path, tensors, self.recipe, self.step, self._facts(info))

    def save_weights(self, path: Path, info: Mapping[str, Any]) -> None:
        """Write G's weights alone, to predict with."""
        tensors = _prefixed("g", self.generator.state_dict())
        save_checkpoint(path, tensors, self.recipe, self.step, self._facts(info))

    def _facts(self, info: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **info,
            "seconds": round(self.seconds, 1),
            "validation": self.validated,
            "torch": torch.__version__,
        }


def find_checkpoint(recipe: Recipe, own: Path, resume: bool, start_from: Path | None) -> Checkpoint | None:
    """The checkpoint that a training goes on from, checked to be of the same computation.

    Args:
        recipe: what is to be trained.
        own: where this training's checkpoint is, if there is one.
        resume: go on from it.
        start_from: another training's checkpoint.

    Raises:
        UsageError: there is a checkpoint and no ``resume``, or the other way round; or it is of another recipe,
            width, data or seed.
        VpbenchError: it is damaged.
    """
    if own.exists() and not resume:
        raise UsageError(f"{own} exists: give --resume to go on from it, or another --out.")
    if not own.exists() and start_from is None:
        if resume:
            raise UsageError(f"--resume: there is no {own}; leave --resume to begin.")
        return None
    path = own if own.exists() or start_from is None else start_from
    loaded = load_checkpoint(path)
    theirs = loaded.recipe
    if not recipe.same_until(theirs, loaded.step):
        raise UsageError(
            f"{path} is of recipe '{theirs.kind}/{theirs.name}' (width {theirs.network.width:g}, step {loaded.step}), "
            f"and its steps are not the first steps of '{recipe.kind}/{recipe.name}' (width "
            f"{recipe.network.width:g}). Take another --out, or the recipe and options that it was begun with."
        )
    return loaded


def _channels_last(module: torch.nn.Module) -> torch.nn.Module:
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _prefixed(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def _optimiser(phase: Phase, module: torch.nn.Module) -> torch.optim.Optimizer:
    if phase.optimiser == "adam":
        return torch.optim.Adam(module.parameters(), lr=phase.rate[0])
    return torch.optim.SGD(module.parameters(), lr=phase.rate[0])
