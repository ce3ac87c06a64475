"""What stops a training, and what it says."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from footage import write_footage
from trainings import PLAIN, RECIPE, TINY, same

from vpbench import files
from vpbench.errors import UsageError, VpbenchError
from vpbench.models.training.settings import Settings
from vpbench.models.training.trainer import CHECKPOINT, WEIGHTS, train
from vpbench.models.weights.checkpoint import load_checkpoint

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning:lightning_fabric")]


def test_going_on_needs_to_be_said(settings: Settings) -> None:
    train(RECIPE, replace(settings, steps=1, resume=True))  # begins where there is nothing yet
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


def test_a_full_disk_keeps_the_checkpoint_before(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    train(RECIPE, settings)
    again = replace(settings, out=settings.out.parent / "full")
    train(RECIPE, replace(again, steps=5))
    good = (again.out / CHECKPOINT).read_bytes()
    fdopen = os.fdopen

    def full(descriptor: int, mode: str) -> Any:
        stream = fdopen(descriptor, mode)
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        if CHECKPOINT in name and "w" in mode:
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
    with pytest.raises(VpbenchError, match=r"Cannot read .*missing\.safetensors"):
        load_checkpoint(settings.out / "missing.safetensors")


def test_no_such_device(settings: Settings) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    with pytest.raises(UsageError, match="--device cuda: torch finds no CUDA device"):
        train(RECIPE, replace(settings, device="cuda"))


def test_a_pipe_among_the_videos_is_not_opened(settings: Settings, tmp_path: Path, footage: Path) -> None:
    (tmp_path / "videos").symlink_to(footage)
    os.mkfifo(tmp_path / "pipe.avi")
    (tmp_path / "folder.avi").mkdir()
    with pytest.raises(UsageError, match=r"pipe\.avi is no file but a pipe"):
        train(RECIPE, replace(settings, data=tmp_path))


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


def test_a_validation_that_was_broken_off_is_made_up_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its phases end with steps 6 and 10; at each the picture, the last part of a validation, is interrupted once."""
    whole = replace(settings, out=settings.out.parent / "whole")
    train(RECIPE, whole)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    for step in (6, 10):
        if step == 10:
            train(RECIPE, replace(settings, resume=True, steps=9))
        with monkeypatch.context() as patch:
            patch.setattr("vpbench.models.training.validation.Validation.picture", interrupted)
            with pytest.raises(KeyboardInterrupt, match=f"Step {step} is saved"):
                train(RECIPE, replace(settings, resume=True))
    train(RECIPE, replace(settings, resume=True))
    assert (settings.out / "samples/0000010.png").is_file()
    assert (settings.out / "samples/0000006.png").read_bytes() == (
        whole.out / "samples/0000006.png"
    ).read_bytes()
    one, other = (load_checkpoint(s.out / WEIGHTS).info.validation for s in (settings, whole))
    assert one == other
