"""Runs on disk: going on where one stopped, what is refused, what a manifest says."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from folders import prepare_folder, tree
from footage import moving_frames, write_video
from runs import score_lines

from vpbench.clips.prepared import open_prepared
from vpbench.errors import VpbenchError
from vpbench.runs.run import find_runs, read_run
from vpbench.scoring.built_in import get_protocol
from vpbench.scoring.frame_facts import frame_facts
from vpbench.scoring.score import score_clip

NAME = Path("videos") / "mathieu2016" / "last_frame"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three prepared clips."""
    folder = tmp_path_factory.mktemp("runs")
    for number in range(3):
        write_video(folder / "videos" / f"clip_{number}.avi", moving_frames(8, size=(32, 40), seed=number))
    prepare_folder(folder / "videos", folder / "prepared")
    return folder / "prepared"


@pytest.fixture
def score(cli, clips: Path, tmp_path: Path) -> Callable[..., Any]:
    """Run `last_frame` into `tmp_path`."""

    def call(*more: object, model: str = "last_frame") -> Any:
        return cli("run", "--data", clips, "--out", tmp_path, "--workers", 1, "--model", model, *more)

    return call


@pytest.fixture
def finished(score, tmp_path: Path) -> Path:
    """The folder of a finished run."""
    result = score()
    assert result.exit_code == 0, result.stderr
    return tmp_path / NAME


def manifest_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "manifest.json").read_text())


def test_the_manifest_says_what_was_run_and_on_what(finished: Path, clips: Path):
    import platform

    import cv2

    manifest = manifest_of(finished)
    protocol = get_protocol("mathieu2016")
    assert manifest["kind"] == "vpbench-run"
    assert manifest["schema"] == 2
    assert manifest["label"] == "last_frame"
    assert manifest["status"] == "complete"
    assert manifest["predictor"]["name"] == "last_frame"
    assert manifest["predictor"]["options"] == {}
    assert manifest["protocol"]["hash"] == protocol.hash
    assert manifest["protocol"]["definition"] == protocol.definition()
    assert manifest["split"]["name"] == "videos"
    assert {k: manifest["split"][k] for k in ("total", "found", "scored")} == {
        "total": 3,
        "found": 3,
        "scored": 3,
    }
    prepared = open_prepared(clips)
    assert manifest["prepared"]["hash"] == prepared.hash
    assert manifest["prepared"]["clips"] == {str(k): v for k, v in prepared.contents.items()}
    assert manifest["prepared"]["flow"]["name"] == "dis"
    environment = manifest["environment"]
    assert environment["opencv"] == cv2.__version__
    assert environment["numpy"] == np.__version__
    assert environment["python"] == platform.python_version()
    assert environment["device"] == "cpu"
    assert {"vpbench", "commit", "platform", "scipy"} <= set(environment)
    started, ended = (datetime.fromisoformat(manifest[key]) for key in ("started", "finished"))
    assert started <= ended
    assert started.utcoffset() is not None
    assert manifest["cost"]["frames_timed"] == 6
    assert manifest["cost"]["ms_per_frame"] > 0
    assert manifest["cost"]["peak_memory_mib"] > 10


def test_reading_a_run(finished: Path):
    run = read_run(finished)
    lines = score_lines(finished)
    assert run.metrics == ["psnr", "ssim", "sharpness"]
    assert list(run.scores) == [
        *("clip", "frame", "psnr", "ssim", "sharpness", "moving", "counted", "copy", "copy_ssim", "motion")
    ]
    for key, column in run.scores.items():
        assert column.tolist() == [line[key] for line in lines]
    assert run.scores["clip"].dtype == np.int64
    assert run.scores["counted"].dtype == np.bool_
    assert run.scores["psnr"].dtype == np.float64


def test_nothing_is_done_twice(score, finished: Path):
    before = {path: path.stat().st_mtime_ns for path in finished.iterdir() if path.name != ".lock"}
    assert score().exit_code == 0
    assert before == {path: path.stat().st_mtime_ns for path in finished.iterdir() if path.name != ".lock"}


def set_running(folder: Path) -> None:
    manifest = manifest_of(folder)
    (folder / "manifest.json").write_text(json.dumps({**manifest, "status": "running", "cost": None}))


