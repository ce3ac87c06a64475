"""``vpbench report``: what stands in the page, where its frames come from, and what a stranger's run cannot do."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from pages import HOSTILE
from PIL import Image
from runs import edit_manifest, make_run
from strata import varied_runs

from vpbench.errors import VpbenchError
from vpbench.evaluation.replay import Replay
from vpbench.report.page import PageOptions, make_page
from vpbench.runs.run import read_run

Cli = Callable[..., Result]


def data_of(html: str) -> dict[str, Any]:
    """The data that the page draws its plots from."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    return dict(json.loads(found[1]))


def images_of(html: str) -> list[bytes]:
    return [base64.b64decode(text) for text in re.findall(r'src="data:image/\w+;base64,([^"]+)"', html)]


@pytest.fixture
def copied(synthetic_runs: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(synthetic_runs, tmp_path / "runs"))


def test_page_shows_scores_frames_and_identity(synthetic_runs: Path, tmp_path: Path, cli: Cli) -> None:
    made = cli("report", synthetic_runs, "--out", tmp_path / "page", "--title", "A <title>")
    assert made.exit_code == 0, made.output
    html = (tmp_path / "page" / "index.html").read_text()
    manifest = json.loads((synthetic_runs / "last_frame" / "manifest.json").read_text())
    for text in (manifest["protocol"]["hash"], manifest["split"]["hash"], manifest["prepared"]["hash"]):
        assert text in html
    assert "<h1>A &lt;title&gt;</h1>" in html
    # optical_flow saved no frames and was run again; that is said on the page and on the terminal.
    assert "optical_flow: no frames were saved; the predictor was run again" in html
    assert "Note: optical_flow: no frames were saved" in made.stderr
    assert "last_frame: " not in made.stderr
    run = read_run(synthetic_runs / "last_frame")
    data = data_of(html)
    assert data["clips"] == [1, 2, 3, 4]
    first = run.scores["frame"] == 1
    assert data["runs"][0]["scores"]["psnr"][:4] == pytest.approx(run.scores["psnr"][first], abs=1e-4)
    assert data["moving"][4:] == pytest.approx(run.scores["moving"][run.scores["frame"] == 2], abs=1e-4)
    assert f"{run.scores['psnr'][first & run.scores['counted']].mean():.2f}" in html


def test_page_has_the_strata_that_the_runs_have(tmp_path: Path) -> None:
    runs = [read_run(folder) for folder in varied_runs(tmp_path, "a", "b", label_end="<b>")]
    html = make_page(runs, PageOptions(replay=Replay(rerun=False))).html
    for by in ("motion", "difficulty", "class"):
        assert html.count(f"<summary>By {by}</summary>") == 1
    for heading in ("motion &lt; 1.5 px: ", "SSIM of the copy ≥ 0.9: ", "Archery: "):
        assert html.count(f'scope="rowgroup">{heading}') == 1
    assert "a&lt;b&gt;" in html
    assert "a<b>" not in html
    whole = [
        read_run(folder)
        for folder in varied_runs(tmp_path / "whole", "a", protocol="full-frame", motion=False)
    ]
    html = make_page(whole, PageOptions(replay=Replay(rerun=False))).html
    assert "<summary>By motion</summary>" not in html
    assert "<summary>By difficulty</summary>" in html
    old = make_page([read_run(make_run(tmp_path / "old", schema=1))], PageOptions(replay=Replay(rerun=False)))
    assert 'id="strata"' not in old.html


def test_pictures_are_lossless_where_they_fit(synthetic_runs: Path, tmp_path: Path, cli: Cli) -> None:
    assert cli("report", synthetic_runs, "--out", tmp_path, "--clips", "2", "--frame", "1").exit_code == 0
    html = (tmp_path / "index.html").read_text()
    run = read_run(synthetic_runs / "last_frame")
    clip = Replay().load_clips(run, [2])[0][2]
    shown = [np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) for data in images_of(html)]
    assert np.array_equal(shown[3], clip.inputs[3])
    assert np.array_equal(shown[4], clip.targets[0])
    assert np.array_equal(shown[6], clip.inputs[3])  # after the mask: what last_frame predicted
    assert len(shown) == 4 + 2 + 2 * 2


