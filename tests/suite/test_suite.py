"""Suites: every cell is run once, what fails does not stop the rest, and the summary adds up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner
from footage import drifting, write_video

from vpbench.cli.main import main
from vpbench.errors import UsageError, VpbenchError
from vpbench.suite.definition import BUILT_IN, load_suite

PREDICTORS = '''
from pathlib import Path
import numpy as np
import vpbench

HERE = Path(__file__).parent


class Counted(vpbench.Predictor):
    """The mean of the last two frames; writes down how often it is asked."""

    def predict(self, inputs, targets):
        with (HERE / "calls").open("a") as stream:
            stream.write(f"{type(self).__name__} {len(inputs)} {targets}\\n")
        return np.repeat(inputs[-2:].mean(axis=0)[None], targets, axis=0)


class CountedToo(Counted):
    pass


class Fails(vpbench.Predictor):
    """Fails until there is a file."""

    def predict(self, inputs, targets):
        if not (HERE / "weights").exists():
            raise RuntimeError("no weights")
        return np.repeat(inputs[-1:], targets, axis=0)


class Random(vpbench.Predictor):
    stochastic = True

    def sample(self, inputs, targets, seed):
        noise = np.random.default_rng(seed).random((targets, *inputs.shape[1:]), np.float32)
        return (inputs[-1] + noise) / 2
'''
CLIPS = ("--limit", "2", "--workers", "1")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mine.py").write_text(PREDICTORS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def suite(text: str, *more: str) -> tuple[int, str]:
    Path("suite.toml").write_text(text)
    done = CliRunner().invoke(main, ["suite", "suite.toml", *CLIPS, *more])
    return done.exit_code, done.output


def calls() -> list[str]:
    return Path("calls").read_text().splitlines() if Path("calls").exists() else []


FOUR = """
name = "four"
models = ["last_frame", "mine.py:Counted", "mine.py:CountedToo"]
protocols = ["mathieu2016", "full-frame", "mcnet2017-like", "dvf2017-like"]
splits = ["synthetic"]
"""


def test_frames_are_predicted_once_for_the_same_inputs(here: Path) -> None:
    code, output = suite(FOUR)
    assert code == 0, output
    # Two clips, two kinds of inputs; of the first kind as many frames as the furthest protocol asks for.
    once = ["4 7", "4 7"], ["2 1", "2 1"]
    assert calls() == [f"{name} {call}" for two in once for name in ("Counted", "CountedToo") for call in two]
    assert not [*here.rglob("predictions"), *here.rglob(".frames*")]
    for protocol in ("mathieu2016", "full-frame", "mcnet2017-like", "dvf2017-like"):
        line = ["run", "--model", "mine.py:Counted", "--split", "synthetic", "--protocol", protocol]
        done = CliRunner().invoke(main, [*line, "--out", "direct", *CLIPS])
        assert done.exit_code == 0, done.output
        alone, one = (
            (Path(out) / "synthetic" / protocol / "mine.Counted" / "scores.jsonl").read_bytes()
            for out in ("direct", "runs")
        )
        assert one == alone


def test_it_resumes(here: Path) -> None:
    assert suite(FOUR)[0] == 0
    before = calls()
    assert suite(FOUR)[0] == 0
    assert calls() == before
    gone = here / "runs" / "synthetic" / "full-frame" / "mine.Counted"
    for file in ("manifest.json", "scores.jsonl"):
        (gone / file).unlink()
    assert suite(FOUR)[0] == 0
    assert calls()[len(before) :] == ["Counted 4 2", "Counted 4 2"]


def test_frames_are_kept_while_a_protocol_fails(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was predicted is not predicted again, and is removed at last."""
    from vpbench.suite import run

    def fails(plan: Any, *rest: Any, **options: Any) -> Any:
        if plan.protocol.name == "full-frame":
            raise VpbenchError("no room")
        return carry_out(plan, *rest, **options)

    carry_out = run.carry_out
    monkeypatch.setattr(run, "carry_out", fails)
    code, output = suite(FOUR)
    assert code == 1
    assert output.count("no room") == 3
    before = calls()
    kept = here / "runs" / "synthetic" / "mcnet2017-like" / "mine.Counted" / ".frames"
    assert sorted(path.name for path in kept.iterdir()) == ["1", "2"]
    monkeypatch.undo()
    monkeypatch.chdir(here)
    assert suite(FOUR)[0] == 0
    assert calls() == before
    assert not list(here.rglob(".frames*"))


