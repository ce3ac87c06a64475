"""From input frames to predicted frames: what predictors and validation do with a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from vpbench.models.footage.guides import guide
from vpbench.models.networks.build import AnyGenerator, predict_whole
from vpbench.models.networks.generator import Generator
from vpbench.models.networks.motion import Motion
from vpbench.models.networks.patch_lstm import PatchLSTM
from vpbench.models.networks.patch_words import PatchWords

Frames = NDArray[np.uint8] | NDArray[np.float32]


def forecast(
    generator: AnyGenerator,
    inputs: Frames,
    targets: int,
    device: torch.device | str = "cpu",
) -> NDArray[np.float32]:
    """Predict the frames after one clip's inputs: :func:`forecast_batch` with one clip."""
    return forecast_batch(generator, [inputs], targets, device)[0]


@torch.inference_mode()
def forecast_batch(
    generator: AnyGenerator,
    inputs: Sequence[Frames],
    targets: int,
    device: torch.device | str = "cpu",
    autocast: bool = False,
) -> list[NDArray[np.float32]]:
    """Predict the frames after several clips of one size.

    A network that predicts one frame is applied recursively, each time to its own unquantised prediction
    (paper, section 3). Flows that guide the motion network are estimated once, from the inputs.

    Args:
        generator: the network.
        inputs: for each clip uint8, or float32 in [0, 1], ``(T, H, W, 3)``; the last ones are used.
        targets: frames wanted.
        device: where to compute.
        autocast: compute in bf16.

    Returns:
        For each clip float32 ``(targets, H, W, 3)`` in [0, 1].
    """
    with torch.autocast(torch.device(device).type, dtype=torch.bfloat16, enabled=autocast):
        together = _together(generator, inputs, targets, device)
    together = together.reshape(len(inputs), targets, 3, *together.shape[-2:])
    pixels = together.permute(0, 1, 3, 4, 2).add(1).mul(0.5).clamp(0, 1)
    return list(pixels.cpu().numpy())


@torch.inference_mode()
def multiply_adds(
    generator: AnyGenerator,
    shape: tuple[int, int, int, int],
    targets: int,
    device: torch.device | str = "cpu",
) -> int:
    """The multiply-adds of predicting the frames after one clip, counted while black frames are predicted.

    Those of convolutions and matrix products, as torch's own counter has them; that one takes seconds to import. Flows
    that guide a network are not counted, nor is what is done pixel by pixel.

    Args:
        generator: the network.
        shape: of the clip's inputs, ``(T, H, W, 3)``.
        targets: frames wanted.
        device: where to compute.
    """
    counter = _MultiplyAdds()
    with counter:
        _together(generator, [np.zeros(shape, np.float32)], targets, device)
    return counter.total


class _MultiplyAdds(TorchFunctionMode):
    """Counts those of what torch is asked to do: each number of the output takes as many as it has weights."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if func in (torch.conv2d, functional.linear):  # (input, weight, …)
            self.total += made.numel() * args[1][0].numel()
        elif func is torch.lstm:  # (input, state, weights and biases, …)
            self.total += args[0].shape[:2].numel() * sum(part.numel() for part in args[2] if part.ndim == 2)
        return made


def _together(
    generator: AnyGenerator, inputs: Sequence[Frames], targets: int, device: torch.device | str
) -> Tensor:
    """All frames ``(B, targets · 3, H, W)`` in [−1, 1]."""
    clips = [clip[-generator.inputs :] for clip in inputs]
    window = torch.stack([_stacked(clip) for clip in clips]).to(device)
    if isinstance(generator, Motion):
        return _guided(generator, clips, window, targets)
    if isinstance(generator, PatchLSTM):
        return predict_whole(generator, window, targets=targets)
    return _recursively(generator, window, targets)


def _stacked(clip: Frames) -> Tensor:
    scale = 127.5 if clip.dtype == np.uint8 else 0.5
    frames = torch.from_numpy(np.ascontiguousarray(clip, dtype=np.float32))
    return frames.permute(0, 3, 1, 2).flatten(0, 1) / scale - 1


def _guided(generator: Motion, clips: Sequence[Frames], window: Tensor, targets: int) -> Tensor:
    """All frames ``(B, targets · 3, H, W)`` by the motion network, which itself is recursive."""
    guides = [guide(_pixels(clip)) for clip in clips]
    flows = torch.stack([_stacked_flows(found.fields) for found in guides]).to(window)
    facts = torch.from_numpy(np.stack([found.facts for found in guides])).to(window)
    return predict_whole(generator, window, flows, facts, targets)


def _recursively(generator: Generator | PatchWords, window: Tensor, targets: int) -> Tensor:
    """The same by a network that predicts the next frames of a window."""
    predicted: list[Tensor] = []
    while sum(part.shape[1] for part in predicted) < 3 * targets:
        frame = predict_whole(generator, window)
        predicted.append(frame)
        window = torch.cat([window, frame], 1)[:, -3 * generator.inputs :]
    return torch.cat(predicted, 1)[:, : 3 * targets]


def _pixels(clip: Frames) -> NDArray[np.uint8]:
    return np.ascontiguousarray(clip if clip.dtype == np.uint8 else np.rint(clip * 255), dtype=np.uint8)


def _stacked_flows(fields: NDArray[np.float32]) -> Tensor:
    """``(fields, H, W, 2)`` → ``(fields · 2, H, W)``."""
    return torch.from_numpy(fields).permute(0, 3, 1, 2).flatten(0, 1)