def test_a_run_torn_anywhere_goes_on_to_the_same_file(score, finished: Path):
    """A clip's lines are one write; a torn tail is cut and that clip done again."""
    whole = (finished / "scores.jsonl").read_bytes()
    lines = whole.splitlines(keepends=True)
    assert len(lines) == 6
    clip = len(lines[0] + lines[1])
    for length in (
        0,
        1,
        len(lines[0]) - 1,
        len(lines[0]),
        clip - 1,
        clip,
        clip + 1,
        len(whole) - 1,
        len(whole),
    ):
        set_running(finished)
        (finished / "scores.jsonl").write_bytes(whole[:length])
        result = score()
        assert result.exit_code == 0, result.stderr
        assert (finished / "scores.jsonl").read_bytes() == whole, length
        manifest = manifest_of(finished)
        assert manifest["status"] == "complete", length
        todo = 3 - length // clip if length < len(whole) else 0
        assert manifest["cost"]["frames_timed"] == 2 * todo, length
        read_run(finished)


def test_a_tail_of_zeros_is_cut_too(score, finished: Path):
    whole = (finished / "scores.jsonl").read_bytes()
    set_running(finished)
    (finished / "scores.jsonl").write_bytes(whole[:300] + b"\0" * 100)
    assert score().exit_code == 0
    assert (finished / "scores.jsonl").read_bytes() == whole


def test_a_run_killed_before_its_manifest_was_finished_is_finished(score, finished: Path):
    set_running(finished)
    assert score().exit_code == 0
    manifest = manifest_of(finished)
    assert manifest["status"] == "complete"
    assert manifest["cost"]["ms_per_frame"] is None
    assert manifest["cost"]["frames_timed"] == 0


def test_what_a_killed_write_left_is_no_obstacle(score, tmp_path: Path):
    folder = tmp_path / NAME
    folder.mkdir(parents=True)
    (folder / ".manifest.json.abc.tmp").write_bytes(b"{")
    assert score().exit_code == 0
    assert not list(folder.glob(".*.tmp"))


def test_growth_from_a_few_clips_to_all(score, tmp_path: Path):
    assert score("--limit", 2).exit_code == 0
    few = (tmp_path / NAME / "scores.jsonl").read_bytes()
    manifest = manifest_of(tmp_path / NAME)
    assert {k: manifest["split"][k] for k in ("total", "found", "scored")} == {
        "total": 3,
        "found": 3,
        "scored": 2,
    }
    assert list(manifest["prepared"]["clips"]) == ["1", "2"]
    assert score().exit_code == 0
    grown = (tmp_path / NAME / "scores.jsonl").read_bytes()
    assert grown.startswith(few)
    assert manifest_of(tmp_path / NAME)["split"]["scored"] == 3
    assert score("--force").exit_code == 0  # nothing differs: nothing is given up
    assert score("--out", tmp_path / "fresh").exit_code == 0
    assert (tmp_path / "fresh" / NAME / "scores.jsonl").read_bytes() == grown


def test_fewer_clips_than_are_there_are_refused(score, finished: Path):
    before = tree(finished)
    for more in (["--limit", 2], ["--limit", 2, "--save-predictions"]):
        result = score(*more)
        assert result.exit_code == 2
        assert "holds scores of 3 clips, others than this run asks for" in result.stderr
        assert tree(finished) == before
    assert score("--limit", 2, "--force").exit_code == 0
    assert len(score_lines(finished)) == 4


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"predictor": {"name": "other"}}, "predictor.name was other, now last_frame"),
        ({"predictor": {"options": {"a": "1"}}}, "predictor.options.a was 1, now None"),
        ({"predictor": {"distribution": "vpbench 0.0.1"}}, "predictor.distribution was vpbench 0.0.1"),
        ({"protocol": {"hash": "0"}}, "protocol.hash was 0"),
        ({"split": {"hash": "0"}}, "split.hash was 0"),
        ({"environment": {"opencv": "3.4.0"}}, "environment.opencv was 3.4.0"),
        ({"environment": {"device": "cuda"}}, "environment.device was cuda, now cpu"),
        ({"prepared": {"decoder": {"opencv": "1"}}}, "prepared.decoder.opencv was 1"),
        ({"prepared": {"clips": {"2": "another"}}}, "the prepared clip 2 is another"),
        ({"schema": 0}, "schema was 0, now 2"),
    ],
)
def test_another_run_is_refused_and_left_as_it_is(score, finished: Path, change: dict[str, Any], told: str):
    manifest = manifest_of(finished)
    for key, value in change.items():
        if isinstance(value, dict):
            for inner, changed in value.items():
                if isinstance(changed, dict) and isinstance(manifest[key].get(inner), dict):
                    manifest[key][inner].update(changed)
                else:
                    manifest[key][inner] = changed
        else:
            manifest[key] = value
    (finished / "manifest.json").write_text(json.dumps(manifest))
    before = tree(finished)
    result = score()
    assert result.exit_code == 2
    assert "holds another run: " in result.stderr
    assert told in result.stderr
    assert "--force" in result.stderr
    assert tree(finished) == before
    assert score("--force").exit_code == 0
    assert manifest_of(finished)["status"] == "complete"
    assert len(score_lines(finished)) == 6


