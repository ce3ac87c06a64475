"""Checkpoints: tensors in safetensors, with the recipe and the state of training inside, written atomically."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from vpbench.errors import VpbenchError
from vpbench.files import write_atomic
from vpbench.models.recipes.files import recipe_from
from vpbench.models.recipes.recipe import Recipe
from vpbench.predictors.seen import Seen

KIND = "vpbench-checkpoint"
SCHEMA = 1


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds.

    Attributes:
        path: where it was read.
        tensors: ``g.…`` weights of G, ``d.…`` of D, ``optimiser_g.…`` and ``optimiser_d.…``.
        recipe: how it was trained.
        step: steps done.
        info: further facts: ``seconds``, ``training_data``, ``contaminated``, ``validation``, ….
        sha256: of the file.
    """

    path: Path
    tensors: dict[str, Tensor]
    recipe: Recipe
    step: int
    info: dict[str, Any]
    sha256: str

    @property
    def test_clips_seen(self) -> Seen:
        """What part test clips had in making the weights."""
        if self.info["contaminated"]:
            return "yes"
        return "tuned" if self.recipe.tuned_on_test_clips else "no"

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin with ``prefix.``, without it."""
        return {
            name.removeprefix(f"{prefix}."): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(f"{prefix}.")
        }


def save_checkpoint(
    path: Path, tensors: Mapping[str, Tensor], recipe: Recipe, step: int, info: Mapping[str, Any]
) -> str:
    """Write a checkpoint whole or not at all, and return its SHA-256.

    Raises:
        VpbenchError: the disk is full or read-only; a previous checkpoint is kept.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    head = {
        "kind": KIND,
        "schema": SCHEMA,
        "recipe": recipe.definition(),
        "step": step,
        "info": dict(info),
        "digest": _digest(plain),
    }
    data = safetensors.torch.save(plain, {"vpbench": json.dumps(head, sort_keys=True)})
    write_atomic(path, data)
    return hashlib.sha256(data).hexdigest()


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        VpbenchError: the file is missing, damaged, or not a checkpoint of vpbench.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise VpbenchError(f"Cannot read the weights {path}: {error.strerror}.") from error
    try:
        tensors = safetensors.torch.load(data)
        with safetensors.safe_open(path, framework="pt") as file:
            head = json.loads(file.metadata()["vpbench"])
        kind, schema, digest = head["kind"], head["schema"], head["digest"]
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise VpbenchError(
            f"{path} is damaged, or is not a checkpoint of vpbench ({type(error).__name__}: {error}). Take the "
            "checkpoint before it, or train again."
        ) from None
    if kind != KIND or schema != SCHEMA:
        raise VpbenchError(
            f"{path} is a {kind} of schema {schema}; this vpbench reads {KIND} of schema {SCHEMA}."
        )
    if _digest(tensors) != digest:
        raise VpbenchError(
            f"{path} is damaged: its tensors do not match the digest that was written with them."
        )
    recipe = recipe_from(_known_recipe(head["recipe"]), f"The recipe inside {path}")
    return Checkpoint(
        path, tensors, recipe, int(head["step"]), head["info"], hashlib.sha256(data).hexdigest()
    )


def _known_recipe(definition: dict[str, Any]) -> dict[str, Any]:
    """A recipe as this version writes it: those that ship use the words of earlier versions."""
    network = definition.get("network")
    if isinstance(network, dict) and network.get("noise") == 0:
        network = {key: value for key, value in network.items() if key != "noise"}
    phases = [_known_phase(phase) for phase in definition.get("phases", [])]
    return {**definition, "network": network, "phases": phases}


def _known_phase(phase: dict[str, Any]) -> dict[str, Any]:
    phase = dict(phase)
    if "every_pair" in phase:
        phase["moves"] = "every_pair" if phase.pop("every_pair") else "mean"
    if "balanced" in phase:
        phase["weigh"] = "patch" if phase.pop("balanced") else ""
    return phase


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data if tensor.numel() else b"")
    return digest.hexdigest()


def flatten_optimiser(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """An optimiser's state as named tensors, ``INDEX.KEY``."""
    state: dict[int, dict[str, Any]] = optimiser.state_dict()["state"]
    return {
        f"{index}.{key}": value
        for index, values in state.items()
        for key, value in values.items()
        if isinstance(value, Tensor)
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """The reverse of :func:`flatten_optimiser`, into an optimiser of the same parameters."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = tensor
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


def load_weights(network: torch.nn.Module, tensors: Mapping[str, Tensor], where: str) -> None:
    """Put weights into a network.

    Raises:
        VpbenchError: they are for another network or width; names the first tensor that differs.
    """
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if wanted != found:
        name = min(set(wanted.items()) ^ set(found.items()))[0]
        raise VpbenchError(
            f"{where}: the weights are of another network or width: '{name}' is {found.get(name, 'missing')}, and "
            f"the recipe's network has {wanted.get(name, 'no such tensor')}."
        )
    network.load_state_dict(dict(tensors))
