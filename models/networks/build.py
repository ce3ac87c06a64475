"""From a recipe's ``[network]`` to networks, and one way to call either family."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vpbench.errors import UsageError
from vpbench.models.networks.discriminator import Discriminator
from vpbench.models.networks.generator import Generator
from vpbench.models.networks.motion import Motion
from vpbench.models.networks.patch_lstm import PatchLSTM
from vpbench.models.networks.patch_words import PatchWords
from vpbench.models.recipes.recipe import Network

AnyGenerator = Generator | Motion | PatchLSTM | PatchWords
# Pixels around a training patch from which the motion network may sample.
MARGIN = 24


def make_generator(network: Network) -> AnyGenerator:
    """Make G.

    Raises:
        UsageError: an option does not fit the network's type.
    """
    if network.type in ("multi_scale", "single_scale"):
        return _of_the_paper(network)
    if network.targets != 1 or (network.starts_as_copy and network.type != "patch_lstm"):
        raise UsageError(
            f"Network type '{network.type}' predicts one frame at a time and has a start of its own: remove targets "
            "and starts_as_copy from [network]."
        )
    made: Motion | PatchLSTM | PatchWords
    if network.type == "motion":
        made = Motion(network.width)
    elif network.type == "patch_lstm":
        made = PatchLSTM(network.width, network.starts_as_copy)
    else:
        made = PatchWords(network.words, network.width)
    if network.inputs != made.inputs:
        raise UsageError(f"Network type '{network.type}' has {made.inputs} inputs, not {network.inputs}.")
    return made


def _of_the_paper(network: Network) -> Generator:
    return Generator(
        inputs=network.inputs,
        targets=network.targets,
        width=network.scale_widths,
        scales=network.scales,
        starts_as_copy=network.starts_as_copy,
        init=network.init,
        leak=network.leak,
    )


def make_discriminator(network: Network) -> Discriminator:
    """Make the D that judges this network's outputs, with as many scales as it predicts."""
    width = network.width_d or network.width
    return Discriminator(network.inputs, network.targets, width, network.scales)


def margin_of(network: Network) -> int:
    """Pixels that training patches of this network need around them."""
    return MARGIN if network.type == "motion" else 0


def outputs_of(
    module: nn.Module,
    network: Network,
    frames: Tensor,
    flows: Tensor | None = None,
    facts: Tensor | None = None,
    targets: int = 1,
) -> list[Tensor]:
    """Apply G to training patches.

    Args:
        module: G, possibly wrapped.
        network: what it is.
        frames: inputs ``(B, inputs · 3, h, w)`` in [−1, 1], with the margin.
        flows: ``(B, 2 · FIELDS, h, w)`` for the motion network.
        facts: ``(B, facts)`` for it.
        targets: frames that networks of types ``motion`` and ``patch_lstm`` predict, one after the other.

    Returns:
        Predictions per scale, coarse to fine, without the margin; of ``patch_words`` logits.
    """
    rest: tuple[object, ...] = ()
    if network.type == "motion":
        rest = flows, facts, MARGIN, targets
    elif network.type == "patch_lstm":
        rest = (targets,)
    outputs: list[Tensor] = module(frames, *rest)
    return outputs


def predict_whole(
    module: AnyGenerator,
    frames: Tensor,
    flows: Tensor | None = None,
    facts: Tensor | None = None,
    targets: int = 1,
) -> Tensor:
    """Apply G to whole frames of any size: pad by repeating the border, predict, crop, clamp.

    Args:
        module: G.
        frames: ``(B, inputs · 3, H, W)`` in [−1, 1].
        flows: ``(B, 2 · FIELDS, H, W)`` for the motion network.
        facts: ``(B, facts)`` for it.
        targets: frames that networks of types ``motion`` and ``patch_lstm`` predict, one after the other.

    Returns:
        ``(B, targets · 3, H, W)`` in [−1, 1].
    """
    height, width = frames.shape[-2:]
    border = (0, -width % module.multiple, 0, -height % module.multiple)
    frames = functional.pad(frames, border, mode="replicate").contiguous(memory_format=torch.channels_last)
    if flows is not None:
        flows = functional.pad(flows, border, mode="replicate")
    output: Tensor
    match module:
        case Motion():
            output = module(frames, flows, facts, targets=targets)[-1]
        case PatchLSTM():
            output = module.predict(frames, targets)
        case PatchWords():
            output = module.predict(frames)
        case Generator():
            output = module(frames)[-1]
    cropped: Tensor = output[..., :height, :width].float()
    return cropped.clamp(-1.0, 1.0)