@pytest.mark.parametrize(
    "old", [{}, {"split": [], "prepared": None, "environment": 3}, {"prepared": {"clips": 1}}]
)
def test_a_run_whose_manifest_is_malformed_is_another(score, finished: Path, old: dict[str, Any]):
    (finished / "manifest.json").write_text(json.dumps({"kind": "vpbench-run", **old}))
    result = score()
    assert result.exit_code == 2
    assert "holds another run: " in result.stderr
    assert score("--force").exit_code == 0


def test_differences_that_change_no_score_are_none(score, finished: Path):
    manifest = manifest_of(finished)
    manifest["environment"].update(commit="0", platform="another", python="3.99")
    (finished / "manifest.json").write_text(json.dumps(manifest))
    assert score().exit_code == 0


def test_two_predictors_never_share_a_folder(score, finished: Path):
    before = tree(finished)
    result = score("--as", "last_frame", model="optical_flow")
    assert result.exit_code == 2
    assert "predictor.name was last_frame, now optical_flow" in result.stderr
    assert tree(finished) == before
    result = score("--as", "flow", "--as", "flow", "--model", "last_frame", model="optical_flow")
    assert result.exit_code == 2
    assert "Two models have the label 'flow'" in result.stderr


def test_labels_name_folders(score, tmp_path: Path):
    assert score("--as", "mine", "--limit", 1).exit_code == 0
    assert manifest_of(tmp_path / "videos" / "mathieu2016" / "mine")["label"] == "mine"
    for label in ("../up", "a/b", ".hidden", "", "a b", "x" * 101):
        result = score("--as", label)
        assert result.exit_code == 2
        assert "cannot be a run's label, which names a folder: at most 100 letters," in result.stderr
    result = score("--as", "a", "--as", "b")
    assert result.exit_code == 2
    assert "--as is given 2 times for 1 --model" in result.stderr
    assert score("--limit", 1, model="optical_flow,estimator=farneback").exit_code == 0
    assert (tmp_path / "videos" / "mathieu2016" / "optical_flow,estimator=farneback").is_dir()


def test_a_folder_of_other_things_is_refused(score, tmp_path: Path):
    (tmp_path / NAME).mkdir(parents=True)
    (tmp_path / NAME / "thesis.tex").write_text("years of work")
    for more in ([], ["--force"]):
        result = score(*more)
        assert result.exit_code == 2
        assert "holds other things than a run" in result.stderr
    assert (tmp_path / NAME / "thesis.tex").read_text() == "years of work"


def test_a_damaged_run_is_named_and_given_up_with_force(score, finished: Path):
    lines = (finished / "scores.jsonl").read_bytes().splitlines(keepends=True)
    (finished / "scores.jsonl").write_bytes(lines[0] + b"{]\n" + b"".join(lines[2:]))
    before = tree(finished)
    result = score()
    assert result.exit_code == 1
    assert "scores.jsonl, line 2: not a score line" in result.stderr
    assert tree(finished) == before
    assert score("--force").exit_code == 0
    assert (finished / "scores.jsonl").read_bytes() == b"".join(lines)


# Predictions


def load_predictions(folder: Path, clip: int) -> np.ndarray:
    frames = [np.load(folder / "predictions" / str(clip) / f"pred_{k}.npy") for k in (5, 6)]
    return np.stack(frames)


def test_saved_predictions_are_what_was_scored(score, clips: Path, tmp_path: Path):
    result = score("--save-predictions", model="optical_flow")
    assert result.exit_code == 0, result.stderr
    folder = tmp_path / "videos" / "mathieu2016" / "optical_flow"
    protocol = get_protocol("mathieu2016")
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.glob("predictions/*/*"))]
    assert names == [f"predictions/{clip}/pred_{k}.npy" for clip in (1, 2, 3) for k in (5, 6)]
    again = []
    for stored in open_prepared(clips):
        predictions = load_predictions(folder, stored.index)
        assert predictions.dtype == np.float32
        assert predictions.shape == (2, 32, 40, 3)
        clip = stored.load(protocol)
        scores, facts = score_clip(clip, predictions, protocol), frame_facts(clip, protocol)
        again += [line | of_frame for line, of_frame in zip(scores, facts, strict=True)]
    assert again == score_lines(folder)  # bit for bit


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_predictions_can_be_added_later(score, finished: Path, workers: int):
    before = (finished / "scores.jsonl").read_bytes()
    assert not (finished / "predictions").exists()
    assert score("--save-predictions", "--workers", workers).exit_code == 0
    assert (finished / "scores.jsonl").read_bytes() == before
    assert [path.name for path in sorted((finished / "predictions").iterdir())] == ["1", "2", "3"]
    assert manifest_of(finished)["status"] == "complete"

    (finished / "predictions" / "2" / "pred_6.npy").unlink()
    assert score("--save-predictions").exit_code == 0
    assert load_predictions(finished, 2).shape == (2, 32, 40, 3)
    assert (finished / "scores.jsonl").read_bytes().count(b"\n") == 6
    read_run(finished)


