"""The words of ``ranzato2014``: centroids of grey patches, found by k-means on the footage for training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vpbench.errors import UsageError
from vpbench.files import lock_folder
from vpbench.models.footage.videos import Segments, save_array
from vpbench.scoring.metrics.frames import LUMA

# Side of a patch, pixels.
PATCH = 8
# Patches that k-means sees for each centroid.
_PER_WORD = 200
_LAYOUT = 1


def cache_words(segments: Segments, words: int, seed: int) -> Path:
    """Find the centroids, or find them cached beside the segments.

    Args:
        segments: the decoded segments.
        words: K, how many.
        seed: of the patches drawn and of k-means.

    Returns:
        A ``.npy`` file: float32 ``(K, 64)``, patches of values in [−1, 1] row by row.

    Raises:
        UsageError: scikit-learn is not installed.
    """
    file = segments.folder / f"words-{words}-{seed}-{_LAYOUT}.npy"
    with lock_folder(segments.folder, wait=True):
        if not file.exists():
            save_array(file, centroids_of(_drawn(segments, _PER_WORD * words, seed), words, seed))
    return file


def centroids_of(patches: NDArray[np.float32], words: int, seed: int) -> NDArray[np.float32]:
    """Mini-batch k-means (Sculley, WWW 2010) of patches ``(N, 64)``: float32 ``(words, 64)``.

    Raises:
        UsageError: scikit-learn is not installed.
    """
    try:
        from sklearn.cluster import MiniBatchKMeans
    except ImportError:
        raise UsageError(
            "This recipe needs scikit-learn, for k-means: pip install 'vpbench[learn]'."
        ) from None
    means = MiniBatchKMeans(words, batch_size=16 * words, n_init=1, max_iter=20, random_state=seed)
    return np.asarray(means.fit(patches).cluster_centers_, np.float32)


def _drawn(segments: Segments, count: int, seed: int) -> NDArray[np.float32]:
    """Patches at random places of all videos: ``(count, 64)``."""
    random = np.random.default_rng(seed)
    drawn = np.empty((count, PATCH, PATCH, 3), np.uint8)
    videos = [segments.open(index) for index in range(len(segments.files))]
    for index in range(count):
        video = videos[int(random.integers(len(videos)))]
        number, length, height, width, _ = video.shape
        segment, frame = int(random.integers(number)), int(random.integers(length))
        top, left = int(random.integers(height - PATCH + 1)), int(random.integers(width - PATCH + 1))
        drawn[index] = video[segment, frame, top : top + PATCH, left : left + PATCH]
    colours = torch.from_numpy(drawn).permute(0, 3, 1, 2).float() / 127.5 - 1
    return greys(colours)[0].reshape(count, PATCH**2).numpy()


def greys(frames: Tensor) -> list[Tensor]:
    """The frames ``(B, T · 3, H, W)`` as grey ones, each ``(B, 1, H, W)``."""
    luma = frames.new_tensor(LUMA).reshape(1, 3, 1, 1)
    return [(frame * luma).sum(1, keepdim=True) for frame in torch.split(frames, 3, 1)]
