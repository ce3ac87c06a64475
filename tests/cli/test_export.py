"""``vpbench export``: Parquet, CSV and TensorBoard, as their own programs read them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from boards import HOSTILE_LABELS
from click.testing import Result
from runs import by_column, make_run

import vpbench


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    scores = {
        5: by_column(psnr=[30.0, 20.0], ssim=[0.9, 0.8], sharpness=[25.0, 24.0]),
        7: by_column(psnr=[60.0, 22.0], ssim=[1.0, 0.6], sharpness=[50.0, 20.0], counted=[False, True]),
        9: by_column(psnr=[60.0, 60.0], ssim=[1.0, 1.0], sharpness=[50.0, 50.0], counted=[False, False]),
    }
    for label in ("one", "two"):
        make_run(tmp_path / "runs" / "demo" / "mathieu2016" / label, label=label, scores=scores)
    return tmp_path / "runs"


def points(file: Path) -> dict[str, list[tuple[int, float]]]:
    """The scalars of an event file, as TensorBoard itself reads them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(file)).Reload()
    return {
        tag: [(event.step, round(event.value, 4)) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_parquet_is_what_load_gives(cli: Callable[..., Result], runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.parquet"
    done = cli("export", runs, "--out", out)
    assert done.exit_code == 0, done.output
    table = vpbench.load(runs)
    read = pd.read_parquet(out)
    pd.testing.assert_frame_equal(read, table)
    assert read.attrs == table.attrs


def test_csv_is_the_same_and_holds_no_formulas(cli: Callable[..., Result], tmp_path: Path) -> None:
    for n, label in enumerate(HOSTILE_LABELS):
        make_run(tmp_path / "runs" / str(n), label=label)
    out = tmp_path / "scores.csv"
    assert cli("export", tmp_path / "runs", "--format", "csv", "--out", out).exit_code == 0
    read = pd.read_csv(out)
    assert "'=cmd|calc" in set(read["run"])
    assert read["psnr"].tolist() == vpbench.load(tmp_path / "runs")["psnr"].tolist()


def test_tensorboard_has_curves_over_frames_and_clips(
    cli: Callable[..., Result], runs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "events"
    for _ in range(2):  # the second replaces the first
        assert cli("export", runs, "--format", "tensorboard", "--out", out).exit_code == 0
    files = sorted(path for path in out.rglob("*") if path.is_file())
    assert [path.parent.relative_to(out).as_posix() for path in files] == [
        *("demo/mathieu2016/one", "demo/mathieu2016/two")
    ]
    found = points(files[0])
    assert found["frame/psnr"] == [(1, 30.0), (2, 21.0)]
    assert found["frame/counted"] == [(1, 1.0), (2, 2.0)]
    assert found["frame/ssim"] == [(1, 0.9), (2, 0.7)]
    assert found["clip/psnr"] == [(5, 25.0), (7, 22.0)]
    assert found["clip/ssim"] == [(5, 0.85), (7, 0.6)]


@pytest.mark.parametrize(("module", "form"), [("pyarrow", "parquet"), ("tensorboard", "tensorboard")])
def test_what_is_missing_is_told_with_its_extra(
    cli: Callable[..., Result],
    runs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    form: str,
) -> None:
    find = importlib.util.find_spec
    missing: Callable[..., object] = lambda name, *more: None if name == module else find(name, *more)  # noqa: E731
    monkeypatch.setattr(importlib.util, "find_spec", missing)
    done = cli("export", runs, "--format", form, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert f"pip install 'vpbench[{form}]'" in done.stderr
    assert not (tmp_path / "out").exists()


def test_wrong_places_are_refused(cli: Callable[..., Result], runs: Path, tmp_path: Path) -> None:
    assert "there is no folder" in cli("export", runs, "--out", tmp_path / "no" / "x.parquet").stderr
    folder = cli("export", runs, "--out", tmp_path)
    assert (folder.exit_code, "it is a folder; name a file" in folder.stderr) == (2, True)
    assert cli("export", tmp_path / "nothing", "--out", tmp_path / "x").exit_code == 2
    make_run(tmp_path / "again", label="one", split={"name": "demo"})
    twice = cli("export", runs, tmp_path / "again", "--format", "tensorboard", "--out", tmp_path / "events")
    assert twice.exit_code == 2
    assert "Two runs would be written to" in twice.stderr
    assert not (tmp_path / "events").exists()


def test_events_stay_below_the_folder(cli: Callable[..., Result], tmp_path: Path) -> None:
    make_run(tmp_path / "runs", label="a", split={"name": "../../up"})
    done = cli("export", tmp_path / "runs", "--format", "tensorboard", "--out", tmp_path / "events")
    assert done.exit_code == 2, done.output
    assert not (tmp_path.parent / "up").exists()
