"""One step of D and one step of G: Algorithm 1 of the paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vpbench.models.footage.patches import Batch
from vpbench.models.networks.build import margin_of, outputs_of
from vpbench.models.networks.discriminator import Discriminator
from vpbench.models.networks.generator import pyramid
from vpbench.models.recipes.recipe import Network
from vpbench.models.training.losses import gdl, judged, lp, over_scales


@dataclass(frozen=True)
class Task:
    """A batch, cut into what G gets and what it should predict.

    Attributes:
        given: inputs with the margin, ``(B, inputs · 3, h, w)``.
        flows: flows with the margin, or ``None``.
        inputs: inputs without the margin, per scale, coarse to fine.
        targets: targets without the margin, per scale.
    """

    given: Tensor
    flows: Tensor | None
    inputs: list[Tensor]
    targets: list[Tensor]


def task_of(batch: Batch, network: Network, scales: int, device: torch.device) -> Task:
    """Cut a batch, and move it to the device."""
    channels = 3 * network.inputs
    frames = batch.frames.to(device).contiguous(memory_format=torch.channels_last)
    margin = margin_of(network)
    inner = frames[..., margin : frames.shape[-2] - margin, margin : frames.shape[-1] - margin]
    return Task(
        given=frames[:, :channels],
        flows=None if batch.flows is None else batch.flows.to(device),
        inputs=pyramid(inner[:, :channels], scales),
        targets=pyramid(inner[:, channels:], scales),
    )


# Errors in [−1, 1]: a sample's losses are unchanged by the balancing where its ℓ1 error is the first; below the
# second, a quarter of a grey level, errors count as nothing.
_USUAL_ERROR, _LEAST_ERROR = 0.02, 0.002


def generator_loss(
    weights: Mapping[str, float],
    outputs: list[Tensor],
    task: Task,
    discriminator: Discriminator | None,
    balanced: bool = False,
) -> Tensor:
    """The combined loss of G (section 2.4): a weighted sum, each term summed over the scales.

    Args:
        weights: weight of each of :data:`vpbench.models.recipes.recipe.LOSSES`.
        outputs: G's predictions per scale.
        task: what they should be.
        discriminator: D, for the adversarial term; its weights get no gradients here.
        balanced: see :class:`vpbench.models.recipes.recipe.Phase`; for losses with p = 1 and α = 1.
    """
    total = outputs[-1].new_zeros(())
    pairs = list(zip((output.float() for output in outputs), task.targets, strict=True))
    if balanced:
        pairs = [_balanced(output, target) for output, target in pairs]
    for name, weight in weights.items():
        if weight == 0:
            continue
        if name == "adv":
            assert discriminator is not None  # noqa: S101 -- the trainer makes it for such phases
            term = judged(frozen_judgement(discriminator, task.inputs, outputs), real=True)
        elif name.startswith("gdl_l"):
            alpha = int(name[-1])
            term = over_scales([gdl(output, target, alpha) for output, target in pairs])
        else:
            power = int(name[-1])
            term = over_scales([lp(output, target, power) for output, target in pairs])
        total = total + weight * term
    return total


def _balanced(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Both scaled, per sample, so that ℓ1 and GDL with α = 1 are divided by the sample's ℓ1 error."""
    error = (output.detach() - target).abs().mean((1, 2, 3), keepdim=True)
    scale = _USUAL_ERROR / (error + _LEAST_ERROR)
    return output * scale, target * scale


def frozen_judgement(
    discriminator: Discriminator, inputs: list[Tensor], outputs: list[Tensor]
) -> list[Tensor]:
    """D's logits of G's outputs, through which gradients reach G but not D's weights."""
    wanted = [parameter.requires_grad for parameter in discriminator.parameters()]
    discriminator.requires_grad_(False)
    try:
        return discriminator(inputs, outputs)  # type: ignore[no-any-return]
    finally:
        for parameter, value in zip(discriminator.parameters(), wanted, strict=True):
            parameter.requires_grad_(value)


def discriminator_loss(
    discriminator: nn.Module,
    generator: nn.Module,
    network: Network,
    task: Task,
) -> Tensor:
    """D's loss (section 2.2): real frames are to be 1, G's are to be 0; G gets no gradients."""
    with torch.no_grad():
        outputs = outputs_of(generator, network, task.given, task.flows)
    # One pass over both halves: a wrapped D synchronises its gradients once a pass.
    logits = discriminator(
        [torch.cat([given, given]) for given in task.inputs],
        [torch.cat([real, made.to(real)]) for real, made in zip(task.targets, outputs, strict=True)],
    )
    half = len(task.given)
    return judged([logit[:half] for logit in logits], True) + judged(
        [logit[half:] for logit in logits], False
    )
