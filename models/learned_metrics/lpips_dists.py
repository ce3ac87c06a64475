"""LPIPS and DISTS, with weights that the user has on disk.

LPIPS (Zhang, Isola, Efros, Shechtman & Wang, CVPR 2018) and DISTS (Ding, Ma, Wang & Simoncelli, TPAMI 2022)
compare the features of two pictures in a network that was trained to classify photographs. The small learnt weights
on top of the features ship with vpbench; those of the large network under them do not. They are read from the file
that ``$VPBENCH_LPIPS_WEIGHTS`` or ``$VPBENCH_DISTS_WEIGHTS`` names, as torchvision publishes them
(``alexnet-owt-7be5be79.pth``, ``vgg16-397923af.pth``) or as safetensors with the same names. Nothing is downloaded.

Scores depend on the weights, so a protocol states their SHA-256. This module imports torch only when a score is
computed.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vpbench.errors import UsageError, VpbenchError, unknown_name
from vpbench.models.learned_metrics.weights_files import check_hash, from_environment, read_tensors
from vpbench.scoring.metrics import Metric

if TYPE_CHECKING:
    from torch import Tensor, nn

    from vpbench.models.learned_metrics.networks import Net


Image = NDArray[np.float64]
LPIPS_WEIGHTS = "VPBENCH_LPIPS_WEIGHTS"
DISTS_WEIGHTS = "VPBENCH_DISTS_WEIGHTS"
_BACKBONES = {"alex": "AlexNet", "vgg": "VGG-16", "squeeze": "SqueezeNet 1.1"}


def lpips(
    target: Image,
    prediction: Image,
    *,
    data_range: float,
    net: Net = "alex",
    sha256: str | None = None,
    mask: NDArray[np.bool_] | None = None,
) -> float:
    """LPIPS, version 0.1: the weighted distance between normalised features, averaged over the frame.

    Args:
        target: (H, W, 3), RGB in [0, data_range].
        prediction: (H, W, 3), RGB in [0, data_range].
        data_range: the value of white.
        net: the network below: ``alex`` (the authors' choice for comparing pictures), ``vgg`` or ``squeeze``.
        sha256: of the file of that network's weights, which ``$VPBENCH_LPIPS_WEIGHTS`` names, or its first 8 digits.
        mask: must be None; features see far beyond a pixel. Use masking ``black`` or ``none``.

    Returns:
        0 for equal frames, more for less alike ones.

    Raises:
        UsageError: there is a mask, no such net, or the weights or their hash are missing or wrong.
        VpbenchError: the weights are damaged, or the frames too small.
    """
    _refuse_mask("lpips", mask)
    if net not in _BACKBONES:
        raise unknown_name("LPIPS net", str(net), list(_BACKBONES))
    path = from_environment(LPIPS_WEIGHTS, "lpips", f"the weights of torchvision's {_BACKBONES[net]}")
    return _distance("lpips", _lpips_network(net, path, sha256), target, prediction, data_range)


def dists(
    target: Image,
    prediction: Image,
    *,
    data_range: float,
    sha256: str | None = None,
    mask: NDArray[np.bool_] | None = None,
) -> float:
    """DISTS: how much the structure and the texture of features differ, in the frame's native size.

    Args:
        target: (H, W, 3), RGB in [0, data_range].
        prediction: (H, W, 3), RGB in [0, data_range].
        data_range: the value of white.
        sha256: of the file of VGG-16's weights, which ``$VPBENCH_DISTS_WEIGHTS`` names.
        mask: must be None, as for :func:`lpips`.

    Returns:
        0 for equal frames, more for less alike ones.

    Raises:
        UsageError: there is a mask, or the weights or their hash are missing or wrong.
        VpbenchError: the weights are damaged, or the frames too small.
    """
    _refuse_mask("dists", mask)
    path = from_environment(DISTS_WEIGHTS, "dists", f"the weights of torchvision's {_BACKBONES['vgg']}")
    return _distance("dists", _dists_network(path, sha256), target, prediction, data_range)


def _refuse_mask(metric: str, mask: NDArray[np.bool_] | None) -> None:
    if mask is not None:
        raise UsageError(f"Metric '{metric}' has no mean inside a mask; use masking 'black' or 'none'.")


def _distance(metric: str, network: nn.Module, target: Image, prediction: Image, data_range: float) -> float:
    import torch

    def tensor(frame: Image) -> Tensor:
        scaled = np.clip(frame / data_range, 0.0, 1.0).astype(np.float32)
        return torch.from_numpy(np.ascontiguousarray(scaled.transpose(2, 0, 1)))[None]

    try:
        with torch.inference_mode():
            return float(network(tensor(prediction), tensor(target)))
    except RuntimeError as error:
        reason = str(error).strip().split("\n")[0]
        size = f"{target.shape[0]}×{target.shape[1]}"
        raise VpbenchError(f"Metric '{metric}' failed on frames of {size} pixels: {reason}") from error


@cache
def _lpips_network(net: Net, path: Path, sha256: str | None) -> nn.Module:
    from vpbench.models.learned_metrics.networks import LPIPSNetwork

    check_hash(path, sha256, "lpips")
    network = LPIPSNetwork(net)
    network.backbone.fill(
        read_tensors(path), f"{path} does not hold the weights of torchvision's {_BACKBONES[net]}"
    )
    return _ready(network)


@cache
def _dists_network(path: Path, sha256: str | None) -> nn.Module:
    from vpbench.models.learned_metrics.networks import DISTSNetwork

    check_hash(path, sha256, "dists")
    network = DISTSNetwork()
    network.backbone.fill(read_tensors(path), f"{path} does not hold the weights of torchvision's VGG-16")
    return _ready(network)


def _ready(network: nn.Module) -> nn.Module:
    from vpbench.parallel.processes import limit_threads

    limit_threads()  # torch was loaded after the worker had started
    return network.eval().requires_grad_(requires_grad=False)


LPIPS = Metric(
    label="LPIPS",
    unit="",
    low=0.0,
    high=np.inf,
    higher_is_better=False,
    source="Zhang, Isola, Efros, Shechtman & Wang, CVPR 2018, version 0.1; weights by the protocol",
    function=lpips,
)
DISTS = Metric(
    label="DISTS",
    unit="",
    low=0.0,
    high=2.0,
    higher_is_better=False,
    source="Ding, Ma, Wang & Simoncelli, TPAMI 44 (2022); weights by the protocol",
    function=dists,
)
