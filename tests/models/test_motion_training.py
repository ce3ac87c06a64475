"""The motion network in training: patches with what guides them, the second frame, and resuming."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from footage import drifting, write_video
from trainings import make_settings, same

from vpbench.models.footage.guide_cache import Guides, cache_guides
from vpbench.models.footage.patches import PatchSource, Selection, WindowFiles
from vpbench.models.footage.videos import Segments, cache_segments
from vpbench.models.networks.build import margin_of
from vpbench.models.predictors import MotionModel
from vpbench.models.recipes.files import load_recipe
from vpbench.models.recipes.recipe import Recipe
from vpbench.models.training.settings import Settings
from vpbench.models.training.steps import task_of, weighed
from vpbench.models.training.trainer import CHECKPOINT, WEIGHTS, train

pytestmark = [pytest.mark.filterwarnings("ignore::UserWarning:lightning_fabric"), pytest.mark.slow]

LENGTH = 8


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos large enough for a patch of 32 pixels with the margin."""
    folder = tmp_path_factory.mktemp("footage")
    for group in (8, 9, 22):
        write_video(folder / f"v_Drift_g{group:02d}_c01.avi", drifting(group, 12, 84, 90))
    return folder


@pytest.fixture
def settings(tmp_path: Path, footage: Path) -> Settings:
    return make_settings(tmp_path, footage)


@pytest.fixture(scope="module")
def segments(footage: Path) -> Segments:
    return cache_segments(sorted(footage.glob("*.avi"))[:2], footage / "cache", 2, LENGTH)


def small(steps: int = 20) -> Recipe:
    """The recipe that ships, on a small network."""
    recipe = load_recipe("own/motion")
    shorter = {"steps": steps // len(recipe.phases), "patch": 32, "batch": 2, "warmup": 4, "movement": 0.0}
    phases = tuple(replace(phase, **shorter) for phase in recipe.phases)
    network, data = replace(recipe.network, width=1 / 8), replace(recipe.data, length=LENGTH)
    return replace(recipe, network=network, data=data, phases=phases)


def drawn(segments: Segments, **selection: bool) -> PatchSource:
    wanted = Selection(frames=6, patch=32, targets=2, margin=margin_of(small().network), **selection)
    return PatchSource(segments, wanted, 1, WindowFiles(guides=cache_guides(segments)))


def test_twenty_steps_are_the_same_twice_and_interrupted(settings: Settings) -> None:
    logs = []
    for name, stops in (("once", [20]), ("twice", [20]), ("interrupted", [5, 13, 20])):
        place = replace(settings, out=settings.out.parent / name)
        for stop in stops:
            train(small(), replace(place, steps=stop, resume=stop != stops[0], validate_every=0))
        same(settings.out.parent / "once" / CHECKPOINT, place.out / CHECKPOINT)
        with (place.out / "training.csv").open(newline="") as stream:
            logs.append([(row["step"], row["error"]) for row in csv.DictReader(stream)])
    assert logs[0] == logs[1]
    assert [step for step, _ in logs[2]] == [step for step, _ in logs[0]]


def test_the_weights_predict_as_a_row(settings: Settings) -> None:
    weights = train(small(2), settings)
    assert weights == settings.out / WEIGHTS
    model = MotionModel(weights=str(weights))
    inputs = drifting(3, 4, 40, 52).astype(np.float32) / 255
    assert model.predict(inputs, 2).shape == (2, 40, 52, 3)
    assert "guided by optical flow: beyond the paper" in model.describe()["marks"]


def test_a_batch_has_what_guides_it(segments: Segments) -> None:
    """Each sample's flows, facts and errors are those of the window that its frames are from."""
    batch = drawn(segments).batch(0, 6)
    assert batch.frames.shape == (6, 18, 80, 80)
    assert batch.flows is not None
    assert batch.facts is not None
    assert batch.errors is not None
    files = cache_guides(segments)
    for sample in range(6):
        pixels = (
            ((batch.frames[sample] + 1) * 127.5)
            .round()
            .reshape(6, 3, 80, 80)
            .permute(0, 2, 3, 1)
            .byte()
            .numpy()
        )
        video, segment, start, top, left = find(segments, pixels)
        guides = Guides.open(files[video])
        fields = guides.fields(segment, start, slice(top, top + 80), slice(left, left + 80))
        np.testing.assert_array_equal(
            batch.flows[sample].reshape(5, 2, 80, 80).permute(0, 2, 3, 1).numpy(), fields
        )
        window = guides.windows[segment, start]
        np.testing.assert_array_equal(batch.facts[sample].numpy(), window["facts"])
        np.testing.assert_array_equal(batch.errors[sample].numpy(), window["errors"])


def find(segments: Segments, pixels: np.ndarray) -> tuple[int, int, int, int, int]:
    """Video, segment, first frame, row and column of a patch, by looking at all."""
    for video in range(len(segments.files)):
        array = segments.open(video)
        count, length, height, width, _ = array.shape
        for place in np.ndindex(count, length - 5, height - 79, width - 79):
            segment, start, top, left = place
            if (array[segment, start, top : top + 80, left : left + 80] == pixels[0]).all():
                return video, segment, start, top, left
    raise AssertionError("no such patch")


def test_a_flipped_patch_has_flipped_flows(segments: Segments) -> None:
    """Where the frame before is sampled along the flow back, it is the last frame, flipped or not."""
    from vpbench.models.networks.sampling import sample

    batch = drawn(segments, mirror=True, upside_down=True).batch(1, 8)
    assert batch.flows is not None
    last, before = batch.frames[:, 9:12], batch.frames[:, 6:9]
    inner = np.s_[..., 12:-12, 12:-12]
    error = (sample(before, batch.flows[:, :2]) - last)[inner].abs().mean((1, 2, 3))
    change = (before - last)[inner].abs().mean((1, 2, 3))
    assert (error < 0.3 * change).all()
    signs = batch.flows[:, 0].mean((1, 2)).sign()
    assert set(signs.tolist()) == {-1.0, 1.0}


def test_losses_are_weighed_for_each_target(segments: Segments) -> None:
    recipe = small()
    batch = drawn(segments).batch(2, 2)
    assert batch.errors is not None
    one = task_of(batch, recipe.network, 1, torch.device("cpu"))
    two = task_of(batch, recipe.network, 1, torch.device("cpu"), 2)
    assert (one.targets[-1].shape[1], two.targets[-1].shape[1]) == (3, 6)
    for task in (one, two):
        ((output, target),) = weighed([task.targets[-1] + 0.01], task, "refined")
        for frame in range(target.shape[1] // 3):
            part = slice(3 * frame, 3 * frame + 3)
            expected = 0.01 * (0.01 / (batch.errors[:, frame] + 2e-5)).sqrt()
            found = (output - target)[:, part].mean((1, 2, 3))
            torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-6)
