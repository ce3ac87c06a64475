"""The protocol study: one prediction, many rulers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from datasets import write_moving_mnist, write_vimeo
from footage import moving_frames, write_video

from vpbench.errors import UsageError
from vpbench.scoring.built_in import BUILT_IN, MATHIEU2016
from vpbench.splits import DATA_SETS
from vpbench.study.run import gradient_ratio
from vpbench.study.settings import DETAILS, MASKS, PROTOCOLS, QUIRKS, SHARPENED, settings_for
from vpbench.study.sharpening import CHANGES, deconvolved, unsharp

COUNTER = """
from pathlib import Path
from vpbench import Predictor

class Counted(Predictor):
    min_inputs = 4

    def __init__(self, log: str = "") -> None:
        self.log = Path(log)

    def predict_next(self, inputs):
        with self.log.open("a") as stream:
            stream.write("x")
        return inputs[-1] * 0.98
"""


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """A folder of three small videos that last as long as mcnet2017-like looks."""
    folder = tmp_path / "videos"
    for number in range(3):
        write_video(folder / f"clip_{number}.avi", moving_frames(11, seed=number))
    return folder


def test_the_settings_are_the_protocols_of_the_same_frame_and_one_change_at_a_time() -> None:
    settings = settings_for()
    assert settings[0].protocol == MATHIEU2016
    names = [s.protocol.name for s in settings if s.group == PROTOCOLS]
    assert names == [
        *(
            "mathieu2016",
            "mathieu2016-framemax",
            "full-frame",
            "moving-pixels",
            "dvf2017-like",
            "dyan2018-like",
        ),
        *("mcnet2017-like", "figure5-grey"),
    ]
    assert {s.label for s in settings if s.group == MASKS} >= {"as printed", "no mask", "flow above 1 px"}
    for setting in settings:
        if setting.group in (MASKS, DETAILS, QUIRKS, SHARPENED):
            base, other = MATHIEU2016.definition(), setting.protocol.definition()
            keys = (base.keys() | other.keys()) - {"name"}
            changed = {key for key in keys if base.get(key) != other.get(key)}
            assert len(changed) == (setting.change is None), setting.label
    hashes = [(s.protocol.hash, s.change) for s in settings]
    assert len(set(hashes)) == len(hashes)


@pytest.mark.parametrize("name", DATA_SETS)
def test_a_data_set_is_studied_under_its_own_protocol(name: str) -> None:
    base = BUILT_IN[name]
    settings = settings_for(base)
    assert [s.protocol.name for s in settings if s.group == PROTOCOLS] == [name]
    assert not any(s.protocol.mask.needs_vectors for s in settings)
    assert not any(s.group == MASKS for s in settings)
    quirks = [s.label for s in settings if s.group == QUIRKS]
    grey = base.scored_as is not None
    assert quirks == [
        *([] if grey else ["red for blue"]),
        *("SSIM of scikit-image", "SSIM, no data_range"),
        *(["errors, means", "errors, sums"] if grey else []),
    ]
    for setting in settings[1:]:
        ours, other = base.definition(), setting.protocol.definition()
        changed = {key for key in (ours.keys() | other.keys()) - {"name"} if ours.get(key) != other.get(key)}
        assert len(changed) == (setting.change is None), setting.label


def test_no_built_in_protocol_has_a_setting_of_others_code() -> None:
    for protocol in BUILT_IN.values():
        assert not {use.metric for use in protocol.metrics.values()} & {"ssim-scikit-image", "mse", "mae"}
        assert protocol.scored_as is None or protocol.scored_as.colour != "bgr"


@pytest.mark.slow
def test_sums_and_swapped_colours_of_a_data_set(cli: Callable[..., Result], tmp_path: Path) -> None:
    tables = {}
    for name, write in {"moving-mnist-10to10": write_moving_mnist, "vimeo-2to1": write_vimeo}.items():
        line = ["study", "--model", "last_frame", "--split", name, "--data", write(tmp_path / name)]
        done = cli(*line, "--workers", "1", "--format", "csv")
        assert done.exit_code == 0, done.output
        table = pd.read_csv(pd.io.common.StringIO(done.stdout))
        tables[name] = table[table["frame"] == 1].set_index("setting")
    grey, colour = tables["moving-mnist-10to10"], tables["vimeo-2to1"]
    for error in ("mse", "mae"):
        summed = 64 * 64 * grey.loc["errors, means", error]
        assert grey.loc["errors, sums", error] == pytest.approx(summed, rel=1e-9)
    assert grey.loc["SSIM, no data_range", "ssim"] > grey.loc["SSIM of scikit-image", "ssim"]
    assert colour.loc["red for blue", "psnr"] == pytest.approx(colour.loc["vimeo-2to1", "psnr"], abs=1e-9)
    assert colour.loc["red for blue", "ssim"] != pytest.approx(colour.loc["vimeo-2to1", "ssim"], abs=1e-6)


def test_an_archive_has_no_settings_that_need_vectors() -> None:
    settings = settings_for(BUILT_IN["mathieu2016-archive"])
    assert settings[0].protocol.name == "mathieu2016-archive"
    assert not any(s.protocol.mask.needs_vectors for s in settings)
    assert {"full-frame", "no mask", "unsharp mask"} <= {s.label for s in settings}


@pytest.mark.slow
def test_scores_are_those_of_a_run(cli: Callable[..., Result], videos: Path, tmp_path: Path) -> None:
    """Means and counts of a built-in protocol are, to the last digit, what `run` and `leaderboard` give."""
    out = tmp_path / "study"
    result = cli("study", "--model", "last_frame", "--split", videos, "--workers", "1", "--out", out)
    assert result.exit_code == 0, result.output
    table = pd.read_csv(out / "study.csv")
    for protocol in ("mathieu2016", "dvf2017-like", "dyan2018-like", "mcnet2017-like", "figure5-grey"):
        run = ["run", "--model", "last_frame", "--split", videos, "--workers", "1", "--protocol", protocol]
        assert cli(*run, "--out", tmp_path / "runs").exit_code == 0
        folder = tmp_path / "runs" / videos.name / protocol / "last_frame"
        csv = cli("leaderboard", folder, "--format", "csv").stdout
        board = pd.read_csv(pd.io.common.StringIO(csv)).query("not published").iloc[0]
        rows = table[table["setting"] == protocol]
        assert len(rows) == BUILT_IN[protocol].targets
        for _, row in rows.iterrows():
            frame = row["frame"]
            assert row["psnr"] == pytest.approx(board[f"psnr_{frame}"], abs=0, rel=1e-12)
            assert row["ssim"] == pytest.approx(board[f"ssim_{frame}"], abs=0, rel=1e-12)
            assert row["frames_counted"] == board[f"frames_counted_{frame}"]
            assert row["protocol_hash"] == board["protocol_hash"]
    assert (out / "study.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "study.pdf").read_bytes().startswith(b"%PDF")
    assert "| unsharp mask" in (out / "study.md").read_text(encoding="utf-8")
    assert (out / "study.txt").read_text(encoding="utf-8").strip() == result.stdout.strip()
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.slow
def test_a_model_predicts_once_for_each_clip_and_is_left_out_where_it_does_not_fit(
    cli: Callable[..., Result], videos: Path, tmp_path: Path
) -> None:
    (tmp_path / "counter.py").write_text(COUNTER)
    log = tmp_path / "log"
    model = f"{tmp_path / 'counter.py'}:Counted,log={log}"
    arguments = ("--model", model, "--as", "counted", "--model", "last_frame", "--as", "last")
    result = cli("study", *arguments, "--split", videos, "--workers", "1", "--format", "csv")
    assert result.exit_code == 0, result.output
    assert (
        log.read_text() == "x" * 3 * 7
    )  # clips × frames of mcnet2017-like; dvf2017-like gives too few inputs
    table = pd.read_csv(pd.io.common.StringIO(result.stdout))
    assert "dvf2017-like" not in set(table[table["model"] == "counted"]["setting"])
    assert "dvf2017-like" in set(table[table["model"] == "last"]["setting"])
    text = cli("study", *arguments, "--split", videos, "--workers", "1", "--limit", "1").stdout
    assert "counted needs 4 input frames and has no scores under dvf2017-like." in " ".join(text.split())


@pytest.mark.slow
def test_two_workers_and_prediction_in_the_parent_change_nothing(
    command: Callable[..., object], videos: Path, tmp_path: Path
) -> None:
    source = COUNTER + "\nclass InParent(Counted):\n    runs_in = 'parent'\n"
    (tmp_path / "counter.py").write_text(source)
    tables = []
    for cls, workers in (("Counted", "1"), ("Counted", "2"), ("InParent", "2")):
        model = f"{tmp_path / 'counter.py'}:{cls},log={tmp_path / 'log'}"
        arguments = ("--split", videos, "--workers", workers, "--format", "csv")
        result = command("study", "--model", model, "--as", "m", *arguments)
        assert result.returncode == 0, result.stderr  # type: ignore[attr-defined]
        tables.append(result.stdout)  # type: ignore[attr-defined]
    assert tables[0] == tables[1] == tables[2]


def test_prepared_clips_serve_the_settings_of_their_geometry(
    cli: Callable[..., Result], videos: Path, tmp_path: Path
) -> None:
    clips = tmp_path / "clips"
    assert cli("prepare", "--split", videos, "--workers", "1", "--out", clips).exit_code == 0
    arguments = ("study", "--model", "last_frame", "--workers", "1", "--format", "csv", "--data")
    ours = cli(*arguments, clips)
    assert ours.exit_code == 0, ours.output
    settings = set(pd.read_csv(pd.io.common.StringIO(ours.stdout))["setting"])
    assert "moving-pixels" in settings
    assert "dvf2017-like" not in settings


SOON = """
import numpy as np
from vpbench import Predictor

