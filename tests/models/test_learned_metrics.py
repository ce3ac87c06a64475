"""LPIPS, DISTS and FVD compute what torchmetrics computes, with small random weights, and never download."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from numpy.typing import NDArray

from vpbench.errors import UsageError, VpbenchError
from vpbench.scoring.metrics import get_metric

if not all(map(importlib.util.find_spec, ("torchmetrics", "torchvision"))):
    pytest.skip("needs pip install 'vpbench[learned]'", allow_module_level=True)

import torch

from vpbench.models.learned_metrics import fvd
from vpbench.models.learned_metrics import lpips_dists as learned_metrics
from vpbench.models.learned_metrics.lpips_dists import dists, lpips

Image = NDArray[np.float64]
# torchvision's layers with weights: number in `features`, inputs, outputs, side of the kernel.
ALEXNET = [(0, 3, 64, 11), (3, 64, 192, 5), (6, 192, 384, 3), (8, 384, 256, 3), (10, 256, 256, 3)]
VGG16 = [
    *((0, 3, 64, 3), (2, 64, 64, 3), (5, 64, 128, 3), (7, 128, 128, 3), (10, 128, 256, 3)),
    *((12, 256, 256, 3), (14, 256, 256, 3), (17, 256, 512, 3), (19, 512, 512, 3), (21, 512, 512, 3)),
    *((24, 512, 512, 3), (26, 512, 512, 3), (28, 512, 512, 3)),
]


def weights_file(path: Path, layers: list[tuple[int, int, int, int]]) -> tuple[Path, str, dict[str, Any]]:
    """Random weights under torchvision's names; the file, its SHA-256 and the tensors."""
    generator = torch.Generator().manual_seed(len(layers))
    tensors = {}
    for number, inputs, outputs, side in layers:
        scale = (2 / (inputs * side * side)) ** 0.5
        shape = (outputs, inputs, side, side)
        tensors[f"features.{number}.weight"] = scale * torch.randn(shape, generator=generator)
        tensors[f"features.{number}.bias"] = 0.1 * torch.randn(outputs, generator=generator)
    if path.suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file(tensors, path)
    else:
        torch.save(tensors, path)
    return path, hashlib.sha256(path.read_bytes()).hexdigest(), tensors


def frames(size: tuple[int, int] = (70, 90)) -> tuple[Image, Image]:
    random = np.random.default_rng(3)
    target = random.uniform(0, 1, (*size, 3))
    return target, np.clip(target + 0.2 * random.normal(size=target.shape), 0, 1)


def tensor(image: Image) -> Any:
    return torch.from_numpy(image.astype(np.float32).transpose(2, 0, 1))[None]


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """No networks of other tests, no weights of the user's, and no way to download."""
    learned_metrics._lpips_network.cache_clear()
    learned_metrics._dists_network.cache_clear()
    for variable in (learned_metrics.LPIPS_WEIGHTS, learned_metrics.DISTS_WEIGHTS, "VPBENCH_FVD_WEIGHTS"):
        monkeypatch.delenv(variable, raising=False)

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a download was tried")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_lpips_is_torchmetrics_lpips(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, digest, tensors = weights_file(tmp_path / f"alexnet{suffix}", ALEXNET)
    monkeypatch.setenv("VPBENCH_LPIPS_WEIGHTS", str(path))
    target, prediction = frames()
    ours = lpips(target, prediction, data_range=1.0, net="alex", sha256=digest)

    import torchvision
    from torchmetrics.functional.image import learned_perceptual_image_patch_similarity

    network = torchvision.models.alexnet(weights=None)
    network.load_state_dict(tensors, strict=False)
    monkeypatch.setattr(torchvision.models, "alexnet", lambda weights: network)
    theirs = learned_perceptual_image_patch_similarity(
        tensor(prediction), tensor(target), net_type="alex", normalize=True
    )
    assert ours == pytest.approx(float(theirs), rel=1e-6)
    assert ours > 0.01
    assert lpips(target, target, data_range=1.0, sha256=digest) == pytest.approx(0, abs=1e-7)
    assert lpips(255 * target, 255 * prediction, data_range=255.0, sha256=digest) == pytest.approx(
        ours, rel=1e-5
    )


