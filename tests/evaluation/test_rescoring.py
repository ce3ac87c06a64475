"""Saved predictions, scored under another protocol: as if the predictor had been run under it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from vpbench.cli.main import main
from vpbench.runs.run import read_run

SPLIT = ("--split", "synthetic", "--limit", "2")


def vpbench(*arguments: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return done.exit_code, done.output


def run(out: Path, *more: str) -> Path:
    code, output = vpbench("run", "--model", "optical_flow", *SPLIT, "--workers", "1", "--out", out, *more)
    assert code == 0, output
    return out / "synthetic" / "mathieu2016" / "optical_flow"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("saved"), "--save-predictions")


def test_it_is_the_run_under_the_other_protocol(saved: Path, tmp_path: Path) -> None:
    code, output = vpbench("rescore", saved, "--protocol", "full-frame", "--out", tmp_path / "again")
    assert code == 0, output
    assert "protocol full-frame" in output
    run(tmp_path / "direct", "--protocol", "full-frame")
    folders = [tmp_path / name / "synthetic" / "full-frame" / "optical_flow" for name in ("again", "direct")]
    again, direct = ((folder / "scores.jsonl").read_bytes() for folder in folders)
    assert again == direct
    manifests = [json.loads((folder / "manifest.json").read_text()) for folder in folders]
    for manifest in manifests:
        for key in ("started", "finished", "cost"):
            del manifest[key]
    assert manifests[0] == manifests[1]
    assert read_run(folders[0]).manifest.cost == read_run(saved).manifest.cost
    code, output = vpbench("verify", folders[0], "--workers", "1")
    assert code == 0, output


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        (
            "mcnet2017-like",
            "frames 4 to 5 after 0 to 3; protocol 'mcnet2017-like' asks for frames 4 to 10 after 0 to 3",
        ),
        ("ucf101-8to8", "asks for frames 8 to 15 after 0 to 7"),
        ("dvf2017-like", "asks for frames 4 to 4 after 2 to 3, of 256×256 pixels"),
    ],
)
def test_other_inputs_or_more_frames_are_refused(
    saved: Path, tmp_path: Path, protocol: str, message: str
) -> None:
    code, output = vpbench("rescore", saved, "--protocol", protocol, "--out", tmp_path)
    assert code == 2
    assert message in output
    assert not list(tmp_path.iterdir())


def test_without_saved_predictions(saved: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(saved, bare, ignore=shutil.ignore_patterns("predictions"))
    code, output = vpbench("rescore", bare, "--protocol", "full-frame", "--out", tmp_path)
    assert code == 2
    assert "run it again with --save-predictions" in output


def test_the_best_of_several_samples_are_those_of_one_protocol(tmp_path: Path) -> None:
    file = tmp_path / "noise.py"
    file.write_text(
        "import numpy as np\nimport vpbench\n\n\nclass Noise(vpbench.Predictor):\n    stochastic = True\n\n"
        "    def sample(self, inputs, targets, seed):\n"
        "        shape = (targets, *inputs.shape[1:])\n"
        "        return np.random.default_rng(seed).random(shape, np.float32)\n"
    )
    code, output = vpbench(
        *("run", "--model", f"{file}:Noise", "--samples", "2", *SPLIT, "--workers", "1"),
        *("--out", tmp_path / "runs", "--save-predictions"),
    )
    assert code == 0, output
    folder = next(path.parent for path in (tmp_path / "runs").rglob("predictions"))
    code, output = vpbench("rescore", folder, "--protocol", "full-frame", "--out", tmp_path)
    assert code == 2
    assert "best under its own protocol" in output
