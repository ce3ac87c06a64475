"""``--flow``: moving areas from another estimator, or from flows that the user made."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from flows import write_flow
from runs import score_lines

import vpbench
from vpbench.errors import UsageError
from vpbench.video import flow
from vpbench.video.decoding import read_frames

Cli = Callable[..., Result]


@pytest.fixture
def flows(videos: Path, tmp_path: Path) -> Path:
    """Farnebäck's flows of the three videos, in files, for the masks and for the baseline."""
    folder = tmp_path / "flows"
    for clip in (1, 2, 3):
        frames = read_frames(videos / f"clip_{clip - 1}.avi", 0, 6)
        for before in (3, 4, 5):
            made = flow.estimate("farneback", frames[before - 1], frames[before])
            write_flow(folder, clip, before, before + 1, made)
    return folder


@pytest.fixture
def run(cli: Cli, videos: Path, tmp_path: Path) -> Callable[..., Result]:
    def call(*arguments: str | Path) -> Result:
        line = [
            "run",
            "--model",
            "last_frame",
            "--split",
            videos,
            "--workers",
            "1",
            "--out",
            tmp_path / "runs",
        ]
        return cli(*line, *arguments)

    return call


def folder_of(tmp_path: Path, protocol: str, label: str = "last_frame") -> Path:
    return tmp_path / "runs" / "videos" / protocol / label


def test_a_run_by_files_scores_as_one_by_their_estimator(
    run: Callable[..., Result], flows: Path, tmp_path: Path
) -> None:
    estimated, read = (
        run("--flow", "farneback", "--notes", "all"),
        run("--flow", f"files:{flows}", "--notes", "all"),
    )
    assert estimated.exit_code == read.exit_code == 0, estimated.output + read.output
    assert "moving area where the farneback flow exceeds 0.8 px" in " ".join(estimated.stdout.split())
    assert "moving area where the flow from files exceeds 0.8 px" in " ".join(read.stdout.split())
    one, other = (folder_of(tmp_path, f"mathieu2016+flow-{name}") for name in ("farneback", "files"))
    assert score_lines(one) == score_lines(other)
    manifest = json.loads((other / "manifest.json").read_text())
    assert manifest["protocol"]["name"] == "mathieu2016+flow-files"
    assert manifest["protocol"]["definition"]["flow"] == "files"
    assert manifest["prepared"]["flow"]["name"] == "files"
    assert len(manifest["prepared"]["flow"]["sha256"]) == 64


def test_the_protocols_own_flow_is_no_other_protocol(run: Callable[..., Result], tmp_path: Path) -> None:
    assert run("--flow", "dis").exit_code == 0
    assert folder_of(tmp_path, "mathieu2016").is_dir()


@pytest.mark.slow
def test_other_flows_never_stand_in_one_table(
    cli: Cli, run: Callable[..., Result], flows: Path, tmp_path: Path
) -> None:
    assert run().exit_code == 0
    assert run("--flow", f"files:{flows}").exit_code == 0
    files = folder_of(tmp_path, "mathieu2016+flow-files")
    mixed = cli("leaderboard", folder_of(tmp_path, "mathieu2016"), files)
    assert mixed.exit_code == 2
    assert "their protocols differ" in mixed.stderr
    assert "what differs: flow" in mixed.stderr
    write_flow(flows, 1, 4, 5, np.zeros((48, 64, 2), np.float32))
    again = run("--flow", f"files:{flows}")
    assert again.exit_code == 2
    assert "holds another run: prepared.flow.sha256" in again.stderr
    assert run("--flow", f"files:{flows}", "--as", "other").exit_code == 0
    mixed = cli("leaderboard", files, files.parent / "other")
    assert mixed.exit_code == 2
    assert "their moving areas come from different files of flow" in mixed.stderr