def test_saved_predictions_of_the_users_stay(here: Path) -> None:
    line = ["run", "--model", "mine.py:Counted", "--split", "synthetic", "--protocol", "mcnet2017-like"]
    done = CliRunner().invoke(main, [*line, "--save-predictions", "--workers", "1", "--limit", "1"])
    assert done.exit_code == 0, done.output
    assert suite(FOUR)[0] == 0
    kept = here / "runs" / "synthetic" / "mcnet2017-like" / "mine.Counted" / "predictions"
    assert [path.name for path in kept.iterdir()] == ["1"]


def test_it_goes_on_past_what_fails_and_tries_it_again(here: Path) -> None:
    text = """
name = "mine"
models = ["mine.py:Fails", "last_frame"]
protocols = ["full-frame"]
splits = ["synthetic", "nowhere"]
"""
    code, output = suite(text)
    assert code == 1
    assert "no weights" in output
    assert output.count("Unknown split 'nowhere'") == 1
    assert "2 parts of suite 'mine' failed" in output
    assert "No ranks with fewer than 6 clusters of clips: synthetic has 2." in output
    assert "mean" not in output.partition("No ranks")[0].splitlines()[2]
    assert (here / "runs" / "synthetic" / "full-frame" / "last_frame" / "scores.jsonl").exists()
    Path("weights").touch()
    code, output = suite(text.replace(', "nowhere"', ""))
    assert code == 0, output
    assert "mine.Fails" in output
    assert "dB          %" in output  # of mean skill and wins


def test_what_does_not_fit_is_left_out_with_a_note(here: Path) -> None:
    text = """
name = "mine"
models = ["last_frame", "multi_frame"]
protocols = ["full-frame"]
splits = ["synthetic"]
"""
    code, output = suite(text)
    assert code == 0, output
    assert "'multi_frame' needs 8 input frames" in output


def test_seeds_of_a_stochastic_predictor(here: Path) -> None:
    text = """
name = "mine"
models = ["last_frame", "mine.py:Random"]
protocols = ["full-frame", "mathieu2016"]
splits = ["synthetic"]
seeds = [3, 5]
"""
    code, output = suite(text, "--format", "json")
    assert code == 0, output
    rows = pd.DataFrame(json.loads(output)["rows"])
    assert list(rows["model"]) == ["last_frame", "mine.Random,seed=3", "mine.Random,seed=5"] * 2
    assert rows["score"].nunique() == 6
    assert suite(text)[0] == 0


def test_the_summary_adds_up(here: Path) -> None:
    for number in range(7):
        write_video(here / "videos" / f"{number}.avi", drifting(number, 8, 48, 64))
    text = """
name = "mine"
models = ["last_frame", "optical_flow"]
protocols = ["full-frame", "mathieu2016"]
splits = ["videos"]
"""
    Path("suite.toml").write_text(text)
    done = CliRunner().invoke(main, ["suite", "suite.toml", "--workers", "1", "--format", "json"])
    assert done.exit_code == 0, done.output
    rows = {(row["model"], row["protocol"]): row for row in json.loads(done.output)["rows"]}
    for protocol in ("full-frame", "mathieu2016"):
        flow, copy = (rows[name, protocol] for name in ("optical_flow", "last_frame"))
        assert (flow["rank"], copy["rank"]) == (1, 2)
        assert flow["skill_low"] < flow["skill"] < flow["skill_high"]
        assert flow["win_rate"] == 1
    done = CliRunner().invoke(main, ["suite", "suite.toml", "--workers", "1"])
    line = next(line for line in done.output.splitlines() if line.startswith("optical_flow"))
    skill = (rows["optical_flow", "full-frame"]["skill"] + rows["optical_flow", "mathieu2016"]["skill"]) / 2
    assert f"{skill:+.2f}" in line
    assert " 1.0 " in line
    assert line.count("(1)") == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("models", "mdels"), "mdels"),
        (('["synthetic"]', "[]"), "'splits'"),
        (('"full-frame"', '"full-frame", "full-frame"'), "has full-frame twice"),
        (('["last_frame"', "[1"), "models: entry 1 must be a text"),
        (('"mine"', '"../x"'), "'name'"),
    ],
)
def test_a_file_that_is_wrong(here: Path, change: tuple[str, str], message: str) -> None:
    text = 'name = "mine"\nmodels = ["last_frame"]\nprotocols = ["full-frame"]\nsplits = ["synthetic"]\n'
    code, output = suite(text.replace(*change))
    assert code == 2, output
    assert "Suite suite.toml" in output
    assert message in output


def test_unknown_names() -> None:
    with pytest.raises(UsageError, match="Did you mean paper"):
        load_suite("papr")
    assert load_suite("paper") == BUILT_IN["paper"]