class Soon(Predictor):
    max_targets = 2

    def predict(self, inputs, targets):
        return np.stack([inputs[-1] * np.float32(0.98)] * targets)
"""


def test_what_looks_too_far_ahead_is_left_out_with_a_note(cli: Callable[..., Result], tmp_path: Path) -> None:
    """Of a predictor, of clips, and of frames that were predicted before: the rest is scored as ever."""
    (tmp_path / "soon.py").write_text(SOON)
    soon = f"{tmp_path / 'soon.py'}:Soon"
    short = tmp_path / "short"
    write_video(short / "one.avi", moving_frames(6, size=(32, 40)))
    study = ("study", "--model", "last_frame", "--split", short, "--workers", "1")
    result = cli(*study)
    assert result.exit_code == 0, result.output
    assert "Left out: mcnet2017-like." in " ".join(result.stdout.split())
    csv = cli(*study, "--format", "csv").stdout
    last = pd.read_csv(pd.io.common.StringIO(csv))
    assert {"mathieu2016", "dyan2018-like", "dvf2017-like"} <= set(last["setting"])
    assert set(last["frame"]) == {1, 2}

    long = tmp_path / "long"
    write_video(long / "one.avi", moving_frames(11, size=(32, 40)))
    run = ("run", "--model", soon, "--as", "soon", "--split", long, "--workers", "1", "--save-predictions")
    assert cli(*run, "--out", tmp_path / "runs").exit_code == 0
    frames = f"frames:{tmp_path / 'runs' / 'long' / 'mathieu2016' / 'soon' / 'predictions'}"
    study = ("study", "--model", soon, "--as", "soon", "--model", frames, "--as", "saved", "--split", long)
    text = " ".join(cli(*study, "--workers", "1").stdout.split())
    assert "soon predicts 2 frames and has no scores under mcnet2017-like." in text
    assert "saved predicts 2 frames and has no scores under mcnet2017-like." in text
    assert "saved has frames for the clips of mathieu2016 alone and has no scores under dvf2017-like." in text
    table = pd.read_csv(pd.io.common.StringIO(cli(*study, "--workers", "1", "--format", "csv").stdout))
    one, other = (table[table["model"] == name].set_index(["setting", "frame"]) for name in ("soon", "saved"))
    assert set(one.index) - set(other.index) == {("dvf2017-like", 1)}
    pd.testing.assert_series_equal(one.loc[other.index, "psnr"], other["psnr"])


def test_later_frames_have_a_table_of_their_own(cli: Callable[..., Result], videos: Path) -> None:
    arguments = ("--split", videos, "--workers", "1", "--limit", "1")
    text = cli("study", "--model", "last_frame", *arguments, "--format", "markdown").stdout
    _, _, later = text.partition("Frames after the 2nd")
    rows = [line for line in later.partition("What sharpening")[0].splitlines() if "mcnet2017-like, " in line]
    assert [row.split("|")[1].strip() for row in rows] == [
        f"mcnet2017-like, {nth}" for nth in ("3rd", "4th", "5th", "6th", "7th")
    ]


def test_sharpening_sharpens_and_keeps_the_range() -> None:
    random = np.random.default_rng(0)
    import cv2

    target = cv2.GaussianBlur(random.uniform(0, 1, (40, 60, 3)), (0, 0), 1.0).astype(np.float32)
    target = (target - target.min()) / (target.max() - target.min())
    truth = np.rint(target * 255).astype(np.uint8)
    blurred = cv2.GaussianBlur(target, (0, 0), 1.0)
    before = gradient_ratio(truth, blurred)
    for function in (unsharp, deconvolved):
        sharp = function(blurred)
        assert sharp.dtype == np.float32
        assert sharp.shape == blurred.shape
        assert 0 <= sharp.min() <= sharp.max() <= 1
        assert gradient_ratio(truth, sharp) > 1.2 * before
        assert np.abs(sharp - target).mean() < np.abs(blurred - target).mean()  # a blur is what they undo
    assert gradient_ratio(truth, truth / np.float32(255)) == 1.0
    assert np.isnan(gradient_ratio(np.zeros_like(truth), target))


def test_unsharp_is_its_formula() -> None:
    from scipy.ndimage import gaussian_filter

    frame = np.random.default_rng(1).uniform(0, 1, (20, 24, 3)).astype(np.float32)
    blur = np.stack([gaussian_filter(frame[..., c], 1.0, mode="reflect") for c in range(3)], axis=2)
    np.testing.assert_allclose(unsharp(frame), np.clip(2 * frame - blur, 0, 1), atol=1e-6)


def test_deconvolution_leaves_a_flat_frame_alone_up_to_its_border() -> None:
    flat = np.full((30, 30, 3), 0.4, np.float32)
    np.testing.assert_allclose(deconvolved(flat), flat, atol=1e-4)


def test_every_change_is_used() -> None:
    assert {s.change for s in settings_for()} == {None, *CHANGES}


def test_without_matplotlib_the_figure_is_refused_before_any_work(
    cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "matplotlib" else find(name, *a)
    )
    from vpbench.study.figure import require_matplotlib

    with pytest.raises(UsageError, match=r"vpbench\[figures\]"):
        require_matplotlib()
    result = cli("study", "--model", "last_frame", "--split", "synthetic", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "vpbench[figures]" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_predictor_that_does_not_fit_the_base_is_refused(
    cli: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "eight.py").write_text(
        "from vpbench import Predictor\nclass Eight(Predictor):\n    min_inputs = 8\n"
    )
    result = cli("study", "--model", f"{tmp_path / 'eight.py'}:Eight", "--split", "synthetic")
    assert result.exit_code == 2
    assert "needs 8 input frames" in result.stderr
