"""Corrupted inputs: what each severity does, that only seed and clip decide it, and that runs say it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import Result
from folders import SmallClips, make_clips
from footage import drifting
from runs import edit_manifest
from runs import score_lines as lines_of

import vpbench
from vpbench.analysis.leaderboard import LeaderboardOptions, build_leaderboard
from vpbench.baselines.last_frame import LastFrame
from vpbench.errors import UsageError
from vpbench.evaluation.replay import ReplayError, predictor_again
from vpbench.predictors.corrupted import KINDS, SEVERITIES, VERSION, Corruption
from vpbench.predictors.spec import PredictorSpec
from vpbench.scoring.score import score_clip
from vpbench.tables.render import render

SEEING = """
import hashlib
from pathlib import Path
import numpy as np
import vpbench

class Seeing(vpbench.Predictor):
    '''Writes down which inputs it sees.'''

    def __init__(self, log: str = "seen", parent: bool = False):
        self.log = Path(log)
        if parent:
            self.runs_in = "parent"

    def predict(self, inputs, targets):
        with self.log.open("a") as stream:
            stream.write(hashlib.sha256(inputs.tobytes()).hexdigest() + "\\n")
        return np.repeat(inputs[-1:], targets, axis=0)

class Drawing(Seeing):
    stochastic = True

    def sample(self, inputs, targets, seed):
        return self.predict(inputs, targets)
