"""Fixtures shared by all tests: a cache of their own, small videos, UCF101 where it is, the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from footage import moving_frames, write_video
from kills import Forks

from vpbench.cli.main import main

UCF101 = Path(
    os.environ.get("VPBENCH_TEST_UCF101") or Path(__file__).parents[2] / "shared" / "data" / "UCF-101"
)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the user's cache and data folder out of the tests, and the net, in subprocesses too."""
    patch = pytest.MonkeyPatch()
    patch.setenv("VPBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
    patch.delenv("VPBENCH_DATA", raising=False)
    # Without the net for unforeseen exceptions: each must be refused at its door, by a message of its own.
    patch.setenv("VPBENCH_DEBUG", "1")
    yield
    patch.undo()


@pytest.fixture
def ucf101() -> Path:
    """The folder of the real videos; the test is skipped where there is none."""
    if not UCF101.is_dir():
        pytest.skip(f"needs UCF101 videos in {UCF101} (or $VPBENCH_TEST_UCF101)")
    return UCF101


@pytest.fixture
def cli() -> Callable[..., Result]:
    """Call the command line in this process: ``cli("run", "--model", "last_frame")``."""

    def call(*arguments: str | Path) -> Result:
        return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)

    return call


@pytest.fixture(scope="session")
def synthetic_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two runs on four clips of `synthetic`, one with saved frames; copy it before changing it."""
    out = tmp_path_factory.mktemp("synthetic")
    clips = ["--split", "synthetic", "--limit", "4", "--workers", "1", "--out", str(out)]
    for more in (["--model", "last_frame", "--save-predictions"], ["--model", "optical_flow"]):
        made = CliRunner().invoke(main, ["run", *clips, *more], catch_exceptions=False)
        assert made.exit_code == 0, made.output
    return out / "synthetic" / "mathieu2016"


@pytest.fixture
def command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Call the command line in a process of its own."""

    def call(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "vpbench", *map(str, arguments)]
        return subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)

    return call


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Calls the command line in processes that can be killed at a chosen change of a folder."""
    made = Forks(tmp_path_factory.mktemp("forks"))
    yield made
    made.close()


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """A folder of three small videos of 8 frames."""
    folder = tmp_path / "videos"
    for number in range(3):
        write_video(folder / f"clip_{number}.avi", moving_frames(8, seed=number))
    return folder