def test_dists_is_torchmetrics_dists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, digest, tensors = weights_file(tmp_path / "vgg16.pth", VGG16)
    monkeypatch.setenv("VPBENCH_DISTS_WEIGHTS", str(path))
    target, prediction = frames()
    ours = dists(target, prediction, data_range=1.0, sha256=digest)

    from torchmetrics.functional.image import deep_image_structure_and_texture_similarity
    from torchmetrics.functional.image import dists as library
    from torchvision.models.vgg import cfgs, make_layers

    features = make_layers(cfgs["D"])
    features.load_state_dict({name.removeprefix("features."): value for name, value in tensors.items()})
    monkeypatch.setattr(library, "vgg16", lambda weights: SimpleNamespace(features=features))
    theirs = deep_image_structure_and_texture_similarity(tensor(prediction), tensor(target)).detach()
    assert ours == pytest.approx(float(theirs), abs=1e-6)
    assert ours > 0.001
    assert dists(target, target, data_range=1.0, sha256=digest) == pytest.approx(0, abs=1e-6)


def test_they_are_installed_and_listed_without_torch(tmp_path: Path) -> None:
    assert not get_metric("lpips").higher_is_better
    assert not get_metric("dists").higher_is_better
    code = "import sys; from vpbench.cli.list import metrics; print(metrics()); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "lpips" in done.stdout
    assert done.stdout.endswith("False\n")


def test_missing_and_wrong_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, prediction = frames()

    def refused(match: str, **options: Any) -> None:
        with pytest.raises(VpbenchError, match=match):
            lpips(target, prediction, data_range=1.0, **options)

    refused(r"neither brings nor downloads\. Set VPBENCH_LPIPS_WEIGHTS")
    with pytest.raises(UsageError, match="VPBENCH_DISTS_WEIGHTS"):
        dists(target, prediction, data_range=1.0)
    monkeypatch.setenv("VPBENCH_LPIPS_WEIGHTS", str(tmp_path / "none.pth"))
    refused(r"VPBENCH_LPIPS_WEIGHTS=.*none\.pth: there is no such file")
    path, digest, _ = weights_file(tmp_path / "vgg16.pth", VGG16[:2])
    monkeypatch.setenv("VPBENCH_LPIPS_WEIGHTS", str(path))
    refused(f'parameters = {{ sha256 = "{digest}" }}')
    refused("64 digits", sha256="abc")
    refused(f"have the SHA-256 {digest}; the protocol wants {'0' * 64}", sha256="0" * 64)
    refused("does not hold the weights of torchvision's AlexNet: 'features.0.weight'", sha256=digest)
    refused("Unknown LPIPS net 'alexnet'", net="alexnet")
    with pytest.raises(UsageError, match="masking 'black' or 'none'"):
        learned_metrics._compared("lpips", None, target, prediction, 1.0, np.ones((70, 90), np.bool_))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_weights_file_cannot_run_code(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import pickle

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "was-here"),)

    path = tmp_path / f"evil{suffix}"
    path.write_bytes(pickle.dumps({"features.0.weight": Evil()}))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setenv("VPBENCH_LPIPS_WEIGHTS", str(path))
    target, prediction = frames()
    with pytest.raises(VpbenchError, match="cannot be read as weights"):
        lpips(target, prediction, data_range=1.0, sha256=digest)
    assert not (tmp_path / "was-here").exists()


PROTOCOL = """
extends = "full-frame"
name = "full-frame-lpips"
summary = "whole frames, with LPIPS"

[metrics.psnr]
metric = "psnr"
parameters = {{ cap = 100.0 }}

[metrics.lpips]
metric = "lpips"
parameters = {{ net = "alex", sha256 = "{}" }}
"""


