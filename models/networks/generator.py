"""The generating networks of the paper: the multi-scale pyramid and the single-scale network.

Source: Mathieu, Couprie & LeCun (ICLR 2016), section 2.1 and Table 1. The paper prints five kernels for the
third scale; its six convolutions need six, which the authors' released script has (5, 3, 3, 3, 3, 5).

Everything here works on tensors in [−1, 1], shape ``(B, frames · 3, H, W)``: RGB frames, oldest first, stacked
along the channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Scale:
    """One generating network of the pyramid: feature maps of its hidden layers, and the kernels of all layers."""

    maps: tuple[int, ...]
    kernels: tuple[int, ...]


# Table 1, coarse to fine: inputs of 4×4, 8×8, 16×16 and 32×32 in training.
SCALES = (
    Scale((128, 256, 128), (3, 3, 3, 3)),
    Scale((128, 256, 128), (5, 3, 3, 5)),
    Scale((128, 256, 512, 256, 128), (5, 3, 3, 3, 3, 5)),
    Scale((128, 256, 512, 256, 128), (7, 5, 5, 5, 5, 7)),
)


def scaled(maps: int, width: float) -> int:
    """Number of feature maps at a width multiplier: ``maps · width``, rounded, at least 1."""
    return max(1, round(maps * width))


def pyramid(images: Tensor, scales: int) -> list[Tensor]:
    """The images at every scale, coarse to fine: average pooling by 2^(scales−1), …, 2, 1 (released script).

    Args:
        images: ``(B, C, H, W)``; H and W are multiples of 2^(scales−1).
        scales: how many.
    """
    return [
        functional.avg_pool2d(images, 2**power) if power else images for power in range(scales - 1, -1, -1)
    ]


def upsample(images: Tensor) -> Tensor:
    """Nearest-neighbour upsampling by 2 (released script)."""
    return functional.interpolate(images, scale_factor=2.0, mode="nearest")


class ConvStack(nn.Sequential):
    """Zero-padded convolutions with ReLU between them, leaky if asked; the last one is linear.

    Attributes:
        watch: keep :attr:`hidden`, for the log of active units.
        hidden: the last hidden layer's activations ``(B, C, H, W)`` of the latest pass, if watched.
    """

    def __init__(
        self, channels_in: int, scale: Scale, channels_out: int, width: float, leak: float = 0.0
    ) -> None:
        sizes = [channels_in, *(scaled(maps, width) for maps in scale.maps), channels_out]
        layers: list[nn.Module] = []
        for before, after, kernel in zip(sizes[:-1], sizes[1:], scale.kernels, strict=True):
            activation = nn.LeakyReLU(leak) if leak else nn.ReLU()
            layers += [nn.Conv2d(before, after, kernel, padding=kernel // 2), activation]
        super().__init__(*layers[:-1])
        self.watch = False
        self.hidden: Tensor | None = None

    @property
    def last(self) -> nn.Conv2d:
        """The linear output layer."""
        layer = self[-1]
        assert isinstance(layer, nn.Conv2d)  # noqa: S101 -- built so above
        return layer

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply the stack to ``(B, C, H, W)``."""
        for layer in list(self)[:-1]:
            inputs = layer(inputs)
        if self.watch:
            self.hidden = inputs.detach()
        output: Tensor = self.last(inputs)
        return output


