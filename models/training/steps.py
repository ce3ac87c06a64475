"""One step of D and one step of G: Algorithm 1 of the paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from vpbench.models.footage.patches import Batch
from vpbench.models.footage.words import greys
from vpbench.models.networks.build import margin_of, outputs_of
from vpbench.models.networks.discriminator import Discriminator
from vpbench.models.networks.generator import active_share, pyramid, watch
from vpbench.models.networks.patch_words import PatchWords
from vpbench.models.recipes.recipe import Loss, Network, Phase
from vpbench.models.training.losses import gdl, judged, lp, over_scales
from vpbench.models.training.state import State

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class Task:
    """A batch, cut into what G gets and what it should predict.

    Attributes:
        given: inputs with the margin, ``(B, inputs · 3, h, w)``.
        inputs: inputs without the margin, per scale, coarse to fine.
        targets: targets without the margin, per scale.
        flows: flows with the margin, where there are any.
        facts: facts of the whole frames, ``(B, facts)``, where there are any.
        errors: the error of the frame that each sample is from, ``(B, n)``, for each target or one for all, where
            it is known.
    """

    given: Tensor
    inputs: list[Tensor]
    targets: list[Tensor]
    flows: Tensor | None = None
    facts: Tensor | None = None
    errors: Tensor | None = None


def task_of(
    batch: Batch, network: Network, scales: int, device: torch.device, targets: int | None = None
) -> Task:
    """Cut a batch, and move it to the device.

    Args:
        batch: with at least as many targets as are wanted.
        network: what G is.
        scales: of its outputs.
        device: where to.
        targets: how many are to be predicted; by default the network's.
    """
    targets = network.targets if targets is None else targets
    channels, end = 3 * network.inputs, 3 * (network.inputs + targets)
    frames = batch.frames.to(device).contiguous(memory_format=torch.channels_last)
    margin = margin_of(network)
    inner = frames[..., margin : frames.shape[-2] - margin, margin : frames.shape[-1] - margin]
    return Task(
        given=frames[:, :channels],
        flows=None if batch.flows is None else batch.flows.to(device),
        facts=None if batch.facts is None else batch.facts.to(device),
        errors=None if batch.errors is None else batch.errors[:, :targets].to(device),
        inputs=pyramid(inner[:, :channels], scales),
        targets=pyramid(inner[:, channels:end], scales),
    )


def generator_loss(
    weights: Mapping[Loss, float],
    outputs: list[Tensor],
    task: Task,
    discriminator: Discriminator | None,
    weigh: str = "",
) -> Tensor:
    """The combined loss of G (section 2.4): a weighted sum, each term summed over the scales.

    Args:
        weights: weight of each :data:`vpbench.models.recipes.recipe.Loss`.
        outputs: G's predictions per scale.
        task: what they should be.
        discriminator: D, for the adversarial term; its weights get no gradients here.
        weigh: see :class:`vpbench.models.recipes.recipe.Phase`.
    """
    total = outputs[-1].new_zeros(())
    pairs = weighed([output.float() for output in outputs], task, weigh)
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


# Errors in [−1, 1]. By its own ℓ1 error: a sample's losses are unchanged where that is the first; below the second, a
# quarter of a grey level, errors count as nothing.
_USUAL_ERROR, _LEAST_ERROR = 0.02, 0.002
# By its frame's mean squared error: unchanged where that is the first; below the second, noise of half a grey level,
# errors count as nothing; and no sample counts as if its error were more than so many times its frame's.
_USUAL_FRAME, _LEAST_FRAME, _MOST_OF_FRAME = 0.01, 2e-5, 20.0


def weighed(outputs: list[Tensor], task: Task, weigh: str) -> list[tuple[Tensor, Tensor]]:
    """Outputs and targets per scale, scaled per sample, so that losses on them are weighed.

    Scaling both by s scales ℓp by s^p and GDL by s^α: by s = 1/√(the frame's error), ℓ2 is divided by the frame's
    error, which is the first-order term of the frame's PSNR, and ℓ1 by its root.

    Args:
        outputs: G's predictions ``(B, C, h, w)`` per scale.
        task: the targets, and the errors of their frames.
        weigh: see :class:`vpbench.models.recipes.recipe.Phase`.
    """
    pairs = list(zip(outputs, task.targets, strict=True))
    if weigh in ("frame", "refined"):
        assert task.errors is not None  # noqa: S101 -- the trainer caches them for such phases
        frames = task.errors.shape[1]
        own = (outputs[-1].detach() - task.targets[-1]).square()
        own = own.reshape(len(own), frames, -1).mean(2)
        error = torch.maximum(task.errors + _LEAST_FRAME, own / _MOST_OF_FRAME)
        scale = (
            (_USUAL_FRAME / error)
            .sqrt()
            .repeat_interleave(outputs[-1].shape[1] // frames, 1)[..., None, None]
        )
        return [(output * scale, target * scale) for output, target in pairs]
    if weigh == "patch":
        return [_balanced(output, target) for output, target in pairs]
    return pairs


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
    discriminator: nn.Module, generator: nn.Module, network: Network, task: Task
) -> tuple[Tensor, float, float]:
    """D's loss (section 2.2): real frames should be 1, G's should be 0; G gets no gradients.

    Returns:
        The loss; and the shares of the real and of the generated frames that D judges correctly, over all scales.
    """
    with torch.no_grad():
        outputs = outputs_of(generator, network, task.given, task.flows, task.facts)
    # One pass over both halves: a wrapped D synchronises its gradients once a pass.
    logits = discriminator(
        [torch.cat([given, given]) for given in task.inputs],
        [torch.cat([real, made.to(real)]) for real, made in zip(task.targets, outputs, strict=True)],
    )
    half = len(task.given)
    real, made = [logit[:half] for logit in logits], [logit[half:] for logit in logits]
    right_real = float((torch.stack(real) > 0).float().mean())
    right_made = float((torch.stack(made) < 0).float().mean())
    return judged(real, True) + judged(made, False), right_real, right_made


def train_step(
    state: State, fabric: Fabric, phase: Phase, index: int, batches: list[Batch], show: bool
) -> dict[str, float]:
    """One step of D, where it takes part, then one of G, each on its own batch (Algorithm 1).

    Args:
        state: what is changed.
        fabric: on what.
        phase: the phase.
        index: step within the phase.
        batches: one for each network.
        show: look at the hidden units too.

    Returns:
        Values for the log.

    Raises:
        VpbenchError: a loss is not finite.
    """
    values: dict[str, float] = {}
    scales, network = state.generator.scales, state.recipe.network
    targets = phase.targets_at(index, network)
    tasks = [task_of(batch, network, scales, fabric.device, targets) for batch in batches]
    if phase.adversarial:
        loss, right_real, right_made = discriminator_loss(state.wrapped_d, state.wrapped_g, network, tasks[0])
        rate = phase.rate_at(index, phase.rate_d)
        values |= {"right_real": right_real, "right_generated": right_made}
        values["loss_d"] = state.descend("d", loss, rate, phase.clip)
    if not phase.frozen_g:
        values |= _generator_step(state, fabric, phase, index, tasks[-1], show)
        state.average()
    state.step += 1
    return values


def _generator_step(
    state: State, fabric: Fabric, phase: Phase, index: int, task: Task, show: bool
) -> dict[str, float]:
    network = state.recipe.network
    values = {"rate": phase.rate_at(index, phase.rate)}
    watch(state.generator, show)
    targets = task.targets[-1].shape[1] // 3
    outputs = outputs_of(state.wrapped_g, network, task.given, task.flows, task.facts, targets)
    truth, copy = task.targets[-1], task.inputs[-1][:, -3:].repeat(1, targets, 1, 1)
    with fabric.autocast():
        if isinstance(state.generator, PatchWords):
            truth, copy = greys(truth)[0], greys(copy)[0]
            loss = functional.cross_entropy(outputs[-1], state.generator.words_of(truth))
            outputs = [state.generator.painted(outputs[-1].argmax(1))]
        else:
            judge = state.discriminator if phase.adversarial else None
            loss = generator_loss(phase.loss, outputs, task, judge, phase.weigh)
    values["loss_g"] = state.descend("g", loss, values["rate"], phase.clip)
    with torch.no_grad():
        values["error"] = float((outputs[-1] - truth).square().mean())
        values["error_of_copy"] = float((copy - truth).square().mean())
    if show and (shares := active_share(state.generator)):
        values["active"] = min(shares)
    return values
