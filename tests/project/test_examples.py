"""The examples under docs/examples work as its README says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from runs import score_lines

import vpbench

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
SPLIT = ("--split", "synthetic", "--limit", "2", "--workers", "1")


def call(*line: str | Path, folder: Path, path: Path | None = None) -> str:
    """Run a command in a folder; returns what it printed."""
    environment = dict(os.environ)
    if path is not None:
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(path), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        list(map(str, line)),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(*arguments: str | Path, folder: Path, path: Path | None = None) -> str:
    return call(sys.executable, "-m", "vpbench", "run", *SPLIT, *arguments, folder=folder, path=path)


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """A copy of the examples outside of the checkout."""
    return shutil.copytree(EXAMPLES, tmp_path / "examples")


def test_a_function(examples: Path) -> None:
    shown = call(sys.executable, "function.py", folder=examples)
    assert "fade" in shown
    assert "last_frame" in shown
    assert "mean PSNR: 2" in shown


def test_a_class_in_a_file_with_an_option(examples: Path) -> None:
    shown = run(
        "--model",
        "linear.py:Linear",
        "--model",
        "linear.py:Linear,strength=0",
        "--model",
        "last_frame",
        folder=examples,
    )
    assert "strength=0" in shown  # a narrow table breaks the name
    folder = examples / "runs" / "synthetic" / "mathieu2016"
    assert score_lines(folder / "linear.Linear,strength=0") == score_lines(folder / "last_frame")
    assert score_lines(folder / "linear.Linear") != score_lines(folder / "last_frame")


def test_samples(examples: Path) -> None:
    shown = run("--model", "jitter.py:Jitter", "--samples", "3", folder=examples)
    assert "jitter.Jitter.best-of-3" in shown
    assert "jitter.Jitter.mean-of-3" in shown


@pytest.mark.parametrize("form", ["npy", "png"])
def test_frames_of_a_program_without_vpbench(examples: Path, form: str) -> None:
    assert "import vpbench" not in (examples / "write_frames.py").read_text()
    call(sys.executable, "-m", "vpbench", "prepare", *SPLIT, "--out", "clips", folder=examples)
    call(sys.executable, "write_frames.py", "clips", "frames", form, folder=examples)
    shown = run("--model", "frames:frames", "--as", "mine", "--notes", "all", folder=examples)
    assert "mine" in shown
    assert ("quantised" in shown) == (form == "png")
    mean = vpbench.evaluate(
        lambda i, t: i[-2:].mean(axis=0, keepdims=True).repeat(t, axis=0), "synthetic", limit=2
    )
    ours = vpbench.read_run(examples / "runs" / "synthetic" / "mathieu2016" / "mine")
    assert ours.scores["psnr"] == pytest.approx(mean.scores["psnr"], abs=1e-12 if form == "npy" else 0.1)


def test_a_package_with_an_entry_point(examples: Path, tmp_path: Path) -> None:
    """Installed without a network into a folder of its own, it is known by name."""
    pytest.importorskip("setuptools", reason="building the example package needs setuptools")
    site = tmp_path / "site"
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--disable-pip-version-check")
    call(*pip, "--no-deps", "--no-build-isolation", "--target", site, examples / "package", folder=tmp_path)
    listed = call(sys.executable, "-m", "vpbench", "list", "predictors", folder=tmp_path, path=site)
    assert "example_mean" in listed
    run("--model", "example_mean,frames=1", "--model", "last_frame", folder=tmp_path, path=site)
    folder = tmp_path / "runs" / "synthetic" / "mathieu2016"
    assert score_lines(folder / "example_mean,frames=1") == score_lines(folder / "last_frame")
    manifest = vpbench.read_run(folder / "example_mean,frames=1").manifest
    assert manifest.predictor.distribution == "vpbench-example 1.0"
    assert manifest.predictor.class_ == "vpbench_example:Mean"


def test_the_readme_names_every_example() -> None:
    text = (EXAMPLES / "README.md").read_text()
    for path in EXAMPLES.iterdir():
        assert path.name == "README.md" or f"]({path.name}" in text
