"""The recurrent networks on patches: quantised ones (Ranzato et al.) and the LSTM's (Srivastava et al.)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from trainings import same

from vpbench.errors import UsageError
from vpbench.models.footage.words import PATCH, centroids_of
from vpbench.models.networks.build import make_generator
from vpbench.models.networks.forecast import forecast, forecast_batch
from vpbench.models.networks.patch_lstm import SIDE, STRIDE, PatchLSTM
from vpbench.models.networks.patch_words import PatchWords
from vpbench.models.predictors import Ranzato2014, Srivastava2015, TrainedModel
from vpbench.models.recipes.files import load_recipe, recipe_from
from vpbench.models.recipes.recipe import Network, Recipe
from vpbench.models.training.settings import Settings
from vpbench.models.training.trainer import CHECKPOINT, WEIGHTS, train
from vpbench.models.weights.checkpoint import load_checkpoint

WORDS = 7


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def quantising(seed: int = 0) -> PatchWords:
    torch.manual_seed(seed)
    network = PatchWords(WORDS, 1 / 64)
    network.centroids.copy_(random(WORDS, PATCH**2, seed=seed))
    return network.requires_grad_(False).eval()


@pytest.mark.parametrize("stride", [1, 5, 8])
def test_a_word_is_the_nearest_centroid(stride: int) -> None:
    network = quantising()
    images = random(2, 1, 43, 26, seed=1)
    found = network.words_of(images, stride)
    assert found.shape == (2, (43 - 8) // stride + 1, (26 - 8) // stride + 1)
    for image, y, x in np.ndindex(*found.shape):
        patch = images[image, 0, y * stride : y * stride + 8, x * stride : x * stride + 8].flatten()
        distances = [float((patch - centroid).square().sum()) for centroid in network.centroids]
        assert int(found[image, y, x]) == int(np.argmin(distances))


def test_a_frame_is_painted_with_centroids() -> None:
    network = quantising()
    words = torch.tensor([[[3, 1, 4], [1, 5, 2]]])
    painted = network.painted(words)
    assert painted.shape == (1, 1, 16, 24)
    for y, x in np.ndindex(2, 3):
        patch = painted[0, 0, 8 * y : 8 * y + 8, 8 * x : 8 * x + 8].flatten()
        torch.testing.assert_close(patch, network.centroids[words[0, y, x]])
    assert torch.equal(network.words_of(painted), words)


def test_the_frame_is_the_mean_over_all_tilings() -> None:
    """Every tiling for itself: cut, quantised, predicted and painted; at a pixel all 64 count alike."""
    network = quantising()
    frames = random(1, 12, 16, 24, seed=2)
    found = network.predict(frames)
    padded = torch.nn.functional.pad(frames, (8, 8, 8, 8), mode="replicate")
    total, count = torch.zeros(1, 1, 32, 40), torch.zeros(32, 40)
    for top, left in np.ndindex(8, 8):
        rows, columns = slice(top, top + 24), slice(left, left + 32)
        words = network(padded[:, :, rows, columns])[0].argmax(1)
        total[..., rows, columns] += network.painted(words)
        count[rows, columns] += 1
    assert (count[8:-8, 8:-8] == 64).all()
    expected = (total / count)[..., 8:-8, 8:-8].repeat(1, 3, 1, 1)
    torch.testing.assert_close(found, expected)


def test_the_state_is_carried_from_frame_to_frame() -> None:
    network = quantising()
    words = torch.randint(WORDS, (1, 3, 4, 5), generator=torch.Generator().manual_seed(3))
    state = torch.zeros(1, network.see.out_channels, 4, 5)
    for time in range(3):
        seen = network.see(network.embedding.weight[words[:, time]].permute(0, 3, 1, 2))
        state = torch.clamp(seen + network.recur(state), min=0)
    torch.testing.assert_close(network.next_words(words), network.say(state))
    turned = network.next_words(words.flip(1))
    assert not torch.allclose(turned, network.say(state))


def slow_lstm(network: PatchLSTM, patches: np.ndarray, targets: int) -> np.ndarray:
    """Hochreiter & Schmidhuber's equations with forget gates, for one sequence ``(T, 1024)``."""
    part = {name: value.detach().numpy().astype(np.float64) for name, value in network.named_parameters()}

    def sigmoid(x: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-x))

    def step(which: str, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gates = part[f"{which}.weight_ih_l0"] @ x + part[f"{which}.bias_ih_l0"]
        gates += part[f"{which}.weight_hh_l0"] @ h + part[f"{which}.bias_hh_l0"]
        enter, forget, cell, leave = np.split(gates, 4)
        c = sigmoid(forget) * c + sigmoid(enter) * np.tanh(cell)
        return sigmoid(leave) * np.tanh(c), c

    h = c = np.zeros(part["say.weight"].shape[1])
    for patch in patches:
        h, c = step("encoder", patch, h, c)
    said = []
    for _ in range(targets):
        h, c = step("decoder", np.zeros(1), h, c)
        said.append(part["say.weight"] @ h + part["say.bias"])
    return np.stack(said)


@pytest.mark.parametrize("starts_as_copy", [False, True])
def test_the_lstm_is_the_equations(starts_as_copy: bool) -> None:
    torch.manual_seed(0)
    network = PatchLSTM(1 / 128, starts_as_copy)
    torch.nn.init.normal_(network.say.weight)
    frames = random(2, 12, SIDE, SIDE, seed=4)
    found = network(frames, 2)[0].reshape(2, 2, 3, SIDE**2).detach().numpy()
    for clip, colour in np.ndindex(2, 3):
        patches = frames[clip].reshape(4, 3, SIDE**2)[:, colour].numpy()
        expected = slow_lstm(network, patches, 2) + (patches[-1] if starts_as_copy else 0)
        np.testing.assert_allclose(found[clip, :, colour], expected, atol=1e-5)


def test_tiles_are_blended() -> None:
    torch.manual_seed(1)
    network = PatchLSTM(1 / 128).requires_grad_(False)
    frames = random(1, 12, 2 * STRIDE, 3 * STRIDE, seed=5)
    padded = torch.nn.functional.pad(frames, (STRIDE,) * 4, mode="replicate")
    total = torch.zeros(1, 6, 4 * STRIDE, 5 * STRIDE)
    weights = torch.zeros(4 * STRIDE, 5 * STRIDE)
    ramp = torch.tensor([min(i + 0.5, SIDE - i - 0.5) / STRIDE for i in range(SIDE)])
    for y, x in np.ndindex(3, 4):
        rows, columns = (slice(STRIDE * at, STRIDE * at + SIDE) for at in (y, x))
        total[..., rows, columns] += network(padded[..., rows, columns], 2)[0] * ramp[:, None] * ramp
        weights[rows, columns] += ramp[:, None] * ramp
    inner = slice(STRIDE, -STRIDE)
    torch.testing.assert_close(weights[inner, inner], torch.ones(2 * STRIDE, 3 * STRIDE))
    torch.testing.assert_close(network.predict(frames, 2), total[..., inner, inner], atol=1e-5, rtol=1e-5)


def test_an_lstm_that_starts_as_a_copy_does() -> None:
    clip = np.random.default_rng(0).random((4, 21, 35, 3)).astype(np.float32)
    found = forecast(PatchLSTM(1 / 128, starts_as_copy=True), clip, 2)
    np.testing.assert_allclose(found, np.stack([clip[-1]] * 2), atol=1e-6)


@pytest.mark.parametrize("make", [quantising, lambda: PatchLSTM(1 / 128)])
def test_a_batch_is_its_clips(make: Callable[[], PatchWords | PatchLSTM]) -> None:
    network = make()
    numbers = np.random.default_rng(1)
    clips = [numbers.integers(0, 256, (5, 17, 26, 3)).astype(np.uint8) for _ in range(2)]
    for clip, found in zip(clips, forecast_batch(network, clips, 2), strict=True):
        assert found.shape == (2, 17, 26, 3)
        np.testing.assert_allclose(found, forecast(network, clip, 2), atol=1e-5)


def test_quantised_predictions_are_recursive() -> None:
    network = quantising()
    clip = np.random.default_rng(2).random((4, 16, 24, 3)).astype(np.float32)
    two = forecast(network, clip, 2)
    np.testing.assert_allclose(
        two[1], forecast(network, np.concatenate([clip[1:], two[:1]]), 1)[0], atol=1e-6
    )
    assert (two == two[..., :1]).all()


def test_centroids_are_the_means_of_what_is_nearest() -> None:
    numbers = np.random.default_rng(3)
    centres = numbers.uniform(-1, 1, (4, PATCH**2))
    patches = (centres[numbers.integers(0, 4, 400)] + numbers.normal(0, 0.01, (400, PATCH**2))).astype(
        np.float32
    )
    found = centroids_of(patches, 4, 1)
    assert found.dtype == np.float32
    distances = np.linalg.norm(found[:, None] - centres, axis=2)
    assert sorted(distances.argmin(1)) == [0, 1, 2, 3]
    assert distances.min(1).max() < 0.1
    np.testing.assert_array_equal(found, centroids_of(patches, 4, 1))


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(UsageError, match=r"needs scikit-learn.*vpbench\[learn\]"):
        centroids_of(np.zeros((9, PATCH**2), np.float32), 2, 1)


def small(name: str) -> Recipe:
    """A recipe that ships, on a small network and for a few steps."""
    recipe = load_recipe(f"compact/{name}")
    words = WORDS if recipe.network.words else 0
    (phase,) = recipe.phases
    phase = replace(phase, steps=6, patch=32, batch=2, warmup=2, movement=0.0)
    network = replace(recipe.network, width=1 / 128, words=words)
    return replace(recipe, network=network, phases=(phase,), data=replace(recipe.data, length=6))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning:lightning_fabric")
@pytest.mark.parametrize("cls", [Ranzato2014, Srivastava2015])
def test_training_goes_on_bit_for_bit_and_predicts(settings: Settings, cls: type[TrainedModel]) -> None:
    recipe = small(cls.row)
    train(recipe, settings)
    parts = replace(settings, out=settings.out.parent / "parts")
    train(recipe, replace(parts, steps=3))
    train(recipe, replace(parts, resume=True))
    same(settings.out / CHECKPOINT, parts.out / CHECKPOINT)
    model = cls(weights=str(settings.out / WEIGHTS))
    inputs = np.random.default_rng(4).random((4, 24, 40, 3)).astype(np.float32)
    assert model.predict(inputs, 2).shape == (2, 24, 40, 3)
    if recipe.network.words:
        assert "predictions are grey" in model.describe()["marks"]
        assert bool(load_checkpoint(settings.out / WEIGHTS).part("g")["centroids"].any())


@pytest.mark.parametrize(
    ("name", "network", "phase", "message"),
    [
        ("ranzato2014", {"words": 0}, {}, "'words' must be given for type 'patch_words'"),
        ("srivastava2015", {"words": 9}, {}, "'words' must be given for type 'patch_words'"),
        ("ranzato2014", {}, {"loss": {"l1": 1.0}}, "the loss 'words' stands alone"),
        ("ranzato2014", {}, {"loss": {"words": 1.0, "l1": 1.0}}, "the loss 'words' stands alone"),
        ("srivastava2015", {}, {"loss": {"words": 1.0}}, "the loss 'words' stands alone"),
        ("srivastava2015", {}, {"patch": 64}, "'patch' is 32"),
        ("srivastava2015", {}, {"loss": {"l2": 1.0, "adv": 0.1}, "further": 0.0}, "'adv' is not for"),
        ("ranzato2014", {}, {"further": 0.5}, "'further' is for"),
    ],
)
def test_what_does_not_fit_is_refused(
    name: str, network: dict[str, object], phase: dict[str, object], message: str
) -> None:
    table = load_recipe(f"compact/{name}").definition()
    table["network"] |= network
    table["phases"][0].update(phase)
    with pytest.raises(UsageError, match=message):
        recipe_from(table, "mine")


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Network("patch_words", words=9, targets=2), "one frame at a time"),
        (Network("patch_words", words=9, starts_as_copy=True), "one frame at a time"),
        (Network("patch_lstm", inputs=8), "has 4 inputs, not 8"),
    ],
)
def test_networks_that_cannot_be_made(network: Network, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_generator(network)