def test_a_protocol_uses_lpips(
    cli: Callable[..., Result], videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, digest, _ = weights_file(tmp_path / "alexnet.pth", ALEXNET)
    monkeypatch.setenv("VPBENCH_LPIPS_WEIGHTS", str(path))
    protocol = tmp_path / "lpips.toml"
    protocol.write_text(PROTOCOL.format(digest))
    arguments = ["run", "--model", "last_frame", "--split", videos, "--workers", "1", "--protocol", protocol]
    result = cli(*arguments, "--out", tmp_path / "runs")
    assert result.exit_code == 0, result.output
    assert "LPIPS" in result.stdout
    monkeypatch.delenv("VPBENCH_LPIPS_WEIGHTS")
    learned_metrics._lpips_network.cache_clear()
    result = cli(*arguments, "--out", tmp_path / "other")
    assert result.exit_code == 2
    assert "VPBENCH_LPIPS_WEIGHTS" in result.stderr


class Tiny(torch.nn.Module):
    """Stands for I3D: the same call, features that are easy to compute by hand."""

    def forward(
        self, x: torch.Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False
    ) -> torch.Tensor:
        if x.shape[2] < 3:
            raise RuntimeError("too few frames")
        if rescale:
            x = x / 127.5 - 1.0
        return torch.stack(
            [x.mean(dim=[1, 2, 3, 4]), x.std(dim=[1, 2, 3, 4]), x[:, :, -1].mean(dim=[1, 2, 3])], 1
        )


def features(video: NDArray[np.float32]) -> NDArray[np.float64]:
    x = video.astype(np.float64) * 2 - 1
    return np.array([x.mean(), x.std(ddof=1), x[-1].mean()])


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(Tiny()).save(str(path))
    return path


def test_fvd_is_its_formula(detector: Path) -> None:
    from scipy.linalg import sqrtm

    random = np.random.default_rng(0)
    pairs = [
        tuple(random.uniform(0, s, (6, 12, 10, 3)).astype(np.float32) for s in (1.0, 0.7)) for _ in range(9)
    ]
    value, count = fvd.video_distance(fvd.load_detector(detector), pairs)  # type: ignore[arg-type]
    real, fake = (np.stack([features(pair[k]) for pair in pairs]) for k in (0, 1))
    a, b = np.cov(real, rowvar=False), np.cov(fake, rowvar=False)
    expected = np.sum((real.mean(0) - fake.mean(0)) ** 2) + np.trace(a + b - 2 * np.real(sqrtm(a @ b)))
    assert count == 3
    assert value == pytest.approx(float(expected), rel=1e-4)
    same = [(pair[0], pair[0]) for pair in pairs]
    assert fvd.video_distance(fvd.load_detector(detector), same)[0] == pytest.approx(0, abs=1e-6)


def test_fvd_of_runs(cli: Callable[..., Result], detector: Path, videos: Path, tmp_path: Path) -> None:
    run = ["run", "--split", videos, "--workers", "1", "--out", tmp_path / "runs", "--save-predictions"]
    assert cli(*run, "--model", "last_frame", "--model", "optical_flow").exit_code == 0
    folder = tmp_path / "runs" / "videos" / "mathieu2016"
    result = cli(
        "fvd", folder / "last_frame", folder / "optical_flow", "--split", videos, "--weights", detector
    )
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["last_frame", "optical_flow"]
    assert float(lines[1].split()[1]) > 0
    assert hashlib.sha256(detector.read_bytes()).hexdigest() in result.stdout
    assert "fewer clips than the network has features" in result.stderr


def test_fvd_says_what_is_missing(
    cli: Callable[..., Result], detector: Path, videos: Path, tmp_path: Path
) -> None:
    run = ["run", "--split", videos, "--workers", "1", "--out", tmp_path / "runs", "--model", "last_frame"]
    assert cli(*run).exit_code == 0
    folder = tmp_path / "runs" / "videos" / "mathieu2016" / "last_frame"
    result = cli("fvd", folder, "--split", videos)
    assert result.exit_code == 2
    assert "--weights" in result.stderr
    result = cli("fvd", folder, "--split", videos, "--weights", tmp_path / "none.pt")
    assert "there is no such file" in result.stderr
    (tmp_path / "bad.pt").write_bytes(b"not a program")
    result = cli("fvd", folder, "--split", videos, "--weights", tmp_path / "bad.pt")
    assert "bad.pt is not a TorchScript program" in result.stderr
    result = cli("fvd", folder, "--split", videos, "--weights", detector)
    assert "run it again with --save-predictions" in result.stderr
    short = np.zeros((2, 8, 8, 3), np.float32)
    with pytest.raises(VpbenchError, match="fails on sequences of 2 frames"):
        fvd.video_distance(fvd.load_detector(detector), [(short, short)])
    long = np.zeros((4, 8, 8, 3), np.float32)
    with pytest.raises(VpbenchError, match="at least two clips"):
        fvd.video_distance(fvd.load_detector(detector), [(long, long)])