def test_page_is_self_contained(synthetic_runs: Path, tmp_path: Path, cli: Cli) -> None:
    assert cli("report", synthetic_runs, "--out", tmp_path, "--clips", "1").exit_code == 0
    html = (tmp_path / "index.html").read_text()
    assert "default-src &#39;none&#39;" in html
    assert "unsafe" not in html
    assert not re.search(r"""(?:src|href|action)=["'](?!data:image/|#)""", html)
    assert not re.search(r"@import|url\(|\bfetch\(|XMLHttpRequest|innerHTML|\beval\b", html)
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    assert " style=" not in html  # the policy would drop it


def test_saved_only_says_why_frames_are_missing(synthetic_runs: Path, tmp_path: Path, cli: Cli) -> None:
    made = cli("report", synthetic_runs, "--out", tmp_path, "--saved-only", "--clips", "1")
    assert made.exit_code == 0, made.output
    assert "optical_flow: the run saved no frames, and the predictor is not to be run again." in made.stderr
    assert "No frames: the run saved no frames" in (tmp_path / "index.html").read_text()


def test_page_without_clips_says_so(tmp_path: Path, cli: Cli) -> None:
    make_run(tmp_path / "run", split={"name": "my-own", "hash": "0" * 16})
    made = cli("report", tmp_path / "run", "--out", tmp_path / "page")
    assert made.exit_code == 0, made.output
    assert "split 'my-own' is not one of vpbench's; give its folder or CSV file as --split." in made.stderr
    html = (tmp_path / "page" / "index.html").read_text()
    assert "No frames are shown" in html
    assert "<article" not in html


def test_a_split_of_another_hash_is_not_taken_for_the_runs(tmp_path: Path, cli: Cli) -> None:
    make_run(tmp_path / "run", split={"name": "synthetic"})
    made = cli("report", tmp_path / "run", "--out", tmp_path / "page")
    assert "is not this 'synthetic'" in made.stderr


def test_own_split_and_videos(videos: Path, tmp_path: Path, cli: Cli) -> None:
    options = ["--split", videos, "--workers", "1", "--out", tmp_path / "runs"]
    assert cli("run", "--model", "last_frame", *options).exit_code == 0
    made = cli("report", tmp_path / "runs", "--out", tmp_path / "page", "--split", videos)
    assert made.exit_code == 0, made.output
    assert "frames of the clips" in made.stdout
    nothing = cli("report", tmp_path / "runs", "--out", tmp_path / "page")
    assert "no frames" in nothing.stdout


@pytest.mark.slow
def test_frames_that_are_not_those_scored_are_told(copied: Path, tmp_path: Path, cli: Cli) -> None:
    path = copied / "last_frame" / "predictions" / "1" / "pred_5.npy"
    np.save(path, np.zeros_like(np.load(path)))
    made = cli("report", copied, "--out", tmp_path / "page", "--clips", "1,2")
    assert "last_frame: the frames are not those that were scored: clip 1, frame 1: psnr" in made.stderr


@pytest.mark.slow
@pytest.mark.parametrize("what", ["cut", "pickle", "shape", "link", "nan", "gone"])
def test_damaged_saved_frames_are_named(copied: Path, tmp_path: Path, cli: Cli, what: str) -> None:
    folder = copied / "last_frame" / "predictions"
    path = folder / "1" / "pred_5.npy"
    if what == "cut":
        path.write_bytes(path.read_bytes()[:-10])
    elif what == "pickle":
        np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    elif what == "shape":
        np.save(path, np.zeros((8, 8, 3), np.float32))
    elif what == "link":
        folder.rename(tmp_path / "elsewhere")
        folder.symlink_to(tmp_path / "elsewhere")
    elif what == "nan":
        np.save(path, np.full_like(np.load(path), np.nan))
    else:
        path.unlink()
    made = cli("report", copied, "--out", tmp_path / "page", "--clips", "1,2")
    assert made.exit_code == 0, made.output
    assert "Note: last_frame" in made.stderr
    assert "No frames" in (tmp_path / "page" / "index.html").read_text()


