"""A Dask cluster does the work: a real scheduler and two worker processes, one of them killed half-way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import Result

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("distributed") is None, reason="needs Dask (the extra `cluster`)"),
]

SLOW = """
import time
import vpbench

class Slow(vpbench.Predictor):
    def predict_next(self, inputs):
        time.sleep(0.1)
        return inputs[-1]
"""


class Cluster:
    """A scheduler and workers of one thread on this machine, each in a process and a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "scheduler.json"
        self.workers: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", self.file
        )
        until = time.monotonic() + 60
        while not self.file.exists():
            assert time.monotonic() < until, "the Dask scheduler did not start"
            assert self.scheduler.poll() is None, "the Dask scheduler ended"
            time.sleep(0.05)

    def add_worker(self, threads: int = 1) -> None:
        line = ("--scheduler-file", self.file, "--nthreads", threads, "--no-nanny", "--no-dashboard")
        self.workers.append(self._start("worker", *line, "--host", "127.0.0.1"))

    def _start(self, *words: object) -> subprocess.Popen[bytes]:
        own = self.folder / f"{words[0]}-{len(self.workers)}"
        own.mkdir()
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *map(str, words)],
            cwd=own,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def address(self) -> str:
        import json

        return str(json.loads(self.file.read_text())["address"])

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    folder = tmp_path / "cluster"
    folder.mkdir()
    cluster = Cluster(folder)
    yield cluster
    cluster.close()


def test_a_killed_worker_loses_nothing_and_counts_nothing_twice(
    cluster: Cluster,
    cli: Callable[..., Result],
    videos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)  # the paths below are relative; the workers' folders are others
    Path("slow.py").write_text(SLOW)
    rows = [f"{number},clip_{number % 3}.avi" for number in range(1, 25)]
    Path("videos/many.csv").write_text("\n".join(["index,video", *rows]) + "\n")
    options = ("run", "--model", "slow.py:Slow", "--split", "videos/many.csv")
    for _ in range(2):
        cluster.add_worker()
    there = ("--executor", "dask", "--scheduler", cluster.address)
    far = subprocess.Popen(
        [sys.executable, "-m", "vpbench", *options, "--out", "far", *there],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "VPBENCH_CACHE": str(tmp_path / "far-cache")},
        text=True,
    )
    scores = Path("far/many/mathieu2016/slow.Slow/scores.jsonl")
    until = time.monotonic() + 120
    while not (scores.exists() and scores.read_bytes().count(b"\n") >= 8):
        assert far.poll() is None, far.stdout and far.stdout.read()
        assert time.monotonic() < until, "the run on the cluster does not get on"
        time.sleep(0.02)
    cluster.workers[0].send_signal(signal.SIGKILL)
    output, _ = far.communicate(timeout=180)
    assert far.returncode == 0, output
    near = cli(*options, "--out", "near", "--workers", "1")
    assert near.exit_code == 0, near.output
    assert scores.read_bytes() == Path("near/many/mathieu2016/slow.Slow/scores.jsonl").read_bytes()
    assert scores.read_bytes().count(b"\n") == 48


def test_a_suite_on_the_cluster_is_that_of_this_machine(
    cluster: Cluster,
    cli: Callable[..., Result],
    videos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Frames that one protocol's workers predicted are looked up by those of the next."""
    monkeypatch.chdir(tmp_path)
    Path("slow.py").write_text(SLOW)
    Path("suite.toml").write_text(
        'name = "mine"\nmodels = ["slow.py:Slow", "corrupted:noise=3:optical_flow"]\n'
        'protocols = ["mathieu2016", "full-frame", "dvf2017-like"]\nsplits = ["videos"]\n'
    )
    for _ in range(2):
        cluster.add_worker()
    far = cli("suite", "suite.toml", "--out", "far", "--executor", "dask", "--scheduler", cluster.address)
    assert far.exit_code == 0, far.output
    near = cli("suite", "suite.toml", "--out", "near", "--workers", "1")
    assert near.exit_code == 0, near.output
    assert far.stdout == near.stdout
    scores = {path.relative_to("far"): path.read_bytes() for path in Path("far").rglob("scores.jsonl")}
    assert len(scores) == 6
    assert scores == {
        path.relative_to("near"): path.read_bytes() for path in Path("near").rglob("scores.jsonl")
    }
    assert not list(tmp_path.rglob(".frames*"))


def test_workers_with_several_threads_are_refused(cluster: Cluster, cli: Callable[..., Result]) -> None:
    cluster.add_worker(threads=2)
    options = ("--split", "synthetic", "--executor", "dask", "--scheduler", cluster.address)
    outcome = cli("run", "--model", "last_frame", *options)
    assert outcome.exit_code == 2
    assert "--nthreads 1" in outcome.output


def test_no_scheduler_at_the_address(cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    from vpbench.parallel import dask as module

    monkeypatch.setattr(module, "PATIENCE", 0.5)
    options = ("--split", "synthetic", "--executor", "dask", "--scheduler", "tcp://127.0.0.1:9")
    outcome = cli("run", "--model", "last_frame", *options)
    assert outcome.exit_code == 1
    assert "No Dask scheduler answers at tcp://127.0.0.1:9" in outcome.output


def test_a_lost_scheduler_is_told_soon(
    cluster: Cluster, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("slow.py").write_text(SLOW)
    rows = [f"{number},clip_{number % 3}.avi" for number in range(1, 101)]
    Path("videos/many.csv").write_text("\n".join(["index,video", *rows]) + "\n")
    cluster.add_worker()
    options = ("run", "--model", "slow.py:Slow", "--split", "videos/many.csv", "--out", "runs")
    far = subprocess.Popen(
        [sys.executable, "-m", "vpbench", *options, "--executor", "dask", "--scheduler", cluster.address],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    scores = Path("runs/many/mathieu2016/slow.Slow/scores.jsonl")
    until = time.monotonic() + 120
    while not (scores.exists() and scores.read_bytes().count(b"\n") >= 2):
        assert far.poll() is None, far.communicate()
        assert time.monotonic() < until, "the run on the cluster does not get on"
        time.sleep(0.02)
    cluster.scheduler.kill()
    _, errors = far.communicate(timeout=90)
    assert far.returncode == 1
    assert errors.startswith("Error: The connection to the Dask scheduler was lost.")
    assert errors.count("\n") == 1, errors


@pytest.mark.parametrize(
    "address",
    ["", "tcp://", "host", "http://127.0.0.1:8787/status", "bogus://127.0.0.1:1", "tcp://a b:1", "file:///x"],
)
def test_what_is_no_address_is_refused_at_once(cli: Callable[..., Result], address: str) -> None:
    options = ("--split", "synthetic", "--executor", "dask", "--scheduler", address)
    outcome = cli("run", "--model", "last_frame", *options)
    assert outcome.exit_code == 2
    assert f"--scheduler {address}: give the address that the Dask scheduler prints" in outcome.output


def test_a_secure_address_needs_certificates(cli: Callable[..., Result]) -> None:
    options = ("--split", "synthetic", "--executor", "dask", "--scheduler", "tls://127.0.0.1:9")
    outcome = cli("run", "--model", "last_frame", *options)
    assert outcome.exit_code == 2
    assert "distributed.comm.tls" in outcome.output


@pytest.mark.parametrize("options", [("--executor", "dask"), ("--scheduler", "tcp://127.0.0.1:8786")])
def test_executor_and_scheduler_go_together(cli: Callable[..., Result], options: tuple[str, str]) -> None:
    outcome = cli("run", "--model", "last_frame", "--split", "synthetic", *options)
    assert outcome.exit_code == 2
    assert "go together" in outcome.output