def test_the_baseline_takes_the_same_files(
    run: Callable[..., Result], flows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = (
        "--model",
        "optical_flow,estimator=farneback",
        "--model",
        f"optical_flow,estimator=files:{flows}",
    )
    result = run(*models, "--as", "last", "--as", "estimated", "--as", "read")
    assert result.exit_code == 0, result.output
    estimated, read = (folder_of(tmp_path, "mathieu2016", label) for label in ("estimated", "read"))
    assert score_lines(estimated) == score_lines(read)
    manifest = json.loads((read / "manifest.json").read_text())
    assert manifest["predictor"]["description"]["flow"]["name"] == "files"
    assert manifest["cost"]["ms_per_frame"] is None
    monkeypatch.chdir(flows.parent)
    assert (
        run("--model", f"optical_flow,estimator=files:{flows.name}").exit_code == 0
    )  # its label names a folder


def test_a_missing_flow_is_named(run: Callable[..., Result], flows: Path) -> None:
    (flows / "2" / "4_5.flo").unlink()
    result = run("--flow", f"files:{flows}")
    assert result.exit_code == 1
    assert f"clip 2: {flows / '2' / '4_5.flo'} (or .npy) is missing" in result.stderr
    (flows / "2" / "3_4.flo").write_bytes(b"PIEH")
    result = run("--model", f"optical_flow,estimator=files:{flows}", "--as", "last", "--as", "flow")
    assert result.exit_code == 1
    assert f"{flows / '2' / '3_4.flo'} is damaged" in result.stderr


def test_prepared_clips_keep_their_flow(
    cli: Cli, run: Callable[..., Result], videos: Path, flows: Path, tmp_path: Path
) -> None:
    prepared = tmp_path / "prepared"
    made = cli("prepare", "--split", videos, "--flow", f"files:{flows}", "--out", prepared, "--workers", "1")
    assert made.exit_code == 0, made.output
    assert run("--flow", f"files:{flows}").exit_code == 0
    read = score_lines(folder_of(tmp_path, "mathieu2016+flow-files"))
    common = ["run", "--model", "last_frame", "--workers", "1", "--data", prepared]
    for number, more in enumerate((["--flow", f"files:{flows}"], ["--protocol", "mathieu2016+flow-files"])):
        result = cli(*common, *more, "--out", tmp_path / f"runs{number}")
        assert result.exit_code == 0, result.output
        folder = tmp_path / f"runs{number}" / "videos" / "mathieu2016+flow-files" / "last_frame"
        assert score_lines(folder) == read
        assert cli("verify", folder, "--data", prepared, "--workers", "1").exit_code == 0
    for more, message in (
        ([], "have flow of 'files'; protocol 'mathieu2016' needs 'dis'"),
        (
            ["--flow", "farneback"],
            "have flow of 'files'; protocol 'mathieu2016+flow-farneback' needs 'farneback'",
        ),
    ):
        result = cli(*common, *more, "--out", tmp_path / "refused")
        assert result.exit_code == 2
        assert message in result.stderr
    other = tmp_path / "other"
    shutil.copytree(flows, other)
    write_flow(other, 1, 4, 5, np.zeros((48, 64, 2), np.float32))
    result = cli(*common, "--flow", f"files:{other}", "--out", tmp_path / "refused")
    assert result.exit_code == 2
    assert f"prepared with other flows than those in {other}" in result.stderr
    made = cli("prepare", "--split", videos, "--flow", f"files:{other}", "--out", prepared, "--workers", "1")
    assert made.exit_code == 2
    assert "prepared otherwise: flow is" in made.stderr


@pytest.mark.slow
def test_files_take_precedence_over_the_exact_flow(cli: Cli, tmp_path: Path) -> None:
    still = np.zeros((240, 320, 2), np.float32)
    for before in (4, 5):
        write_flow(tmp_path / "flows", 1, before, before + 1, still)
    line = ["run", "--model", "last_frame", "--split", "synthetic", "--limit", "1", "--workers", "1"]
    result = cli(*line, "--flow", f"files:{tmp_path / 'flows'}", "--out", tmp_path / "runs")
    assert result.exit_code == 0, result.output
    folder = tmp_path / "runs" / "synthetic" / "mathieu2016+flow-files" / "last_frame"
    assert [line["moving"] for line in score_lines(folder)] == [0, 0]


def test_what_does_not_fit_is_refused(
    cli: Cli, run: Callable[..., Result], flows: Path, tmp_path: Path
) -> None:
    for arguments, message in (
        (["--flow", "farnbak"], "Unknown flow estimator 'farnbak'. Did you mean farneback?"),
        (["--flow", f"files:{tmp_path / 'nowhere'}"], "there is no folder"),
        (
            ["--flow", f"files:{flows}", "--protocol", "full-frame"],
            "'full-frame' has no moving area from flow",
        ),
        (
            ["--protocol", "mathieu2016+flow-files"],
            "takes its flow from files: name their folder (--flow files:DIR)",
        ),
        (["--protocol", "full-frame+flow-files"], "Unknown protocol 'full-frame+flow-files'"),
        (["--protocol", "mathieu2016+flow-above-1-px"], "Unknown protocol 'mathieu2016+flow-above-1-px'"),
        (["--protocol", "mathieu2016+flow-dis"], "Unknown protocol 'mathieu2016+flow-dis'"),
    ):
        result = run(*arguments)
        assert result.exit_code == 2, arguments
        assert message in result.stderr


@pytest.mark.slow
def test_a_study_by_files_has_their_one_geometry(cli: Cli, videos: Path, flows: Path) -> None:
    line = ["study", "--model", "last_frame", "--split", videos, "--workers", "1", "--format", "csv"]
    tables = []
    for name in ("farneback", f"files:{flows}"):
        result = cli(*line, "--flow", name)
        assert result.exit_code == 0, result.output
        tables.append(pd.read_csv(io.StringIO(result.stdout)))
    estimated, read = tables
    assert read["protocol"][0] == "mathieu2016+flow-files"
    assert "full-frame" in set(read["protocol"])
    assert "dvf2017-like" not in set(read["setting"])
    same = estimated[estimated["setting"] != "dvf2017-like"].reset_index(drop=True)
    pd.testing.assert_frame_equal(
        same.drop(columns=["protocol", "protocol_hash"]), read.drop(columns=["protocol", "protocol_hash"])
    )


def test_evaluate_takes_a_flow(videos: Path, flows: Path) -> None:
    estimated, read = (
        vpbench.evaluate("last_frame", str(videos), flow=name) for name in ("farneback", f"files:{flows}")
    )
    np.testing.assert_array_equal(estimated.scores["psnr"], read.scores["psnr"])
    assert read.manifest.protocol.name == "mathieu2016+flow-files"
    with pytest.raises(UsageError, match="no moving area from flow"):
        vpbench.evaluate("last_frame", str(videos), "full-frame", flow="farneback")
