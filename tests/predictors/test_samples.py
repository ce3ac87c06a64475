"""Stochastic predictors: seeds, best and mean, and that nothing but the seed changes a sample."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from folders import SmallClips, make_clips
from runs import score_lines

import vpbench
from vpbench.analysis.leaderboard import build_leaderboard
from vpbench.analysis.rows import group_by_seed
from vpbench.errors import UsageError, VpbenchError
from vpbench.predictors.predictor import Predictor
from vpbench.predictors.samples import Samples, Tally, check_samples
from vpbench.report.table import page_table
from vpbench.runs.manifest import SamplesRecord
from vpbench.runs.run import find_runs
from vpbench.scoring.built_in import get_protocol
from vpbench.scoring.frame_facts import frame_facts
from vpbench.scoring.score import score_clip
from vpbench.tables.render import render

COUNT, SEED = 4, 7
NOISE = """
import numpy as np
import vpbench

class Noise(vpbench.Predictor):
    stochastic = True
    def __init__(self, parent: bool = False):
        if parent:
            self.runs_in = "parent"
    def sample(self, inputs, targets, seed):
        noise = np.random.default_rng(seed).normal(0, 0.05, (targets, *inputs.shape[1:]))
        return np.clip(inputs[-1] + noise, 0, 1).astype(np.float32)
