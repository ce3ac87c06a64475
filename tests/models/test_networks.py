"""The networks: sizes of the paper, shapes, and where they start."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from vpbench.models.networks.build import make_discriminator, make_generator, predict_whole
from vpbench.models.networks.discriminator import Discriminator
from vpbench.models.networks.forecast import forecast, forecast_batch
from vpbench.models.networks.generator import (
    ConvStack,
    Generator,
    active_share,
    parameter_count,
    pyramid,
    upsample,
    watch,
)
from vpbench.models.networks.motion import Motion
from vpbench.models.networks.sampling import sample
from vpbench.models.recipes.recipe import Network


def frames(batch: int, count: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(batch, 3 * count, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_generator_has_the_papers_size() -> None:
    generator = Generator()
    assert [parameter_count(stack) for stack in generator.stacks] == [607_619, 647_939, 3_008_003, 8_306_179]
    assert parameter_count(generator) == 12_569_740


def test_discriminator_has_the_papers_size() -> None:
    assert parameter_count(Discriminator()) == 20_640_388


def test_single_scale_is_the_finest_network_without_a_guess() -> None:
    single = Generator(scales=1)
    assert parameter_count(single) == 8_306_179 - 3 * 128 * 7 * 7
    outputs = single(frames(1, 4, 5, 7))
    assert [tuple(output.shape) for output in outputs] == [(1, 3, 5, 7)]


def test_a_width_for_each_scale() -> None:
    """Table 1's maps, each scale by its own multiplier."""
    network = Network("multi_scale", widths=(1.0, 0.5, 0.25, 0.125), width_d=0.5)
    generator = make_generator(network)
    maps = [
        [layer.out_channels for layer in stack if isinstance(layer, torch.nn.Conv2d)]
        for stack in generator.stacks
    ]
    assert maps == [
        [128, 256, 128, 3],
        [64, 128, 64, 3],
        [32, 64, 128, 64, 32, 3],
        [16, 32, 64, 32, 16, 3],
    ]
    assert [tuple(output.shape[-2:]) for output in generator(frames(1, 4, 16, 16))] == [
        (2, 2),
        (4, 4),
        (8, 8),
        (16, 16),
    ]
    first = make_discriminator(network).judges[0].convolutions[0]
    assert isinstance(first, torch.nn.Conv2d)
    assert first.out_channels == 32


def test_one_width_is_that_of_every_scale() -> None:
    torch.manual_seed(0)
    one = Generator(width=1 / 16)
    torch.manual_seed(0)
    four = make_generator(Network("multi_scale", widths=(1 / 16,) * 4))
    given = frames(1, 4, 16, 16)
    assert torch.equal(one(given)[-1], four(given)[-1])


def test_leaky_units_are_not_taken_for_dead_ones() -> None:
    generator = Generator(width=1 / 16, leak=0.1)
    stack = generator.stacks[0]
    assert isinstance(stack, ConvStack)
    (slope,) = {layer.negative_slope for layer in stack if isinstance(layer, torch.nn.LeakyReLU)}
    assert slope == 0.1
    assert not any(isinstance(layer, torch.nn.ReLU) for layer in generator.modules())
    watch(generator, True)
    generator(frames(1, 4, 16, 16))
    assert active_share(generator) == []


@pytest.mark.parametrize(("inputs", "targets"), [(4, 1), (8, 8)])
def test_outputs_at_every_scale(inputs: int, targets: int) -> None:
    generator = Generator(inputs, targets, width=1 / 16)
    outputs = generator(frames(2, inputs, 32, 40))
    sizes = [(4, 5), (8, 10), (16, 20), (32, 40)]
    assert [tuple(output.shape) for output in outputs] == [(2, 3 * targets, *size) for size in sizes]
    assert all(float(output.detach().abs().max()) <= 1 for output in outputs)


def test_a_scale_adds_to_the_guess_before_the_tanh() -> None:
    generator = Generator(width=1 / 16)
    given = frames(1, 4, 16, 16)
    levels = pyramid(given, 4)
    guess = torch.tanh(generator.stacks[0](levels[0]))
    second = torch.tanh(generator.stacks[1](torch.cat([levels[1], upsample(guess)], 1)) + upsample(guess))
    torch.testing.assert_close(generator(given)[1], second)


def test_gradients_flow_through_all_scales() -> None:
    generator = Generator(width=1 / 16)
    generator(frames(1, 4, 16, 16))[-1].square().mean().backward()
    for stack in generator.stacks:
        assert isinstance(stack, ConvStack)
        assert stack.last.weight.grad is not None
        assert float(stack.last.weight.grad.abs().sum()) > 0


