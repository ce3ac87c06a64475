"""The self-test of predictors: each fault is found in a predictor that has it, and in no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from vpbench.cli.main import main
from vpbench.errors import UsageError
from vpbench.evaluation.self_test import self_test
from vpbench.predictors.spec import PredictorSpec

PREDICTORS = """
import itertools
import numpy as np
import vpbench

count = itertools.count()


def last(inputs, targets):
    return np.repeat(inputs[-1:], targets, axis=0)


class Good(vpbench.Predictor):
    def predict(self, inputs, targets):
        return last(inputs, targets)


class Short(vpbench.Predictor):
    max_targets = 1
    min_inputs = 6

    def predict(self, inputs, targets):
        assert len(inputs) >= 6
        return last(inputs, targets)


class WrongRange(vpbench.Predictor):
    def predict(self, inputs, targets):
        return 255 * last(inputs, targets)


class Raises(vpbench.Predictor):
    def predict(self, inputs, targets):
        raise RuntimeError("no weights")


class Writes(vpbench.Predictor):
    def predict(self, inputs, targets):
        inputs[-1] *= 0.5
        return last(inputs, targets)


class Remembers(vpbench.Predictor):
    before = None

    def predict(self, inputs, targets):
        before = inputs[-1] if self.before is None else self.before
        self.before = inputs[-1].copy()
        return last((inputs + before) / 2, targets)


class Unseeded(vpbench.Predictor):
    def __init__(self):
        self.weight = 0.5 + 0.01 * (next(count) % 7)

    def predict(self, inputs, targets):
        return last(inputs * np.float32(self.weight), targets)


class Peeks(vpbench.Predictor):
    def predict(self, inputs, targets):
        base = inputs if inputs.base is None else inputs.base
        return base[-targets:] if len(base) > len(inputs) else last(inputs, targets)


class Mixes(vpbench.Predictor):
    def predict_batch(self, inputs, targets):
        mean = np.mean([clip[-1] for clip in inputs], axis=0)
        return [np.repeat(mean[None], targets, axis=0).astype(np.float32) for _ in inputs]


class Loses(vpbench.Predictor):
    def predict_batch(self, inputs, targets):
        return [last(clip, targets) for clip in inputs[:1]]


class Plans(vpbench.Predictor):
    def predict(self, inputs, targets):
        return last(inputs, targets) * np.float32(1 / targets)


class Even(vpbench.Predictor):
    def predict(self, inputs, targets):
        height, width = inputs.shape[1:3]
        return last(inputs[:, : height // 2 * 2, : width // 2 * 2], targets)


class Random(vpbench.Predictor):
    stochastic = True

    def sample(self, inputs, targets, seed):
        noise = np.random.default_rng(seed).random((targets, 1, 1, 1), np.float32)
        return last(inputs, targets) * noise


class SameSamples(vpbench.Predictor):
    stochastic = True

    def sample(self, inputs, targets, seed):
        return last(inputs, targets)
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("predictors") / "mine.py"
    path.write_text(PREDICTORS)
    return path


def found(file: Path, name: str, state: str) -> dict[str, str]:
    findings = self_test(PredictorSpec.parse(f"{file}:{name}"))
    return {finding.what: finding.detail for finding in findings if finding.state == state}


@pytest.mark.parametrize("name", ["Good", "Short", "Random"])
def test_a_good_predictor_has_no_fault(file: Path, name: str) -> None:
    assert not found(file, name, "fault")
    assert set(found(file, name, "note")) == {"cost"}
    assert "horizon" not in found(file, "Short", "ok")


@pytest.mark.parametrize(
    ("name", "what", "detail"),
    [
        ("WrongRange", {"contract"}, "values must lie in"),
        ("Raises", {"contract"}, "RuntimeError: no weights"),
        ("Writes", {"inputs stay"}, "copy them first"),
        ("Remembers", {"repeatable"}, "remembers what came before"),
        ("Unseeded", {"made again"}, "the number of workers"),
        ("Peeks", {"no peeking"}, "what follows the inputs in memory"),
        ("Mixes", {"batches"}, "must not see each other"),
        ("Loses", {"batches"}, "1 predictions for 3 clips"),
        ("Even", {"37×53", "121×163"}, "must have the shape"),
    ],
)
def test_a_fault_is_found(file: Path, name: str, what: set[str], detail: str) -> None:
    faults = found(file, name, "fault")
    assert what <= set(faults)
    assert detail in faults[min(what)]
    if name not in ("Writes", "Remembers"):  # which spoil what is tried after them too
        assert set(faults) == what


@pytest.mark.parametrize(("name", "what"), [("Plans", "horizon"), ("SameSamples", "repeatable")])
def test_what_is_no_fault_is_noted(file: Path, name: str, what: str) -> None:
    assert not found(file, name, "fault")
    assert what in found(file, name, "note")


def test_the_command(file: Path) -> None:
    good = CliRunner().invoke(main, ["check", f"{file}:Good"])
    assert good.exit_code == 0
    assert "keeps the contract." in good.output
    bad = CliRunner().invoke(main, ["check", f"{file}:Mixes"])
    assert bad.exit_code == 1
    assert "fault    batches" in bad.output
    assert "does not keep the contract: 1 of 10 tests found a fault." in bad.output


def test_predictions_that_are_looked_up_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="looked up"):
        self_test(PredictorSpec.parse(f"frames:{tmp_path}"))
