"""Trainings in processes of their own: several at once, and asked to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
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


def test_two_processes_do_as_one(tmp_path: Path, footage: Path) -> None:
    """Started by Fabric and by torchrun, both at once: most of their time goes to imports."""
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    CliRunner().invoke(command, options(tmp_path, footage, "one"), catch_exceptions=False)
    launchers = {
        "fabric": ([], "29519"),
        "torchrun": (["-m", "torch.distributed.run", "--nproc-per-node=2"], "29517"),
    }
    arguments = {name: options(tmp_path, footage, name, "--devices", "2") for name in launchers}

    def launched(name: str) -> subprocess.CompletedProcess[str]:
        launcher, port = launchers[name]
        return subprocess.run(
            [sys.executable, *launcher, str(script), *arguments[name]],
            capture_output=True,
            text=True,
            timeout=170,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1", "MASTER_PORT": port},
        )

    with ThreadPoolExecutor() as pool:
        ended = list(pool.map(launched, launchers))
    one = load_checkpoint(tmp_path / "one" / WEIGHTS)
    for name, process in zip(launchers, ended, strict=True):
        assert process.returncode == 0, process.stderr
        two = load_checkpoint(tmp_path / name / WEIGHTS)
        assert one.step == two.step == 20
        for tensor_name, tensor in one.tensors.items():
            torch.testing.assert_close(two.tensors[tensor_name], tensor, atol=1e-6, rtol=0)


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