@pytest.mark.parametrize("init", ["default", "he", "differences"])
@pytest.mark.parametrize("targets", [1, 3])
def test_starts_as_copy(init: str, targets: int) -> None:
    generator = Generator(4, targets, width=1 / 16, starts_as_copy=True, init=init)
    given = frames(2, 4, 16, 24)
    for output, level in zip(generator(given), pyramid(given, 4), strict=True):
        assert torch.equal(output, level[:, -3:].repeat(1, targets, 1, 1))


def test_differences_are_blind_to_what_is_still() -> None:
    stack = Generator(width=1 / 8, starts_as_copy=True, init="differences").stacks[-1]
    assert isinstance(stack, ConvStack)
    still = frames(1, 1, 16, 16).repeat(1, 4, 1, 1)
    first = functional.pad(torch.cat([still, still[:, :3]], 1), (8, 8, 8, 8))
    response = stack[0](first)[:, :12]
    assert float(response.detach().abs().max()) < 1e-5


def test_whole_frames_of_any_size() -> None:
    generator = Generator(width=1 / 16)
    given = frames(1, 4, 29, 43)
    predicted = predict_whole(generator, given, None)
    assert predicted.shape == (1, 3, 29, 43)
    padded = functional.pad(given, (0, 5, 0, 3), mode="replicate")
    torch.testing.assert_close(predicted, generator(padded)[-1][..., :29, :43])


def test_discriminator_judges_both_patch_sizes_with_the_same_weights() -> None:
    network = Network("multi_scale", width=1 / 16)
    discriminator = make_discriminator(network)
    for patch in (32, 64):
        given, judged = pyramid(frames(3, 4, patch, patch), 4), pyramid(frames(3, 1, patch, patch), 4)
        assert [tuple(logit.shape) for logit in discriminator(given, judged)] == [(3,)] * 4


def test_pooling_at_32_is_the_papers_two_by_two() -> None:
    finest = Discriminator(width=1 / 16).judges[-1]
    maps = finest.convolutions(frames(2, 5, 32, 32))
    assert maps.shape[-1] == 12
    expected = finest.connected(functional.max_pool2d(maps, 2).flatten(1))[:, 0]
    torch.testing.assert_close(finest(frames(2, 5, 32, 32)), expected)


def test_active_share_sees_a_dead_layer() -> None:
    generator = Generator(width=1 / 16, starts_as_copy=True)
    stack = generator.stacks[-1]
    assert isinstance(stack, ConvStack)
    hidden = stack[-3]
    assert isinstance(hidden, torch.nn.Conv2d)
    assert hidden.bias is not None
    torch.nn.init.constant_(hidden.bias, -100.0)
    watch(generator, True)
    generator(frames(1, 4, 16, 16))
    shares = active_share(generator)
    assert shares[-1] == 0
    assert min(shares[:-1]) > 0
    watch(generator, False)
    assert active_share(generator) == []


def test_sampling_is_the_baselines() -> None:
    from vpbench.baselines.optical_flow import BilinearSampler

    random = np.random.default_rng(0)
    image = random.random((20, 31, 3), dtype=np.float32)
    displacement = (random.random((20, 31, 2), dtype=np.float32) - 0.5) * 12
    expected = BilinearSampler(displacement)(image)
    found = sample(
        torch.from_numpy(image).permute(2, 0, 1)[None], torch.from_numpy(displacement).permute(2, 0, 1)[None]
    )
    np.testing.assert_allclose(found[0].permute(1, 2, 0).numpy(), expected, atol=2e-5)


def test_forecast_feeds_the_prediction_back() -> None:
    generator = Generator(width=1 / 16)
    clip = np.random.default_rng(0).random((4, 17, 22, 3)).astype(np.float32)
    two = forecast(generator, clip, 2)
    assert two.shape == (2, 17, 22, 3)
    again = forecast(generator, np.concatenate([clip[1:], two[:1]]), 1)
    np.testing.assert_allclose(two[1], again[0], atol=1e-6)


def test_forecast_of_a_batch_is_that_of_its_clips() -> None:
    random = np.random.default_rng(1)
    clips = [random.integers(0, 256, (4, 24, 32, 3)).astype(np.uint8) for _ in range(3)]
    for generator in (Generator(width=1 / 16), Motion(width=1 / 16)):
        together = forecast_batch(generator, clips, 2)
        for clip, found in zip(clips, together, strict=True):
            np.testing.assert_allclose(found, forecast(generator, clip, 2)[:2], atol=1e-5)
            as_float = (clip / 255).astype(np.float32)
            np.testing.assert_allclose(found, forecast(generator, as_float, 2), atol=1e-5)


def test_forecast_at_once_and_beyond() -> None:
    generator = make_generator(Network("multi_scale", width=1 / 16, inputs=8, targets=8))
    clip = np.random.default_rng(0).random((8, 16, 16, 3)).astype(np.float32)
    eight, three = forecast(generator, clip, 8), forecast(generator, clip, 3)
    assert eight.shape == (8, 16, 16, 3)
    np.testing.assert_array_equal(eight[:3], three)
