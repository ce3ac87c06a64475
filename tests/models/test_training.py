"""The trainer: what it leaves behind, that it goes on bit for bit, and what stops it."""

from __future__ import annotations

import csv
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from footage import write_footage

from vpbench import files
from vpbench.errors import UsageError, VpbenchError
from vpbench.models.networks.build import make_generator
from vpbench.models.recipes.recipe import Network, Phase, Recipe, load_recipe
from vpbench.models.training.command import train as command
from vpbench.models.training.settings import Settings
from vpbench.models.training.trainer import CHECKPOINT, WEIGHTS, train
from vpbench.models.weights.checkpoint import load_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:lightning_fabric")

TINY = Network("multi_scale", width=1 / 32, starts_as_copy=True, init="he")
PLAIN = Phase(
    steps=6, loss={"l1": 1.0, "gdl_l1": 1.0}, batch=2, optimiser="adam", rate=(1e-3, 1e-4), clip=1.0
)
ADVERSARIAL = replace(PLAIN, steps=4, loss={"l2": 1.0, "adv": 0.05}, rate_d=(1e-3, 1e-3))
RECIPE = Recipe("mine", "own", "a test", TINY, (PLAIN, ADVERSARIAL))


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_footage(tmp_path_factory.mktemp("footage"))


@pytest.fixture
def settings(tmp_path: Path, footage: Path) -> Settings:
    torch.set_num_threads(1)
    return Settings(
        data=footage,
        out=tmp_path / "out",
        cache=footage / "cache",
        device="cpu",
        workers=1,
        threads=1,
        log_every=2,
        validation_clips=1,
        precision="32",
        report=lambda _: None,
    )


def same(one: Path, two: Path) -> None:
    a, b = load_checkpoint(one), load_checkpoint(two)
    assert a.step == b.step
    assert a.tensors.keys() == b.tensors.keys()
    for name, tensor in a.tensors.items():
        assert torch.equal(tensor, b.tensors[name]), name


