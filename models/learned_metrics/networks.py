"""The networks of LPIPS and DISTS: the convolutions of a classifier, and how two frames' features are compared.

The layers of AlexNet, VGG-16 and SqueezeNet 1.1 have torchvision's numbers, under which it publishes their weights
(``features.<layer>.weight``). What LPIPS and DISTS learnt on top of them, some thousand numbers each, stands in
``calibration.safetensors``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from vpbench.errors import VpbenchError

Net = Literal["alex", "vgg", "squeeze"]
_CALIBRATION = Path(__file__).parent / "calibration.safetensors"
# The layers after which features are taken.
_TAPS: dict[Net, tuple[int, ...]] = {
    "alex": (1, 4, 7, 9, 11),
    "vgg": (3, 8, 15, 22, 29),
    "squeeze": (1, 4, 7, 9, 10, 11, 12),
}


class Features(nn.Module):
    """The convolutions of a classifier, without weights until :meth:`fill`.

    Args:
        net: which.
        pooling: of each pooling layer (VGG-16 only), from its number of channels; by default the maximum.
    """

    def __init__(self, net: Net, pooling: type[L2Pooling] | None = None) -> None:
        super().__init__()
        self.net = net
        with torch.device("meta"):
            self.features = {"alex": _alexnet, "vgg": _vgg16, "squeeze": _squeezenet}[net]()
        if pooling is not None:
            channels = 0
            for number, layer in enumerate(self.features):
                if isinstance(layer, nn.Conv2d):
                    channels = layer.out_channels
                elif isinstance(layer, nn.MaxPool2d):
                    self.features[number] = pooling(channels)

    def fill(self, tensors: Mapping[str, Tensor], problem: str) -> None:
        """Give the layers their weights, named as torchvision does.

        Args:
            tensors: by name; those of further layers are ignored.
            problem: what it means if they do not fit, for the error.

        Raises:
            VpbenchError: a layer's weights are missing, or have another shape.
        """
        wanted = dict(self.named_parameters())
        for name, parameter in wanted.items():
            if name not in tensors or tensors[name].shape != parameter.shape:
                raise VpbenchError(f"{problem}: '{name}' is missing or has another shape.")
        self.load_state_dict({name: tensors[name].float() for name in wanted}, strict=False, assign=True)

    def forward(self, frames: Tensor) -> list[Tensor]:
        """The features ``(N, C, h, w)`` of frames ``(N, 3, H, W)``, fine to coarse."""
        found = []
        for number, layer in enumerate(self.features):
            frames = layer(frames)
            if number in _TAPS[self.net]:
                found.append(frames)
        return found


def _alexnet() -> nn.Sequential:
    """Krizhevsky, arXiv:1404.5997, as torchvision has it."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, stride=4, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(),
    )


def _vgg16() -> nn.Sequential:
    """Simonyan & Zisserman, ICLR 2015, configuration D."""
    layers: list[nn.Module] = []
    before = 3
    for block, (maps, convolutions) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))):
        if block:
            layers.append(nn.MaxPool2d(2, 2))
        for _ in range(convolutions):
            layers += [nn.Conv2d(before, maps, 3, padding=1), nn.ReLU()]
            before = maps
    return nn.Sequential(*layers)


class _Fire(nn.Module):
    """SqueezeNet's block: 1×1 convolutions squeeze, then 1×1 and 3×3 ones expand."""

    def __init__(self, channels: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, inputs: Tensor) -> Tensor:
        squeezed = functional.relu(self.squeeze(inputs))
        return functional.relu(torch.cat([self.expand1x1(squeezed), self.expand3x3(squeezed)], 1))


def _squeezenet() -> nn.Sequential:
    """Iandola et al., arXiv:1602.07360, version 1.1."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, stride=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        _Fire(64, 16, 64),
        _Fire(128, 16, 64),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        _Fire(128, 32, 128),
        _Fire(256, 32, 128),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        _Fire(256, 48, 192),
        _Fire(384, 48, 192),
        _Fire(384, 64, 256),
        _Fire(512, 64, 256),
    )


class LPIPSNetwork(nn.Module):
    """LPIPS, version 0.1: Σ over the layers of the mean over the frame of w · (f̂ − ĝ)².

    f̂ and ĝ are the two frames' features, each pixel's divided by their length; w is learnt.

    Args:
        net: the network below.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.backbone = Features(net)
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188])[:, None, None])
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450])[:, None, None])
        learnt = load_file(_CALIBRATION)
        self.weights = [
            learnt[f"lpips.{net}.{layer}"][None, :, None, None] for layer in range(len(_TAPS[net]))
        ]

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        """The distances ``(N,)`` of frames ``(N, 3, H, W)``, RGB in [0, 1]."""
        features = (self.backbone((2 * frames - 1 - self.shift) / self.scale) for frames in (one, other))
        total = one.new_zeros(len(one))
        for weight, f, g in zip(self.weights, *features, strict=True):
            difference = (_normalised(f) - _normalised(g)) ** 2
            total = total + functional.conv2d(difference, weight).mean((1, 2, 3))
        return total


def _normalised(features: Tensor) -> Tensor:
    return features / torch.sqrt(1e-8 + (features**2).sum(1, keepdim=True))


class L2Pooling(nn.Module):
    """Square root of the mean of squares under a 3×3 Hann window, halving the size: pools without aliasing."""

    window: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        sides = torch.tensor([0.5, 1.0, 0.5])
        window = sides[:, None] * sides / 4
        self.register_buffer("window", window.repeat(channels, 1, 1, 1))

    def forward(self, inputs: Tensor) -> Tensor:
        """Pool ``(N, C, H, W)``."""
        squares = functional.conv2d(inputs**2, self.window, stride=2, padding=1, groups=inputs.shape[1])
        return (squares + 1e-12).sqrt()


class DISTSNetwork(nn.Module):
    """DISTS: 1 − Σ over the layers and their maps of α · texture + β · structure, the frame itself being a layer.

    Texture compares the maps' means as SSIM's luminance term does, structure their covariance; α and β are learnt.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Features("vgg", L2Pooling)
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None])
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225])[:, None, None])
        learnt = load_file(_CALIBRATION)
        self.alpha, self.beta = learnt["dists.alpha"], learnt["dists.beta"]

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        """The distances ``(N,)`` of frames ``(N, 3, H, W)``, RGB in [0, 1]."""
        features = [[x, *self.backbone((x - self.mean) / self.deviation)] for x in (one, other)]
        maps = [layer.shape[1] for layer in features[0]]
        whole = self.alpha.sum() + self.beta.sum()
        shares = zip(torch.split(self.alpha / whole, maps), torch.split(self.beta / whole, maps), strict=True)
        likeness = one.new_zeros(len(one))
        for f, g, (alpha, beta) in zip(*features, shares, strict=True):
            texture, structure = _statistics(f, g)
            likeness = likeness + (alpha * texture).sum(1) + (beta * structure).sum(1)
        return 1 - likeness


def _statistics(f: Tensor, g: Tensor, stabiliser: float = 1e-6) -> tuple[Tensor, Tensor]:
    """Texture and structure ``(N, C)`` of two frames' maps ``(N, C, h, w)``."""
    mean_f, mean_g = f.mean((2, 3)), g.mean((2, 3))
    texture = (2 * mean_f * mean_g + stabiliser) / (mean_f**2 + mean_g**2 + stabiliser)
    variance_f, variance_g = f.var((2, 3), correction=0), g.var((2, 3), correction=0)
    covariance = (f * g).mean((2, 3)) - mean_f * mean_g
    return texture, (2 * covariance + stabiliser) / (variance_f + variance_g + stabiliser)
