"""The predictor contract: names, options, files of one's own, and the check of what is returned."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from folders import SMALL_PROTOCOL, prepare_folder
from numpy.typing import NDArray
from runs import score_lines

from vpbench.errors import UsageError, VpbenchError
from vpbench.predictors.predictor import Predictor, check_fits, check_predictions
from vpbench.predictors.spec import PredictorSpec
from vpbench.scoring.built_in import get_protocol

OWN = '''
import os
import numpy as np
from vpbench import Predictor, VpbenchError


class Options(Predictor):
    def __init__(self, number: int = 1, factor: float = 0.5, flag: bool = False, text: str = "a",
                 maybe: int | None = None, either: int | float = 1, plain="x"):
        self.given = (number, factor, flag, text, maybe, either, plain)

    def predict_next(self, inputs):
        return inputs[-1]


class Needs(Options):
    def __init__(self, number: int):
        pass


class Fading(Predictor):
    """Each frame is half the mean of its window: the recursion can be followed by hand."""

    def predict_next(self, inputs):
        assert inputs.dtype == np.float32 and inputs.min() >= 0 and inputs.max() <= 1
        return inputs.mean(axis=0, dtype=np.float32) / 2


class AtOnce(Predictor):
    def predict(self, inputs, targets):
        return np.repeat(inputs[-1:], targets, axis=0)


class InParent(AtOnce):
    runs_in = "parent"


class Batched(Predictor):
    runs_in = "parent"
    sizes = []

    def predict_batch(self, inputs, targets):
        self.sizes.append(len(inputs))
        return [np.repeat(clip[-1:], targets, axis=0) for clip in inputs]


class WrongShape(AtOnce):
    def predict(self, inputs, targets):
        return super().predict(inputs, targets)[:, 1:]


class WrongFrame(Predictor):
    def predict_next(self, inputs):
        return inputs[-1, :, 1:]


class Ragged(Predictor):
    def predict(self, inputs, targets):
        return [inputs[-1], inputs[-1, 1:]]


class TooMany(AtOnce):
    def predict_batch(self, inputs, targets):
        return [self.predict(inputs[0], targets)] * (len(inputs) + 1)


class Bytes(Predictor):
    def predict_next(self, inputs):
        return (inputs[-1] * 255).astype(np.uint8)


class Nothing(Predictor):
    def predict(self, inputs, targets):
        return None


class NaN(Predictor):
    def predict_next(self, inputs):
        frame = inputs[-1].copy()
        frame[3, 4, 1] = np.nan
        return frame


class Infinite(AtOnce):
    def predict(self, inputs, targets):
        frames = super().predict(inputs, targets)
        frames[1, 0, 0, 0] = np.inf
        return frames


class TooLarge(Predictor):
    def predict_next(self, inputs):
        return inputs[-1] * 255


class Negative(Predictor):
    def predict_next(self, inputs):
        return inputs[-1] * 2 - 1


class Raises(Predictor):
    def predict_next(self, inputs):
        raise RuntimeError("out of ideas")


class Complains(Predictor):
    def predict_next(self, inputs):
        raise VpbenchError("these frames are too dull")


class RaisesWhenMade(Predictor):
    def __init__(self):
        raise RuntimeError("no weights")


class Abstract(Predictor):
    pass


class Needy(AtOnce):
    min_inputs = 5


class Short(AtOnce):
    max_targets = 1


class Talks(AtOnce):
    def describe(self):
        return {"parameters": 7, "where": ("a", "tuple")}

    def multiply_adds(self, shape, targets):
        frames, height, width, channels = shape
        return frames * height * width * channels * targets


class CountsNonsense(AtOnce):
    def multiply_adds(self, shape, targets):
        return 0.5


class CannotCount(AtOnce):
    def multiply_adds(self, shape, targets):
        return 1 // 0


class TalksNonsense(AtOnce):
    def describe(self):
        return {"weights": np.float32(1)}


class SaysPerhaps(AtOnce):
    def describe(self):
        return {"test_clips_seen": "perhaps"}


class Dies(Predictor):
    def predict_next(self, inputs):
        os.kill(os.getpid(), 9)


class NoPredictor:
    pass


a_function = len
'''


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with predictors of all sorts."""
    path = tmp_path_factory.mktemp("own") / "own.py"
    path.write_text(OWN)
    return path


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four prepared clips for `mathieu2016`."""
    from footage import moving_frames, write_video

    folder = tmp_path_factory.mktemp("clips")
    for number in range(4):
        write_video(folder / "videos" / f"clip_{number}.avi", moving_frames(8, seed=number))
    prepare_folder(folder / "videos", folder / "prepared")
    return folder / "prepared"


def run(cli, clips: Path, out: Path, model: object, *more: object):
    return cli("run", "--data", clips, "--out", out, "--workers", "1", "--model", model, *more)


# Names and options


def test_parsing():
    spec = PredictorSpec.parse("optical_flow,estimator=tvl1")
    assert spec == PredictorSpec("optical_flow", (("estimator", "tvl1"),))
    assert spec.label == "optical_flow,estimator=tvl1"
    assert PredictorSpec.parse("a,z=1,b=x=y").options == (("b", "x=y"), ("z", "1"))
    assert PredictorSpec.parse("dir/own.py:Class,path=a/b").label == "own.Class,path=a_b"


@pytest.mark.parametrize("text", ["a,b", "a,=1", "a,b c=1", "a,", "a,1b=2"])
def test_options_that_are_no_key_and_value(text: str):
    with pytest.raises(UsageError, match="is not of the form key=value"):
        PredictorSpec.parse(text)


def test_an_option_given_twice():
    with pytest.raises(UsageError, match="'b' is given twice"):
        PredictorSpec.parse("a,b=1,b=2")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", (1, 0.5, False, "a", None, 1, "x")),
        (",number=3,factor=1e-2,flag=yes,text=3,maybe=4,plain=5", (3, 0.01, True, "3", 4, 1, "5")),
        (",flag=True,either=0.25", (1, 0.5, True, "a", None, 0.25, "x")),
        (",flag=0,either=2", (1, 0.5, False, "a", None, 2, "x")),
    ],
)
def test_options_become_what_the_class_declares(own: Path, options: str, expected: tuple[object, ...]):
    given = PredictorSpec.parse(f"{own}:Options{options}").create().given  # type: ignore[attr-defined]
    assert given == expected
    assert [type(value) for value in given] == [type(value) for value in expected]


@pytest.mark.parametrize(
    ("option", "kind"),
    [
        ("number=1.5", "int"),
        ("number=x", "int"),
        ("factor=x", "float"),
        ("flag=maybe", "bool"),
        ("either=x", "int or float"),
    ],
)
def test_options_of_the_wrong_type(own: Path, option: str, kind: str):
    with pytest.raises(UsageError, match=rf"{option} is not of type {kind}"):
        PredictorSpec.parse(f"{own}:Options,{option}").create()


def test_unknown_names_get_a_suggestion(cli, clips: Path, tmp_path: Path, own: Path):
    result = run(cli, clips, tmp_path, "last_fram")
    assert result.exit_code == 2
    assert "Unknown predictor 'last_fram'. Did you mean last_frame" in result.stderr
    result = run(cli, clips, tmp_path, "optical_flow,estimater=dis")
    assert result.exit_code == 2
    assert "Unknown option of predictor 'optical_flow' 'estimater'. Did you mean estimator?" in result.stderr
    result = run(cli, clips, tmp_path, "optical_flow,estimator=disk")
    assert result.exit_code == 2
    assert "'disk'. Did you mean dis or dis-fine?" in result.stderr
    result = run(cli, clips, tmp_path, f"{own}:Fadin")
    assert result.exit_code == 2
    assert "'Fadin'. Did you mean Fading?" in result.stderr
    result = run(cli, clips, tmp_path, "zzzz")
    assert "Known: " in result.stderr
    assert "last_frame" in result.stderr
    assert not list(tmp_path.iterdir())  # nothing was begun


# Files of one's own


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("{own}", "give the class too, as path/to/file.py:Class"),
        ("{own}:", "give the class too"),
        ("gone.py:Class", "there is no file gone.py"),
        ("{own}:NoPredictor", "is not a class derived from vpbench.Predictor"),
        ("{own}:a_function", "is not a class derived from vpbench.Predictor"),
    ],
)
def test_files_that_name_no_predictor(cli, clips: Path, tmp_path: Path, own: Path, name: str, message: str):
    result = run(cli, clips, tmp_path, name.format(own=own))
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("x = 1\nimport no_such_package\n", r":2 raised when it was imported: ModuleNotFoundError"),
        ("raise SystemExit(3)\n", r":1 raised when it was imported: SystemExit"),
        ("def f(:\n", "raised when it was imported: SyntaxError"),
    ],
)
def test_a_file_that_raises_on_import(cli, clips: Path, tmp_path: Path, code: str, message: str):
    (tmp_path / "bad.py").write_text(code)
    result = run(cli, clips, tmp_path / "runs", f"{tmp_path / 'bad.py'}:Class")
    assert result.exit_code == 1
    assert f"{tmp_path / 'bad.py'}" in result.stderr
    assert message in result.stderr
    assert not (tmp_path / "runs").exists()


def test_a_predictor_that_cannot_be_made(cli, clips: Path, tmp_path: Path, own: Path):
    result = run(cli, clips, tmp_path, f"{own}:RaisesWhenMade")
    assert result.exit_code == 1
    assert "raised when it was made: RuntimeError('no weights')" in result.stderr
    result = run(cli, clips, tmp_path, f"{own}:Needs")
    assert result.exit_code == 1
    assert "'number'" in result.stderr


def test_the_runs_manifest_says_where_the_code_comes_from(cli, clips: Path, tmp_path: Path, own: Path):
    import hashlib

    from vpbench.runs.run import read_run

    assert run(cli, clips, tmp_path, f"{own}:Talks", "--as", "talks").exit_code == 0
    manifest = read_run(tmp_path / "videos" / "mathieu2016" / "talks").manifest
    assert manifest.predictor.name == "own.py:Talks"
    assert manifest.predictor.sha256 == hashlib.sha256(own.read_bytes()).hexdigest()
    assert manifest.predictor.description == {"parameters": 7, "where": ["a", "tuple"]}
    assert manifest.cost.parameters == 7
    height, width = manifest.cost.frame_size
    assert manifest.cost.multiply_adds == manifest.protocol.definition.inputs * height * width * 3
    assert (
        run(cli, clips, tmp_path, f"{own}:Talks", "--as", "talks").exit_code == 0
    )  # the tuple is no difference
    assert run(cli, clips, tmp_path, "last_frame").exit_code == 0
    manifest = read_run(tmp_path / "videos" / "mathieu2016" / "last_frame").manifest
    assert manifest.predictor.class_ == "vpbench.baselines.last_frame:LastFrame"
    assert manifest.predictor.distribution.startswith("vpbench ")
    assert manifest.cost.multiply_adds is manifest.cost.frame_size is None
    written = tmp_path / "videos" / "mathieu2016" / "last_frame" / "manifest.json"
    assert "multiply_adds" not in json.loads(written.read_text())["cost"], "as runs of before"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("CountsNonsense", "multiply_adds() must return a whole number or None, not 0.5"),
        ("CannotCount", "multiply_adds() raised ZeroDivisionError"),
    ],
)
def test_a_count_that_is_none(cli, clips: Path, tmp_path: Path, own: Path, name: str, message: str):
    result = run(cli, clips, tmp_path, f"{own}:{name}")
    assert result.exit_code == 1
    assert f"own.py:{name}': {message}" in result.stderr


def test_a_description_that_is_no_json(cli, clips: Path, tmp_path: Path, own: Path):
    result = run(cli, clips, tmp_path, f"{own}:TalksNonsense")
    assert result.exit_code == 1
    assert "own.py:TalksNonsense': describe() must return JSON data" in result.stderr


def test_an_answer_that_is_none_of_the_three(cli, clips: Path, tmp_path: Path, own: Path):
    result = run(cli, clips, tmp_path, f"{own}:SaysPerhaps")
    assert result.exit_code == 1
    assert "'test_clips_seen' must be no, tuned or yes, not 'perhaps'" in result.stderr


# What is returned


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["WrongShape", "NaN"])
def test_bad_predictions_are_refused_in_workers_too(
    cli, clips: Path, tmp_path: Path, own: Path, name: str, workers: int
):
    result = run(cli, clips, tmp_path, f"{own}:{name}", "--workers", workers)
    assert result.exit_code == 1
    assert f"own.py:{name}', clip 1: " in result.stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("WrongShape", "must have the shape (2, 48, 64, 3) (frames, height, width, RGB), not (2, 47, 64, 3)"),
        ("WrongFrame", "must have the shape (2, 48, 64, 3) (frames, height, width, RGB), not (1, 48, 63, 3)"),
        ("Ragged", "cannot be converted to a numpy array"),
        ("TooMany", "returned 2 predictions for 1 clips"),
        ("Bytes", "must be floating-point in [0, 1], not uint8"),
        ("Nothing", "must be floating-point in [0, 1], not object"),
        ("NaN", "predicted frame 1 contains NaN or infinity"),
        ("Infinite", "predicted frame 2 contains NaN or infinity"),
        ("TooLarge", "values must lie in [0, 1], but they span ["),
        ("Negative", "values must lie in [0, 1], but they span [-"),
        ("Raises", "raised RuntimeError: out of ideas ("),
        ("Complains", "these frames are too dull"),
        ("Abstract", "Abstract overrides neither predict_next nor predict"),
    ],
)
def test_what_a_predictor_must_not_do(cli, clips: Path, tmp_path: Path, own: Path, name: str, message: str):
    result = run(cli, clips, tmp_path, f"{own}:{name}")
    assert result.exit_code == 1
    assert f"own.py:{name}', clip 1: " in result.stderr
    assert message in result.stderr


def test_the_place_of_an_exception_is_told(cli, clips: Path, tmp_path: Path, own: Path):
    line = OWN.splitlines().index('        raise RuntimeError("out of ideas")') + 1
    result = run(cli, clips, tmp_path, f"{own}:Raises")
    assert f"({own}:{line})" in result.stderr


def test_rounding_is_forgiven_and_nothing_is_clipped():
    frames = np.zeros((1, 2, 2, 3))
    frames[0, 0, 0] = (-5e-7, 1 + 5e-7, 0.5)
    checked = check_predictions(frames, "p", 1, (1, 2, 2, 3))
    assert checked.dtype == np.float32
    assert checked.min() < 0 < 1 < checked.max()
    with pytest.raises(VpbenchError, match=r"span \[-2e-06"):
        check_predictions(frames * 4, "p", 1, (1, 2, 2, 3))


def test_a_predictor_that_needs_other_inputs_is_refused_by_name(cli, clips: Path, tmp_path: Path, own: Path):
    result = run(cli, clips, tmp_path, f"{own}:Needy")
    assert result.exit_code == 2
    assert "Needy' needs 5 input frames; protocol 'mathieu2016' gives 4" in result.stderr
    result = run(cli, clips, tmp_path, f"{own}:Short")
    assert result.exit_code == 2
    assert "Short' predicts at most 1 frames; protocol 'mathieu2016' asks for 2" in result.stderr
    predictor = PredictorSpec(f"{own}:Needy").create()
    check_fits(predictor, "Needy", replace(get_protocol("mathieu2016"), inputs=5, targets=1))


# Recursion and batches


def test_recursion_feeds_back_the_unrounded_frame(own: Path):
    """Also beyond the number of inputs, where only predictions are left to predict from."""
    predictor = PredictorSpec(f"{own}:Fading").create()
    inputs = np.random.default_rng(0).random((2, 3, 3, 3), dtype=np.float32)
    frames = list(inputs)
    for _ in range(5):
        frames.append((frames[-2] + frames[-1]) / 4)
    predicted = predictor.predict(inputs.copy(), 5)
    np.testing.assert_allclose(predicted, frames[2:], rtol=1e-5)
    assert predicted.dtype == np.float32


class Counting(Predictor):
    """Notes how many inputs it got."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def predict_next(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        self.seen.append(len(inputs))
        last: NDArray[np.float32] = inputs[-1]
        return last


