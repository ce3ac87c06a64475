"""Trainings in processes of their own: several at once, killed, and asked to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
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


def test_kill_9_while_saving_then_resume(
    tmp_path: Path, footage: Path, script: Callable[..., list[str]]
) -> None:
    CliRunner().invoke(command, options(tmp_path, footage, "whole"), catch_exceptions=False)
    arguments = options(tmp_path, footage, "killed", "--save-every", "0")
    process = subprocess.Popen(script() + arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    checkpoint = tmp_path / "killed" / CHECKPOINT
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.03)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert load_checkpoint(checkpoint).step >= 1
    if process.returncode == -signal.SIGKILL:
        CliRunner().invoke(command, [*arguments, "--resume"], catch_exceptions=False)
    same(tmp_path / "whole" / CHECKPOINT, checkpoint)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_end_it_saves_where_it_is(tmp_path: Path, footage: Path, number: signal.Signals) -> None:
    arguments = options(tmp_path, footage, "asked", "--save-every", "1e9", "--log-every", "1")
    process = subprocess.Popen(
        [sys.executable, "-m", "vpbench", "train", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("step 3 "):
            process.send_signal(number)
            break
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    checkpoint = tmp_path / "asked" / CHECKPOINT
    step = load_checkpoint(checkpoint).step
    assert 3 <= step < 20
    assert errors == f"\nInterrupted. Step {step} is saved: --resume continues from there ({checkpoint}).\n"
    CliRunner().invoke(command, [*arguments, "--resume"], catch_exceptions=False)
    CliRunner().invoke(command, options(tmp_path, footage, "whole"), catch_exceptions=False)
    same(tmp_path / "whole" / CHECKPOINT, tmp_path / "asked" / CHECKPOINT)