def test_what_a_training_leaves(settings: Settings) -> None:
    lines: list[str] = []
    weights = train(RECIPE, replace(settings, report=lines.append))
    assert weights == settings.out / WEIGHTS
    loaded = load_checkpoint(weights)
    assert (loaded.step, loaded.recipe) == (10, RECIPE)
    assert {name.split(".")[0] for name in loaded.tensors} == {"g"}
    assert loaded.info["training_data"] == "UCF101 groups 8–21, 3 videos"
    assert loaded.info["contaminated"] is False
    assert loaded.info["validation"]["clips"] == 2
    with (settings.out / "training.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["step"] for row in rows] == ["2", "4", "6", "8", "10"]
    assert rows[0]["loss_d"] == ""
    assert float(rows[-1]["loss_d"]) > 0
    assert 0 < float(rows[-1]["active"]) <= 1
    with (settings.out / "validation.csv").open(newline="") as stream:
        assert [row["step"] for row in csv.DictReader(stream)] == ["6", "10"]
    assert list((settings.out / "tensorboard").iterdir())
    assert (settings.out / "samples" / "0000010.png").stat().st_size > 1000
    assert any("left 0:0" in line and "steps/s" in line and "active" in line for line in lines)


def test_twenty_steps_of_todays_recipe_are_the_same_twice_and_interrupted(settings: Settings) -> None:
    """Steps, averaged weights, Adam's moments and the log, bit for bit."""
    trunk = load_recipe("compact/trunk")
    network = replace(trunk.network, widths=(1 / 16, 1 / 16, 1 / 32, 1 / 32))
    first, second = (replace(phase, movement=0.0) for phase in trunk.phases)
    phases = (replace(first, steps=8, batch=2, warmup=4), replace(second, steps=12, batch=1))
    recipe = replace(trunk, network=network, data=replace(trunk.data, length=8), phases=phases)
    logs = []
    for name, stops in (("once", [20]), ("twice", [20]), ("interrupted", [5, 13, 20])):
        place = replace(settings, out=settings.out.parent / name)
        for stop in stops:
            train(recipe, replace(place, steps=stop, resume=stop != stops[0], validate_every=0))
        same(settings.out.parent / "once" / CHECKPOINT, place.out / CHECKPOINT)
        with (place.out / "training.csv").open(newline="") as stream:
            logs.append([(row["step"], row["error"]) for row in csv.DictReader(stream)])
    # A log interval that an interruption cut is averaged over what was left of it.
    assert logs[0] == logs[1]
    assert [step for step, _ in logs[2]] == [step for step, _ in logs[0]]


def test_averaged_weights_by_hand(settings: Settings) -> None:
    recipe = replace(RECIPE, average=0.5, phases=(PLAIN,))
    mean: dict[str, torch.Tensor] = {}
    for step in range(1, 5):
        train(recipe, replace(settings, steps=step, resume=step > 1))
        loaded = load_checkpoint(settings.out / CHECKPOINT)
        decay = min(0.5, step / (9 + step))
        if step == 1:
            torch.manual_seed(recipe.seed)
            mean = dict(make_generator(recipe.network).state_dict())
        mean = {name: decay * mean[name] + (1 - decay) * now for name, now in loaded.part("g").items()}
        for name, tensor in loaded.part("average").items():
            torch.testing.assert_close(tensor, mean[name], rtol=1e-5, atol=1e-7)
    shipped = load_checkpoint(settings.out / WEIGHTS).part("g")
    assert all(torch.equal(shipped[name], tensor) for name, tensor in loaded.part("average").items())
    assert not all(torch.equal(shipped[name], tensor) for name, tensor in loaded.part("g").items())


def test_adams_moments_are_kept_from_phase_to_phase(settings: Settings) -> None:
    """Two phases that differ in nothing are one phase."""
    halves = replace(PLAIN, steps=3, rate=(1e-3, 1e-3))
    train(replace(RECIPE, phases=(replace(halves, steps=6),)), settings)
    parts = replace(settings, out=settings.out.parent / "parts")
    train(replace(RECIPE, phases=(halves, halves)), parts)
    same(settings.out / CHECKPOINT, parts.out / CHECKPOINT)


def test_d_begins_on_a_frozen_g(settings: Settings) -> None:
    frozen = replace(ADVERSARIAL, steps=4, frozen_g=True)
    recipe = replace(RECIPE, network=replace(TINY, width_d=1 / 16), phases=(PLAIN, frozen, ADVERSARIAL))
    train(recipe, replace(settings, steps=6))
    before = load_checkpoint(settings.out / CHECKPOINT)
    train(recipe, replace(settings, steps=10, resume=True))
    after = load_checkpoint(settings.out / CHECKPOINT)
    assert not before.part("d")
    assert after.part("d")["judges.0.convolutions.0.weight"].shape[0] == 4
    for name, tensor in before.part("g").items():
        assert torch.equal(tensor, after.part("g")[name])
    train(recipe, replace(settings, resume=True))
    with (settings.out / "training.csv").open(newline="") as stream:
        rows = {int(row["step"]): row for row in csv.DictReader(stream)}
    assert rows[8]["loss_g"] == ""
    assert rows[12]["loss_g"] != ""
    assert all(0 <= float(rows[step]["right_real"]) <= 1 for step in (8, 10, 12))
    assert rows[6]["right_generated"] == ""
    assert {phase.batches_per_step for phase in (frozen, PLAIN)} == {1}


def test_a_row_branches_from_a_trunk_at_any_step(settings: Settings) -> None:
    constant = replace(PLAIN, steps=100, rate=(1e-3, 1e-3))
    trunk = replace(RECIPE, name="trunk", phases=(constant,))
    train(trunk, replace(settings, steps=4))
    own = replace(PLAIN, steps=3, schedule="cosine")
    row = replace(RECIPE, name="row", phases=(replace(constant, steps=4), own))
    branch = replace(settings, out=settings.out.parent / "row", start_from=settings.out / CHECKPOINT)
    train(row, branch)
    alone = replace(settings, out=settings.out.parent / "alone")
    train(row, alone)
    same(alone.out / CHECKPOINT, branch.out / CHECKPOINT)
    falling = replace(row, phases=(replace(PLAIN, steps=4), own))
    with pytest.raises(UsageError, match="not the first steps"):
        train(falling, replace(branch, out=settings.out.parent / "falling"))


NETWORKS = {
    "plain": TINY,
    "published form": Network("multi_scale", width=1 / 32),
    "flow": Network("flow_guided", width=1 / 32),
}


# One place to stop is enough for the other networks.
@pytest.mark.parametrize(
    ("kind", "stop"),
    [("plain", 3), ("plain", 6), ("plain", 8), ("published form", 8), ("flow", 8)],
)
def test_resuming_goes_on_bit_for_bit(settings: Settings, kind: str, stop: int) -> None:
    phases = RECIPE.phases if kind != "flow" else tuple(replace(phase, patch=32) for phase in RECIPE.phases)
    recipe = replace(RECIPE, network=NETWORKS[kind], phases=phases)
    settings = replace(settings, validation_clips=1)
    train(recipe, settings)
    parts = replace(settings, out=settings.out.parent / "parts")
    train(recipe, replace(parts, steps=stop))
    train(recipe, replace(parts, resume=True))
    same(settings.out / CHECKPOINT, parts.out / CHECKPOINT)
    with (parts.out / "training.csv").open(newline="") as stream:
        assert [row["step"] for row in csv.DictReader(stream)] == ["2", "4", "6", "8", "10"]


@pytest.mark.slow
def test_a_shared_start_need_not_be_repeated(settings: Settings) -> None:
    longer = replace(RECIPE, name="longer", phases=(*RECIPE.phases, PLAIN))
    train(longer, settings)
    start = replace(settings, out=settings.out.parent / "start")
    train(RECIPE, start)
    rest = replace(settings, out=settings.out.parent / "rest", start_from=start.out / CHECKPOINT)
    train(longer, rest)
    same(settings.out / CHECKPOINT, rest.out / CHECKPOINT)
    other = replace(longer, seed=2)
    with pytest.raises(UsageError, match="not the first steps"):
        train(other, replace(rest, out=settings.out.parent / "other"))


def test_going_on_needs_to_be_said(settings: Settings) -> None:
    with pytest.raises(UsageError, match="leave --resume"):
        train(RECIPE, replace(settings, resume=True))
    train(RECIPE, replace(settings, steps=1))
    with pytest.raises(UsageError, match="give --resume"):
        train(RECIPE, settings)


def test_another_width_is_refused(settings: Settings) -> None:
    train(RECIPE, replace(settings, steps=1))
    wider = replace(RECIPE, network=replace(TINY, width=1 / 16))
    with pytest.raises(UsageError, match=r"width 0\.03125.*width 0\.0625"):
        train(wider, replace(settings, resume=True))


def test_a_loss_that_is_not_finite_stops(settings: Settings) -> None:
    train(RECIPE, replace(settings, steps=2))
    hot = replace(RECIPE, phases=(replace(PLAIN, rate=(1e30, 1e30), optimiser="sgd", clip=0.0),))
    settings = replace(settings, out=settings.out.parent / "hot", save_every=1e9)
    with pytest.raises(VpbenchError, match=r"at step \d+\. The last good checkpoint is .*hot.*checkpoint"):
        train(hot, settings)


def test_weights_that_are_not_finite_are_not_saved(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(RECIPE, replace(settings, steps=2))
    good = (settings.out / CHECKPOINT).read_bytes()
    monkeypatch.setattr("vpbench.models.training.trainer.train_step", _spoil)
    with pytest.raises(VpbenchError, match="no longer finite"):
        train(RECIPE, replace(settings, resume=True, save_every=0))
    assert (settings.out / CHECKPOINT).read_bytes() == good


def _spoil(state: Any, *_: Any) -> dict[str, float]:
    next(state.generator.parameters()).data.fill_(float("nan"))
    state.step += 1
    return {"error": 0.0, "error_of_copy": 0.0}


@pytest.mark.slow
def test_a_full_disk_keeps_the_checkpoint_before(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    train(RECIPE, settings)
    again = replace(settings, out=settings.out.parent / "full")
    train(RECIPE, replace(again, steps=5))
    good = (again.out / CHECKPOINT).read_bytes()
    fdopen = os.fdopen

    def full(descriptor: int, mode: str) -> Any:
        stream = fdopen(descriptor, mode)
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        if CHECKPOINT in name:
            stream.close()
            raise OSError(errno.ENOSPC, "No space left on device")
        return stream

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fdopen", full)
        with pytest.raises(VpbenchError, match=r"checkpoint.*No space left"):
            train(RECIPE, replace(again, resume=True, save_every=0))
    assert (again.out / CHECKPOINT).read_bytes() == good
    assert not list(again.out.glob("*.tmp"))
    train(RECIPE, replace(again, resume=True))
    same(settings.out / CHECKPOINT, again.out / CHECKPOINT)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other"])
def test_a_damaged_checkpoint_is_told(settings: Settings, damage: str) -> None:
    train(RECIPE, replace(settings, steps=1))
    path = settings.out / CHECKPOINT
    data = bytearray(path.read_bytes())
    if damage == "flipped":
        data[-1000] ^= 1
    path.write_bytes(
        {"cut": data[: len(data) // 2], "empty": b"", "other": b"hello"}.get(damage, bytes(data))
    )
    with pytest.raises(VpbenchError, match=f"{path} is damaged"):
        train(RECIPE, replace(settings, resume=True))


def test_a_recipe_for_other_weights_inside_a_file_is_told(settings: Settings) -> None:
    with pytest.raises(VpbenchError, match="Cannot read the weights"):
        load_checkpoint(settings.out / "missing.safetensors")


def test_forced_test_groups_are_marked(settings: Settings, tmp_path: Path) -> None:
    folder = write_footage(tmp_path / "videos")
    (folder / "v_Drift_g08_c01.avi").rename(folder / "v_Drift_g01_c01.avi")
    settings = replace(settings, data=folder, cache=tmp_path / "cache", steps=1)
    train(RECIPE, settings)
    assert load_checkpoint(settings.out / WEIGHTS).info["contaminated"] is False
    forced = replace(settings, out=tmp_path / "forced", include_test=True)
    train(RECIPE, forced)
    loaded = load_checkpoint(forced.out / WEIGHTS)
    assert loaded.info["contaminated"] is True
    assert "test groups" in loaded.info["training_data"]
    # The mark stays when training goes on without them.
    rest = replace(settings, out=tmp_path / "rest", start_from=forced.out / CHECKPOINT, steps=2)
    train(RECIPE, rest)
    assert load_checkpoint(rest.out / WEIGHTS).info["contaminated"] is True


RECIPE_FILE = """
name = "mine"
kind = "own"
summary = "a test"
[network]
type = "multi_scale"
width = 0.03125
[[phases]]
steps = 20
batch = 4
loss = { l1 = 1.0, gdl_l1 = 1.0 }
rate = 0.02
"""


def options(tmp_path: Path, footage: Path, out: str, *more: str) -> list[str]:
    recipe = tmp_path / "mine.toml"
    recipe.write_text(RECIPE_FILE)
    places = ["--recipe", str(recipe), "--data", str(footage), "--out", str(tmp_path / out)]
    kinds = ["--cache", str(footage / "cache"), "--device", "cpu", "--precision", "32", "--threads", "1"]
    return [*places, *kinds, "--validation-clips", "1", "--log-every", "5", *more]


def test_the_command(tmp_path: Path, footage: Path) -> None:
    arguments = options(tmp_path, footage, "out", "--steps", "3", "--width", "0.0625")
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "Trained. Weights:" in result.output
    loaded = load_checkpoint(tmp_path / "out" / WEIGHTS)
    assert (loaded.step, loaded.recipe.network.width) == (3, 0.0625)
    assert "width 0.0625 instead of 0.03125" in loaded.recipe.deviations


SCRIPT = "from vpbench.models.training.command import train\nif __name__ == '__main__':\n    train()\n"


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., list[str]]:
    path = tmp_path / "train.py"
    path.write_text(SCRIPT)
    return lambda *before: [sys.executable, *before, str(path)]


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_end_it_saves_where_it_is(
    tmp_path: Path, footage: Path, script: Callable[..., list[str]], asked: signal.Signals
) -> None:
    arguments = options(tmp_path, footage, "asked", "--save-every", "1e9", "--log-every", "1")
    process = subprocess.Popen(
        script() + arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("step 3 "):
            process.send_signal(asked)
            break
    rest, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Interrupted after step" in rest
    assert 3 <= load_checkpoint(tmp_path / "asked" / CHECKPOINT).step < 20
    CliRunner().invoke(command, [*arguments, "--resume"], catch_exceptions=False)
    CliRunner().invoke(command, options(tmp_path, footage, "whole"), catch_exceptions=False)
    same(tmp_path / "whole" / CHECKPOINT, tmp_path / "asked" / CHECKPOINT)


def test_no_such_device(settings: Settings) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    with pytest.raises(UsageError, match="--device cuda: torch finds no CUDA device"):
        train(RECIPE, replace(settings, device="cuda"))


def test_no_videos_to_train_on(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no videos in it"):
        train(RECIPE, replace(settings, data=tmp_path / "empty"))


def test_videos_that_do_not_move(settings: Settings, tmp_path: Path) -> None:
    still = write_footage(tmp_path / "still", speed=0)
    with pytest.raises(VpbenchError, match="do not move"):
        train(RECIPE, replace(settings, data=still, cache=tmp_path / "cache"))


def test_a_dead_layer_is_told(settings: Settings) -> None:
    lines: list[str] = []
    hot = replace(PLAIN, rate=(0.5, 0.5), loss={"l1": 1.0}, steps=20, clip=0.0)
    recipe = replace(RECIPE, network=replace(TINY, init="default"), phases=(hot,))
    train(recipe, replace(settings, report=lines.append))
    assert any("all but dead" in line for line in lines)
