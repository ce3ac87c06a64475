"""``vpbench figure``: masks, strips with zooms, and animations, as files that other programs open."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from pages import HOSTILE
from PIL import Image
from runs import edit_manifest

from vpbench.evaluation.replay import Replay
from vpbench.figures import animation, figures
from vpbench.figures.scene import Scene, gather
from vpbench.runs.run import read_run

pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'vpbench[figures]'")

Cli = Callable[..., Result]


@pytest.fixture(scope="module")
def scene(synthetic_runs: Path) -> Scene:
    runs = [read_run(synthetic_runs / label) for label in ("last_frame", "optical_flow")]
    return gather(runs, 1, Replay())


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["masks", "strip"])
@pytest.mark.parametrize("suffix", [".pdf", ".png", ".webp"])
def test_pdf_and_png(synthetic_runs: Path, tmp_path: Path, cli: Cli, kind: str, suffix: str) -> None:
    out = tmp_path / f"figure{suffix}"
    made = cli("figure", kind, synthetic_runs, "--clip", "3", "--out", out)
    assert made.exit_code == 0, made.output
    assert "Clip 3 of split synthetic; protocol mathieu2016, version 1" in made.stdout
    if suffix != ".pdf":
        assert pixels(out).std() > 20
        return
    data = out.read_bytes()
    assert data.startswith(b"%PDF")
    assert b"/Type3" not in data  # journals refuse such fonts
    again = tmp_path / "again.pdf"
    assert cli("figure", kind, synthetic_runs, "--clip", "3", "--out", again).exit_code == 0
    assert again.read_bytes() == data
    if shutil.which("pdftotext"):
        text = subprocess.run(["pdftotext", out, "-"], capture_output=True, text=True, check=True).stdout
        for words in ("Ground truth", "last_frame", "optical_flow", "dB"):
            assert words in text


@pytest.mark.slow
def test_strip_keeps_the_frames_pixels_and_marks_the_zooms(scene: Scene, tmp_path: Path) -> None:
    figure = figures.strip(scene, (1, 2), zooms=("10,20,80,60",))
    shown = [np.asarray(axes.get_images()[0].get_array()) for axes in figure.axes]
    assert len(shown) == 4 + 3 * 2 * 2
    for number, frame in enumerate(scene.clip.inputs):
        assert np.array_equal(shown[number], frame)
    assert np.array_equal(shown[4], scene.clip.targets[0])
    assert np.array_equal(shown[5], scene.clip.targets[0][20:80, 10:90])
    assert np.array_equal(shown[8], scene.clip.inputs[3])  # last_frame
    texts = {text.get_text() for text in figure.texts}
    assert {scene.rows[1].scores[0], scene.rows[1].scores[1], "predicted frame 2"} <= texts
    assert scene.rows[0].scores[0].split()[1] == "dB"


def test_grey_is_luma(scene: Scene) -> None:
    figure = figures.strip(scene, (1,), grey=True)
    for axes in figure.axes:
        image = np.asarray(axes.get_images()[0].get_array())
        assert np.array_equal(image[..., 0], image[..., 1])
        assert np.array_equal(image[..., 0], image[..., 2])
    target = np.asarray(figure.axes[4].get_images()[0].get_array())[..., 0]
    assert np.abs(target - scene.clip.targets[0] @ [0.299, 0.587, 0.114]).max() <= 0.51


def test_masks_are_black_outside_the_moving_area(synthetic_runs: Path) -> None:
    scene = gather([read_run(synthetic_runs / "last_frame")], 2, Replay())
    mask = np.indices((240, 320)).sum(axis=0) % 2 == 0  # this clip has none of its own
    scene = Scene(scene.clip, scene.protocol, scene.rows, (mask, None), scene.caption)
    whole, kept, predicted, masked = (
        np.asarray(axes.get_images()[0].get_array()) for axes in figures.masks(scene, 1).axes
    )
    assert np.array_equal(whole, scene.clip.targets[0])
    assert np.array_equal(kept[mask], whole[mask])
    assert not kept[~mask].any()
    assert np.array_equal(masked[mask], predicted[mask])
    assert not masked[~mask].any()


@pytest.mark.slow
def test_frames_again_are_those_that_were_scored(synthetic_runs: Path, tmp_path: Path, cli: Cli) -> None:
    assert cli("figure", "strip", synthetic_runs, "--out", tmp_path / "a.png").exit_code == 0
    made = cli("figure", "strip", synthetic_runs, "--out", tmp_path / "a.png", "--saved-only")
    assert made.exit_code == 1
    assert "optical_flow: the run saved no frames" in made.stderr


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp"])
def test_animation(synthetic_runs: Path, tmp_path: Path, cli: Cli, suffix: str) -> None:
    out = tmp_path / f"animation{suffix}"
    made = cli("figure", "animation", synthetic_runs, "--clip", "1", "--out", out)
    assert made.exit_code == 0, made.output
    with Image.open(out) as image:
        assert image.n_frames == 6
        assert image.size == (8 + 3 * (320 + 8), 24 + 240 + 2 * 24 + 8)
        assert image.info.get("loop") == 0
        frames = []
        for number in range(6):
            image.seek(number)
            frames.append(np.asarray(image.convert("RGB")).astype(int))
    assert np.abs(frames[5] - frames[0]).mean() > 1


def test_animation_shows_truth_and_predictions(scene: Scene) -> None:
    frames, times = animation.animate(scene)
    assert times == [350, 350, 350, 350, 700, 1400]
    place = np.s_[48 : 48 + 240, 8 : 8 + 320]
    assert np.array_equal(frames[3][place], scene.clip.inputs[3])
    assert np.array_equal(frames[4][place], scene.clip.targets[0])
    second = np.s_[48 : 48 + 240, 8 + 328 : 8 + 328 + 320]
    assert np.array_equal(frames[5][second], scene.clip.inputs[3])  # last_frame
    grey = animation.animate(scene, grey=True)[0][4][place]
    assert np.array_equal(grey[..., 0], grey[..., 2])


@pytest.mark.slow
def test_labels_from_strangers_are_drawn_as_text(synthetic_runs: Path, tmp_path: Path, cli: Cli) -> None:
    runs = Path(shutil.copytree(synthetic_runs, tmp_path / "runs"))
    edit_manifest(runs / "last_frame", label=HOSTILE)
    edit_manifest(runs / "optical_flow", label="模型 $x_{$ 🙂 " + "w" * 300)
    for kind, suffix in (("masks", ".pdf"), ("strip", ".png"), ("animation", ".webp")):
        made = cli("figure", kind, runs, "--clip", "1", "--out", tmp_path / f"{kind}{suffix}")
        assert made.exit_code == 0, made.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["masks", "--out", "x.svg"], "must end in .pdf or .png or .webp"),
        (["animation", "--out", "x.mp4"], "must end in .gif or .png or .webp"),
        (["strip", "--out", "x.png", "--clip", "99"], "Clip 99 is not in"),
        (["strip", "--out", "x.png", "--frame", "3"], "predicts frames 1 to 2"),
        (["masks", "--out", "x.png", "--frame", "0"], "predicts frames 1 to 2"),
        (["strip", "--out", "x.png", "--zoom", "0,0,900,9"], "must lie in the frame of 320×240"),
        (["strip", "--out", "x.png", *["--zoom", "0,0,9,9"] * 3], "at most 2 parts"),
    ],
)
def test_wrong_options(
    synthetic_runs: Path,
    tmp_path: Path,
    cli: Cli,
    options: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    kind, *rest = options
    clip = [] if "--clip" in rest else ["--clip", "1"]
    made = cli("figure", kind, synthetic_runs, *clip, *rest)
    assert made.exit_code == 2, made.output
    assert message in made.stderr
    assert list(tmp_path.iterdir()) == []


def test_masks_need_a_protocol_that_has_them(scene: Scene) -> None:
    from vpbench.errors import UsageError

    bare = Scene(scene.clip, scene.protocol, scene.rows, (None, None), scene.caption)
    with pytest.raises(UsageError, match="no masks to show"):
        figures.masks(bare, 1)


@pytest.mark.slow
def test_many_runs_fit_a_page(scene: Scene) -> None:
    many = Scene(scene.clip, scene.protocol, scene.rows * 5, scene.masks, scene.caption)
    assert figures.strip(many, (1, 2)).get_figheight() < 12
    assert figures.masks(many, 1).get_figwidth() < 7.2
