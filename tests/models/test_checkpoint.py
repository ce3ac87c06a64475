"""Checkpoint files: those of earlier versions, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import safetensors
import safetensors.torch
import torch

from vpbench.errors import VpbenchError
from vpbench.models.recipes.recipe import Network, Phase, Recipe
from vpbench.models.weights.checkpoint import load_checkpoint, save_checkpoint

RECIPE = Recipe("l2", "own", "a test", Network("multi_scale"), (Phase(steps=3, loss={"l2": 1.0}),))


def with_noise(path: Path, channels: int) -> Path:
    """A checkpoint of the time when recipes stated channels of noise beside the frames."""
    save_checkpoint(path, {"g.weight": torch.ones(2)}, RECIPE, 3, {})
    with safetensors.safe_open(path, framework="pt") as file:
        head = json.loads(file.metadata()["vpbench"])
    head["recipe"]["network"]["noise"] = channels
    tensors = safetensors.torch.load_file(path)
    safetensors.torch.save_file(tensors, path, {"vpbench": json.dumps(head)})
    return path


def test_a_recipe_that_states_no_noise_is_read(tmp_path: Path) -> None:
    assert load_checkpoint(with_noise(tmp_path / "w.safetensors", 0)).recipe == RECIPE


def test_phases_in_the_words_of_before_are_read(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_checkpoint(path, {"g.weight": torch.ones(2)}, RECIPE, 3, {})
    with safetensors.safe_open(path, framework="pt") as file:
        head = json.loads(file.metadata()["vpbench"])
    (phase,) = head["recipe"]["phases"]
    for key in ("moves", "weigh"):
        del phase[key]
    head["recipe"]["phases"] = [phase | {"every_pair": True, "balanced": False}, phase | {"balanced": True}]
    safetensors.torch.save_file(safetensors.torch.load_file(path), path, {"vpbench": json.dumps(head)})
    phases = load_checkpoint(path).recipe.phases
    assert [(phase.moves, phase.weigh) for phase in phases] == [("every_pair", ""), ("mean", "patch")]


def test_a_recipe_with_noise_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        VpbenchError, match=r"The recipe inside .*w\.safetensors: 'network' has no key 'noise'"
    ):
        load_checkpoint(with_noise(tmp_path / "w.safetensors", 2))
