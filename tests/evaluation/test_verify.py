"""Evaluating a run again: what confirms it, what does not, and what a stranger's run cannot do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from folders import SmallClips, make_clips
from runs import edit_manifest, score_lines

import vpbench


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> SmallClips:
    return make_clips(tmp_path_factory.mktemp("verify"))


@pytest.fixture
def run(clips: SmallClips, tmp_path: Path) -> Path:
    return vpbench.evaluate("optical_flow", data=clips.prepared, out=tmp_path, save_predictions=True).folder


@pytest.fixture
def verify(cli: Callable[..., Result], clips: SmallClips) -> Callable[..., Result]:
    def call(run: Path, *arguments: str | Path) -> Result:
        return cli(
            "verify", run, "--split", clips.videos, "--data", clips.prepared, "--workers", "1", *arguments
        )

    return call


def forget_predictions(run: Path) -> None:
    (run / "predictions").rename(run.parent.parent / "predictions")


def change_score(run: Path, line: int, by: float, column: str = "ssim") -> None:
    lines = score_lines(run)
    lines[line - 1][column] += by
    (run / "scores.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))


# What it is for ------------------------------------------------------------------------------------


def test_saved_predictions_confirm_a_run_exactly(run: Path, verify: Callable[..., Result]) -> None:
    done = verify(run)
    assert done.exit_code == 0, done.output
    assert (
        "Confirmed from its saved predictions: psnr, ssim, sharpness of 6 frames are exactly equal."
        in done.output
    )


@pytest.mark.slow
def test_so_does_the_predictor(run: Path, verify: Callable[..., Result]) -> None:
    forget_predictions(run)
    for arguments in ((), ("--model", "optical_flow"), ("--workers", "2")):
        done = verify(run, *arguments)
        assert done.exit_code == 0, done.output
        assert "Confirmed from predictor 'optical_flow'" in done.output


def test_videos_are_prepared_again(cli: Callable[..., Result], clips: SmallClips, run: Path) -> None:
    done = cli("verify", run, "--split", clips.videos)
    assert done.exit_code == 0, done.output


def test_built_in_splits_need_no_options(cli: Callable[..., Result], tmp_path: Path) -> None:
    run = vpbench.evaluate("last_frame", "synthetic", limit=1, out=tmp_path).folder
    done = cli("verify", run)
    assert done.exit_code == 0, done.output
    assert "2 frames are exactly equal" in done.output


@pytest.mark.parametrize("by", [-1e-15, -0.1])
def test_the_first_difference_is_named(run: Path, verify: Callable[..., Result], by: float) -> None:
    """With the versions of the run, the last bit counts."""
    change_score(run, 4, by)
    change_score(run, 6, by, "psnr")
    done = verify(run)
    assert done.exit_code == 1
    assert "First difference: clip 2, frame 2, ssim: " in done.output
    assert "Largest difference: " in done.output


@pytest.mark.parametrize("column", ["copy", "copy_ssim", "motion", "moving", "counted", "null"])
def test_every_column_is_compared(run: Path, verify: Callable[..., Result], column: str) -> None:
    lines = score_lines(run)
    if column in ("copy", "copy_ssim", "motion", "moving"):
        lines[0][column] /= 2
    else:
        lines[0]["counted"] = False
        if column == "null":
            lines[0]["sharpness"] = None
        else:
            lines[0]["psnr"] = 60.0
    (run / "scores.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    done = verify(run)
    assert done.exit_code == 1
    assert "First difference: clip 1, frame 1, " in done.output


def test_changed_predictions_do_not_confirm(run: Path, verify: Callable[..., Result]) -> None:
    path = run / "predictions" / "3" / "pred_6.npy"
    np.save(path, np.load(path) * np.float32(0.99))
    done = verify(run)
    assert done.exit_code == 1
    assert "clip 3, frame 2, psnr" in done.output


def test_other_versions_are_said_and_have_a_tolerance(run: Path, verify: Callable[..., Result]) -> None:
    edit_manifest(run, environment={"numpy": "1.26.0"})
    change_score(run, 4, 1e-12)
    done = verify(run)
    assert done.exit_code == 0, done.output
    assert "Not as in the run: numpy 1.26.0, now " in done.output
    assert "Largest difference: 1e-12 (clip 2, frame 2, ssim" in done.output
    change_score(run, 4, 1e-3)
    assert verify(run).exit_code == 1
    assert verify(run, "--tolerance", "0.01").exit_code == 0


def test_other_clips_are_said(run: Path, verify: Callable[..., Result]) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["prepared"]["clips"]["2"] = "0" * 32
    edit_manifest(run, prepared=manifest["prepared"])
    done = verify(run)
    assert done.exit_code == 0
    assert "1 of 3 prepared clips differ in pixels or flow, clip 2 is the first" in done.output


def test_of_an_unfinished_run_the_scored_clips_are_verified(run: Path, verify: Callable[..., Result]) -> None:
    lines = (run / "scores.jsonl").read_text().splitlines(keepends=True)
    (run / "scores.jsonl").write_text("".join(lines[:4]))
    edit_manifest(run, status="running", finished=None, cost=None)
    done = verify(run)
    assert done.exit_code == 0, done.output
    assert "not complete; the 2 clips" in done.output
    assert "4 frames are exactly equal" in done.output


def test_samples_are_drawn_again(verify: Callable[..., Result], clips: SmallClips, tmp_path: Path) -> None:
    (tmp_path / "noise.py").write_text(
        "import numpy as np, vpbench\n"
        "class Noise(vpbench.Predictor):\n"
        "    stochastic = True\n"
        "    def sample(self, inputs, targets, seed):\n"
        "        shift = np.random.default_rng(seed).normal(0, .1, (targets, 1, 1, 1))\n"
        "        return np.clip(inputs[-1] + shift, 0, 1)\n"
    )
    model = f"{tmp_path / 'noise.py'}:Noise"
    runs = vpbench.evaluate_samples(model, 3, data=clips.prepared, seed=5, out=tmp_path)
    for run in runs:
        done = verify(run.folder, "--model", model)
        assert done.exit_code == 0, done.output
        assert "exactly equal" in done.output
    edit_manifest(runs[1].folder, samples={"count": 3, "seed": 6, "scored": "mean"})
    assert verify(runs[1].folder, "--model", model).exit_code == 1


# What cannot be verified ---------------------------------------------------------------------------


def test_another_predictor_than_the_runs_is_refused(run: Path, verify: Callable[..., Result]) -> None:
    forget_predictions(run)
    for model, key in (("last_frame", "class"), ("optical_flow,estimator=farneback", "options")):
        done = verify(run, "--model", model)
        assert done.exit_code == 2
        assert f"as it is here is another: {key}" in done.output


def test_a_function_cannot_be_run_again_but_its_predictions_can(
    verify: Callable[..., Result], clips: SmallClips, tmp_path: Path
) -> None:
    def repeat(inputs: np.ndarray, targets: int) -> np.ndarray:
        return inputs[-1:].repeat(targets, axis=0)

    run = vpbench.evaluate(repeat, data=clips.prepared, out=tmp_path, save_predictions=True).folder
    assert verify(run).exit_code == 0
    forget_predictions(run)
    done = verify(run)
    assert done.exit_code == 2
    assert "predictor 'python:repeat' is not installed here" in done.output


def test_another_split_is_refused(
    cli: Callable[..., Result], run: Path, clips: SmallClips, tmp_path: Path
) -> None:
    done = cli("verify", run, "--data", clips.videos)
    assert done.exit_code == 2
    assert "give its folder or CSV file as --split" in done.output
    assert cli("verify", run, "--data", clips.prepared).exit_code == 0, "which say what split they are of"
    (tmp_path / "other.csv").write_text("video\nclip_0.avi\n")
    done = cli("verify", run, "--split", tmp_path / "other.csv", "--data", clips.videos)
    assert done.exit_code == 2
    assert "is not this 'other'" in done.output


def test_a_protocol_of_ones_own_must_be_named(
    verify: Callable[..., Result], clips: SmallClips, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('extends = "mathieu2016"\nname = "mine"\n[exclude]\n')
    run = vpbench.evaluate("last_frame", data=clips.prepared, protocol=str(mine), out=tmp_path).folder
    done = verify(run)
    assert done.exit_code == 2
    assert "give it as --protocol" in done.output
    assert verify(run, "--protocol", mine).exit_code == 0
    assert verify(run, "--protocol", "full-frame").exit_code == 2


def test_no_run_is_an_error(cli: Callable[..., Result], tmp_path: Path) -> None:
    done = cli("verify", tmp_path)
    assert done.exit_code == 1
    assert "is not a run" in done.output


# What a stranger could do --------------------------------------------------------------------------


def test_code_that_a_run_names_is_not_run(run: Path, verify: Callable[..., Result], tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    (run / "evil.py").write_text(f"open({str(trap)!r}, 'w')\n")
    forget_predictions(run)
    for name in (f"{run / 'evil.py'}:Evil", "evil.py:Evil", f"frames:{tmp_path}"):
        edit_manifest(run, predictor={"name": name})
        done = verify(run)
        assert done.exit_code == 2, done.output
        assert "is not installed here" in done.output
    assert not trap.exists()


def test_paths_that_a_run_names_as_its_split_are_not_opened(
    cli: Callable[..., Result], run: Path, clips: SmallClips
) -> None:
    edit_manifest(run, split={"name": str(clips.videos)})
    done = cli("verify", run, "--data", clips.prepared)
    assert done.exit_code == 1
    assert "'name' cannot be" in done.output


@pytest.mark.parametrize("place", ["predictions", "predictions/1", "predictions/1/pred_5.npy"])
def test_links_to_predictions_are_not_followed(
    run: Path, verify: Callable[..., Result], tmp_path: Path, place: str
) -> None:
    (run / place).rename(tmp_path / "away")
    (run / place).symlink_to(tmp_path / "away")
    done = verify(run)
    assert done.exit_code == 1
    assert f"{run / place} is a symbolic link" in done.output


def test_verifying_writes_nothing_into_the_run(run: Path, verify: Callable[..., Result]) -> None:
    def state() -> dict[Path, tuple[int, int]]:
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in run.rglob("*")}

    before = state()
    assert verify(run).exit_code == 0
    assert state() == before