# Reading what others wrote


def test_no_run(tmp_path: Path, cli):
    with pytest.raises(VpbenchError, match=r"is not a run: it has no manifest\.json"):
        read_run(tmp_path)
    result = cli("leaderboard", tmp_path)
    assert result.exit_code == 2
    assert "There is no run in" in result.stderr


def test_runs_are_found_below_a_folder(score, tmp_path: Path):
    assert score("--limit", 1).exit_code == 0
    assert score("--limit", 1, model="optical_flow").exit_code == 0
    folder = tmp_path / "videos" / "mathieu2016"
    assert find_runs(tmp_path) == [folder / "last_frame", folder / "optical_flow"]
    assert find_runs(folder / "last_frame") == [folder / "last_frame"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"frame": 2', '"frame": 1', "line 2: frame 2 of a clip was expected"),
        ('"clip": 2', '"clip": 1', "line 3: clip 1 is there twice"),
        (
            '"clip": 1, "frame": 2',
            '"clip": 3, "frame": 2',
            "line 2: frame 2 of a clip was expected, not clip 3",
        ),
        ('"counted": ', '"counts": ', "line 1: not a score line"),
        ('"counted": true', '"counted": 1', "not a score line"),
        ('"clip": 2', '"clip": "2"', "line 3: not a score line"),
        ('"moving": ', '"moving": null, "x": ', "line 1: not a score line"),
        ('"psnr": ', '"psnr": NaN, "p": ', "line 1: not a score line"),
        ("{", "[", "line 1: not a score line"),
        ('"clip": 3', '"clip": 4', r"has scores of 2 of the 3 clips .* and of 1 others"),
    ],
)
def test_wrong_lines_are_named(finished: Path, old: str, new: str, message: str):
    path = finished / "scores.jsonl"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new) if old == '"clip": 3' else text.replace(old, new, 1))
    if old in ('"clip": 2',):
        path.write_text(text.replace(old, new))
    with pytest.raises(VpbenchError, match=rf"scores\.jsonl.*{message}"):
        read_run(finished)


def test_an_undefined_score_is_nan_and_not_counted(finished: Path):
    path = finished / "scores.jsonl"
    lines = score_lines(finished)
    lines[0].update(ssim=None, counted=False)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = read_run(finished)
    assert np.isnan(run.scores["ssim"][0])
    assert not run.scores["counted"][0]
    lines[0].update(counted=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(VpbenchError, match="line 1: not a score line"):
        read_run(finished)


@pytest.mark.parametrize("keep", [0, 2, 4])
def test_a_finished_run_with_clips_missing_is_refused(finished: Path, keep: int):
    lines = (finished / "scores.jsonl").read_bytes().splitlines(keepends=True)
    (finished / "scores.jsonl").write_bytes(b"".join(lines[:keep]))
    with pytest.raises(VpbenchError, match=rf"has scores of {keep // 2} of the 3 clips"):
        read_run(finished)
    (finished / "scores.jsonl").write_bytes(b"".join(lines)[:-5])
    with pytest.raises(VpbenchError, match=r"line 5: the file is cut off"):
        read_run(finished)


def test_a_running_run_can_be_read(finished: Path):
    whole = (finished / "scores.jsonl").read_bytes()
    set_running(finished)
    (finished / "scores.jsonl").write_bytes(whole[:-5])
    assert read_run(finished).scores["clip"].tolist() == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 3}, "has schema 3; this vpbench reads 1 and 2"),
        ({"kind": "vpbench-prepared"}, "is not a vpbench-run manifest"),
        ({"label": None}, "is damaged"),
        ({"status": "done"}, "is damaged"),
        ({"protocol": {}}, "is damaged"),
        ({"split": None}, "is damaged"),
        ({"prepared": {"clips": []}}, "is damaged"),
    ],
)
def test_wrong_manifests_are_named(finished: Path, change: dict[str, Any], message: str):
    (finished / "manifest.json").write_text(json.dumps({**manifest_of(finished), **change}))
    with pytest.raises(VpbenchError, match=rf"manifest\.json.*{message}"):
        read_run(finished)