class Generator(nn.Module):
    """The paper's G: a pyramid of fully convolutional networks, or its finest network alone.

    As published, scale k predicts ``y_k = tanh(G'_k(X_k, u(y_{k−1})) + u(y_{k−1}))``. With ``starts_as_copy``
    the pyramid predicts the change c from the last input frame l instead: ``c_k = G'_k(X_k, l_k + u(c_{k−1})) +
    u(c_{k−1})`` and ``y_k = l_k + c_k``, with the output layers initialised to zero, so that every output starts
    as an exact copy of the last frame.

    Args:
        inputs: number of input frames.
        targets: number of frames predicted at once.
        width: multiplier of every hidden layer's feature maps, or one for each scale, coarse to fine; 1 is the
            paper's.
        scales: 4 is the paper's pyramid; 1 is its finest network alone (the single-scale rows).
        starts_as_copy: see above.
        init: how the hidden layers are initialised: see :func:`initialise`.
        leak: slope of the ReLUs below zero; 0 is the paper's.
    """

    def __init__(
        self,
        inputs: int = 4,
        targets: int = 1,
        width: float | Sequence[float] = 1.0,
        scales: int = 4,
        starts_as_copy: bool = False,
        init: str = "default",
        leak: float = 0.0,
    ) -> None:
        super().__init__()
        self.inputs, self.targets = inputs, targets
        self.starts_as_copy = starts_as_copy
        guess = 3 * targets
        widths = width if isinstance(width, Sequence) else [width] * scales
        self.stacks = nn.ModuleList(
            ConvStack(3 * inputs + (guess if index else 0), scale, guess, each, leak)
            for index, (scale, each) in enumerate(zip(SCALES[-scales:], widths, strict=True))
        )
        for stack in self.stacks:
            assert isinstance(stack, ConvStack)  # noqa: S101 -- built so above
            initialise(stack, inputs, init)
            if starts_as_copy:
                nn.init.zeros_(stack.last.weight)
                if stack.last.bias is not None:
                    nn.init.zeros_(stack.last.bias)

    @property
    def scales(self) -> int:
        """Number of scales."""
        return len(self.stacks)

    @property
    def multiple(self) -> int:
        """Heights and widths must be multiples of this."""
        return int(2 ** (self.scales - 1))

    def forward(self, frames: Tensor) -> list[Tensor]:
        """Predict at every scale.

        Args:
            frames: ``(B, inputs · 3, H, W)`` in [−1, 1]; H and W multiples of :attr:`multiple`.

        Returns:
            Predictions ``(B, targets · 3, h, w)``, coarse to fine; the last has the size of ``frames``. As
            published they lie in [−1, 1]; with ``starts_as_copy`` they may leave it.
        """
        outputs: list[Tensor] = []
        base: Tensor | None = None
        for level, stack in zip(pyramid(frames, self.scales), self.stacks, strict=True):
            given = [level]
            last = level[:, -3:].repeat(1, self.targets, 1, 1) if self.starts_as_copy else None
            if base is not None:
                base = upsample(base)
                given.append(base if last is None else last + base)
            change: Tensor = stack(torch.cat(given, 1))
            total = change if base is None else base + change
            if last is None:
                base = torch.tanh(total)
                outputs.append(base)
            else:
                base = total
                outputs.append(last + total)
        return outputs


def initialise(stack: ConvStack, inputs: int, how: str) -> None:
    """Initialise the hidden layers of a stack.

    Args:
        stack: its first input channels are the frames.
        inputs: number of frames.
        how: ``default``: torch's, which is also Torch7's (uniform, ±1/√fan-in); ``he``: He et al. (2015), which
            keeps the size of the activations through ReLUs; ``differences``: as ``he``, and three quarters of the
            first layer's maps begin as differences between frames, doubled, blind to what is still.
    """
    # A network without data needs none of this, for which torch would import its compiler.
    if how == "default" or stack.last.weight.is_meta:
        return
    hidden = [layer for layer in list(stack)[:-1] if isinstance(layer, nn.Conv2d)]
    for layer in hidden:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    if how == "differences":
        weight = hidden[0].weight.data
        maps = weight.shape[0] * 3 // 4
        weight[:maps, 3 * inputs :] = 0
        frames = weight[:maps, : 3 * inputs]
        mean = torch.stack([frames[:, 3 * at : 3 * at + 3] for at in range(inputs)]).mean(0)
        frames.sub_(mean.repeat(1, inputs, 1, 1)).mul_(2)


def active_share(network: nn.Module) -> list[float]:
    """Share of the last hidden layer's units that are above zero, per scale, in the latest watched pass.

    Leaky ones are not watched: they cannot die.
    """
    stacks = [module for module in network.modules() if isinstance(module, ConvStack)]
    return [float((stack.hidden > 0).float().mean()) for stack in stacks if stack.hidden is not None]


def watch(network: nn.Module, on: bool) -> None:
    """Switch :func:`active_share`'s bookkeeping on or off."""
    for module in network.modules():
        if isinstance(module, ConvStack):
            module.watch = on and isinstance(module[1], nn.ReLU)
            module.hidden = module.hidden if module.watch else None


def parameter_count(modules: nn.Module | Sequence[nn.Module]) -> int:
    """Number of learnt parameters."""
    parts = [modules] if isinstance(modules, nn.Module) else modules
    return sum(parameter.numel() for part in parts for parameter in part.parameters())
