"""What of a run is opened and run again, and what is not: the run may come from a stranger."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from folders import SmallClips, make_clips
from runs import edit_manifest

import vpbench
from vpbench.clips.opening import ClipRequest
from vpbench.errors import UsageError, VpbenchError
from vpbench.evaluation.replay import (
    Replay,
    ReplayError,
    RunFrames,
    clips_of_run,
    predictor_again,
    saved_predictions,
)
from vpbench.predictors.spec import PredictorSpec
from vpbench.runs.run import Run, read_run

DESCRIBED = """
import vpbench

class Mine(vpbench.Predictor):
    def predict_next(self, inputs):
        return inputs[-1]

    def describe(self):
        return {"sizes": (1, 2)}
"""


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> SmallClips:
    return make_clips(tmp_path_factory.mktemp("replay"))


@pytest.fixture
def run(clips: SmallClips, tmp_path: Path) -> Path:
    """The folder of a run without saved frames."""
    return vpbench.evaluate("optical_flow", data=clips.prepared, out=tmp_path / "runs").folder


@pytest.fixture
def own(clips: SmallClips, tmp_path: Path) -> tuple[Run, PredictorSpec]:
    """A run of a predictor in a file, and how the user names it."""
    path = tmp_path / "mine.py"
    path.write_text(DESCRIBED)
    return vpbench.evaluate(f"{path}:Mine", data=clips.prepared, out=tmp_path), PredictorSpec(f"{path}:Mine")


# Predictors


def test_an_installed_predictor_is_made_with_the_options_of_the_run(run: Path) -> None:
    spec, predictor = predictor_again(read_run(run), None, "cpu")
    assert spec == PredictorSpec("optical_flow")
    assert type(predictor).__name__ == "OpticalFlow"


def test_a_run_cannot_bring_code(run: Path, tmp_path: Path) -> None:
    code = tmp_path / "evil.py"
    code.write_text("raise SystemExit('ran')\n")
    for name in (f"{code}:Evil", f"frames:{tmp_path}", "no_such", "../x"):
        edit_manifest(run, predictor={"name": name, "options": {}})
        with pytest.raises(ReplayError, match="not installed here"):
            predictor_again(read_run(run), None, "cpu")


def test_another_version_is_run_only_where_that_is_accepted(run: Path) -> None:
    edit_manifest(run, predictor={"distribution": "vpbench 99"})
    message = r"as it is here is another: distribution is .* the run has vpbench 99"
    with pytest.raises(ReplayError, match=message):
        predictor_again(read_run(run), None, "cpu")
    assert predictor_again(read_run(run), None, "cpu", any_version=True)


@pytest.mark.parametrize(("key", "value"), [("class", "a:B"), ("sha256", "0" * 64), ("options", {"a": "b"})])
def test_another_predictor_than_the_runs_is_never_run(run: Path, key: str, value: object) -> None:
    edit_manifest(run, predictor={key: value})
    for any_version in (False, True):
        with pytest.raises(VpbenchError, match=f"another: {key} is|Unknown option"):
            predictor_again(read_run(run), None, "cpu", any_version=any_version)


def test_a_predictor_that_the_user_names_is_run_if_it_is_the_runs(own: tuple[Run, PredictorSpec]) -> None:
    run, named = own
    assert predictor_again(run, named, "cpu")[0] == named
    with pytest.raises(ReplayError, match="not installed here"):
        predictor_again(run, None, "cpu")
    Path(named.name.rpartition(":")[0]).write_text(DESCRIBED + "# changed\n")
    with pytest.raises(ReplayError, match="as it is here is another: sha256"):
        predictor_again(run, named, "cpu")


def test_a_run_of_samples_is_of_a_stochastic_predictor(run: Path) -> None:
    edit_manifest(run, samples={"count": 3, "seed": 0, "scored": "best"})
    with pytest.raises(ReplayError, match="do not agree on whether it is stochastic"):
        predictor_again(read_run(run), None, "cpu")


# Frames


def test_frames_are_the_saved_ones_or_those_of_the_predictor(
    run: Path, clips: SmallClips, tmp_path: Path
) -> None:
    replay = Replay(ClipRequest(data=clips.prepared))
    found, other = replay.load_clips(read_run(run), [3, 1])
    assert list(found) == [1, 3]
    assert not other
    again, where = RunFrames(read_run(run), replay).get(found[1])
    assert where == "again"
    saved = vpbench.evaluate("optical_flow", data=clips.prepared, out=tmp_path, save_predictions=True)
    frames, where = RunFrames(saved, replay).get(found[1])
    assert where == "saved"
    assert (frames == again).all()
    with pytest.raises(VpbenchError, match="is not to be run again"):
        RunFrames(read_run(run), replace(replay, rerun=False)).get(found[1])


def test_links_to_saved_frames_are_not_followed(run: Path, tmp_path: Path) -> None:
    assert saved_predictions(read_run(run)) is None
    (tmp_path / "elsewhere").mkdir()
    (run / "predictions").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(VpbenchError, match="is a symbolic link"):
        saved_predictions(read_run(run))


# Clips


def test_prepared_clips_say_of_which_split_they_are(run: Path, clips: SmallClips) -> None:
    assert clips_of_run(read_run(run), ClipRequest(data=clips.prepared), [2, 1, 2]).only == (1, 2)
    edit_manifest(run, split={"hash": "0" * 16})
    with pytest.raises(UsageError, match="holds clips of split 'small'; the run scored 'small'"):
        clips_of_run(read_run(run), ClipRequest(data=clips.prepared), [1])


def test_a_split_that_a_run_names_is_no_path(run: Path, clips: SmallClips) -> None:
    for name in (str(clips.videos), "small"):
        edit_manifest(run, split={"name": name})
        with pytest.raises(
            UsageError, match="is not one of vpbench's; give its folder or CSV file as --split"
        ):
            clips_of_run(read_run(run), ClipRequest(), [1])
    request = clips_of_run(read_run(run), ClipRequest(str(clips.videos)), [1])
    assert request.find_split().folder == clips.videos


def test_clips_that_are_not_those_scored_are_reported(run: Path, clips: SmallClips) -> None:
    changed = shutil.copytree(run, run.with_name("changed"))
    contents = read_run(run).clips | {2: "0" * 32}
    edit_manifest(changed, prepared={"clips": {str(index): content for index, content in contents.items()}})
    assert Replay(ClipRequest(data=clips.prepared)).load_clips(read_run(changed), [1, 2])[1] == [2]
