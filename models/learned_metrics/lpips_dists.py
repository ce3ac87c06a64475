"""LPIPS and DISTS, by torchmetrics, with weights that the user has on disk.

LPIPS (Zhang, Isola, Efros, Shechtman & Wang, CVPR 2018) and DISTS (Ding, Ma, Wang & Simoncelli, TPAMI 2022)
compare the features of two pictures in a network that was trained to classify photographs. torchmetrics has both,
with the small learnt weights on top of the features; the large network under them is torchvision's and its
weights are not part of any package. They are read from the file that ``$VPBENCH_LPIPS_WEIGHTS`` or
``$VPBENCH_DISTS_WEIGHTS`` names, as torchvision publishes them (``alexnet-owt-7be5be79.pth``,
``vgg16-397923af.pth``) or as safetensors with the same names. Nothing is downloaded.

Scores depend on the weights, so a protocol states their SHA-256. Needs ``pip install 'vpbench[learned]'``. This
module imports torch only when a score is computed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vpbench.errors import UsageError, VpbenchError, unknown_name
from vpbench.models.learned_metrics.weights_files import check_hash, from_environment, read_tensors
from vpbench.scoring.metrics import Metric

if TYPE_CHECKING:
    from torch import Tensor, nn


Image = NDArray[np.float64]
Net = Literal["alex", "vgg", "squeeze"]
LPIPS_WEIGHTS = "VPBENCH_LPIPS_WEIGHTS"
DISTS_WEIGHTS = "VPBENCH_DISTS_WEIGHTS"
_BACKBONES: dict[Net, str] = {"alex": "AlexNet", "vgg": "VGG-16", "squeeze": "SqueezeNet 1.1"}
_declared: list[Any] = []


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
        sha256: of the file of that network's weights, which ``$VPBENCH_LPIPS_WEIGHTS`` names.
        mask: must be None; features see far beyond a pixel. Use masking ``black`` or ``none``.

    Returns:
        0 for equal frames, more for less alike ones.

    Raises:
        UsageError: there is a mask, no such net, or the weights or their hash are missing or wrong.
        VpbenchError: the extra is not installed, the weights are damaged, or the frames too small.
    """
    if net not in get_args(Net):
        raise unknown_name("LPIPS net", str(net), list(get_args(Net)))
    network = _lpips_network(net, sha256)
    return _compared("lpips", network, target, prediction, data_range, mask, normalize=True)


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
        VpbenchError: the extra is not installed, the weights are damaged, or the frames too small.
    """
    return _compared("dists", _dists_network(sha256), target, prediction, data_range, mask)


def _compared(
    metric: str,
    network: nn.Module,
    target: Image,
    prediction: Image,
    data_range: float,
    mask: NDArray[np.bool_] | None,
    **options: bool,
) -> float:
    import torch

    if mask is not None:
        raise UsageError(f"Metric '{metric}' has no mean inside a mask; use masking 'black' or 'none'.")

    def tensor(frame: Image) -> Tensor:
        scaled = np.clip(frame / data_range, 0.0, 1.0).astype(np.float32)
        return torch.from_numpy(np.ascontiguousarray(scaled.transpose(2, 0, 1)))[None]

    try:
        with torch.inference_mode():
            return float(network(tensor(prediction), tensor(target), **options))
    except RuntimeError as error:
        said = str(error).strip().split("\n")[0]
        size = f"{target.shape[0]}×{target.shape[1]}"
        raise VpbenchError(f"Metric '{metric}' failed on frames of {size} pixels: {said}") from error


@cache
def _lpips_network(net: Net, sha256: str | None) -> nn.Module:
    path = from_environment(LPIPS_WEIGHTS, "lpips", f"the weights of torchvision's {_BACKBONES[net]}")
    check_hash(path, sha256, "lpips")
    _import_torchvision("lpips")
    from torchmetrics.functional.image.lpips import _LPIPS

    network: nn.Module = _LPIPS(pretrained=True, net=net, pnet_rand=True, eval_mode=True)
    _fill(network.net, path, r"(slice\d+|slices\.\d+)\.", _BACKBONES[net])  # type: ignore[arg-type]
    return _ready(network)


@cache
def _dists_network(sha256: str | None) -> nn.Module:
    path = from_environment(DISTS_WEIGHTS, "dists", f"the weights of torchvision's {_BACKBONES['vgg']}")
    check_hash(path, sha256, "dists")
    _import_torchvision("dists")
    from importlib import import_module

    library: Any = import_module("torchmetrics.functional.image.dists")

    # The library asks torchvision for weights, which would download them; it gets the network without.
    original: Callable[..., nn.Module] = library.vgg16
    try:
        library.vgg16 = _empty_vgg16
        network = library.DISTSNetwork(load_weights=True)
    finally:
        library.vgg16 = original
    _fill(network, path, r"stage\d+\.", _BACKBONES["vgg"])
    return _ready(network)


def _empty_vgg16(weights: object) -> nn.Module:
    """VGG-16 whose parameters have shapes but no memory yet; its classifier alone would take half a gigabyte."""
    import torch
    from torchvision.models import vgg16

    with torch.device("meta"):
        network: nn.Module = vgg16(weights=None, init_weights=False)
    return network


def _fill(network: nn.Module, path: Any, prefix: str, backbone: str) -> None:
    """Give a network's slices of a backbone the weights of a file, which has them as ``features.<layer>``."""
    tensors = read_tensors(path)
    filled = {}
    for name, parameter in network.named_parameters():
        layer, found = re.subn(rf"^{prefix}", "features.", name)
        if not found:
            continue  # what the library brings with it
        if layer not in tensors or tensors[layer].shape != parameter.shape:
            raise VpbenchError(
                f"{path} does not hold the weights of torchvision's {backbone}: '{layer}' is missing or has "
                "another shape."
            )
        filled[name] = tensors[layer].float()
    network.load_state_dict(filled, strict=False, assign=True)


