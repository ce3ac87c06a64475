"""The LSTM future predictor of Srivastava, Mansimov & Salakhutdinov (ICML 2015) on patches of 32×32 pixels.

An LSTM reads the input frames' patches at a place, one after the other; another begins with the state in which the
first one ends, and says the patches that follow, one a step. A frame is tiled with patches that overlap by half, and
what they say is blended, with weights that fall linearly from a patch's centre.

What the text does not settle for whole colour frames, and what was taken: the three colours are three sequences for
one network, whose patches are grey; the second LSTM gets no input (the text's unconditioned decoder); the
reconstruction of the inputs, a second task of the text's composite model, is left out.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vpbench.models.networks.generator import scaled

SIDE = 32
STRIDE = SIDE // 2
# Units of each LSTM at width 1.
_UNITS = 2048


class PatchLSTM(nn.Module):
    """From patches of the last frames to those of the next.

    Args:
        width: multiplier of the units.
        starts_as_copy: the output is added to the last input, and begins as 0.
    """

    inputs = 4
    targets = 1
    scales = 1
    multiple = STRIDE

    def __init__(self, width: float = 1.0, starts_as_copy: bool = False) -> None:
        super().__init__()
        units = scaled(_UNITS, width)
        self.starts_as_copy = starts_as_copy
        self.encoder = nn.LSTM(SIDE**2, units, batch_first=True)
        self.decoder = nn.LSTM(1, units, batch_first=True)  # its one input is always 0
        self.say = nn.Linear(units, SIDE**2)
        if starts_as_copy:
            nn.init.zeros_(self.say.weight)
            nn.init.zeros_(self.say.bias)

    def forward(self, frames: Tensor, targets: int = 1) -> list[Tensor]:
        """Predict patches.

        Args:
            frames: ``(B, T · 3, 32, 32)`` in [−1, 1], oldest first.
            targets: frames wanted.

        Returns:
            One tensor ``(B, targets · 3, 32, 32)``; its values may leave [−1, 1].
        """
        count = len(frames)
        sequences = frames.reshape(count, -1, 3, SIDE**2).transpose(1, 2).flatten(0, 1)
        _, state = self.encoder(sequences)
        nothing = sequences.new_zeros(len(sequences), targets, 1)
        said: Tensor = self.say(self.decoder(nothing, state)[0])
        if self.starts_as_copy:
            said = said + sequences[:, -1:]
        said = said.reshape(count, 3, targets, SIDE**2).transpose(1, 2)
        return [said.reshape(count, targets * 3, SIDE, SIDE)]

    def predict(self, frames: Tensor, targets: int = 1) -> Tensor:
        """Predict whole frames from overlapping patches.

        Args:
            frames: ``(B, T · 3, H, W)`` in [−1, 1]; H and W are multiples of 16.
            targets: frames wanted.

        Returns:
            ``(B, targets · 3, H, W)``.
        """
        count, channels, height, width = frames.shape
        padded = functional.pad(frames, (STRIDE,) * 4, mode="replicate")
        size = padded.shape[-2:]
        tiles = functional.unfold(padded, SIDE, stride=STRIDE)
        places = tiles.shape[-1]
        tiles = tiles.transpose(1, 2).reshape(count * places, channels, SIDE, SIDE)
        said = self(tiles, targets)[0].float() * _blend().to(frames)
        columns = said.reshape(count, places, -1).transpose(1, 2)
        blended = functional.fold(columns, size, SIDE, stride=STRIDE)
        return blended[..., STRIDE : STRIDE + height, STRIDE : STRIDE + width]


def _blend() -> Tensor:
    """Weights ``(32, 32)`` of a patch's pixels; at every pixel those of the patches over it add up to 1."""
    distance = (torch.arange(SIDE) + 0.5 - STRIDE).abs()
    ramp = 1 - distance / STRIDE
    return ramp[:, None] * ramp
