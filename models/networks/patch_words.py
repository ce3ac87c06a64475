"""The recurrent network over quantised patches of Ranzato et al., "Video (language) modeling" (arXiv:1412.6604).

Frames are grey. Each patch of 8×8 pixels is replaced by the index of the nearest of K centroids, its word. A recurrent
convolutional network reads the words of the last frames at a place and around it, oldest frame first, and predicts
the word that comes next there: a softmax over K. The next frame is put together from the centroids of the words
predicted, for each of the 64 offsets at which the frame can be cut into patches, and these 64 frames are averaged.

What was taken where nothing better is known here: patches keep their mean and contrast; grey is ITU-R BT.601 luma;
a word is embedded in as many numbers as there are feature maps; what a place sees of the words around it and of the
state around it is 3×3 patches each; the word predicted is the most probable one; the border is replicated.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vpbench.models.footage.words import PATCH, greys
from vpbench.models.networks.generator import scaled

# Feature maps at width 1.
_MAPS = 512
# Rows of a frame whose patches are compared with the centroids at a time; it bounds the memory.
_ROWS = 16


class PatchWords(nn.Module):
    """From the words of the last frames to those of the next.

    Args:
        words: K, the number of centroids.
        width: multiplier of the feature maps.

    Attributes:
        centroids: float32 ``(K, 64)``, patches of values in [−1, 1] row by row; zero until :meth:`learn_words`.
    """

    inputs = 4
    targets = 1
    scales = 1
    multiple = PATCH
    centroids: Tensor

    def __init__(self, words: int, width: float = 1.0) -> None:
        super().__init__()
        maps = scaled(_MAPS, width)
        self.register_buffer("centroids", torch.zeros(words, PATCH**2))
        self.embedding = nn.Embedding(words, maps)
        self.see = nn.Conv2d(maps, maps, 3, padding=1)
        self.recur = nn.Conv2d(maps, maps, 3, padding=1, bias=False)
        self.say = nn.Conv2d(maps, words, 1)

    def words_of(self, images: Tensor, stride: int = PATCH) -> Tensor:
        """The word of every patch.

        Args:
            images: grey, ``(B, 1, H, W)`` in [−1, 1].
            stride: pixels from one patch to the next.

        Returns:
            int64 ``(B, h, w)``.
        """
        # |x − c|² is least where x · c − |c|² / 2 is largest. A row for each patch: argmax over columns is slow.
        half = self.centroids.square().sum(1) / 2
        rows, columns = ((size - PATCH) // stride + 1 for size in images.shape[-2:])
        found = []
        for first in range(0, rows, _ROWS):
            last = min(first + _ROWS, rows) - 1
            part = images[..., first * stride : last * stride + PATCH, :]
            patches = functional.unfold(part, PATCH, stride=stride).transpose(1, 2).flatten(0, 1)
            nearest = functional.linear(patches, self.centroids, -half).argmax(1)
            found.append(nearest.reshape(len(images), -1, columns))
        return torch.cat(found, 1)

    def forward(self, frames: Tensor) -> list[Tensor]:
        """Predict the words of the next frame.

        Args:
            frames: ``(B, inputs · 3, H, W)`` in [−1, 1]; H and W are multiples of 8.

        Returns:
            One tensor of logits ``(B, K, H / 8, W / 8)``.
        """
        return [self.next_words(torch.stack([self.words_of(frame) for frame in greys(frames)], 1))]

    def next_words(self, words: Tensor) -> Tensor:
        """Logits ``(B, K, h, w)`` of the words after ``(B, T, h, w)``, oldest first."""
        state: Tensor | None = None
        for now in words.unbind(1):
            seen = self.see(self.embedding(now).permute(0, 3, 1, 2))
            state = functional.relu(seen if state is None else seen + self.recur(state))
        assert state is not None  # noqa: S101 -- there is at least one frame
        # A row of logits for each place, for the argmax.
        logits = functional.linear(state.permute(0, 2, 3, 1), self.say.weight.flatten(1), self.say.bias)
        return logits.permute(0, 3, 1, 2).float()

    def painted(self, words: Tensor) -> Tensor:
        """Grey images ``(B, 1, 8 h, 8 w)`` of the words' centroids ``(B, h, w)``."""
        patches = self.centroids[words].reshape(*words.shape, PATCH, PATCH)
        return patches.transpose(2, 3).reshape(len(words), 1, words.shape[1] * PATCH, words.shape[2] * PATCH)

    def predict(self, frames: Tensor) -> Tensor:
        """Predict the next frame, averaged over all 64 offsets of the tiling.

        Args:
            frames: ``(B, inputs · 3, H, W)`` in [−1, 1]; H and W are multiples of 8.

        Returns:
            ``(B, 3, H, W)``, the same in all three channels.
        """
        height, width = frames.shape[-2:]
        padded = functional.pad(frames, (PATCH,) * 4, mode="replicate")
        dense = torch.stack([self.words_of(frame, 1) for frame in greys(padded)], 1)
        across, down = width // PATCH + 1, height // PATCH + 1
        total = frames.new_zeros(len(frames), 1, height, width)
        for top in range(PATCH):
            for left in range(PATCH):
                words = dense[:, :, top::PATCH, left::PATCH][:, :, :down, :across]
                painted = self.painted(self.next_words(words).argmax(1))
                total += painted[..., PATCH - top :, PATCH - left :][..., :height, :width]
        return (total / PATCH**2).repeat(1, 3, 1, 1)