def _ready(network: nn.Module) -> nn.Module:
    from vpbench.parallel.processes import limit_threads

    limit_threads()  # torch was loaded after the worker had started
    return network.eval().requires_grad_(requires_grad=False)


def _import_torchvision(metric: str) -> None:
    """Make torchvision and torchmetrics importable, or say what is missing.

    PyPI's torchvision is compiled for torch's CUDA build. Beside a CPU build its operators cannot be loaded, and
    its import then fails because it describes two of them. The networks used here need no such operator, so the
    two are declared, without an implementation, and it is imported again.
    """
    try:
        import torch

        try:
            import torchvision
        except RuntimeError as error:
            if "operator torchvision::" not in str(error):
                raise
            make: Any = torch.library.Library
            library = make("torchvision", "FRAGMENT")
            for operator in ("nms", "qnms"):
                library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            _declared.append(library)  # the declarations last as long as it does
            import torchvision
        import torchmetrics  # noqa: F401
    except Exception as error:
        sys.modules.pop("torchvision", None)
        raise VpbenchError(
            f"Metric '{metric}' needs torchmetrics and a torchvision that fits your torch: pip install "
            f"'vpbench[learned]'. The import said: {error}"
        ) from error
    assert torchvision is not None  # noqa: S101


LPIPS = Metric(
    label="LPIPS",
    unit="",
    low=0.0,
    high=np.inf,
    higher_is_better=False,
    source="Zhang, Isola, Efros, Shechtman & Wang, CVPR 2018, version 0.1, by torchmetrics; weights by the protocol",
    function=lpips,
)
DISTS = Metric(
    label="DISTS",
    unit="",
    low=0.0,
    high=2.0,
    higher_is_better=False,
    source="Ding, Ma, Wang & Simoncelli, TPAMI 44 (2022), by torchmetrics; weights by the protocol",
    function=dists,
)
