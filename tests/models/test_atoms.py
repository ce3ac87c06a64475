"""Dynamical atoms: the dictionary and its codes against slow references, known oscillations, and the predictor."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from footage import moving_frames, write_video
from numpy.typing import NDArray

from vpbench.baselines.optical_flow import BilinearSampler
from vpbench.errors import UsageError
from vpbench.models.atoms.dictionary import (
    LENGTH,
    SHIPPED,
    Poles,
    changes,
    dictionary,
    read_poles,
    sparse_codes,
)
from vpbench.models.atoms.learning import Examples, differentiable_dictionary, learn
from vpbench.models.atoms.predictor import DynamicAtoms
from vpbench.predictors.spec import PredictorSpec


def poles(*pairs: tuple[float, float], penalty: float = 1e-3, iterations: int = 20_000) -> Poles:
    magnitudes, phases = zip(*pairs, strict=True)
    return Poles(magnitudes, phases, penalty, iterations, "a test")


def atoms_by_loops(some: Poles, length: int) -> list[list[float]]:
    """Each atom over time, as the poles ρ·exp(±iθ) and −ρ·exp(±iθ) give it: real and imaginary parts of powers."""
    rows = [[1.0] * length]
    for part, negative in (("real", 1), ("real", -1), ("imag", 1), ("imag", -1)):
        for magnitude, phase in zip(some.magnitudes, some.phases, strict=True):
            wave = []
            for time in range(length):
                value = getattr(complex(math.cos(phase), math.sin(phase)) ** time, part)
                wave.append((negative * magnitude) ** time * value)
            rows.append(wave)
    normed = []
    for row in rows:
        norm = math.sqrt(sum(value**2 for value in row[:LENGTH]))
        normed.append([value / norm if norm > 1e-6 else value for value in row])
    return normed


def code_by_loops(atoms: NDArray[np.float64], sequence: NDArray[np.float64], penalty: float) -> list[float]:
    """Coordinate descent, one coefficient after the other, until nothing moves."""
    code = [0.0] * atoms.shape[1]
    for _ in range(100_000):
        most = 0.0
        for k in range(len(code)):
            rest = sequence - sum(code[j] * atoms[:, j] for j in range(len(code)) if j != k)
            pull, size = float(atoms[:, k] @ rest), float(atoms[:, k] @ atoms[:, k])
            new = math.copysign(max(abs(pull) - penalty, 0.0), pull) / size if size else 0.0
            most, code[k] = max(most, abs(new - code[k])), new
        if most < 1e-12:
            break
    return code


def test_the_dictionary_is_that_of_a_slow_reference() -> None:
    some = poles((0.9, 0.4), (1.05, 1.2), (0.8, 0.0))
    expected = np.array(atoms_by_loops(some, 5)).T
    np.testing.assert_allclose(dictionary(some, 5), expected, atol=1e-6)
    learned_through = differentiable_dictionary(torch.tensor(some.magnitudes), torch.tensor(some.phases), 5)
    np.testing.assert_allclose(learned_through.numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("penalty", [0.01, 0.3])
def test_codes_are_those_of_coordinate_descent(penalty: float) -> None:
    some = poles((0.9, 0.4), (1.05, 1.2))
    atoms = dictionary(some, LENGTH)
    random = np.random.default_rng(0)
    sequences = random.normal(0, 2, (LENGTH, 5)).astype(np.float32)
    found = sparse_codes(atoms, sequences, penalty, 5_000)
    for n in range(sequences.shape[1]):
        wide = atoms.astype(np.float64)
        slow = np.array(code_by_loops(wide, sequences[:, n].astype(np.float64), penalty))
        # Several codes may be as good: their explanation and their sum are the same.
        np.testing.assert_allclose(atoms @ found[:, n], wide @ slow, atol=1e-3)
        assert np.abs(found[:, n]).sum() == pytest.approx(np.abs(slow).sum(), abs=1e-2)


def test_columns_do_not_depend_on_each_other() -> None:
    atoms = dictionary(read_poles(SHIPPED), LENGTH)
    sequences = np.random.default_rng(1).normal(0, 2, (LENGTH, 1500)).astype(np.float32)
    together = sparse_codes(atoms, sequences, 0.1, 20)
    np.testing.assert_allclose(
        together[:, 1400:], sparse_codes(atoms, sequences[:, 1400:], 0.1, 20), atol=1e-4
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_a_known_oscillation_goes_on(sign: int) -> None:
    """Of an oscillation whose pole is in the dictionary, what follows is predicted, but for the penalty."""
    magnitude, phase = 0.9, 0.7
    time = np.arange(LENGTH + 3)
    wave = 2 * (sign * magnitude) ** time * np.cos(time * phase)
    sequence = wave[:LENGTH, None].astype(np.float32)
    ahead = sequence[-1] + changes(poles((magnitude, phase)), sequence, 3)
    np.testing.assert_allclose(ahead[:, 0], wave[LENGTH:], atol=0.02)
    assert abs(wave[LENGTH] - sequence[-1, 0]) > 0.3  # constant flow is far from it


def test_of_what_does_not_change_nothing_is_lost() -> None:
    """The coefficient of the constant atom shrinks by the penalty; what follows from it is constant all the same."""
    some = poles((0.9, 1.0), penalty=0.3, iterations=2_000)
    sequences = np.full((LENGTH, 2), [5.0, -2.0], np.float32)
    atoms = dictionary(some, LENGTH)
    explained = atoms @ sparse_codes(atoms, sequences, 0.3, 2_000)
    np.testing.assert_allclose(
        explained, np.sign(sequences) * (np.abs(sequences) - 0.3 / math.sqrt(3)), atol=1e-3
    )
    np.testing.assert_allclose(changes(some, sequences, 2), 0, atol=1e-3)
    assert not changes(some, np.zeros((LENGTH, 4), np.float32), 2).any()


class Told:
    """Flow that is told: b_t is the same everywhere."""

    def __init__(self, values: list[float]) -> None:
        self.values = values

    def between(
        self, frames: NDArray[np.uint8], before: int, after: int, clip: int | None
    ) -> NDArray[np.float32]:
        assert after == before - 1
        flow = np.zeros((*frames.shape[1:3], 2), np.float32)
        flow[..., 0] = self.values[after]
        return flow


def test_the_last_input_is_moved_by_the_flow_that_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    atoms = DynamicAtoms()
    told = [2 * 0.9**t * math.cos(0.7 * t) for t in range(5)]
    monkeypatch.setattr(atoms, "flow", Told([9.0, *told]))
    monkeypatch.setattr(atoms, "poles", poles((0.9, 0.7)))
    inputs = moving_frames(5, size=(32, 40)).astype(np.float32) / np.float32(255)
    predicted = atoms.predict(inputs, 2)
    assert predicted.shape == (2, 32, 40, 3)
    assert predicted.dtype == np.float32
    frame = inputs[-1]
    for k in range(2):
        flow = np.zeros((32, 40, 2), np.float32)
        flow[..., 0] = told[3 + k]
        frame = BilinearSampler(flow)(frame)
        np.testing.assert_allclose(predicted[k], frame, atol=0.01)


def test_it_is_installed_and_says_what_it_is() -> None:
    made = PredictorSpec.parse("dynamic_atoms").create()
    facts = made.describe()
    assert facts["parameters"] == 80
    assert facts["flow"]["name"] == "dis"
    assert "groups 8–21" in facts["training_data"]
    assert facts["test_clips_seen"] == "no"
    still = np.full((4, 20, 30, 3), 0.5, np.float32)
    np.testing.assert_allclose(made.predict(still, 2), 0.5, atol=1e-6)


def test_too_few_inputs_and_wrong_poles_are_refused(cli: Callable[..., Result], tmp_path: Path) -> None:
    short = tmp_path / "short"
    write_video(short / "one.avi", moving_frames(6, size=(32, 40)))
    arguments = (
        "run",
        "--model",
        "dynamic_atoms",
        "--split",
        short,
        "--workers",
        "1",
        "--out",
        tmp_path / "runs",
    )
    result = cli(*arguments, "--protocol", "dvf2017-like")
    assert result.exit_code == 2
    assert "Predictor 'dynamic_atoms' needs 4 input frames; protocol 'dvf2017-like' gives 2." in result.stderr
    (tmp_path / "poles.toml").write_text("magnitudes = [1.0]\n")
    model = f"dynamic_atoms,poles={tmp_path / 'poles.toml'}"
    # A label of its own: one made of the path may be too long.
    result = cli("run", "--model", model, "--as", "wrong", "--split", short)
    assert result.exit_code == 2
    assert "poles.toml: 'phases' is missing" in result.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("magnitudes = [1.0, 0.9]\nphases = [0.1]\n", "2 magnitudes and 1 phases; as many are needed"),
        ("magnitudes = [0.0]\nphases = [0.1]\n", "a magnitude must be above 0, and at most 2"),
        ("magnitudes = [1.0]\nphases = [4.0]\n", "a phase must be from 0 to π"),
        ("magnitudes = []\nphases = []\n", "'magnitudes' must be a list with a length of at least 1"),
        ("magnitudes = [1.0]\nphases = [nan]\n", "must be a finite number"),
        ("magnitudes = [1.0]\nphases = [0.1]\nrho = 3\n", "has no key 'rho'"),
    ],
)
def test_files_of_poles_are_checked(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text + 'penalty = 0.1\niterations = 10\ntraining_data = "none"\n')
    with pytest.raises(UsageError) as info:
        read_poles(path)
    assert "mine.toml" in str(info.value)
    assert message in str(info.value)


@pytest.mark.slow
def test_learning_lessens_the_error() -> None:
    """Sequences of one damped oscillation: after a few steps, the poles predict others of it better than before."""
    random = np.random.default_rng(0)
    time = np.arange(LENGTH + 1)[:, None]
    starts = random.normal(0, 2, (2, 600))
    wave = 0.8**time * (starts[0] * np.cos(1.3 * time) + starts[1] * np.sin(1.3 * time))
    sequences = wave.astype(np.float32)

    def error(some: Poles) -> float:
        ahead = sequences[LENGTH - 1] + changes(some, sequences[:LENGTH], 1)
        return float(np.mean((ahead - sequences[LENGTH:]) ** 2))

    examples = Examples(sequences, np.ones(600, np.float32))
    assert error(learn(examples, 0.1, 6, 0, "x")) < 0.95 * error(learn(examples, 0.1, 0, 0, "x"))
