"""The predictors: those that ship, weights of one's own, and weights that do not fit."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from vpbench.errors import UsageError, VpbenchError
from vpbench.models import predictors
from vpbench.models.networks.build import make_generator
from vpbench.models.networks.forecast import forecast, multiply_adds
from vpbench.models.predictors import ROWS, AdvGdl, GdlL1, MotionModel, MultiFrame
from vpbench.models.recipes.files import load_recipe
from vpbench.models.recipes.recipe import Data, Network, Phase, Recipe
from vpbench.models.weights import registry
from vpbench.models.weights.checkpoint import Info, load_checkpoint, save_checkpoint
from vpbench.predictors.predictor import check_predictions
from vpbench.predictors.spec import PredictorSpec

SHIPPED = sorted(registry.read_registry()) if (registry.FOLDER / registry.REGISTRY).exists() else []


def weights(path: Path, name: str, network: Network, contaminated: bool = False) -> Path:
    """A checkpoint with the weights that a network starts with, a little changed."""
    torch.manual_seed(0)
    recipe = Recipe(name, "own", "a test", network, (Phase(steps=3, loss={"l2": 1.0}),), Data(length=16))
    tensors = {
        f"g.{key}": value + 0.01 * torch.randn(value.shape)
        for key, value in make_generator(network).state_dict().items()
    }
    scores = {"psnr_1": 30.25}
    info = Info(seconds=36.0, training_data="noise", contaminated=contaminated, validation=scores)
    save_checkpoint(path, tensors, recipe, 3, info)
    return path


MULTI = Network("multi_scale", width=1 / 16)
GUIDED = Network("motion", width=1 / 16)
EIGHT = Network("multi_scale", width=1 / 16, inputs=8, targets=8)


def clip(frames: int = 4, height: int = 33, width: int = 42, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((frames, height, width, 3)).astype(np.float32)


def test_rows_are_declared() -> None:
    declared = {entry.name: entry.value for entry in entry_points(group="vpbench.predictors")}
    for cls in ROWS:
        assert declared[cls.row] == f"vpbench.models.predictors:{cls.__name__}"
        assert cls.trained
        assert cls.runs_in == "parent"


@pytest.mark.parametrize(
    ("cls", "network", "targets"), [(GdlL1, MULTI, 2), (MotionModel, GUIDED, 2), (MultiFrame, EIGHT, 8)]
)
def test_own_weights(
    tmp_path: Path, cls: type[predictors.TrainedModel], network: Network, targets: int
) -> None:
    path = weights(tmp_path / "w.safetensors", cls.row, network)
    predictor = cls(weights=str(path))
    clips = [clip(network.inputs, seed=seed) for seed in (0, 1)]
    for given, found in zip(clips, predictor.predict_batch(clips, targets), strict=True):
        check_predictions(found, cls.row, 1, (targets, 33, 42, 3))
        np.testing.assert_allclose(found, predictor.predict(given, targets), atol=1e-5)
    facts = predictor.describe()
    assert facts["weights"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert facts["test_clips_seen"] == "no"
    assert facts["training_data"] == "noise"
    assert facts["steps"] == 3
    assert any("width 0.0625" in mark for mark in facts["marks"])


@pytest.mark.parametrize(
    "network",
    [
        Network("single_scale", width=1 / 16),
        MULTI,
        EIGHT,
        GUIDED,
        Network("patch_lstm", width=1 / 64),
        Network("patch_words", width=1 / 64, words=20),
    ],
)
def test_multiply_adds_are_those_of_the_layers(network: Network) -> None:
    """Counted here by hand, layer by layer, and by torch; targets come in one go or in two."""
    generator = make_generator(network).eval()
    counted = 0

    def count(layer: torch.nn.Module, given: tuple[torch.Tensor, ...], made: torch.Tensor) -> None:
        nonlocal counted
        if isinstance(layer, torch.nn.Conv2d):
            counted += made.numel() * layer.weight[0].numel()
        elif isinstance(layer, torch.nn.Linear):
            counted += made.numel() * layer.in_features
        elif isinstance(layer, torch.nn.LSTM):
            steps = given[0].shape[0] * given[0].shape[1]
            counted += steps * 4 * layer.hidden_size * (layer.input_size + layer.hidden_size)

    hooks = [layer.register_forward_hook(count) for layer in generator.modules()]
    frames, targets = clip(network.inputs, 48, 64), 2 * network.targets
    with FlopCounterMode(display=False) as flops:
        forecast(generator, frames, targets)
    for hook in hooks:
        hook.remove()
    if network.type == "patch_words":  # every pixel's patch is compared with each centroid, in each input
        counted += targets * network.inputs * 57 * 73 * network.words * 64
        # The last layer is a matrix product, at 7×9 places of 64 tilings.
        counted += targets * 64 * 7 * 9 * network.words * generator.say.in_channels
    assert counted > 0
    assert multiply_adds(generator, frames.shape, targets) == counted
    if network.type != "patch_lstm":  # torch does not see into oneDNN's LSTM
        assert flops.get_total_flops() == 2 * counted


def test_a_predictor_says_the_multiply_adds_of_its_network(tmp_path: Path) -> None:
    predictor = GdlL1(weights=str(weights(tmp_path / "w.safetensors", "gdl_l1", MULTI)))
    one, two = (predictor.multiply_adds((4, 48, 64, 3), targets) for targets in (1, 2))
    assert one == multiply_adds(make_generator(MULTI), (4, 48, 64, 3), 1)
    assert two == 2 * one


def test_only_the_last_inputs_are_used(tmp_path: Path) -> None:
    predictor = GdlL1(weights=str(weights(tmp_path / "w.safetensors", "gdl_l1", MULTI)))
    given = clip(6)
    np.testing.assert_array_equal(predictor.predict(given, 1), predictor.predict(given[-4:], 1))


def test_marks(tmp_path: Path) -> None:
    copying = replace(MULTI, starts_as_copy=True)
    path = weights(tmp_path / "w.safetensors", "adv_gdl", copying, contaminated=True)
    facts = AdvGdl(weights=str(path)).describe()
    assert facts["test_clips_seen"] == "yes"
    assert "trained on test clips" in facts["marks"]
    assert "the output starts as a copy of the last frame" in facts["marks"]


def test_a_choice_made_on_test_clips_is_said_with_its_reason(tmp_path: Path) -> None:
    """By the recipe inside the weights, and once they ship by the registry, which may know more than the file."""
    path = weights(tmp_path / "w.safetensors", "adv_gdl", MULTI)
    loaded = load_checkpoint(path)
    tuned = replace(loaded.recipe, tuned_on_test_clips="the width")
    save_checkpoint(path, loaded.tensors, tuned, 3, loaded.info)
    facts = AdvGdl(weights=str(path)).describe()
    assert facts["test_clips_seen"] == "tuned"
    assert "tuned on test clips: the width" in facts["marks"]
    entry = registry.ship(path, "a test machine", tmp_path)
    assert (entry.test_clips_seen, entry.tuned_on_test_clips) == ("tuned", "the width")
    assert registry.read_registry(tmp_path)["adv_gdl"] == entry
    file = tmp_path / registry.REGISTRY
    file.write_text(file.read_text().replace("the width", "all of it"))
    registry.read_registry.cache_clear()
    assert registry.load_shipped("adv_gdl", folder=tmp_path)[1].recipe.tuned_on_test_clips == "all of it"


def test_weights_of_another_row_are_refused(tmp_path: Path) -> None:
    path = weights(tmp_path / "w.safetensors", "gdl_l1", MULTI)
    with pytest.raises(UsageError, match=r"recipe 'gdl_l1', not 'adv_gdl': --model gdl_l1,weights="):
        AdvGdl(weights=str(path))


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    own = weights(tmp_path / "own.safetensors", "mine", MULTI)
    assert AdvGdl(weights=str(own)).describe()["recipe"] == "own/mine"
    with pytest.raises(UsageError, match="multi_scale network"):
        MotionModel(weights=str(own))
    with pytest.raises(UsageError, match="motion network"):
        AdvGdl(weights=str(weights(tmp_path / "flow.safetensors", "mine", GUIDED)))
    with pytest.raises(UsageError, match="8 inputs and 8 targets"):
        AdvGdl(weights=str(weights(tmp_path / "eight.safetensors", "mine", EIGHT)))


def test_weights_of_another_width_are_refused(tmp_path: Path) -> None:
    path = weights(tmp_path / "w.safetensors", "adv_gdl", MULTI)
    loaded = load_checkpoint(path)
    wider = replace(loaded.recipe, network=replace(MULTI, width=1 / 8))
    save_checkpoint(path, loaded.tensors, wider, 3, loaded.info)
    with pytest.raises(VpbenchError, match="another network or width: 'stacks"):
        AdvGdl(weights=str(path))


def test_missing_and_damaged_weights(tmp_path: Path) -> None:
    with pytest.raises(VpbenchError, match=r"Cannot read .*nowhere: No such file"):
        AdvGdl(weights=str(tmp_path / "nowhere"))
    (tmp_path / "bad").write_bytes(b"\0" * 100)
    with pytest.raises(VpbenchError, match="damaged"):
        AdvGdl(weights=str(tmp_path / "bad"))


def test_shipping_and_a_wrong_hash(tmp_path: Path) -> None:
    path = weights(tmp_path / "w.safetensors", "gdl_l1", MULTI)
    folder = tmp_path / "weights"
    folder.mkdir()
    entry = registry.ship(path, "a test machine", folder)
    assert registry.read_registry(folder) == {"gdl_l1": entry}
    assert (entry.steps, entry.hours, entry.width) == (3, 0.01, 1 / 16)
    assert entry.scores["psnr_1"] == 30.25
    found, loaded = registry.load_shipped("gdl_l1", folder=folder)
    assert (found, loaded.sha256) == (entry, entry.sha256)
    file = folder / entry.file
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(VpbenchError, match="the registry says"):
        registry.load_shipped("gdl_l1", folder=folder)
    file.unlink()
    with pytest.raises(VpbenchError, match="Cannot read the weights"):
        registry.load_shipped("gdl_l1", folder=folder)
    with pytest.raises(UsageError, match="Unknown row with weights that ship"):
        registry.load_shipped("adv", folder=folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("adv = 3", "is damaged: 'adv' must be a table, not a whole number"),
        ('[adv]\nname = "adv"', "is damaged: adv: 'seed' is missing"),
        (
            '[adv]\nname = "adv"\nseed = 1\nfile = 3',
            "is damaged: adv: 'file' must be a text, not a whole number",
        ),
        ("[adv", "is not TOML"),
    ],
)
def test_a_damaged_registry_is_named_by_field(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / registry.REGISTRY).write_text(text)
    with pytest.raises(VpbenchError, match=rf"registry\.toml.*{message}.*Install vpbench again"):
        registry.read_registry(tmp_path)


def test_unfinished_trainings_do_not_ship(tmp_path: Path) -> None:
    path = weights(tmp_path / "w.safetensors", "gdl_l1", MULTI)
    loaded = load_checkpoint(path)
    save_checkpoint(path, loaded.tensors, loaded.recipe, 2, loaded.info)
    with pytest.raises(VpbenchError, match="2 of the 3 steps"):
        registry.ship(path, "a test machine", tmp_path)


def test_weights_ship_with_the_texts_that_their_recipe_has_by_then(tmp_path: Path) -> None:
    recipe = load_recipe("compact/single_scale_l2")
    before = replace(recipe.with_seed(2), expect="not trained yet", deviations=())
    path = tmp_path / "w.safetensors"
    tensors = {f"g.{key}": value for key, value in make_generator(recipe.network).state_dict().items()}
    info = Info(seconds=36.0, training_data="noise", contaminated=False, validation={"psnr_1": 30.25})
    save_checkpoint(path, tensors, before, recipe.steps, info)
    registry.ship(path, "a test machine", tmp_path)
    _, loaded = registry.load_shipped("single_scale_l2", folder=tmp_path)
    assert loaded.recipe == recipe.with_seed(2)
    for name, tensor in tensors.items():
        assert torch.equal(loaded.tensors[name], tensor.half().float())
    # Another computation than the file's keeps its own texts.
    save_checkpoint(path, tensors, replace(before, average=0.5), recipe.steps, info)
    registry.ship(path, "a test machine", tmp_path)
    assert registry.load_shipped("single_scale_l2", folder=tmp_path)[1].recipe.expect == "not trained yet"


def seeded(folder: Path, name: str, seed: int) -> Path:
    """Weights of a training from a seed."""
    path = weights(folder / f"{name}-{seed}", name, MULTI)
    loaded = load_checkpoint(path)
    save_checkpoint(path, loaded.tensors, loaded.recipe.with_seed(seed), 3, loaded.info)
    return path


def test_a_row_may_ship_trained_from_several_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    entries = [
        registry.ship(seeded(tmp_path, "gdl_l1", seed), "a test machine", folder) for seed in (3, 1, 2)
    ]
    assert [entry.file for entry in entries] == [
        "gdl_l1-seed3.safetensors",
        "gdl_l1.safetensors",
        "gdl_l1-seed2.safetensors",
    ]
    assert {(entry.name, entry.seed) for entry in registry.read_registry(folder).values()} == {
        ("gdl_l1", 1),
        ("gdl_l1", 2),
        ("gdl_l1", 3),
    }
    again = registry.ship(seeded(tmp_path, "gdl_l1", 2), "another machine", folder)
    assert registry.read_registry(folder)["gdl_l1-seed2"] == again
    assert len(registry.read_registry(folder)) == 3
    load = functools.partial(registry.load_shipped, folder=folder)
    monkeypatch.setattr(predictors, "load_shipped", load)
    for options, seed in (("", 1), (",seed=2", 2), (",seed=3", 3)):
        spec = PredictorSpec.parse(f"gdl_l1{options}")
        assert spec.create().describe()["seed"] == seed
        assert spec.label == f"gdl_l1{options}"
    with pytest.raises(
        UsageError, match=r"--model gdl_l1,seed=4: no weights of that seed ship; there are 1, 2, 3"
    ):
        GdlL1(seed=4)
    with pytest.raises(UsageError, match="leave out seed=2"):
        GdlL1(weights="x", seed=2)


@pytest.mark.parametrize("stem", SHIPPED)
def test_weights_that_ship(stem: str) -> None:
    entry = registry.read_registry()[stem]
    name = entry.name
    _, loaded = registry.load_shipped(name, entry.seed)
    assert (loaded.recipe.name, loaded.step, loaded.step) == (name, entry.steps, loaded.recipe.steps)
    assert (loaded.recipe.last_seed, entry.file) == (entry.seed, f"{stem}.safetensors")
    assert entry.test_clips_seen != "yes"
    assert (entry.test_clips_seen == "tuned") == bool(entry.tuned_on_test_clips)
    predictor = {cls.row: cls for cls in ROWS}[name](seed=entry.seed)
    found = predictor.predict(clip(predictor.min_inputs, 40, 48), 2)
    check_predictions(found, name, 1, (2, 40, 48, 3))
    facts = predictor.describe()
    assert (facts["weights"], facts["test_clips_seen"]) == (entry.sha256, entry.test_clips_seen)


def test_weights_that_ship_are_small_and_known() -> None:
    files = {path.name for path in registry.FOLDER.glob("*.safetensors")}
    if not files:
        pytest.skip("no weights in this checkout")
    assert files == {entry.file for entry in registry.read_registry().values()}
    assert sum((registry.FOLDER / file).stat().st_size for file in files) <= 60e6


def test_weights_that_ship_follow_their_recipes() -> None:
    for entry in registry.read_registry().values() if SHIPPED else ():
        _, loaded = registry.load_shipped(entry.name, entry.seed)
        recipe = load_recipe(entry.recipe).with_seed(entry.seed, loaded.recipe, loaded.step)
        assert loaded.recipe.same_until(recipe, recipe.steps), entry.name


def test_still_clips_stay_still() -> None:
    """A flow-guided network that has learnt nothing keeps a still clip as it is."""
    generator = make_generator(GUIDED)
    still = np.full((4, 32, 32, 3), 0.5, np.float32)
    np.testing.assert_allclose(forecast(generator, still, 2), still[:2], atol=1e-5)
