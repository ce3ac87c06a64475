"""Sampling images along a displacement."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def sample(images: Tensor, displacement: Tensor, margin: int = 0) -> Tensor:
    """Sample images at x + d(x), bilinearly, with the border replicated.

    Args:
        images: ``(B, C, H + 2 margin, W + 2 margin)``.
        displacement: d, ``(B, 2, H, W)``, pixels, to the right and down.
        margin: how many pixels of the images lie above and to the left of d.

    Returns:
        ``(B, C, H, W)``.
    """
    height, width = images.shape[-2:]
    rows, columns = (
        torch.arange(size, device=images.device, dtype=displacement.dtype) + margin
        for size in displacement.shape[-2:]
    )
    # As grid_sample counts, from −1 to 1. It reads x and y fastest where each is a plane of its own.
    pixel = displacement.new_tensor([2 / max(1, width - 1), 2 / max(1, height - 1)])[:, None, None]
    places = torch.stack(torch.meshgrid(columns, rows, indexing="xy")) * pixel - 1
    grid = torch.addcmul(places, displacement, pixel).permute(0, 2, 3, 1)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=True)
