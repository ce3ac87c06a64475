"""Fréchet video distance between a run's predictions and the truth (Unterthiner et al., arXiv:1812.01717).

    FVD = |μ − μ̂|² + tr(Σ + Σ̂ − 2 (Σ Σ̂)^½)

with the means and covariances of a video network's features over all true and all predicted sequences. It is a
distance of two *sets*: it has no value for a frame or a clip, so it cannot be a metric of a protocol and stands in
no row of ``scores.jsonl``. The network is the user's TorchScript file of I3D.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vpbench.errors import UsageError, VpbenchError

if TYPE_CHECKING:
    from torch import Tensor


Video = NDArray[np.float32]


def load_detector(path: Path, device: str = "cpu") -> Callable[[Tensor], Tensor]:
    """Load a TorchScript video network.

    It is called as the common export of I3D is, ``network(videos, rescale=True, resize=True,
    return_features=True)``, with float32 ``(N, 3, T, H, W)`` in [0, 255], and returns features ``(N, F)``. A
    TorchScript file holds a program, although none that reaches beyond torch: use one that you trust.

    Raises:
        UsageError: there is no such file.
        VpbenchError: the file is no TorchScript program.
    """
    import torch

    if not path.is_file():
        raise UsageError(f"--weights {path}: there is no such file.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the files that people have are TorchScript
            load: Any = torch.jit.load
            network = load(str(path), map_location=device).eval()
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise VpbenchError(f"{path} is not a TorchScript program: {reason}") from error

    def features(videos: Tensor) -> Tensor:
        try:
            with torch.inference_mode():
                found: Tensor = network(videos.to(device), rescale=True, resize=True, return_features=True)
        except Exception as error:  # TorchScript raises what its program does
            reason = str(error).strip().split("\n")[-1]
            raise VpbenchError(
                f"The video network {path} fails on sequences of {videos.shape[2]} frames: {reason}. I3D needs about "
                "10 frames or more; a protocol such as ucf101-8to8 has 16."
            ) from error
        if found.ndim != 2 or len(found) != len(videos):
            raise VpbenchError(
                f"The video network {path} returned {tuple(found.shape)}, not (videos, features)."
            )
        return found

    return features


def video_distance(
    detector: Callable[[Tensor], Tensor], pairs: Iterable[tuple[Video, Video]]
) -> tuple[float, int]:
    """The distance between true and predicted sequences.

    Args:
        detector: see :func:`load_detector`.
        pairs: for each clip the true and the predicted sequence, float32 ``(T, H, W, 3)`` in [0, 1].

    Returns:
        The distance, 0 or more, and the number of features, which the number of clips should well exceed.

    Raises:
        VpbenchError: there are fewer than two clips.
    """
    import torch

    features: tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]] = ([], [])
    for pair in pairs:
        for video, found in zip(pair, features, strict=True):
            tensor = torch.from_numpy(video.transpose(3, 0, 1, 2) * np.float32(255))[None]
            found.append(detector(tensor).cpu().double().numpy()[0])
    if len(features[0]) < 2:
        raise VpbenchError(f"FVD needs at least two clips; there are {len(features[0])}.")
    true, predicted = (np.stack(found) for found in features)
    return frechet_distance(true, predicted), true.shape[1]


def frechet_distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The distance between the normal distributions fitted to two sets of features ``(N, F)``; 0 or more."""
    offset = one.mean(0) - other.mean(0)
    # Factors of the covariances, Σ = RᵀR: the trace of (Σ Σ̂)^½ is the sum of the singular values of R R̂ᵀ.
    r, s = (
        np.linalg.qr(features - features.mean(0), mode="r") / np.sqrt(len(features) - 1)
        for features in (one, other)
    )
    trace = (r**2).sum() + (s**2).sum() - 2 * np.linalg.norm(r @ s.T, "nuc")
    return max(0.0, float(offset @ offset + trace))
