"""The wheel: it holds the data files, and works in an environment that has nothing of the checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FOLDERS = {
    "benchmark": "vpbench",
    **{name: f"vpbench/{name}" for name in ("baselines", "models", "splits", "results")},
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a clone holds, so that nothing that lies about in the checkout gets into the wheel."""
    copy = tmp_path_factory.mktemp("source")
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if tracked.returncode != 0:
        pytest.skip("needs a git checkout")
    for name in tracked.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file() and not name.startswith("tests/"):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel."""
    out = tmp_path_factory.mktemp("dist")
    pytest.importorskip("setuptools", minversion="77", reason="needs setuptools 77 to build offline")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("vpbench-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has vpbench from the wheel alone, and sees only the packages that it depends on.

    The dependencies are those of this test's environment, behind links: a download of them would take minutes.
    """
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False, symlinks=True)
    place = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
    here = Path(sysconfig.get_path("purelib"))
    for entry in here.iterdir():
        if not re.match(r"(__editable__|__pycache__|vpbench|_vpbench|.*\.egg-link|easy-install)", entry.name):
            (place / entry.name).symlink_to(entry)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", str(wheel)),
            *("--no-deps", "--no-index", "--quiet", "--disable-pip-version-check"),
        ],
        check=True,
    )
    return folder


def test_every_module_and_data_file_is_in_the_wheel(wheel: Path, source: Path):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for folder, package in FOLDERS.items():
        for path in (source / folder).rglob("*"):
            relative = path.relative_to(source / folder)
            if (folder, relative.parts[0]) == ("results", "runs"):
                continue  # submitted runs are kept in the repository, not sent to everybody
            if (
                path.suffix in {".py", ".pyi", ".csv", ".toml", ".typed", ".json", ".html", ".css", ".js"}
                and path.is_file()
            ):
                assert f"{package}/{relative.as_posix()}" in names, path
    assert {"vpbench/py.typed", "vpbench/splits/ucf101_every10th.csv", "vpbench/splits/demo.csv"} <= names
    assert any(re.fullmatch(r"vpbench/results/published/.*\.toml", name) for name in names)
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "vpbench"
    }  # no bare `models`, no `tests`


def test_metadata(wheel: Path):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        metadata = archive.read(name).decode()
    assert f"Version: {project['version']}\n" in metadata
    assert "Requires-Python: >=3.11\n" in metadata
    for wanted in project["dependencies"]:
        assert re.search(rf"(?m)^Requires-Dist: {re.split('[<>=]', wanted)[0]}", metadata)
    assert 'Requires-Dist: scikit-video==1.1.11; extra == "demo"' in metadata


def run(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return subprocess.run(
        [str(installed / "bin" / "vpbench"), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_it_works_outside_of_the_checkout(installed: Path, tmp_path: Path):
    where = subprocess.run(
        [
            str(installed / "bin" / "python"),
            "-c",
            "import vpbench, vpbench.splits; print(vpbench.splits.__file__)",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert Path(where).is_relative_to(installed)

    assert run(installed, tmp_path, "--help").returncode == 0
    splits = run(installed, tmp_path, "list", "splits")
    assert splits.returncode == 0, splits.stderr
    assert "379" in splits.stdout
    published = run(installed, tmp_path, "list", "published")
    assert published.returncode == 0, published.stderr

    done = run(
        installed,
        tmp_path,
        *("run", "--model", "last_frame", "--model", "optical_flow", "--split", "synthetic", "--limit", "4"),
        *("--workers", "2"),
    )
    assert done.returncode == 0, done.stderr
    assert "optical_flow" in done.stdout
    assert (tmp_path / "runs" / "synthetic" / "mathieu2016" / "optical_flow" / "manifest.json").is_file()
    demo = run(installed, tmp_path, "run", "--model", "last_frame", "--limit", "1", "--workers", "1")
    assert demo.returncode == 0, demo.stderr
    assert "demo" in demo.stdout


def test_the_manifest_has_no_commit_outside_of_a_checkout(installed: Path, tmp_path: Path):
    import json

    arguments = ("run", "--model", "last_frame", "--split", "synthetic", "--limit", "1", "--workers", "1")
    assert run(installed, tmp_path, *arguments).returncode == 0
    manifest = json.loads((tmp_path / "runs/synthetic/mathieu2016/last_frame/manifest.json").read_text())
    assert manifest["environment"]["commit"] is None