"""


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> SmallClips:
    return make_clips(tmp_path_factory.mktemp("corrupted"))


FRAMES = drifting(0, 4, 60, 80)


def test_every_kind_has_five_severities_in_words() -> None:
    assert {len(kind.levels) for kind in KINDS.values()} == {5}
    assert {len(set(kind.words)) for kind in KINDS.values()} == {5}


def test_the_page_says_what_each_severity_is() -> None:
    page = Path(__file__).parents[2] / "docs" / "howto" / "robustness.md"
    text = page.read_text(encoding="utf-8")
    assert f"Corruptions, version {VERSION}" in text
    for kind, what in KINDS.items():
        assert f"| `{kind}` | {' | '.join(what.words)} |" in text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("severity", SEVERITIES)
def test_frames_are_frames_and_the_inputs_stay(kind: str, severity: int) -> None:
    before = FRAMES.copy()
    found = Corruption(kind, severity).apply(3, FRAMES)
    assert (found.shape, found.dtype) == (FRAMES.shape, np.uint8)
    assert not np.array_equal(found, FRAMES)
    np.testing.assert_array_equal(FRAMES, before)


@pytest.mark.parametrize(("severity", "sigma"), [(1, 2), (2, 5), (3, 10), (4, 20), (5, 40)])
def test_noise_has_its_standard_deviation_in_each_frame(severity: int, sigma: int) -> None:
    grey = np.full((3, 120, 160, 3), 127, np.uint8)
    noise = Corruption("noise", severity).apply(1, grey).astype(float) - 127
    # Rounding adds a twelfth to the variance; at σ 40, a thousandth is clipped.
    expected = np.sqrt(sigma**2 + 1 / 12)
    np.testing.assert_allclose(noise.std(axis=(1, 2, 3)), expected, rtol=0.02)
    assert np.abs(np.corrcoef(noise.reshape(3, -1)) - np.eye(3)).max() < 0.02
    assert np.abs(np.corrcoef(noise.reshape(-1, 3).T) - np.eye(3)).max() < 0.02


@pytest.mark.parametrize(("severity", "quality"), [(1, 75), (2, 50), (3, 25), (4, 15), (5, 8)])
def test_jpeg_is_that_of_its_quality(severity: int, quality: int) -> None:
    found = Corruption("jpeg", severity).apply(1, FRAMES)
    for frame, other in zip(found, FRAMES, strict=True):
        bgr = cv2.cvtColor(other, cv2.COLOR_RGB2BGR)
        written = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        expected = cv2.cvtColor(cv2.imdecode(written, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        np.testing.assert_array_equal(frame, expected)


@pytest.mark.parametrize(
    ("kind", "severity", "four", "six"),
    [
        ("repeat", 1, "1134", "123356"),
        ("repeat", 2, "1224", "123446"),
        ("repeat", 3, "1233", "123455"),
        ("repeat", 4, "1222", "123444"),
        ("repeat", 5, "1111", "123333"),
        ("drop", 1, "1134", "112356"),
        ("drop", 2, "1124", "112346"),
        ("drop", 3, "1114", "111236"),
        ("drop", 4, "1123", "112345"),
        ("drop", 5, "1112", "111234"),
    ],
)
def test_which_frames_are_shown(kind: str, severity: int, four: str, six: str) -> None:
    for expected in (four, six):
        numbered = np.arange(1, len(expected) + 1, dtype=np.uint8)[:, None, None, None]
        found = Corruption(kind, severity).apply(1, np.broadcast_to(numbered, (len(expected), 2, 2, 3)))
        assert "".join(str(frame[0, 0, 0]) for frame in found) == expected
    assert Corruption(kind, severity).in_words == " ".join(four)


@pytest.mark.parametrize(("severity", "share"), [(1, 0.01), (2, 0.02), (3, 0.05), (4, 0.1), (5, 0.2)])
def test_an_overlay_stands_still_and_covers_its_share(severity: int, share: float) -> None:
    grey = np.full((4, 240, 320, 3), 127, np.uint8)
    places = set()
    for clip in range(20):
        covered = (found := Corruption("overlay", severity).apply(clip, grey)) != 127
        assert np.isin(found, (0, 127, 255)).all()
        assert (found == found[0]).all()
        rows, columns = np.flatnonzero(covered[0].any((1, 2))), np.flatnonzero(covered[0].any((0, 2)))
        assert covered[0, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert covered.mean() == pytest.approx(share, rel=0.05)
        places.add((rows[0], columns[0]))
    assert len(places) == 20


@pytest.mark.parametrize("size", [(1, 1), (7, 3)])
def test_the_smallest_frames_are_corrupted_too(size: tuple[int, int]) -> None:
    tiny = np.zeros((4, *size, 3), np.uint8)
    for kind in KINDS:
        assert Corruption(kind, 5).apply(1, tiny).shape == tiny.shape


@pytest.mark.parametrize("kind", ["noise", "overlay"])
def test_seed_and_clip_decide_and_nothing_else(kind: str) -> None:
    first = Corruption(kind, 3).apply(7, FRAMES)
    Corruption(kind, 3).apply(8, FRAMES)
    np.testing.assert_array_equal(Corruption(kind, 3).apply(7, FRAMES), first)
    assert not np.array_equal(Corruption(kind, 3).apply(8, FRAMES), first)
    assert not np.array_equal(Corruption(kind, 3, seed=1).apply(7, FRAMES), first)


def test_severities_share_their_random_numbers() -> None:
    grey = np.full((2, 40, 60, 3), 127, np.uint8)
    mild, strong = (Corruption("noise", n).apply(1, grey).astype(float) - 127 for n in (3, 4))
    assert np.corrcoef(mild.ravel(), strong.ravel())[0, 1] > 0.99


def test_targets_and_masks_stay_clean(clips: SmallClips) -> None:
    run = vpbench.evaluate("corrupted:overlay=4:last_frame", data=clips.prepared)
    opened = vpbench.open_prepared(clips.prepared)
    protocol = vpbench.get_protocol("mathieu2016")
    corrupted = vpbench.Corrupted(LastFrame(), "overlay", 4)
    expected = []
    for index in opened.contents:
        clip = opened.load(index, protocol)
        shown = corrupted.corrupt(index, clips.inputs(index))
        expected += [line["psnr"] for line in score_clip(clip, np.stack([shown[-1]] * 2), protocol)]
    assert run.scores["psnr"].tolist() == expected


@pytest.mark.slow
def test_all_predictors_see_the_same_however_they_run(
    clips: SmallClips, tmp_path: Path, cli: Callable[..., Result], command: Callable[..., object]
) -> None:
    """Samples too, and in this process, in workers and in batches."""
    (tmp_path / "mine.py").write_text(SEEING)
    seen, scores = [], []
    for number, (cls, options) in enumerate(
        [
            ("Seeing", ["--workers", "1"]),
            ("Seeing", ["--workers", "2"]),
            ("Seeing,parent=yes", ["--workers", "1", "--batch-size", "3"]),
            ("Drawing", ["--workers", "1", "--samples", "2"]),
        ]
    ):
        log, out = tmp_path / f"log{number}", tmp_path / f"runs{number}"
        model = f"corrupted:noise=3:{tmp_path / 'mine.py'}:{cls},log={log}"
        done = cli("run", "--model", model, "--as", "m", "--data", clips.prepared, "--out", out, *options)
        assert done.exit_code == 0, done.output
        seen.append(set(log.read_text().splitlines()))
        scores.append([line["psnr"] for line in lines_of(next(out.rglob("manifest.json")).parent)])
    assert seen[0] == seen[1] == seen[2] == seen[3]
    assert len(seen[0]) == 3
    assert scores[0] == scores[1] == scores[2] == scores[3]


def test_a_predictor_of_the_users_is_scored_as_the_one_by_name(clips: SmallClips, tmp_path: Path) -> None:
    given = vpbench.evaluate(
        vpbench.Corrupted(LastFrame(), "jpeg", 5, seed=2), data=clips.prepared, out=tmp_path
    )
    named = vpbench.evaluate("corrupted:jpeg=5,seed=2:last_frame", data=clips.prepared)
    assert given.scores["psnr"].tolist() == named.scores["psnr"].tolist()
    assert given.label == "LastFrame,jpeg=5,seed=2"
    assert named.label == "last_frame,jpeg=5,seed=2"
    assert given.manifest.predictor.name == "corrupted:jpeg=5,seed=2:python:LastFrame"
    assert named.manifest.predictor.name == "corrupted:jpeg=5,seed=2:last_frame"
    assert given.manifest.predictor.sha256 is not None
    assert given.manifest.cost is not None
    assert given.manifest.cost.ms_per_frame is None


class Trained(LastFrame):
    def __init__(self, seed: int) -> None:
        self.seed = seed

    def describe(self) -> dict[str, object]:
        return {"seed": self.seed, "method": "ours", "marks": ["a mark"]}


def test_a_table_tells_it_whatever_the_label(clips: SmallClips, tmp_path: Path) -> None:
    runs = [
        vpbench.evaluate(predictor, data=clips.prepared, out=tmp_path, label=f"m{number}")
        for number, predictor in enumerate(
            [
                *(Trained(1), Trained(2)),
                *(vpbench.Corrupted(Trained(seed), "noise", 3) for seed in (1, 2)),
                vpbench.Corrupted(Trained(3), "noise", 4),
            ]
        )
    ]
    board = build_leaderboard(runs)
    # Trainings from several seeds are one row, but never with those of other inputs.
    assert list(board.rows["label"]) == ["ours", "ours, noise=3", "m4"]
    text = render(board, "text")
    assert "• predicted from corrupted inputs" in text
    assert ("ours•" in text, "ours, noise=3•" in text, "m4•" in text) == (False, True, True)
    text = " ".join(render(board, "text", all_notes=True).split())
    assert text.count("inputs corrupted") == 2
    assert "inputs corrupted: noise, severity 3 (σ 10)" in text
    assert vpbench.compare(runs[2], runs[0]).remarks == ("A: predicted from corrupted inputs.",)
    single = json.loads(render(build_leaderboard(runs, LeaderboardOptions(only=["m4"])), "json"))
    assert "inputs corrupted: noise, severity 4 (σ 20)" in single["footnotes"].values()
    baseline = vpbench.evaluate("corrupted:noise=1:last_frame", data=clips.prepared, out=tmp_path)
    assert build_leaderboard([baseline, runs[0]]).against is None  # it is no copy of the last frame


def test_a_run_is_verified_and_scored_again_as_what_it_is(
    clips: SmallClips, tmp_path: Path, cli: Callable[..., Result]
) -> None:
    model = "corrupted:noise=2:last_frame"
    done = cli("run", "--model", model, "--data", clips.prepared, "--out", tmp_path, "--save-predictions")
    assert done.exit_code == 0, done.output
    folder = tmp_path / "small" / "mathieu2016" / "last_frame,noise=2"
    there = ("--split", clips.videos, "--data", clips.prepared)
    done = cli("rescore", folder, "--protocol", "full-frame", *there, "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert "• predicted from corrupted inputs" in done.output
    (folder / "predictions").rename(tmp_path / "away")
    done = cli("verify", folder, *there, "--workers", "1")
    assert done.exit_code == 0, done.output
    assert f"Confirmed from predictor '{model}'" in done.output
    recorded = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["predictor"]
    recorded["description"]["corruption"]["version"] = 0
    edit_manifest(folder, predictor=recorded)
    done = cli("verify", folder, *there, "--workers", "1")
    assert done.exit_code == 2
    assert "corruption is" in done.output


def test_what_a_run_names_is_no_file(clips: SmallClips, tmp_path: Path) -> None:
    run = vpbench.evaluate("corrupted:noise=2:last_frame", data=clips.prepared, out=tmp_path)
    (tmp_path / "evil.py").write_text("raise SystemExit('it ran')")
    for name in (
        f"corrupted:noise=2:{tmp_path / 'evil.py'}:X",
        "corrupted:noise=2:corrupted:noise=2:last_frame",
    ):
        record = type(run.recorded.predictor)(name=name)
        with pytest.raises(ReplayError, match="is not installed here"):
            predictor_again(_with(run, record), None, "cpu")
    with pytest.raises(UsageError, match="Unknown corruption"):
        predictor_again(
            _with(run, type(run.recorded.predictor)(name="corrupted:x=2:last_frame")), None, "cpu"
        )


def _with(run: vpbench.Run, predictor: object) -> vpbench.Run:
    import msgspec

    changed = (msgspec.structs.replace(one, predictor=predictor) for one in (run.recorded, run.manifest))
    recorded, manifest = changed
    return replace(run, recorded=recorded, manifest=manifest)


def test_it_is_not_submitted(clips: SmallClips, tmp_path: Path, cli: Callable[..., Result]) -> None:
    run = vpbench.evaluate("corrupted:noise=2:last_frame", data=clips.prepared, out=tmp_path)
    said = ("--method", "M", "--citation", "me", "--training-data", "none", "--test-clips-seen", "no")
    done = cli("submit", run.folder, *said, "--to", tmp_path / "submitted")
    assert done.exit_code == 2
    assert "is of corrupted inputs (corrupted:noise=2:last_frame)" in done.output


def test_names() -> None:
    spec = PredictorSpec.parse("corrupted:noise=3,seed=7:optical_flow,flow=dis")
    assert (spec.name, spec.options) == ("corrupted:noise=3,seed=7:optical_flow", (("flow", "dis"),))
    assert spec.label == "optical_flow,flow=dis,noise=3,seed=7"
    assert PredictorSpec.parse("corrupted:noise=3:optical_flow").corrupted is not None
    there = PredictorSpec.parse("corrupted:jpeg=1:folder/mine.py:Mean").absolute()
    assert there.name == f"corrupted:jpeg=1:{Path('folder/mine.py').absolute()}:Mean"
    assert there.label == "mine.Mean,jpeg=1"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("corrupted:", "name the predictor too"),
        ("corrupted:noise=3", "name the predictor too"),
        ("corrupted:noise=3:", "name the predictor too"),
        ("corrupted:noise:last_frame", "'noise' is no corruption"),
        ("corrupted:noise=x:last_frame", "'noise=x' is no corruption"),
        ("corrupted:noise=3,sed=1:last_frame", "is no corruption"),
        ("corrupted:noise=3,seed=:last_frame", "is no corruption"),
        ("corrupted:nois=3:last_frame", "Did you mean noise?"),
        ("corrupted:noise=0:last_frame", "severities are 1 to 5"),
        ("corrupted:noise=3,seed=4294967296:last_frame", "a seed is a whole number"),
        ("corrupted:noise=3:last_fram", "Unknown predictor 'last_fram'"),
        ("corrupted:noise=3:corrupted:jpeg=1:last_frame", "is corrupted already"),
    ],
)
def test_what_is_wrong_is_said(model: str, message: str, cli: Callable[..., Result]) -> None:
    done = cli("run", "--model", model, "--split", "synthetic", "--limit", "1")
    assert done.exit_code == 2
    assert message in done.output


def test_what_cannot_be_corrupted(clips: SmallClips, tmp_path: Path, cli: Callable[..., Result]) -> None:
    with pytest.raises(UsageError, match="is not a Predictor"):
        vpbench.Corrupted(lambda inputs, targets: inputs, "noise", 3)  # type: ignore[arg-type]
    vpbench.evaluate("last_frame", data=clips.prepared, out=tmp_path, save_predictions=True)
    frames = tmp_path / "small" / "mathieu2016" / "last_frame" / "predictions"
    done = cli("run", "--model", f"corrupted:noise=3:frames:{frames}", "--data", clips.prepared)
    assert done.exit_code == 2
    assert "looks its frames up" in done.output
    done = cli("run", "--model", "corrupted:drop=3:last_frame", "--protocol", "dvf2017-like")
    assert done.exit_code == 2
    assert "'corrupted:drop=3:last_frame' needs 4 input frames" in done.output
