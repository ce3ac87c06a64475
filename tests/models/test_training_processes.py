"""Trainings in processes of their own: several at once, and asked to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from kills import Forks
from trainings import options, same

from vpbench.models.training.command import train as command
from vpbench.models.training.trainer import CHECKPOINT, WEIGHTS
from vpbench.models.weights.checkpoint import load_checkpoint

pytestmark = pytest.mark.slow


SCRIPT = "from vpbench.models.training.command import train\nif __name__ == '__main__':\n    train()\n"


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., list[str]]:
    path = tmp_path / "train.py"
    path.write_text(SCRIPT)
    return lambda *before: [sys.executable, *before, str(path)]


@pytest.mark.parametrize("launcher", ["fabric", "torchrun"])
def test_two_processes_do_as_one(
    tmp_path: Path, footage: Path, script: Callable[..., list[str]], launcher: str
) -> None:
    before = ["-m", "torch.distributed.run", "--nproc-per-node=2"] if launcher == "torchrun" else []
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MASTER_PORT": "29517" if before else "29519"}
    two = subprocess.run(
        script(*before) + options(tmp_path, footage, "two", "--devices", "2"),
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
        env=environment,
    )
    assert two.returncode == 0, two.stderr
    CliRunner().invoke(command, options(tmp_path, footage, "one"), catch_exceptions=False)
    one, both = (load_checkpoint(tmp_path / out / WEIGHTS) for out in ("one", "two"))
    assert one.step == both.step == 20
    for name, tensor in one.tensors.items():
        torch.testing.assert_close(both.tensors[name], tensor, atol=1e-6, rtol=0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_end_it_saves_where_it_is(
    tmp_path: Path, footage: Path, forks: Forks, number: signal.Signals
) -> None:
    """Of kills, tests/evaluation/test_kills.py has more."""
    more = ("--save-every", "1e9", "--log-every", "1", "--workers", "1")
    whole = forks.call(tmp_path / "whole", "train", *options(tmp_path, footage, "whole", *more))
    assert whole.code == 0, whole.err
    arguments = ("train", *options(tmp_path, footage, "asked", *more))
    asked = forks.call(tmp_path / "asked", *arguments, at=whole.changes // 2, number=number)
    checkpoint = tmp_path / "asked" / CHECKPOINT
    step = load_checkpoint(checkpoint).step
    assert 1 < step < 19
    message = f"\nInterrupted. Step {step} is saved: --resume continues from there ({checkpoint}).\n"
    assert (asked.code, asked.err) == (1, message)
    again = forks.call(tmp_path / "asked", *arguments, "--resume")
    assert again.code == 0, again.err
    same(tmp_path / "whole" / CHECKPOINT, checkpoint)