"""


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> SmallClips:
    return make_clips(tmp_path_factory.mktemp("samples"))


@pytest.fixture
def noise(tmp_path: Path) -> str:
    (tmp_path / "noise.py").write_text(NOISE)
    return f"{tmp_path / 'noise.py'}:Noise"


@pytest.fixture
def run(cli: Callable[..., Result], clips: SmallClips, noise: str, tmp_path: Path) -> Callable[..., Path]:
    """Run the predictor with further arguments; returns the folder of its runs."""

    def call(out: str, *arguments: str, model: str = noise) -> Path:
        done = cli(
            "run",
            "--model",
            model,
            "--as",
            "n",
            "--data",
            clips.prepared,
            "--out",
            tmp_path / out,
            *arguments,
        )
        assert done.exit_code == 0, done.output
        return tmp_path / out / "small" / "mathieu2016"

    return call


def by_hand(clips: SmallClips, clip: int) -> list[list[dict]]:
    """The score lines of every sample of a clip, drawn here."""
    protocol = get_protocol("mathieu2016")
    samples = []
    for sample in range(COUNT):
        seed = Samples(COUNT, SEED).seed_of(clip, sample)
        inputs = clips.inputs(clip)
        drawn = np.clip(
            inputs[-1] + np.random.default_rng(seed).normal(0, 0.05, (2, *inputs.shape[1:])), 0, 1
        )
        loaded = vpbench.open_prepared(clips.prepared).load(clip, protocol)
        scores = score_clip(loaded, drawn.astype(np.float32), protocol)
        samples.append([a | b for a, b in zip(scores, frame_facts(loaded, protocol), strict=True)])
    return samples


def test_best_and_mean_are_those_of_the_samples(run: Callable[..., Path], clips: SmallClips) -> None:
    folder = run("runs", "--samples", str(COUNT), "--seed", str(SEED), "--workers", "1")
    best, mean = (score_lines(folder / f"n.{kind}-of-{COUNT}") for kind in ("best", "mean"))
    for clip in (1, 2, 3):
        for frame, drawn in enumerate(zip(*by_hand(clips, clip), strict=True), start=1):
            (ours,) = [line for line in best if (line["clip"], line["frame"]) == (clip, frame)]
            assert ours == max(drawn, key=lambda line: line["psnr"]), "all columns are of the one sample"
            (ours,) = [line for line in mean if (line["clip"], line["frame"]) == (clip, frame)]
            for metric in ("psnr", "ssim", "sharpness"):
                assert ours[metric] == pytest.approx(np.mean([line[metric] for line in drawn]), abs=1e-12)


@pytest.mark.slow
def test_nothing_but_the_seed_changes_a_sample(run: Callable[..., Path], noise: str) -> None:
    arguments = ("--samples", "3", "--seed", "1")
    one = run("one", *arguments, "--workers", "1")
    for out, more, model in (
        ("two", ("--workers", "2"), noise),
        ("parent", ("--workers", "1"), f"{noise},parent=true"),
        ("batch", ("--workers", "1", "--batch-size", "2"), noise),
    ):
        other = run(out, *arguments, *more, model=model)
        for label in ("n.best-of-3", "n.mean-of-3"):
            assert (other / label / "scores.jsonl").read_bytes() == (
                one / label / "scores.jsonl"
            ).read_bytes(), out
    other = run("seed", "--samples", "3", "--seed", "2", "--workers", "1")
    assert score_lines(other / "n.mean-of-3") != score_lines(one / "n.mean-of-3")


def test_manifest_and_table_say_what_was_done(
    cli: Callable[..., Result], clips: SmallClips, noise: str, tmp_path: Path
) -> None:
    done = cli(
        "run", "--model", noise, "--data", clips.prepared, "--out", tmp_path, "--samples", "2", "--seed", "5"
    )
    assert "# the best of several samples, which takes the truth to know; no rank." in " ".join(
        done.output.split()
    )
    shown = " ".join(cli("leaderboard", tmp_path, "--notes", "all").output.split())
    assert "best of 2 samples (seed 5), chosen for each clip and frame by PSNR" in shown
    assert "mean score of 2 samples (seed 5)" in shown
    for kind in ("best", "mean"):
        run = vpbench.read_run(tmp_path / "small" / "mathieu2016" / f"noise.Noise.{kind}-of-2")
        assert run.manifest.samples == SamplesRecord(count=2, seed=5, scored=kind)


def test_the_best_of_several_samples_takes_no_rank_and_is_not_best(
    run: Callable[..., Path], clips: SmallClips, tmp_path: Path
) -> None:
    """The choice among samples uses the truth: no method that is asked once could be as good."""
    run("runs", "--samples", "3", "--workers", "1")
    vpbench.evaluate("last_frame", data=clips.prepared, out=tmp_path / "runs")
    runs = [vpbench.read_run(folder) for folder in find_runs(tmp_path / "runs")]
    board = build_leaderboard(runs)
    assert dict(zip(board.rows["label"], board.rows["best_of_samples"], strict=True)) == {
        "last_frame": False,
        "n.best-of-3": True,
        "n.mean-of-3": False,
    }
    assert [len(group) for group in group_by_seed(runs)] == [1, 1, 1]
    lines = {line.split()[0]: line for line in render(board).splitlines() if line}
    assert "•" not in lines["n.best-of-3#"]
    assert dict(zip(board.rows["label"], board.eligible, strict=True)) == {
        "last_frame": True,
        "n.best-of-3": False,
        "n.mean-of-3": True,
    }
    assert not any(
        cell.bold for row in page_table(board).rows if row.label == "n.best-of-3" for cell in row.cells
    )
    assert "# the best of several samples, which takes the truth to know; no rank." in render(board)


def test_without_the_option_one_sample_is_drawn(run: Callable[..., Path]) -> None:
    folder = run("runs", "--workers", "1")
    manifest = vpbench.read_run(folder / "n").manifest
    assert manifest.samples == SamplesRecord(count=1, seed=0, scored="best")
    assert manifest.predictor.description["marks"] == ["stochastic: one sample a clip (seed 0)"]


def test_the_first_samples_of_many_are_those_of_few() -> None:
    assert [Samples(3, 5).seed_of(11, k) for k in range(3)] == [
        Samples(9, 5).seed_of(11, k) for k in range(3)
    ]
    seeds = {Samples(9, seed).seed_of(clip, k) for seed in (0, 1) for clip in range(50) for k in range(9)}
    assert len(seeds) == 900
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_samples_of_a_deterministic_predictor_are_refused(
    cli: Callable[..., Result], clips: SmallClips
) -> None:
    for option in ("--samples", "--seed"):
        done = cli("run", "--model", "last_frame", "--data", clips.prepared, option, "3")
        assert done.exit_code == 2
        assert f"{option}: predictor 'last_frame' is deterministic" in done.output


@pytest.mark.parametrize(
    ("count", "seed"), [(0, None), (-1, None), (100_000, None), (None, -1), (None, 2**32)]
)
def test_numbers_out_of_range_are_refused(count: int | None, seed: int | None) -> None:
    class Any(Predictor):
        stochastic = True

    with pytest.raises(UsageError, match=r"samples|seed"):
        check_samples(Any(), "any", count, seed)


@pytest.mark.slow
def test_saved_predictions_are_those_that_the_best_scores_are_of(
    cli: Callable[..., Result], run: Callable[..., Path], clips: SmallClips, tmp_path: Path
) -> None:
    for out, workers in (("one", "1"), ("two", "2")):
        folder = run(out, "--samples", "3", "--save-predictions", "--workers", workers)
        assert not (folder / "n.mean-of-3" / "predictions").exists(), "a mean has no frames"
        saved = vpbench.evaluate(
            f"frames:{folder / 'n.best-of-3' / 'predictions'}", data=clips.prepared, out=tmp_path / out
        )
        assert score_lines(saved.folder) == score_lines(folder / "n.best-of-3")


def test_an_interrupted_run_goes_on_in_both(run: Callable[..., Path]) -> None:
    folder = run("runs", "--samples", "3", "--workers", "1")
    whole = {
        label: (folder / label / "scores.jsonl").read_bytes() for label in ("n.best-of-3", "n.mean-of-3")
    }
    for label, keep in (("n.best-of-3", 4), ("n.mean-of-3", 2)):
        lines = whole[label].splitlines(keepends=True)
        (folder / label / "scores.jsonl").write_bytes(b"".join(lines[:keep]) + lines[keep][:20])
        manifest = folder / label / "manifest.json"
        manifest.write_text(manifest.read_text().replace('"complete"', '"running"'))
    again = run("runs", "--samples", "3", "--workers", "1")
    assert {label: (again / label / "scores.jsonl").read_bytes() for label in whole} == whole


def test_other_samples_are_another_run(
    cli: Callable[..., Result], run: Callable[..., Path], clips: SmallClips, noise: str, tmp_path: Path
) -> None:
    run("runs", "--samples", "3", "--seed", "1")
    again = cli(
        "run", "--model", noise, "--as", "n", "--data", clips.prepared, "--out", tmp_path / "runs",
        "--samples", "3", "--seed", "2",
    )  # fmt: skip
    assert again.exit_code == 2
    assert "samples.seed was 1, now 2" in again.output


def test_a_sample_that_is_not_valid_names_the_clip(clips: SmallClips) -> None:
    with pytest.raises(VpbenchError, match=r"clip 1.*shape"):
        vpbench.evaluate_samples(lambda inputs, targets, seed: inputs[:1], 2, data=clips.prepared)


def test_undefined_scores_are_worst_and_have_no_mean() -> None:
    protocol = get_protocol("mathieu2016")

    def line(psnr: float | None) -> dict:
        return {
            "clip": 1,
            "frame": 1,
            "psnr": psnr,
            "ssim": 0.5,
            "sharpness": 20.0,
            "moving": 0.5,
            "counted": True,
        }

    tally = Tally(protocol, keep=True)
    for k, psnr in enumerate((None, 20.0, 30.0, 30.0)):
        tally.add([line(psnr)], np.full((1, 2, 2, 3), k, np.float32))
    assert tally.best == [line(30.0)]
    assert tally.frames is not None
    assert tally.frames.max() == 2, "of equal samples the first"
    assert tally.mean[0]["psnr"] is None
    assert math.isclose(tally.mean[0]["ssim"], 0.5)
