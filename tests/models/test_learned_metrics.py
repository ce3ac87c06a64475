"""LPIPS, DISTS and FVD, with small random weights; they never download."""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import Result
from numpy.typing import NDArray
from safetensors.torch import save_file

from vpbench.errors import UsageError, VpbenchError
from vpbench.models.learned_metrics.fvd import load_detector, video_distance
from vpbench.models.learned_metrics.lpips_dists import dists, lpips
from vpbench.scoring.built_in import get_protocol
from vpbench.scoring.metrics import get_metric

Image = NDArray[np.float64]
Layer = tuple[str, tuple[int, ...]]


def convolutions(*layers: tuple[int | str, int, int, int]) -> list[Layer]:
    """Layers under torchvision's names, from number in ``features``, inputs, outputs, side of the kernel."""
    return [(f"features.{number}", (outputs, inputs, side, side)) for number, inputs, outputs, side in layers]


def fire(number: int, inputs: int, squeezed: int, expanded: int) -> list[Layer]:
    return convolutions(
        (f"{number}.squeeze", inputs, squeezed, 1),
        (f"{number}.expand1x1", squeezed, expanded, 1),
        (f"{number}.expand3x3", squeezed, expanded, 3),
    )


ALEXNET = convolutions((0, 3, 64, 11), (3, 64, 192, 5), (6, 192, 384, 3), (8, 384, 256, 3), (10, 256, 256, 3))
VGG16 = convolutions(
    *((0, 3, 64, 3), (2, 64, 64, 3), (5, 64, 128, 3), (7, 128, 128, 3), (10, 128, 256, 3)),
    *((12, 256, 256, 3), (14, 256, 256, 3), (17, 256, 512, 3), (19, 512, 512, 3), (21, 512, 512, 3)),
    *((24, 512, 512, 3), (26, 512, 512, 3), (28, 512, 512, 3)),
)
SQUEEZENET = [
    *convolutions((0, 3, 64, 3)),
    *(*fire(3, 64, 16, 64), *fire(4, 128, 16, 64), *fire(6, 128, 32, 128), *fire(7, 256, 32, 128)),
    *(*fire(9, 256, 48, 192), *fire(10, 384, 48, 192), *fire(11, 384, 64, 256), *fire(12, 512, 64, 256)),
]


def weights_file(path: Path, layers: list[Layer]) -> tuple[Path, str]:
    """Random weights; the file and its SHA-256."""
    random = np.random.default_rng(7)
    tensors = {}
    for name, shape in layers:
        weight = math.sqrt(2 / math.prod(shape[1:])) * random.standard_normal(shape)
        bias = 0.1 * random.standard_normal(shape[0])
        tensors[f"{name}.weight"] = torch.from_numpy(weight.astype(np.float32))
        tensors[f"{name}.bias"] = torch.from_numpy(bias.astype(np.float32))
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def frames(size: tuple[int, int] = (70, 90)) -> tuple[Image, Image]:
    random = np.random.default_rng(3)
    target = random.uniform(0, 1, (*size, 3))
    return target, np.clip(target + 0.2 * random.normal(size=target.shape), 0, 1)


@pytest.fixture(autouse=True)
def _no_weights_and_no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("VPBENCH_LPIPS_WEIGHTS", "VPBENCH_DISTS_WEIGHTS", "VPBENCH_FVD_WEIGHTS"):
        monkeypatch.delenv(variable, raising=False)

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a download was tried")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)