def test_hostile_names_stay_text(copied: Path, tmp_path: Path, cli: Cli) -> None:
    edit_manifest(copied / "last_frame", label=HOSTILE, predictor={"description": {"marks": [HOSTILE]}})
    edit_manifest(copied / "optical_flow", split={"hash": "x"}, environment={"vpbench": HOSTILE})
    edit_manifest(
        copied / "optical_flow",
        split=json.loads((copied / "last_frame" / "manifest.json").read_text())["split"],
    )
    made = cli("report", copied, "--out", tmp_path / "page", "--clips", "1", "--title", HOSTILE)
    assert made.exit_code == 0, made.output
    html = (tmp_path / "page" / "index.html").read_text()
    assert html.count("<script") == 2
    assert html.count("</script>") == 2
    assert "<img src=x" not in html
    assert "{{7*7}}" in html
    assert data_of(html)["runs"][0]["label"].startswith("</script>")


@pytest.mark.slow
def test_a_predictor_that_the_user_names_is_run(tmp_path: Path, cli: Cli, synthetic_runs: Path) -> None:
    code = tmp_path / "mine.py"
    code.write_text(
        "import vpbench\n\n\nclass Mine(vpbench.Predictor):\n    def predict_next(self, inputs):\n"
        "        return inputs[-2:].mean(axis=0)\n"
    )
    options = ["--split", "synthetic", "--limit", "2", "--workers", "1", "--out", tmp_path / "runs"]
    assert cli("run", "--model", f"{code}:Mine", *options).exit_code == 0
    made = cli("report", tmp_path / "runs", "--out", tmp_path / "page")
    assert "name it with --model" in made.stderr
    made = cli("report", tmp_path / "runs", "--out", tmp_path / "page", "--model", f"{code}:Mine")
    assert made.stderr.splitlines() == [
        "Note: mine.Mine: no frames were saved; the predictor was run again for this page."
    ]
    code.write_text(code.read_text() + "# changed\n")
    made = cli("report", tmp_path / "runs", "--out", tmp_path / "page", "--model", f"{code}:Mine")
    assert "as it is here is another: sha256" in made.stderr


def test_a_protocol_that_does_not_have_its_hash_is_refused(copied: Path) -> None:
    run = copied / "optical_flow"
    assert read_run(run).protocol().name == "mathieu2016"
    definition = read_run(run).data["protocol"]["definition"] | {"name": "mine"}
    edit_manifest(run, protocol={"name": "mine", "definition": definition})
    with pytest.raises(VpbenchError, match="the hash"):
        read_run(run).protocol()
    edit_manifest(run, protocol={"definition": {**definition, "mask": {"kind": "none", "tau": 3}}})
    with pytest.raises(VpbenchError, match="damaged"):
        read_run(run).protocol()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--clips", "1,x"], "give the numbers of clips"),
        (["--clips", "99"], "Clip 99 is not in"),
        (["--frame", "3"], "predicts frames 1 to 2"),
    ],
)
def test_wrong_options(
    synthetic_runs: Path, tmp_path: Path, cli: Cli, options: list[str], message: str
) -> None:
    made = cli("report", synthetic_runs, "--out", tmp_path / "page", *options)
    assert made.exit_code == 2
    assert message in made.stderr
    assert not (tmp_path / "page").exists()


def test_frame_of_later_steps_can_be_shown(synthetic_runs: Path) -> None:
    runs = [read_run(synthetic_runs / "last_frame")]
    page = make_page(runs, PageOptions(frames=(2,), clips=(3,)))
    assert 'data-step="2"' in page.html
    assert 'data-step="1"' not in page.html
    assert page.clips == (3,)
    assert page.remarks == ()
