"""The motion network: what its rules say, where it starts, that it learns the right way, and its second frame."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from footage import drifting
from torch import Tensor
from torch.nn import functional

from vpbench.baselines.optical_flow_refined import OpticalFlowRefined
from vpbench.models.footage.guides import FACTS, FIELDS, guide
from vpbench.models.networks.forecast import forecast, forecast_batch
from vpbench.models.networks.motion import BASE, RULES, Motion, Scene
from vpbench.models.networks.sampling import sample

CLIP = drifting(5, 6, height=64, width=80)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Tensors this small are slower on several threads."""
    torch.set_num_threads(1)


def given(
    seed: int, size: tuple[int, int], batch: int = 1, motion: float = 2.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Smooth random frames and flows in double precision, and facts of inputs without repeats."""
    random = torch.Generator().manual_seed(seed)

    def smooth(channels: int) -> Tensor:
        noise = torch.randn(batch, channels, *size, generator=random, dtype=torch.float64)
        return functional.avg_pool2d(functional.pad(noise, (2, 2, 2, 2), mode="replicate"), 5, stride=1)

    facts = torch.randn(batch, len(FACTS), generator=random, dtype=torch.float64)
    facts[:, 0], facts[:, 1] = 1, 2
    return smooth(12).clamp(-0.9, 0.9), motion * smooth(2 * FIELDS), facts


def trained(seed: int = 0, width: float = 1 / 8) -> Motion:
    """A small network whose head is not at its start, so that everything takes part."""
    torch.manual_seed(seed)
    network = Motion(width).double()
    with torch.no_grad():
        for weight in (network.head.weight, network.film.output.weight):
            weight.normal_(std=0.05)
    return network


def at(image: np.ndarray, x: float, y: float) -> np.ndarray:
    """One sample of ``(C, H, W)``, bilinear, with the border replicated."""
    height, width = image.shape[1:]
    x, y = min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)
    left, top = int(x), int(y)
    right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
    a, b = x - left, y - top
    upper = (1 - a) * image[:, top, left] + a * image[:, top, right]
    lower = (1 - a) * image[:, bottom, left] + a * image[:, bottom, right]
    return (1 - b) * upper + b * lower


def slow_rules(frames: np.ndarray, flows: np.ndarray, x: int, y: int) -> dict[str, np.ndarray]:
    """What each rule but the blurred one says at a pixel, literally."""
    last, before = frames[9:12], frames[6:9]
    back, earlier, two, other, _ = flows.reshape(FIELDS, 2, *flows.shape[1:])

    def follow(field: np.ndarray, start: np.ndarray, factor: float = 1.0) -> np.ndarray:
        return start + factor * at(field, *start)

    here = np.array([x, y], float)
    source = follow(back, here)  # where a pixel that moves steadily comes from, to first order …
    refined = at(back, *source)  # … and its motion there
    origin = here + refined + at(back, *(here + refined))
    return {
        "copy": at(last, *here),
        "back": at(last, *source),
        "refined": at(last, *(here + refined)),
        "two": at(last, *(here + 0.5 * at(two, *follow(two, here, 0.5)))),
        "other": at(last, *(here + at(other, *follow(other, here)))),
        "mean": at(last, *(here + 0.5 * (refined + at(earlier, *origin)))),
        "before": at(before, *origin),
    }


def test_rules_equal_the_slow_reference() -> None:
    frames, flows, facts = given(0, (12, 15))
    said = Scene.of_inputs(frames, flows, facts, 0).rules().frames[0].numpy()
    for y, x in [(0, 0), (3, 11), (6, 7), (11, 14), (8, 2)]:
        for name, expected in slow_rules(frames[0].numpy(), flows[0].numpy(), x, y).items():
            np.testing.assert_allclose(said[RULES.index(name), :, y, x], expected, atol=1e-9, err_msg=name)


def test_the_blurred_rule_is_a_mean_of_nine_pixels() -> None:
    scene = Scene.of_inputs(*given(1, (9, 10)), 0)
    said = scene.rules().frames[0]
    np.testing.assert_allclose(
        said[RULES.index("blurred"), :, 4, 5], said[BASE, :, 3:6, 4:7].mean((1, 2)), atol=1e-12
    )


def test_the_frame_before_is_the_last_that_differs() -> None:
    frames, flows, facts = given(2, (8, 8), batch=3)
    facts[:, 0] = torch.tensor([1, 3, 0])
    scene = Scene.of_inputs(frames, flows, facts, 0)
    for sample_, position in enumerate((2, 0, 3)):
        assert torch.equal(scene.before[sample_], frames[sample_, 3 * position : 3 * position + 3])


def test_errors_in_hindsight_are_those_of_the_last_input() -> None:
    """Constant speed predicts a steady pan, and half of it does not."""
    found = guide(CLIP[:4])
    frames = torch.from_numpy(CLIP[:4]).permute(0, 3, 1, 2).reshape(1, 12, 64, 80) / 127.5 - 1
    flows = torch.from_numpy(found.fields).permute(0, 3, 1, 2).reshape(1, -1, 64, 80)
    evidence = Scene.of_inputs(frames, flows, torch.from_numpy(found.facts)[None], 0).evidence[
        0, :, 8:-8, 8:-8
    ]
    steady, copy, half, faster = evidence[:3].abs().mean(), *evidence[3:6].mean((1, 2))
    assert steady < 0.3 * half
    assert half < copy
    assert steady < 0.3 * faster
    assert evidence[6:].abs().max() < 0.5, "there and back again"


def test_a_margin_shows_what_the_whole_frame_would() -> None:
    frames, flows, facts = given(3, (40, 44))
    whole = Scene.of_inputs(frames, flows, facts, 0).rules()
    inner = Scene.of_inputs(frames, flows, facts, 12).rules()
    part = np.s_[..., 12:-12, 12:-12]
    for name in ("displacements", "earlier", "evidence"):
        torch.testing.assert_close(getattr(inner, name), getattr(whole, name)[part])
    sharp = [index for index, rule in enumerate(RULES) if rule != "blurred"]
    torch.testing.assert_close(inner.frames[:, sharp], whole.frames[part][:, sharp])


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 1, 2, 2)], ids=str)
def test_starts_near_the_refined_flow(order: tuple[int, ...]) -> None:
    inputs = CLIP[list(order)]
    torch.manual_seed(0)
    found = forecast(Motion(1 / 4), inputs, 2)
    refined = OpticalFlowRefined().predict(inputs.astype(np.float32) / 255, 2)
    copy = np.abs(inputs[-1].astype(np.float32) / 255 - refined).mean()
    assert np.abs(found - refined).mean() < 0.15 * copy


def test_inputs_that_all_repeat_are_repeated() -> None:
    found = forecast(Motion(1 / 8), CLIP[[2, 2, 2, 2]], 2)
    np.testing.assert_allclose(found[0], CLIP[2] / 255, atol=0.02)


def loss_of(network: Motion, margin: int, targets: int) -> Callable[[], Tensor]:
    frames, flows, facts = given(4, (16 + 2 * margin, 8 + 2 * margin), batch=2)
    wanted = given(5, (16, 8), batch=2)[0][:, : 3 * targets]
    return lambda: (network(frames, flows, facts, margin, targets)[0] - wanted).square().mean()


@pytest.mark.slow
@pytest.mark.parametrize(("margin", "targets"), [(0, 1), (4, 1), (4, 2)])
def test_gradients_equal_finite_differences(margin: int, targets: int) -> None:
    network = trained()
    loss = loss_of(network, margin, targets)
    loss().backward()
    random = torch.Generator().manual_seed(6)
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        direction = torch.randn(parameter.shape, generator=random, dtype=torch.float64)
        step = 1e-6 / float(direction.norm())
        with torch.no_grad():
            values = []
            for sign in (1, -2, 1):
                parameter.add_(sign * step * direction)
                values.append(float(loss()))
        numeric = (values[0] - values[1]) / (2 * step)
        exact = float((parameter.grad * direction).sum())
        assert numeric == pytest.approx(exact, rel=1e-4, abs=1e-9), name


@pytest.mark.parametrize("margin", [0, 8])
def test_the_second_frame_teaches_the_first(margin: int) -> None:
    """What is added to every frame is added to the second itself, and to what it is made of."""
    network = Motion(1 / 8).double()
    size = 16 + 2 * margin
    first, second = network(*given(7, (size, size)), margin, 2)[0].split(3, 1)
    for frame, least, most in ((first, 1.0, 1.0), (second, 1.8, 2.0)):
        (slope,) = torch.autograd.grad(frame.mean(), network.head.bias, retain_graph=True)
        assert least - 1e-9 <= float(slope[-3:].sum()) <= most


@pytest.mark.parametrize("margin", [0, 8])
@torch.no_grad()
def test_the_second_frame_moves_on(margin: int) -> None:
    """Where everything moves alike, it is nearly the last frame sampled twice as far away."""
    network = Motion(1 / 8).double()
    size = 32 + 2 * margin
    frames, flows, facts = given(8, (size, size), motion=0.0)
    flows[:, 0::2], flows[:, 4], flows[:, 8] = 1.0, 2.0, -1.0  # over one frame, over two, and forth
    first, second = network(frames, flows, facts, margin, 2)[0].split(3, 1)
    part, inner = np.s_[..., margin : size - margin, margin : size - margin], np.s_[..., 3:-3, 3:-9]
    copy = frames[:, -3:][part]
    for frame, motion in ((first, 1.0), (second, 2.0)):
        moved = sample(frames[:, -3:], motion * flows[:, :2])
        error, change = ((frame - image)[inner].abs().mean() for image in (moved[part], copy))
        assert float(error) < 0.2 * float(change)


@pytest.mark.parametrize("margin", [0, 8])
@torch.no_grad()
def test_the_first_frame_does_not_depend_on_whether_there_is_a_second(margin: int) -> None:
    network = trained()
    inputs = given(7, (32, 32))
    two, one = (network(*inputs, margin, targets)[0] for targets in (2, 1))
    assert torch.equal(two[:, :3], one)


def test_facts_change_what_is_predicted_once_learnt() -> None:
    frames, flows, facts = given(9, (16, 16))
    other = facts.clone()
    other[:, 2:] += 1
    untrained = Motion(1 / 8).double()
    assert torch.equal(untrained(frames, flows, facts)[0], untrained(frames, flows, other)[0])
    network = trained()
    assert not torch.equal(network(frames, flows, facts)[0], network(frames, flows, other)[0])


def test_forecasts_of_a_batch_are_those_of_its_clips() -> None:
    torch.manual_seed(1)
    network = trained().float()
    clips = [drifting(seed, 4, height=30, width=43) for seed in (1, 2)]
    together = forecast_batch(network, clips, 3)
    for clip, found in zip(clips, together, strict=True):
        assert found.shape == (3, 30, 43, 3)
        assert found.min() >= 0
        assert found.max() <= 1
        np.testing.assert_allclose(found, forecast(network, clip, 3), atol=1e-5)
        np.testing.assert_allclose(found, forecast(network, (clip / 255).astype(np.float32), 3), atol=1e-5)
