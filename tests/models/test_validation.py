"""Validation: one fixed set of frames, capped scores, and paired differences with their standard errors."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from footage import drifting, write_video
from numpy.typing import NDArray

from vpbench.baselines.optical_flow import OpticalFlow
from vpbench.models.networks.build import make_generator
from vpbench.models.networks.generator import Generator
from vpbench.models.recipes.recipe import Network
from vpbench.models.training.validation import STARTS, Validation

NETWORK = Network("multi_scale", width=1 / 32, starts_as_copy=True)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("videos")
    found = [write_video(folder / f"{seed}.avi", drifting(seed, 14, speed=2 + seed)) for seed in range(3)]
    still = np.repeat(drifting(9, 1), 14, axis=0)
    return [*found, write_video(folder / "still.avi", still)]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def copying() -> Generator:
    generator = make_generator(NETWORK)
    assert isinstance(generator, Generator)
    return generator


def make(videos: list[Path], cache: Path, most: int | None = None) -> Validation:
    return Validation(videos, NETWORK, cache, most, torch.device("cpu"))


def test_every_video_gives_two_clips(videos: list[Path], cache: Path) -> None:
    assert STARTS == 2
    every = make(videos, cache)
    assert (len(every), every.whole) == (8, True)
    some = make(videos, cache, 4)
    assert (len(some), some.whole) == (4, False)


def test_a_network_that_copies_scores_as_the_copy(videos: list[Path], cache: Path) -> None:
    scores = make(videos, cache).scores(copying(), 7)
    assert (scores["step"], scores["clips"]) == (7, 8)
    for frame in (1, 2):
        for column in ("psnr", "ssim", "sharpness"):
            assert scores[f"{column}_{frame}"] == pytest.approx(scores[f"copy_{column}_{frame}"], rel=1e-4)
    # The footage drifts steadily, so optical flow is far better; the still video counts for nobody.
    assert scores["to_flow_1"] < -3
    assert scores["to_flow_se_1"] > 0


def test_differences_by_hand(videos: list[Path], cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that is optical flow in all clips but those of one video, where it is a copy."""
    validation = make(videos[:3], cache)
    baseline, calls = OpticalFlow(), []

    def forecast(_: Generator, inputs: NDArray[np.uint8], targets: int, *__: object) -> NDArray[np.float32]:
        calls.append(1)
        floats = inputs.astype(np.float32) / np.float32(255)
        if len(calls) <= 2:
            return np.repeat(floats[-1:], targets, axis=0)
        return baseline.predict(floats, targets)

    copied = validation.scores(copying(), 0)
    monkeypatch.setattr("vpbench.models.training.validation.forecast", forecast)
    found = validation.scores(copying(), 0)
    assert copied["to_flow_1"] < found["to_flow_1"] < 0
    # One video differs by d, two by nothing: mean d/3, standard error |d|/√3/√3.
    assert found["to_flow_se_1"] == pytest.approx(-found["to_flow_1"], rel=1e-6)
    assert found["to_flow_all"] == pytest.approx((found["to_flow_1"] + found["to_flow_2"]) / 2)


def test_a_network_that_predicts_grey_is_scored_in_grey(
    videos: list[Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The luma of a copy is as good as the copy itself, on moving areas and on full frames."""

    def grey(_: Generator, inputs: NDArray[np.uint8], targets: int, *__: object) -> NDArray[np.float32]:
        luma = inputs[-1:].astype(np.float32) / np.float32(255) @ np.float32([0.299, 0.587, 0.114])
        return np.repeat(np.repeat(luma[..., None], 3, axis=-1), targets, axis=0)

    monkeypatch.setattr("vpbench.models.training.validation.forecast", grey)
    network = Network("patch_words", width=1 / 32, words=8)
    scores = Validation(videos[:3], network, cache, None, torch.device("cpu")).scores(copying(), 0)
    in_colour = make(videos[:3], cache).scores(copying(), 0)
    for frame in (1, 2):
        for column in ("psnr", "ssim", "sharpness"):
            assert scores[f"{column}_{frame}"] == pytest.approx(scores[f"copy_{column}_{frame}"], rel=1e-3)
        assert scores[f"full_psnr_{frame}"] > in_colour[f"full_psnr_{frame}"] + 1


def test_the_baselines_are_scored_once(
    videos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make(videos[:1], tmp_path).scores(copying(), 0)

    def refuse(*_: object) -> None:
        raise AssertionError("scored again")

    monkeypatch.setattr(OpticalFlow, "predict", refuse)
    assert make(videos[:1], tmp_path).scores(copying(), 0) == pytest.approx(first, nan_ok=True)
    assert math.isnan(first["to_flow_se_1"])  # one video has no spread
