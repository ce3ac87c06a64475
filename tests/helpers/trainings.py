"""Trainings of a few steps: recipes, settings, and what two of them are compared by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from vpbench.models.recipes.recipe import Network, Phase, Recipe
from vpbench.models.training.settings import Settings
from vpbench.models.weights.checkpoint import load_checkpoint

TINY = Network("multi_scale", width=1 / 32, starts_as_copy=True, init="he")
PLAIN = Phase(
    steps=6, loss={"l1": 1.0, "gdl_l1": 1.0}, batch=2, optimiser="adam", rate=(1e-3, 1e-4), clip=1.0
)
ADVERSARIAL = replace(PLAIN, steps=4, loss={"l2": 1.0, "adv": 0.05}, rate_d=(1e-3, 1e-3))
RECIPE = Recipe("mine", "own", "a test", TINY, (PLAIN, ADVERSARIAL))


def make_settings(folder: Path, footage: Path) -> Settings:
    """Settings of a training into ``folder / "out"``, on one thread."""
    torch.set_num_threads(1)
    return Settings(
        data=footage,
        out=folder / "out",
        cache=footage / "cache",
        device="cpu",
        workers=1,
        threads=1,
        log_every=2,
        validation_clips=1,
        precision="32",
        report=lambda _: None,
    )


def same(one: Path, two: Path) -> None:
    """Assert that two checkpoints hold the same, bit for bit."""
    a, b = load_checkpoint(one), load_checkpoint(two)
    assert a.step == b.step
    assert a.tensors.keys() == b.tensors.keys()
    for name, tensor in a.tensors.items():
        assert torch.equal(tensor, b.tensors[name]), name


RECIPE_FILE = """
name = "mine"
kind = "own"
summary = "a test"
[network]
type = "multi_scale"
width = 0.03125
[[phases]]
steps = 20
batch = 4
loss = { l1 = 1.0, gdl_l1 = 1.0 }
rate = 0.02
"""


def options(tmp_path: Path, footage: Path, out: str, *more: str) -> list[str]:
    """Options of ``vpbench train`` for 20 steps of a small recipe, written into ``tmp_path``."""
    recipe = tmp_path / "mine.toml"
    recipe.write_text(RECIPE_FILE)
    places = ["--recipe", str(recipe), "--data", str(footage), "--out", str(tmp_path / out)]
    kinds = ["--cache", str(footage / "cache"), "--device", "cpu", "--precision", "32", "--threads", "1"]
    return [*places, *kinds, "--validation-clips", "1", "--log-every", "5", *more]
