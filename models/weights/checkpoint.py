"""Checkpoints: tensors in safetensors, with the recipe and the state of training inside, written atomically."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import safetensors
import safetensors.torch
import torch
from msgspec import Meta, Struct, to_builtins
from torch import Tensor

from vpbench.errors import VpbenchError
from vpbench.files import numbered, read_bytes, write_atomic
from vpbench.models.recipes.files import recipe_from
from vpbench.models.recipes.recipe import Recipe
from vpbench.predictors.seen import Seen
from vpbench.reading import parse_json
from vpbench.records import to_record

KIND = "vpbench-checkpoint"
SCHEMA = 1
_REMEDY = "Take the checkpoint before it, or train again."


class Info(Struct, frozen=True, kw_only=True):
    """Further facts about a training.

    Attributes:
        training_data: the footage, in words.
        contaminated: whether test clips were trained on.
        seconds: time spent on the steps.
        validation: scores of the latest validation, with its step and its number of clips; NaN where undefined.
        precision: Lightning's word for it, such as ``32-true``.
        torch: its version.
    """

    training_data: str
    contaminated: bool
    seconds: Annotated[float, Meta(ge=0)]
    validation: dict[str, float]
    precision: str = ""
    torch: str = ""


class _Header(Struct, frozen=True):
    """The part of a safetensors header that says what the tensors are."""

    metadata: dict[str, str] = msgspec.field(name="__metadata__")


class _Head(Struct, frozen=True, kw_only=True):
    """What stands in a checkpoint beside its tensors."""

    kind: str
    schema: int
    recipe: dict[str, Any]
    step: Annotated[int, Meta(ge=0, le=10**12)]
    info: Info
    digest: str


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds.

    Attributes:
        path: where it was read.
        tensors: ``g.…`` weights of G, ``d.…`` of D, ``optimiser_g.…`` and ``optimiser_d.…``.
        recipe: how it was trained.
        step: steps done.
        info: further facts.
        sha256: of the file.
    """

    path: Path
    tensors: dict[str, Tensor]
    recipe: Recipe
    step: int
    info: Info
    sha256: str

    @property
    def test_clips_seen(self) -> Seen:
        """What part test clips had in making the weights."""
        if self.info.contaminated:
            return "yes"
        return "tuned" if self.recipe.tuned_on_test_clips else "no"

    @property
    def bare(self) -> bool:
        """Whether it holds G's weights alone, though training needs more to go on as if it had not stopped."""
        begun = self.recipe.begun_since_restart(self.step)
        more = self.recipe.average > 0 or any(
            phase.adversarial or phase.optimiser == "adam" for phase in begun
        )
        return more and all(name.startswith("g.") for name in self.tensors)

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin with ``prefix.``, without it."""
        return {
            name.removeprefix(f"{prefix}."): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(f"{prefix}.")
        }


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], recipe: Recipe, step: int, info: Info) -> str:
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
        "info": to_builtins(info),
        "digest": _digest(plain),
    }
    data = safetensors.torch.save(plain, {"vpbench": json.dumps(head, sort_keys=True)})
    write_atomic(path, data)
    return hashlib.sha256(data).hexdigest()


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; tensors in half precision, as weights that ship are kept, become float32.

    Raises:
        VpbenchError: the file is missing, damaged, or not a checkpoint of vpbench.
    """
    data = read_bytes(path)
    where = f"The head of {path}"
    head = to_record(parse_json(_head(data, path), where, nan=True), _Head, where, remedy=_REMEDY)
    if head.kind != KIND or head.schema != SCHEMA:
        raise VpbenchError(
            f"{path} is a {head.kind} of schema {head.schema}; this vpbench reads {KIND} of schema {SCHEMA}."
        )
    recipe = recipe_from(_known_recipe(head.recipe), f"The recipe inside {path}")
    try:
        tensors = safetensors.torch.load(data)
        digest = _digest(tensors)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from None
    if digest != head.digest:
        raise VpbenchError(
            f"{path} is damaged: its tensors do not match the digest that was written with them."
        )
    full = {
        name: tensor.float() if tensor.dtype == torch.float16 else tensor for name, tensor in tensors.items()
    }
    return Checkpoint(path, full, recipe, head.step, head.info, hashlib.sha256(data).hexdigest())


def _head(data: bytes, path: Path) -> bytes:
    """What a checkpoint says of itself, JSON.

    Source: https://huggingface.co/docs/safetensors, format: eight bytes that give the length of a header, and the
    header, JSON, in whose ``__metadata__`` texts stand.
    """
    length = int.from_bytes(data[:8], "little")
    if not 0 < length <= len(data) - 8:
        raise _damaged(path, "it does not begin as safetensors does")
    try:
        text = msgspec.json.decode(data[8 : 8 + length], type=_Header).metadata["vpbench"]
    except (msgspec.MsgspecError, RecursionError, ValueError, KeyError):
        raise _damaged(path, "its header has no metadata of vpbench") from None
    return text.encode("utf-8", "surrogatepass")


def _damaged(path: Path, problem: str) -> VpbenchError:
    return VpbenchError(f"{path} is damaged, or is not a checkpoint of vpbench ({problem}). {_REMEDY}")


def _known_recipe(definition: dict[str, Any]) -> dict[str, Any]:
    """A recipe as this version writes it: those that ship use the words of earlier versions."""
    known = dict(definition)
    network, phases = known.get("network"), known.get("phases")
    if isinstance(network, dict) and network.get("noise") == 0:
        known["network"] = {key: value for key, value in network.items() if key != "noise"}
    if isinstance(phases, list):
        known["phases"] = [_known_phase(phase) for phase in phases]
    return known


def _known_phase(phase: Any) -> Any:
    if not isinstance(phase, dict):
        return phase
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


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor], where: str) -> None:
    """The reverse of :func:`flatten_optimiser`, into an optimiser of the same parameters.

    Raises:
        VpbenchError: they are of an optimiser of others; names ``where``.
    """
    shapes = [parameter.shape for group in optimiser.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, _, key = name.partition(".")
        number = numbered(index)
        if number is None or number >= len(shapes) or tensor.shape not in (shapes[number], torch.Size()):
            raise VpbenchError(f"{where} is damaged: '{name}' is not of its optimiser's state. {_REMEDY}")
        state.setdefault(number, {})[key] = tensor
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


def load_weights(network: torch.nn.Module, tensors: Mapping[str, Tensor], where: str) -> None:
    """Put weights into a network; one on torch's device ``meta``, without memory, takes them as its own.

    Raises:
        VpbenchError: they are for another network or width, or of another type than float32; names the first tensor
            that differs.
    """
    wanted = {name: _form(tensor) for name, tensor in network.state_dict().items()}
    found = {name: _form(tensor) for name, tensor in tensors.items()}
    if wanted != found:
        name = min(set(wanted.items()) ^ set(found.items()))[0]
        raise VpbenchError(
            f"{where}: the weights are of another network or width: '{name}' is {found.get(name, 'missing')}, and "
            f"the recipe's network has {wanted.get(name, 'no such tensor')}."
        )
    empty = any(parameter.is_meta for parameter in network.parameters())
    network.load_state_dict(dict(tensors), assign=empty)


def _form(tensor: Tensor) -> str:
    return f"{tensor.dtype} {tuple(tensor.shape)}".removeprefix("torch.")
