"""The study of robustness: its numbers are those of runs, its intervals those of comparisons, and it resumes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from footage import drifting, write_video

import vpbench
from vpbench.errors import UsageError
from vpbench.predictors.corrupted import KINDS
from vpbench.runs.run import read_run
from vpbench.study.robustness import choose

COUNTED = """
from pathlib import Path
import numpy as np
import vpbench

class Counted(vpbench.Predictor):
    def predict(self, inputs, targets):
        with Path("calls").open("a") as stream:
            stream.write("x")
        return np.repeat(inputs[-2:].mean(axis=0)[None], targets, axis=0)
"""


@pytest.fixture(scope="module")
def seven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of seven small videos, enough for intervals."""
    folder = tmp_path_factory.mktemp("robustness") / "videos"
    for number in range(7):
        write_video(folder / f"{number}.avi", drifting(number, 11, 48, 64))
    return folder


@pytest.fixture
def study(
    cli: Callable[..., Result], seven: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(COUNTED)

    def call(*arguments: str, models: tuple[str, ...] = ("last_frame", "mine.py:Counted")) -> Result:
        named = [part for model in models for part in ("--model", model)]
        return cli("study", "--corruptions", *named, "--split", seven, "--workers", "1", *arguments)

    return call


SOME = ("--corruption", "noise", "--corruption", "drop", "--severity", "2", "--severity", "5")


@pytest.mark.slow
def test_numbers_are_those_of_runs_and_comparisons(study: Callable[..., Result]) -> None:
    done = study(*SOME, "--out", "out")
    assert done.exit_code == 0, done.output
    table = pd.read_csv("out/robustness.csv")
    assert list(table["corruption"].unique()) == ["none", "noise", "drop", "all"]
    conditions = 1 + 4 + 2 + 1  # clean, corrupted, means by kind, mean of all
    assert len(table) == 2 * 2 * conditions
    runs = {folder.name: read_run(folder) for folder in Path("out/runs/videos/mathieu2016").iterdir()}
    assert len(runs) == 2 * 5
    for label in ("last_frame", "mine.Counted"):
        rows = table[(table["model"] == label) & (table["frame"] == 1)]
        clean = rows.query("severity == 0").iloc[0]
        assert clean["psnr"] == pytest.approx(np.mean(_counted(runs[label])), rel=1e-12)
        assert clean["psnr_change"] == 0
        changes = []
        for kind, severity in (("noise", 2), ("noise", 5), ("drop", 2), ("drop", 5)):
            row = rows[(rows["corruption"] == kind) & (rows["severity"] == severity)].iloc[0]
            run = runs[f"{label},{kind}={severity}"]
            assert row["psnr"] == pytest.approx(np.mean(_counted(run)), rel=1e-12)
            assert row["level"] == KINDS[kind].words[severity - 1]
            paired = vpbench.compare(run, runs[label])
            changes.append(row["psnr_change"])
            for key in ("psnr", "ssim"):
                (found,) = [d for d in paired.differences if (d.column.key, d.frame) == (key, 1)]
                assert row[f"{key}_change"] == pytest.approx(found.mean, rel=1e-7, abs=1e-9)
                assert row[f"{key}_change_low"] == pytest.approx(found.low, rel=1e-6, abs=1e-8)
                assert row[f"{key}_change_high"] == pytest.approx(found.high, rel=1e-6, abs=1e-8)
        means = rows[rows["severity"].isna()].set_index("corruption")
        assert means.loc["noise", "psnr_change"] == pytest.approx(np.mean(changes[:2]))
        assert means.loc["all", "psnr_change"] == pytest.approx(np.mean(changes))
        assert means.loc["all", "psnr_change_low"] < means.loc["all", "psnr_change"] < 0
    text = " ".join(done.stdout.split())
    assert "In brackets: 95 % intervals, each by itself." in text
    printed = Path("out/robustness.txt").read_text(encoding="utf-8")
    more = " ".join(study(*SOME, "--out", "out", "--notes", "all").stdout.split())
    assert "studentised bootstrap over 7 clusters of clips" in more
    assert "drop: inputs that are lost" in more
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert done.stdout.partition("\n\n")[0].count("\n") <= 1  # lines of the caption
    assert printed.strip() == done.stdout.strip()
    assert "| 2: σ 5" in Path("out/robustness.md").read_text(encoding="utf-8")
    assert Path("out/robustness.pdf").read_bytes().startswith(b"%PDF")
    assert Path("out/robustness.png").read_bytes().startswith(b"\x89PNG")


def _counted(run: vpbench.Run) -> np.ndarray:
    return run.scores["psnr"][run.scores["counted"] & (run.scores["frame"] == 1)]


@pytest.mark.slow
def test_it_resumes(study: Callable[..., Result], tmp_path: Path) -> None:
    one = ("--corruption", "noise", "--severity", "3", "--limit", "2", "--out", "out")
    assert study(*one, models=("mine.py:Counted",)).exit_code == 0
    assert Path("calls").read_text() == "x" * 4
    first = Path("out/robustness.csv").read_bytes()
    for file in ("manifest.json", "scores.jsonl"):
        (tmp_path / "out/runs/videos/mathieu2016/mine.Counted,noise=3" / file).unlink()
    assert study(*one, models=("mine.py:Counted",)).exit_code == 0
    assert Path("calls").read_text() == "x" * 6
    assert Path("out/robustness.csv").read_bytes() == first
    # More corruptions later: what is there is not predicted again.
    more = (*one, "--severity", "4")
    assert study(*more, models=("mine.py:Counted",)).exit_code == 0
    assert Path("calls").read_text() == "x" * 8


@pytest.mark.parametrize("form", ["text", "markdown", "latex", "csv"])
def test_every_format(study: Callable[..., Result], form: str) -> None:
    done = study("--corruption", "jpeg", "--severity", "5", "--limit", "1", "--format", form)
    assert done.exit_code == 0, done.output
    assert "quality 8" in done.stdout
    assert not list(Path.cwd().glob("runs*"))


def test_few_clusters_have_no_intervals(study: Callable[..., Result]) -> None:
    done = study("--corruption", "jpeg", "--severity", "5", "--limit", "2")
    text = " ".join(done.stdout.split())
    assert "No intervals: they need 6 clusters of clips, and here are 2." in text
    assert "[" not in text.partition("Change: mean")[0]


def test_what_needs_more_inputs_is_left_out_with_a_note(study: Callable[..., Result]) -> None:
    few = ("--severity", "1", "--limit", "1", "--protocol", "dvf2017-like", "--format", "text")
    done = study(*few, models=("last_frame",))
    assert done.exit_code == 0, done.output
    text = " ".join(done.stdout.split())
    assert "Left out: repeat, which needs 4 inputs; dvf2017-like gives 2." in text
    assert "Left out: drop" in text
    done = study(*few, "--corruption", "drop", models=("last_frame",))
    assert done.exit_code == 2
    assert "Left out: drop" in done.output


def test_of_many_frames_their_mean_is_shown(study: Callable[..., Result]) -> None:
    some = ("--corruption", "noise", "--severity", "5", "--limit", "1", "--protocol", "mcnet2017-like")
    done = study(*some, models=("last_frame",))
    assert done.exit_code == 0, done.output
    assert done.stdout.count("All 7 frames") == 1
    table = pd.read_csv(pd.io.common.StringIO(study(*some, "--format", "csv", models=("last_frame",)).stdout))
    assert list(table["frame"].unique()) == ["all", *map(str, range(1, 8))]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--corruption", "nois"), "Did you mean noise?"),
        (("--severity", "6"), "severities are 1 to 5"),
        (("--seed", "-1"), "a seed is a whole number"),
        (("--protocol", "nothing"), "Unknown protocol"),
        (("--model", "corrupted:noise=1:last_frame"), "is corrupted already"),
    ],
)
def test_what_is_wrong_is_said(
    study: Callable[..., Result], arguments: tuple[str, ...], message: str
) -> None:
    done = study(*arguments, models=("last_frame",))
    assert done.exit_code == 2
    assert message in done.output


@pytest.mark.parametrize(
    "option",
    [
        *(("--corruption", "noise"), ("--severity", "1"), ("--seed", "0"), ("--protocol", "full-frame")),
        ("--notes", "all"),
    ],
)
def test_options_of_the_other_study(cli: Callable[..., Result], option: tuple[str, str]) -> None:
    done = cli("study", "--model", "last_frame", "--split", "synthetic", *option)
    assert done.exit_code == 2
    assert f"{option[0]} goes with --corruptions." in done.output


def test_choosing() -> None:
    assert len(choose()) == 25
    chosen = choose(["drop", "noise"], [4, 1, 4], seed=3)
    assert list(map(str, chosen)) == ["noise=1,seed=3", "noise=4,seed=3", "drop=1,seed=3", "drop=4,seed=3"]
    with pytest.raises(UsageError, match="Unknown corruption"):
        choose(["nothing"])