def test_the_window_keeps_its_length():
    predictor = Counting()
    predictor.predict(np.zeros((4, 2, 2, 3), np.float32), 10)
    assert predictor.seen == [4] * 10


@pytest.mark.slow
@pytest.mark.parametrize(
    "more", [["--batch-size", 3], ["--batch-size", 3, "--workers", 2], ["--batch-size", 100]]
)
def test_batches_give_the_same_scores(cli, clips: Path, tmp_path: Path, more: list[object]):
    assert run(cli, clips, tmp_path / "one", "optical_flow").exit_code == 0
    assert run(cli, clips, tmp_path / "many", "optical_flow", *more).exit_code == 0
    name = Path("videos") / "mathieu2016" / "optical_flow"
    scores = (tmp_path / "one" / name / "scores.jsonl").read_bytes()
    assert len(scores.splitlines()) == 8
    assert (tmp_path / "many" / name / "scores.jsonl").read_bytes() == scores


def test_batches_are_as_large_as_asked_for(cli, clips: Path, tmp_path: Path, own: Path):
    cls = PredictorSpec(f"{own}:Batched").load_class()
    cls.sizes.clear()  # type: ignore[attr-defined]
    assert run(cli, clips, tmp_path, f"{own}:Batched", "--batch-size", 3).exit_code == 0
    assert cls.sizes == [3, 1]  # type: ignore[attr-defined]


