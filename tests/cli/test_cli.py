"""The command line: exit codes, help, what is listed, what the doctor says."""

from __future__ import annotations

from pathlib import Path

import pytest

from vpbench.cli import doctor
from vpbench.predictors.spec import predictor_names
from vpbench.scoring.built_in import BUILT_IN
from vpbench.scoring.metrics import metric_names
from vpbench.splits import BUILT_IN as SPLITS
from vpbench.splits import get_split
from vpbench.video.flow import ESTIMATORS


def test_help(cli):
    result = cli("--help")
    assert result.exit_code == 0
    for command in ("run", "prepare", "leaderboard", "list", "doctor"):
        assert f"\n  {command}" in result.stdout
        assert cli(command, "-h").exit_code == 0
    assert "vpbench run --model last_frame" in result.stdout


def test_version(cli):
    from importlib.metadata import version

    result = cli("--version")
    assert result.exit_code == 0
    assert version("vpbench") in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rum"], "Unknown command 'rum'. Did you mean run?"),
        (["run"], "Missing option '--model'"),
        (["run", "--modle", "last_frame"], "No such option"),
        (["run", "--model", "last_frame", "--workers", "0"], "--workers"),
        (["run", "--model", "last_frame", "--limit", "-1"], "--limit"),
        (["run", "--model", "last_frame", "--batch-size", "x"], "--batch-size"),
        (["prepare"], "Missing option '--out'"),
        (["leaderboard"], "Missing argument"),
        (["list", "everything"], "'everything' is not one of"),
        (["leaderboard", ".", "--format", "word"], "'word' is not one of"),
    ],
)
def test_wrong_usage_ends_with_2(cli, arguments: list[str], message: str):
    result = cli(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not result.stdout


@pytest.mark.slow
def test_a_process_of_its_own_has_these_exit_codes(command, tmp_path: Path):
    good = command("list", "splits")
    assert good.returncode == 0
    assert good.stderr == ""
    bad = command("run", "--model", "last_frame", "--data", tmp_path / "gone")
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr.startswith("Error: ")
    assert "Traceback" not in bad.stderr
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.avi").write_bytes(b"")
    failed = command(
        "run", "--model", "last_frame", "--split", tmp_path / "videos", "--out", tmp_path / "runs"
    )
    assert failed.returncode == 1
    assert "a.avi is empty" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_run_prints_the_table_and_names_the_folders(cli, tmp_path: Path, videos: Path):
    result = cli(
        *("run", "--model", "last_frame", "--model", "optical_flow", "--split", videos, "--workers", "1"),
        *("--out", tmp_path / "runs"),
    )
    assert result.exit_code == 0, result.stderr
    for text in ("last_frame", "optical_flow", "1st frame", "2nd frame", "PSNR", "mathieu2016", "videos"):
        assert text in result.stdout
    folder = tmp_path / "runs" / "videos" / "mathieu2016"
    assert f"Run: {folder / 'last_frame'}" in result.stderr
    assert cli("leaderboard", folder).stdout == result.stdout
    assert cli("leaderboard", folder, "--out", tmp_path / "table.txt").stdout == ""
    assert (tmp_path / "table.txt").read_text().strip() == result.stdout.strip()


def test_lists_are_complete(cli):
    splits = cli("list", "splits").stdout
    for name in SPLITS:
        split = get_split(name)
        (line,) = [line for line in splits.splitlines() if line.split()[:1] == [name]]
        assert line.split()[1:3] == [str(len(split.clips)), split.hash]
        assert line.split()[3] == str(len({clip.cluster for clip in split.clips}))
    assert {"FOLDER", "FILE.csv"} <= {line.split()[0] for line in splits.splitlines() if line.strip()}
    for what, names in {
        "predictors": predictor_names(),
        "metrics": metric_names(),
        "flows": list(ESTIMATORS),
        "protocols": list(BUILT_IN),
        "published": ["Mathieu"],
    }.items():
        result = cli("list", what)
        assert result.exit_code == 0, result.stderr
        for name in names:
            assert name in result.stdout, what


def test_metrics_are_listed_with_unit_range_and_direction(cli):
    from vpbench.scoring.metrics import get_metric

    text = cli("list", "metrics").stdout
    for name in metric_names():
        metric = get_metric(name)
        line = next(line for line in text.splitlines() if line.split()[:1] == [name])
        assert ("higher" if metric.higher_is_better else "lower") in line
        assert metric.unit in line
        assert "…" in line


def test_predictors_are_listed_with_options_and_inputs(cli):
    text = cli("list", "predictors").stdout
    line = next(line for line in text.splitlines() if line.startswith("optical_flow"))
    assert line.split()[1] == "2"
    assert "estimator: str = dis" in line


@pytest.mark.slow
def test_a_predictor_that_cannot_be_imported_is_listed_with_the_reason(
    command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    package = tmp_path / "broken-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[vpbench.predictors]\nbroken = no_such_package:Class\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    result = command("list", "predictors")
    assert result.returncode == 0
    assert "broken" in result.stdout
    assert "no_such_package" in " ".join(result.stdout.split())


# Doctor


def test_the_doctor_names_what_is_installed_and_found(cli, ucf101: Path):
    result = cli("doctor", "--data", ucf101)
    assert result.exit_code == 0, result.stdout
    for text in ("vpbench", "Python", "numpy", "scipy", "OpenCV", "torch", "devices", "split demo"):
        assert text in result.stdout
    line = next(line for line in result.stdout.splitlines() if "split ucf101-every10th" in line)
    assert " of 379 clips found" in line


def test_the_doctor_without_data_says_what_is_missing(cli):
    result = cli("doctor")
    assert result.exit_code == 0
    line = next(line for line in result.stdout.splitlines() if "split ucf101-every10th" in line)
    assert line.startswith("missing")
    assert "--data DIR" in line


def test_two_opencv_wheels_are_a_fault(cli, monkeypatch: pytest.MonkeyPatch):
    class Distribution:
        def __init__(self, name: str) -> None:
            self.metadata = {"Name": name}

    wheels = [
        Distribution("OpenCV_Python"),
        Distribution("opencv-contrib-python-headless"),
        Distribution("x"),
    ]
    monkeypatch.setattr(doctor, "distributions", lambda: wheels)
    result = cli("doctor")
    assert result.exit_code == 1
    line = next(line for line in result.stdout.splitlines() if "OpenCV" in line)
    assert line.startswith("fault")
    assert "2 wheels overwrite each other's files: opencv-contrib-python-headless, opencv-python" in line
    assert "pip uninstall -y" in line
    assert "marked as a fault" in result.stderr


def test_an_opencv_without_contrib_is_a_fault(cli, monkeypatch: pytest.MonkeyPatch):
    import cv2

    monkeypatch.delattr(cv2, "ximgproc")
    result = cli("doctor")
    assert result.exit_code == 1
    assert "lacks the contrib modules" in result.stdout


def test_a_missing_package_is_a_fault(cli, monkeypatch: pytest.MonkeyPatch):
    real = doctor.version

    def version(name: str) -> str:
        if name == "pandas":
            raise doctor.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(doctor, "version", version)
    result = cli("doctor")
    assert result.exit_code == 1
    assert "not installed: pip install pandas" in result.stdout
