"""The probe: features that tell actions apart, on videos of made-up actions in UCF101's naming."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from footage import write_video

from vpbench.cli.main import main
from vpbench.errors import UsageError
from vpbench.models.networks.build import make_generator
from vpbench.models.networks.generator import Generator
from vpbench.models.networks.motion import Motion
from vpbench.models.networks.patch_lstm import PatchLSTM
from vpbench.models.probe.features import of_flow, of_network, of_pixels, of_untrained
from vpbench.models.probe.probe import Probed, find_videos, interval, probe
from vpbench.models.recipes.files import load_recipe
from vpbench.models.weights.checkpoint import save_checkpoint

HEIGHT, WIDTH, FRAMES = 48, 64, 10
DIRECTIONS = {"East": (0, 3), "South": (3, 0)}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes that differ in nothing but where things move: what is seen is the same noise in both."""
    folder = tmp_path_factory.mktemp("videos")
    for name, (down, right) in DIRECTIONS.items():
        for group in (1, 2, 3, 8, 9, 10, 23, 24):
            coarse = np.random.default_rng(group).random((16, 20))
            wide = np.kron(coarse, np.ones((6, 6)))[..., None] * np.array([255, 200, 150])
            frames = [wide[27 - down * at :, 27 - right * at :][:HEIGHT, :WIDTH] for at in range(FRAMES)]
            write_video(folder / f"v_{name}_g{group:02d}_c01.avi", np.stack(frames).astype(np.uint8))
    return folder


def test_flow_tells_directions_and_pixels_do_not(videos: Path) -> None:
    training, test = find_videos(videos)
    assert {video.group for video in training} == {8, 9, 10, 23, 24}
    assert {video.group for video in test} == {1, 2, 3}
    done = probe(training, test, {"flow": of_flow, "copy": lambda window: of_pixels(window[:1])}, 4)
    assert (done.training, done.test, done.classes, done.groups) == (10, 6, 2, 6)
    assert done.accuracies["flow"].share == 1
    assert done.accuracies["flow"].low == done.accuracies["flow"].high == 1
    assert done.accuracies["copy"].share < 0.7
    again = probe(training, test, {"copy": lambda window: of_pixels(window[:1])}, 4)
    assert (again.accuracies["copy"].right == done.accuracies["copy"].right).all()


def test_features_are_means_and_deviations_of_hidden_maps() -> None:
    torch.manual_seed(0)
    network = Generator(width=1 / 32).requires_grad_(False)
    window = np.random.default_rng(0).integers(0, 256, (4, 24, 32, 3)).astype(np.uint8)
    found = of_network(network)(window)
    stack = network.stacks[0]
    maps = torch.from_numpy(window).permute(0, 3, 1, 2).reshape(1, 12, 24, 32) / 127.5 - 1
    maps = torch.nn.functional.avg_pool2d(maps, 8)
    for layer in list(stack)[:-1]:
        maps = layer(maps)
    expected = [*maps.mean((0, 2, 3)), *maps.std((0, 2, 3))]
    np.testing.assert_allclose(found[: len(expected)], expected, atol=1e-5)
    assert len(found) == 2 * sum(stack.last.in_channels for stack in network.stacks)


def test_every_kind_of_features_is_finite() -> None:
    window = np.zeros((4, 24, 32, 3), np.uint8)
    recipe = load_recipe("compact/gdl_l1")
    for features in (of_pixels, of_flow, of_untrained(recipe), of_network(Motion(1 / 8))):
        assert np.isfinite(features(window)).all()
    with pytest.raises(UsageError, match="have features to probe"):
        of_network(PatchLSTM(1 / 128))


def test_an_interval_draws_groups() -> None:
    """Four videos of one group say no more than one of them."""
    random = np.random.default_rng(0)
    groups = np.array([f"A {index}" for index in range(40)])
    right = random.random(40) < 0.5
    low, high = interval(right, groups)
    assert low < right.mean() < high
    again = interval(np.repeat(right, 4), np.repeat(groups, 4))
    assert again == pytest.approx((low, high))
    alone = interval(np.repeat(right, 4), np.arange(160).astype(str))
    assert alone[1] - alone[0] < 0.6 * (high - low)
    assert np.isnan(interval(right, np.array(["A 1"] * 40))).all()


def run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["probe", *map(str, arguments)])
    return result.exit_code, result.output


@pytest.mark.slow
def test_the_command(videos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Both formats are of one probe, which takes most of the time.
    found: list[Probed] = []

    def once(*given: Any) -> Probed:
        if not found:
            found.append(probe(*given))
        return found[0]

    monkeypatch.setattr("vpbench.models.probe.probe.probe", once)
    code, output = run("--model", "gdl_l1", "--data", videos)
    assert code == 0, output
    assert "6 test videos" in output
    assert "trained on 10 videos of 2 classes" in output
    for name in ("gdl_l1", "random weights", "flow statistics", "pixels"):
        assert name in output
    code, output = run("--model", "gdl_l1", "--data", videos, "--format", "json")
    rows = {row["features"]: row for row in json.loads(output)["rows"]}
    assert rows["flow statistics"]["accuracy"] == 1
    assert rows["gdl_l1"]["numbers"] == rows["random weights"]["numbers"]


def test_what_cannot_be_probed(videos: Path, tmp_path: Path) -> None:
    code, output = run("--model", "last_frame", "--data", videos)
    assert code == 2
    assert "a probe needs a trained model" in output
    code, output = run("--model", "gdl_l1", "--data", tmp_path)
    assert code == 2
    assert "a probe needs classes" in output
    recipe = load_recipe("compact/gdl_l1")
    tensors = {f"g.{name}": value for name, value in make_generator(recipe.network).state_dict().items()}
    info = {"seconds": 1.0, "training_data": "all", "contaminated": True, "validation": {}}
    save_checkpoint(tmp_path / "w.safetensors", tensors, recipe, 1, info)
    code, output = run("--model", f"gdl_l1,weights={tmp_path / 'w.safetensors'}", "--data", videos)
    assert code == 2
    assert "trained on test clips" in output