def test_clips_of_other_sizes_never_share_a_batch(cli, tmp_path: Path, own: Path):
    from footage import moving_frames, write_video

    for number, size in enumerate([(48, 64), (48, 64), (40, 64), (48, 64)]):
        write_video(tmp_path / "videos" / f"{number}.avi", moving_frames(6, size=size))
    cls = PredictorSpec(f"{own}:Batched").load_class()
    cls.sizes.clear()  # type: ignore[attr-defined]
    result = cli(
        *("run", "--split", tmp_path / "videos", "--model", f"{own}:Batched", "--batch-size", "3"),
        *("--workers", "1", "--out", tmp_path / "runs"),
    )
    assert result.exit_code == 0, result.stderr
    assert cls.sizes == [2, 1, 1]  # type: ignore[attr-defined]


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_predictor_in_the_parent_scores_as_one_in_workers(
    cli, clips: Path, tmp_path: Path, own: Path, workers: int
):
    for name in ("AtOnce", "InParent"):
        assert run(cli, clips, tmp_path, f"{own}:{name}", "--as", name, "--workers", workers).exit_code == 0
    assert run(cli, clips, tmp_path, "last_frame", "--as", "last").exit_code == 0
    folder = tmp_path / "videos" / "mathieu2016"
    scores = score_lines(folder / "AtOnce")
    assert scores == score_lines(folder / "InParent") == score_lines(folder / "last")


def test_a_long_horizon_has_scores_for_each_step(cli, tmp_path: Path):
    """10 → 20, of a data set of one's own."""
    from footage import moving_frames, write_video

    write_video(tmp_path / "videos" / "long.avi", moving_frames(30, size=(20, 24)))
    (tmp_path / "long.toml").write_text(
        SMALL_PROTOCOL.replace("small", "ten-to-twenty")
        .replace("inputs = 2", "inputs = 10")
        .replace("targets = 1", "targets = 20")
    )
    result = cli(
        *(
            "run",
            "--split",
            tmp_path / "videos",
            "--model",
            "last_frame",
            "--protocol",
            tmp_path / "long.toml",
        ),
        *("--workers", "1", "--out", tmp_path / "runs"),
    )
    assert result.exit_code == 0, result.stderr
    lines = score_lines(tmp_path / "runs" / "videos" / "ten-to-twenty" / "last_frame")
    assert [line["frame"] for line in lines] == list(range(1, 21))
    assert lines[0]["psnr"] > lines[5]["psnr"]
    assert get_protocol(str(tmp_path / "long.toml")).frames == 30
