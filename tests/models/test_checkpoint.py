"""Checkpoint files: those of earlier versions, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch

from vpbench.errors import VpbenchError
from vpbench.models.recipes.recipe import Network, Phase, Recipe
from vpbench.models.weights.checkpoint import (
    Info,
    load_checkpoint,
    load_weights,
    restore_optimiser,
    save_checkpoint,
)

RECIPE = Recipe("l2", "own", "a test", Network("multi_scale"), (Phase(steps=3, loss={"l2": 1.0}),))

INFO = Info(training_data="noise", contaminated=False, seconds=1.0, validation={})


@contextmanager
def changed_head(path: Path) -> Iterator[dict[str, Any]]:
    """What a checkpoint says of itself, to be changed in the block."""
    with safetensors.safe_open(path, framework="pt") as file:
        head = json.loads(file.metadata()["vpbench"])
    yield head
    safetensors.torch.save_file(safetensors.torch.load_file(path), path, {"vpbench": json.dumps(head)})


def with_noise(path: Path, channels: int) -> Path:
    """A checkpoint of the time when recipes stated channels of noise beside the frames."""
    save_checkpoint(path, {"g.weight": torch.ones(2)}, RECIPE, 3, INFO)
    with changed_head(path) as head:
        head["recipe"]["network"]["noise"] = channels
    return path


def test_a_recipe_that_states_no_noise_is_read(tmp_path: Path) -> None:
    assert load_checkpoint(with_noise(tmp_path / "w.safetensors", 0)).recipe == RECIPE


def test_phases_in_the_words_of_before_are_read(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_checkpoint(path, {"g.weight": torch.ones(2)}, RECIPE, 3, INFO)
    with changed_head(path) as head:
        (phase,) = head["recipe"]["phases"]
        for key in ("moves", "weigh"):
            del phase[key]
        head["recipe"]["phases"] = [
            phase | {"every_pair": True, "balanced": False},
            phase | {"balanced": True},
        ]
    phases = load_checkpoint(path).recipe.phases
    assert [(phase.moves, phase.weigh) for phase in phases] == [("every_pair", ""), ("mean", "patch")]


def test_a_recipe_with_noise_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        VpbenchError, match=r"The recipe inside .*w\.safetensors: 'network' has no key 'noise'"
    ):
        load_checkpoint(with_noise(tmp_path / "w.safetensors", 2))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("step",), "x", r"'step' must be a whole number, not a text"),
        (("step",), -1, r"'step' must be a whole number of at least 0"),
        (("info",), [], r"'info' must be a table, not a list"),
        (("info", "seconds"), None, r"info: 'seconds' must be a number, not nothing"),
        (("info", "validation"), {"psnr_1": "x"}, r"info, validation: 'psnr_1' must be a number"),
        (("digest",), 3, r"'digest' must be a text"),
        (("recipe",), 1, r"'recipe' must be a table"),
        (("recipe", "phases"), 1, r"'phases' must be a list"),
        (("recipe", "phases"), [1], r"phases: entry 1 must be a table"),
        (("recipe", "network"), {}, r"network: 'type' is missing"),
    ],
)
def test_a_wrong_head_is_named_by_field(
    tmp_path: Path, path: tuple[str, ...], value: object, message: str
) -> None:
    file = tmp_path / "w.safetensors"
    save_checkpoint(file, {"g.weight": torch.ones(2)}, RECIPE, 3, INFO)
    with changed_head(file) as head:
        table = head
        for key in path[:-1]:
            table = table[key]
        table[path[-1]] = value
    with pytest.raises(VpbenchError, match=rf"w\.safetensors.*{message}"):
        load_checkpoint(file)


@pytest.mark.parametrize(
    "data",
    [b"", b"\0" * 7, b"\xff" * 100, b"\2\0\0\0\0\0\0\0{}", b"\2\0\0\0\0\0\0\0[]", b"\4\0\0\0\0\0\0\0[[[["],
)
def test_no_header_of_vpbench(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "w").write_bytes(data)
    with pytest.raises(VpbenchError, match=r"w is damaged, or is not a checkpoint of vpbench"):
        load_checkpoint(tmp_path / "w")


def test_weights_of_another_type_are_refused() -> None:
    module = torch.nn.Linear(2, 2)
    halves = {name: tensor.half() for name, tensor in module.state_dict().items()}
    with pytest.raises(VpbenchError, match=r"w: .*'bias' is float16 \(2,\).*float32 \(2,\)"):
        load_weights(module, halves, "w")


@pytest.mark.parametrize("name", ["x.exp_avg", "7.exp_avg", "0.exp_avg", "0"])
def test_moments_of_another_optimiser_are_refused(name: str) -> None:
    optimiser = torch.optim.Adam(torch.nn.Linear(2, 2).parameters())
    with pytest.raises(VpbenchError, match=rf"w is damaged: '{name}' is not of its optimiser's state"):
        restore_optimiser(optimiser, {name: torch.ones(3)}, "w")
