"""Features of a window of frames: of a network's hidden layers, and those that it is compared with."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vpbench.errors import UsageError
from vpbench.models.networks.build import AnyGenerator, make_generator
from vpbench.models.networks.forecast import forecast
from vpbench.models.networks.generator import ConvStack, Generator
from vpbench.models.networks.motion import Motion
from vpbench.models.recipes.recipe import Recipe
from vpbench.video import flow

Window = NDArray[np.uint8]
Features = Callable[[Window], NDArray[np.float32]]
# Raw pixels: the size to which each frame is shrunk. Flow: cells of the frame, and directions of motion.
_SIZE = (16, 12)
_CELLS, _DIRECTIONS = 4, 8


def of_network(network: AnyGenerator, device: str = "cpu") -> Features:
    """Mean and standard deviation over the frame of each map of the last hidden layer, at every scale.

    Args:
        network: the paper's G of any kind, or the motion network.
        device: where to compute.

    Raises:
        UsageError: the network has no such layer.
    """
    if isinstance(network, Generator):
        outputs = [module.last for module in network.modules() if isinstance(module, ConvStack)]
    elif isinstance(network, Motion):
        outputs = [network.head]
    else:
        raise UsageError("--model: only the paper's generators and `motion` have features to probe.")
    network.to(device)
    seen: list[NDArray[np.float32]] = []

    def pool(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        maps = given[0].float()
        seen.append(torch.cat([maps.mean((0, 2, 3)), maps.std((0, 2, 3))]).cpu().numpy())

    for layer in outputs:
        layer.register_forward_pre_hook(pool)

    def features(window: Window) -> NDArray[np.float32]:
        seen.clear()
        forecast(network, window, 1, device)
        return np.concatenate(seen)

    return features


def of_untrained(recipe: Recipe, device: str = "cpu") -> Features:
    """The same of a network that has the recipe's initial weights."""
    torch.manual_seed(recipe.seed)
    return of_network(make_generator(recipe.network).eval().requires_grad_(False), device)


def of_pixels(window: Window) -> NDArray[np.float32]:
    """The frames themselves, shrunk to 16×12 pixels."""
    small = np.stack([cv2.resize(frame, _SIZE, interpolation=cv2.INTER_AREA) for frame in window])
    return small.astype(np.float32).ravel() / np.float32(255)


def of_flow(window: Window) -> NDArray[np.float32]:
    """Statistics of the flow between the last two frames.

    In each of 4×4 cells: mean and standard deviation of both components and of the length; and how the
    length is shared by eight directions, over the whole frame.
    """
    field = flow.estimate(flow.DEFAULT, window[-2], window[-1])
    length = np.hypot(field[..., 0], field[..., 1])
    maps = np.dstack([field, length])
    cells = [cell for rows in np.array_split(maps, _CELLS, 0) for cell in np.array_split(rows, _CELLS, 1)]
    spread = [statistic for cell in cells for statistic in (cell.mean((0, 1)), cell.std((0, 1)))]
    angle = np.arctan2(field[..., 1], field[..., 0])
    shares, _ = np.histogram(angle, _DIRECTIONS, (-np.pi, np.pi), weights=length)
    return np.concatenate([*spread, shares / max(float(length.sum()), 1e-6)]).astype(np.float32)
