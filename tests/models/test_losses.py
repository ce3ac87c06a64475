"""The losses against slow references, and where their gradients go."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vpbench.models.networks.discriminator import Discriminator
from vpbench.models.networks.generator import Generator, pyramid
from vpbench.models.recipes.recipe import Network
from vpbench.models.training.losses import gdl, judged, lp
from vpbench.models.training.steps import Task, discriminator_loss, frozen_judgement, generator_loss


def slow_gdl(prediction: NDArray[np.float64], target: NDArray[np.float64], alpha: int) -> float:
    """The formula of section 2.3, pixel by pixel, each direction as a mean over its pairs."""
    batch, channels, height, width = prediction.shape
    sums = [0.0, 0.0]
    counts = [0, 0]
    for b in range(batch):
        for c in range(channels):
            y, z = target[b, c], prediction[b, c]
            for i in range(height):
                for j in range(width):
                    if i > 0:
                        sums[0] += abs(abs(y[i, j] - y[i - 1, j]) - abs(z[i, j] - z[i - 1, j])) ** alpha
                        counts[0] += 1
                    if j > 0:
                        sums[1] += abs(abs(y[i, j - 1] - y[i, j]) - abs(z[i, j - 1] - z[i, j])) ** alpha
                        counts[1] += 1
    return sums[0] / counts[0] + sums[1] / counts[1]


def pair(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    source = torch.Generator().manual_seed(seed)
    shape = (2, 3, 5, 7)
    return torch.rand(shape, generator=source, dtype=torch.float64), torch.rand(
        shape, generator=source, dtype=torch.float64
    )


@pytest.mark.parametrize("alpha", [1, 2])
def test_gdl_is_the_formula(alpha: int) -> None:
    a, b = pair()
    assert float(gdl(a, b, alpha)) == pytest.approx(slow_gdl(a.numpy(), b.numpy(), alpha), rel=1e-12)


@pytest.mark.parametrize("alpha", [1, 2])
def test_gdl_ignores_a_constant_offset(alpha: int) -> None:
    a, _ = pair()
    assert float(gdl(a, a, alpha)) == 0
    assert float(gdl(a + 0.25, a, alpha)) == pytest.approx(0, abs=1e-15)


def test_gdl_by_hand() -> None:
    target = torch.tensor([[[[0.0, 1.0], [3.0, 3.0]]]])
    prediction = torch.zeros(1, 1, 2, 2)
    assert float(gdl(prediction, target, 1)) == pytest.approx((3 + 2) / 2 + (1 + 0) / 2)
    assert float(gdl(prediction, target, 2)) == pytest.approx((9 + 4) / 2 + (1 + 0) / 2)


def test_gdl_of_one_pixel_is_nothing() -> None:
    assert float(gdl(torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1), 1)) == 0


@pytest.mark.parametrize("p", [1, 2])
def test_lp_is_the_mean(p: int) -> None:
    a, b = pair()
    slow = sum(abs(x - y) ** p for x, y in zip(a.flatten().tolist(), b.flatten().tolist(), strict=True))
    assert float(lp(a, b, p)) == pytest.approx(slow / a.numel(), rel=1e-12)


def test_judged_is_binary_cross_entropy() -> None:
    logits = [torch.tensor([0.3, -1.2]), torch.tensor([2.0])]

    def bce(logit: float, label: int) -> float:
        share = 1 / (1 + math.exp(-logit))
        return -math.log(share if label else 1 - share)

    for label in (0, 1):
        expected = (bce(0.3, label) + bce(-1.2, label)) / 2 + bce(2.0, label)
        assert float(judged(logits, bool(label))) == pytest.approx(expected, rel=1e-6)


def adversaries() -> tuple[Generator, Discriminator, Task, Network]:
    torch.manual_seed(0)
    network = Network("multi_scale", width=1 / 16)
    generator, discriminator = Generator(width=1 / 16), Discriminator(width=1 / 16)
    frames = torch.rand(2, 15, 32, 32) * 2 - 1
    task = Task(frames[:, :12], pyramid(frames[:, :12], 4), pyramid(frames[:, 12:], 4))
    return generator, discriminator, task, network


def test_the_adversarial_gradient_reaches_g_and_not_d() -> None:
    generator, discriminator, task, _ = adversaries()
    generator_loss({"adv": 0.05}, generator(task.given), task, discriminator).backward()
    for stack in generator.stacks:
        assert sum(float(p.grad.abs().sum()) for p in stack.parameters() if p.grad is not None) > 0
    assert all(parameter.grad is None for parameter in discriminator.parameters())
    assert all(parameter.requires_grad for parameter in discriminator.parameters())


def test_ds_loss_reaches_d_and_not_g() -> None:
    generator, discriminator, task, network = adversaries()
    discriminator_loss(discriminator, generator, network, task)[0].backward()
    assert all(parameter.grad is None for parameter in generator.parameters())
    for judge in discriminator.judges:
        assert sum(float(p.grad.abs().sum()) for p in judge.parameters() if p.grad is not None) > 0


def test_ds_loss_is_the_papers() -> None:
    generator, discriminator, task, network = adversaries()
    found, right_real, right_made = discriminator_loss(discriminator, generator, network, task)
    real = judged(discriminator(task.inputs, task.targets), True)
    made = judged(discriminator(task.inputs, generator(task.given)), False)
    torch.testing.assert_close(found, real + made)
    for share, frames, sign in ((right_real, task.targets, 1), (right_made, generator(task.given), -1)):
        logits = torch.stack(discriminator(task.inputs, frames)) * sign
        assert share == pytest.approx(float((logits > 0).float().mean()))


def test_the_combined_loss_is_the_weighted_sum() -> None:
    generator, discriminator, task, _ = adversaries()
    outputs = generator(task.given)
    pairs = list(zip(outputs, task.targets, strict=True))
    expected = 2.0 * sum(lp(o, t, 1) for o, t in pairs)
    expected = expected + 3.0 * sum(gdl(o, t, 2) for o, t in pairs)
    expected = expected + 0.05 * judged(frozen_judgement(discriminator, task.inputs, outputs), True)
    found = generator_loss({"l1": 2.0, "gdl_l2": 3.0, "adv": 0.05, "l2": 0.0}, outputs, task, discriminator)
    torch.testing.assert_close(found, expected)


def test_balanced_losses_do_not_depend_on_the_size_of_the_error() -> None:
    weights = {"l1": 1.0, "gdl_l1": 1.0}
    target = torch.full((1, 3, 8, 8), 0.25)
    task = Task(target, [target], [target])
    noise = torch.rand(target.shape, generator=torch.Generator().manual_seed(3)) - 0.5

    def gradient(size: float, weigh: str) -> torch.Tensor:
        """Of the loss by the noise, for an error of ``size`` times the noise."""
        variable = noise.clone().requires_grad_(True)
        generator_loss(weights, [target + size * variable], task, None, weigh).backward()
        assert variable.grad is not None
        return variable.grad

    torch.testing.assert_close(gradient(0.2, ""), 2 * gradient(0.1, ""), rtol=1e-3, atol=1e-8)
    torch.testing.assert_close(gradient(20.0, "patch"), gradient(10.0, "patch"), rtol=1e-3, atol=1e-8)


def test_balanced_losses_are_unchanged_at_the_usual_error() -> None:
    target = torch.zeros(2, 3, 8, 8)
    output = torch.full_like(target, 0.018) * torch.tensor([1.0, -1.0])[:, None, None, None]
    task = Task(target, [target], [target])
    found = generator_loss({"l1": 1.0}, [output], task, None, weigh="patch")
    assert float(found) == pytest.approx(0.018)


@pytest.mark.parametrize("name", ["l1", "l2", "gdl_l1", "gdl_l2"])
def test_losses_weighed_by_frame_against_a_slow_reference(name: str) -> None:
    """Each sample's loss is divided by its frame's error, or by its root where the loss is of power 1."""
    source = torch.Generator().manual_seed(1)
    targets = [torch.rand(3, 3, side, side, generator=source) for side in (4, 8)]
    outputs = [target + 0.1 * torch.randn(target.shape, generator=source) for target in targets]
    errors = [0.04, 0.0, 0.0025]  # of frames; the second one's patch is far worse than its frame
    power = int(name[-1])
    loss = gdl if name.startswith("gdl") else lp
    expected = 0.0
    for sample, error in enumerate(errors):
        own = float((outputs[-1][sample] - targets[-1][sample]).square().mean())
        weight = (0.01 / max(error + 2e-5, own / 20)) ** (power / 2)
        for output, target in zip(outputs, targets, strict=True):
            expected += weight * float(loss(output[[sample]], target[[sample]], power)) / len(errors)
    task = Task(targets[-1], targets, targets, errors=torch.tensor(errors)[:, None])
    assert float(generator_loss({name: 1.0}, outputs, task, None, "frame")) == pytest.approx(
        expected, rel=1e-4
    )