# The expected values are those of torchmetrics 1.9.0, with torchvision 0.28's networks given the same weights.
@pytest.mark.parametrize(
    ("net", "layers", "suffix", "expected"),
    [
        ("alex", ALEXNET, ".pth", 0.024404147639870644),
        ("alex", ALEXNET, ".safetensors", 0.024404147639870644),
        ("squeeze", SQUEEZENET, ".pth", 0.0496358647942543),
        pytest.param("vgg", VGG16, ".pth", 0.0370936319231987, marks=pytest.mark.slow),
    ],
)
def test_lpips_is_torchmetrics_lpips(
    net: Any,
    layers: list[Layer],
    suffix: str,
    expected: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, digest = weights_file(tmp_path / f"{net}{suffix}", layers)
    monkeypatch.setenv("VPBENCH_LPIPS_WEIGHTS", str(path))
    target, prediction = frames()
    found = lpips(target, prediction, data_range=1.0, net=net, sha256=digest)
    assert found == pytest.approx(expected, rel=1e-5)
    assert lpips(target, target, data_range=1.0, net=net, sha256=digest) == pytest.approx(0, abs=1e-7)
    scaled = lpips(255 * target, 255 * prediction, data_range=255.0, net=net, sha256=digest)
    assert scaled == pytest.approx(found, rel=1e-5)


@pytest.mark.slow
def test_dists_is_torchmetrics_dists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, digest = weights_file(tmp_path / "vgg16.pth", VGG16)
    monkeypatch.setenv("VPBENCH_DISTS_WEIGHTS", str(path))
    target, prediction = frames()
    found = dists(target, prediction, data_range=1.0, sha256=digest)
    assert found == pytest.approx(0.017250776290893555, abs=1e-6)
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
    path, digest = weights_file(tmp_path / "vgg16.pth", VGG16[:2])
    monkeypatch.setenv("VPBENCH_LPIPS_WEIGHTS", str(path))
    refused(f'parameters = {{ sha256 = "{digest}" }}')
    refused("64 digits", sha256="abc")
    refused(f"have the SHA-256 {digest}; the protocol wants {'0' * 64}", sha256="0" * 64)
    refused("does not hold the weights of torchvision's AlexNet: 'features.0.weight'", sha256=digest)
    refused("Unknown LPIPS net 'alexnet'", net="alexnet")
    for metric in (lpips, dists):
        with pytest.raises(UsageError, match="masking 'black' or 'none'"):
            metric(target, prediction, data_range=1.0, mask=np.ones((70, 90), np.bool_))


def test_frames_that_are_too_small_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, digest = weights_file(tmp_path / "alexnet.pth", ALEXNET)
    monkeypatch.setenv("VPBENCH_LPIPS_WEIGHTS", str(path))
    with pytest.raises(VpbenchError, match="'lpips' failed on frames of 8×9 pixels"):
        lpips(*frames((8, 9)), data_range=1.0, sha256=digest)


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
    path, digest = weights_file(tmp_path / "alexnet.pth", ALEXNET)
    monkeypatch.setenv("VPBENCH_LPIPS_WEIGHTS", str(path))
    protocol = tmp_path / "lpips.toml"
    protocol.write_text(PROTOCOL.format(digest))
    arguments = ["run", "--model", "last_frame", "--split", videos, "--workers", "1", "--protocol", protocol]
    result = cli(*arguments, "--out", tmp_path / "runs")
    assert result.exit_code == 0, result.output
    assert "LPIPS" in result.stdout
    monkeypatch.delenv("VPBENCH_LPIPS_WEIGHTS")
    result = cli(*arguments, "--out", tmp_path / "other")
    assert result.exit_code == 2
    assert "VPBENCH_LPIPS_WEIGHTS" in result.stderr


def test_lpips_beside_the_columns_of_a_built_in_protocol(
    cli: Callable[..., Result], videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only who asks for it needs weights, and only those that everybody has will do."""
    name = "full-frame+lpips"
    protocol = get_protocol(name)
    assert protocol.hash == "1008db5a70bdb918"
    assert list(protocol.metrics) == [*get_protocol("full-frame").metrics, "lpips"]
    arguments = ["run", "--model", "last_frame", "--split", videos, "--workers", "1", "--protocol"]
    result = cli(*arguments, name, "--out", tmp_path / "runs")
    assert result.exit_code == 2
    assert "VPBENCH_LPIPS_WEIGHTS" in result.stderr
    path, digest = weights_file(tmp_path / "alexnet.pth", ALEXNET)
    monkeypatch.setenv("VPBENCH_LPIPS_WEIGHTS", str(path))
    result = cli(*arguments, name, "--out", tmp_path / "runs")
    assert result.exit_code == 2
    assert "the protocol wants 7be5be79" in " ".join(result.stderr.split())
    monkeypatch.setattr("vpbench.scoring.built_in.LPIPS_ALEXNET", digest[:8])
    result = cli(*arguments, name, "--out", tmp_path / "runs", "--force")
    assert result.exit_code == 0, result.stderr
    assert "LPIPS" in result.stdout
    for masked in ("mathieu2016+lpips", "nothing+lpips"):
        assert "Unknown protocol" in cli(*arguments, masked).stderr
    mine = PROTOCOL.format(digest).replace("full-frame-lpips", name)
    (tmp_path / "mine.toml").write_text(mine)
    assert "is the name of a built-in" in cli(*arguments, tmp_path / "mine.toml").stderr


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
    value, count = video_distance(load_detector(detector), pairs)  # type: ignore[arg-type]
    real, fake = (np.stack([features(pair[k]) for pair in pairs]) for k in (0, 1))
    a, b = np.cov(real, rowvar=False), np.cov(fake, rowvar=False)
    expected = np.sum((real.mean(0) - fake.mean(0)) ** 2) + np.trace(a + b - 2 * np.real(sqrtm(a @ b)))
    assert count == 3
    assert value == pytest.approx(float(expected), rel=1e-4)
    same = [(pair[0], pair[0]) for pair in pairs]
    assert video_distance(load_detector(detector), same)[0] == pytest.approx(0, abs=1e-6)


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
        video_distance(load_detector(detector), [(short, short)])
    long = np.zeros((4, 8, 8, 3), np.float32)
    with pytest.raises(VpbenchError, match="at least two clips"):
        video_distance(load_detector(detector), [(long, long)])
