"""`vpbench.load`: scores of runs as a tidy data frame."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from runs import by_column, edit_manifest, make_run

import vpbench
from vpbench.scoring.protocol import MetricUse, Protocol


def test_a_run_is_a_row_for_each_clip_and_frame(tmp_path: Path) -> None:
    scores = {
        11: by_column(psnr=[31.0, 30.0], ssim=[0.9, 0.8], sharpness=[25.0, 24.0]),
        1: by_column(psnr=[60.0, None], ssim=[1.0, 0.7], sharpness=[50.0, 20.0], counted=[False, False]),
    }
    folder = make_run(tmp_path / "a", label="mine", scores=scores)
    table = vpbench.load(str(folder))
    assert table[["clip", "frame"]].to_numpy().tolist() == [[1, 1], [1, 2], [11, 1], [11, 2]]
    assert list(table) == [
        *("split", "protocol", "run", "clip", "frame", "cluster", "psnr", "ssim", "sharpness"),
        *("moving", "counted", "copy", "copy_ssim", "motion"),
    ]
    assert table["psnr"].dropna().tolist() == [60.0, 31.0, 30.0]
    assert math.isnan(table["psnr"][1])
    assert table["counted"].tolist() == [False, False, True, True]
    kinds = {"clip": "int64", "frame": "int64", "psnr": "float64", "moving": "float64", "counted": "bool"}
    assert {key: str(table[key].dtype) for key in kinds} == kinds
    assert set(table["run"]) == {"mine"}
    clusters = json.loads((folder / "manifest.json").read_text())["split"]["clusters"]
    assert table["cluster"].tolist() == [clusters[clip] for clip in ("1", "1", "11", "11")]


def test_attrs_say_what_the_scores_are_of(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a", label="mine")
    attrs = vpbench.load(folder).attrs
    run = vpbench.read_run(folder)
    assert attrs["protocol"]["hash"] == run.manifest.protocol.hash
    assert attrs["predictor"]["name"] == run.manifest.predictor.name
    assert attrs["split"]["name"] == run.manifest.split.name
    assert "clusters" not in attrs["split"]
    assert attrs["runs"][0]["folder"] == str(folder)
    json.dumps(attrs)


def test_a_folder_of_runs_has_them_all_whatever_their_protocols(tmp_path: Path) -> None:
    other = Protocol("other", 1, "", {"other": MetricUse("ssim")}, targets=1)
    make_run(tmp_path / "one" / "a", label="a")
    make_run(tmp_path / "one" / "b", label="b")
    make_run(tmp_path / "two" / "a", label="a")
    make_run(tmp_path / "two" / "c", label="a", protocol=other, scores={1: by_column(other=[0.5])})
    table = vpbench.load(tmp_path)
    names = table[["protocol", "run"]].drop_duplicates().to_numpy().tolist()
    assert names == [["mathieu2016", name] for name in ("a (one)", "b", "a (two)")] + [["other", "a"]]
    assert table.loc[table["protocol"] == "other", "psnr"].isna().all()
    assert table["other"].dropna().tolist() == [0.5]
    assert [run["run"] for run in table.attrs["runs"]] == [name for _, name in names]
    assert "protocol" not in table.attrs
    assert str(table["counted"].dtype) == "bool"


def test_means_are_those_of_the_leaderboard(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    scores = {
        clip: by_column(
            psnr=rng.normal(30, 5, 2).tolist(),
            ssim=[0.9, 0.8],
            sharpness=[25.0, 24.0],
            counted=(rng.random(2) < 0.7).tolist(),
        )
        for clip in range(20)
    }
    folder = make_run(tmp_path / "a", scores=scores)
    table = vpbench.load(folder)
    row = vpbench.build_leaderboard([vpbench.read_run(folder)]).rows.iloc[0]
    means = table[table["counted"]].groupby("frame")["psnr"].mean()
    assert means.tolist() == pytest.approx([row["psnr_1"], row["psnr_2"]])


def test_a_run_of_an_earlier_version_has_no_clusters_and_facts(tmp_path: Path) -> None:
    table = vpbench.load(make_run(tmp_path / "old", schema=1))
    assert table[["cluster", "copy", "motion"]].isna().all(axis=None)


def test_names_are_harmless_and_a_taken_name_is_refused(tmp_path: Path) -> None:
    make_run(tmp_path / "a", label="x\x1b[31my")
    assert set(vpbench.load(tmp_path)["run"]) == {"xy"}
    taken = Protocol("mine", 1, "", {"run": MetricUse("ssim")}, targets=1)
    bad = make_run(tmp_path / "bad", protocol=taken, scores={1: by_column(run=[0.5])})
    with pytest.raises(vpbench.UsageError, match="metric 'run', the name of another column"):
        vpbench.load(bad)
    with pytest.raises(vpbench.UsageError, match="There is no run in"):
        vpbench.load(tmp_path / "nothing")


def test_an_unfinished_run_is_loaded_and_says_so(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a")
    edit_manifest(folder, status="running")
    table = vpbench.load(folder)
    assert isinstance(table, pd.DataFrame)
    assert table.attrs["status"] == "running"
