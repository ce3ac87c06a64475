"""From a recipe's ``[network]`` to networks, and one way to call either family."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vpbench.errors import UsageError
from vpbench.models.networks.discriminator import Discriminator
from vpbench.models.networks.flow_guided import FlowGuided
from vpbench.models.networks.generator import Generator
from vpbench.models.recipes.recipe import Network

# Pixels around a training patch from which the flow-guided network may sample.
FLOW_MARGIN = 16


def make_generator(network: Network) -> Generator | FlowGuided:
    """Make G.

    Raises:
        UsageError: an option does not fit the network's type.
    """
    if network.type == "flow_guided":
        if network.targets != 1 or network.starts_as_copy:
            raise UsageError(
                "Network type 'flow_guided' predicts one frame at a time and starts from the constant-flow "
                "prediction: remove targets and starts_as_copy from [network]."
            )
        return FlowGuided(network.inputs, network.width)
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
    return FLOW_MARGIN if network.type == "flow_guided" else 0


def outputs_of(module: nn.Module, network: Network, frames: Tensor, flows: Tensor | None) -> list[Tensor]:
    """Apply G to training patches.

    Args:
        module: G, possibly wrapped.
        network: what it is.
        frames: inputs ``(B, inputs · 3, h, w)`` in [−1, 1], with the margin.
        flows: ``(B, 2 · FIELDS, h, w)`` for the flow-guided network.

    Returns:
        Predictions per scale, coarse to fine, without the margin.
    """
    guided = network.type == "flow_guided"
    outputs: list[Tensor] = module(frames, flows, FLOW_MARGIN) if guided else module(frames)
    return outputs


def predict_whole(module: Generator | FlowGuided, frames: Tensor, flows: Tensor | None) -> Tensor:
    """Apply G to whole frames of any size: pad by repeating the border, predict, crop, clamp.

    Args:
        module: G.
        frames: ``(B, inputs · 3, H, W)`` in [−1, 1].
        flows: ``(B, 2 · FIELDS, H, W)`` for the flow-guided network.

    Returns:
        ``(B, targets · 3, H, W)`` in [−1, 1].
    """
    height, width = frames.shape[-2:]
    border = (0, -width % module.multiple, 0, -height % module.multiple)
    frames = functional.pad(frames, border, mode="replicate").contiguous(memory_format=torch.channels_last)
    if isinstance(module, FlowGuided):
        assert flows is not None  # noqa: S101 -- the predictor estimates them
        output: Tensor = module(frames, functional.pad(flows, border, mode="replicate"))[-1]
    else:
        output = module(frames)[-1]
    cropped: Tensor = output[..., :height, :width].float()
    return cropped.clamp(-1.0, 1.0)
