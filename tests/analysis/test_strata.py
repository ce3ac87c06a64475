"""Leaderboards by strata, against loops over the score lines: which frames are in a part, and the means there."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path
from typing import Any

import pytest
from boards import board_of
from runs import make_run, score_lines
from strata import CLASSES, varied_runs

from vpbench.analysis.strata import By, Strata, build_strata
from vpbench.errors import UsageError


def strata_of(folders: list[Path], by: By, **options: Any) -> Strata:
    return build_strata(board_of(*folders, **options), by)


def part_of(line: dict[str, Any], by: str, clusters: dict[str, str]) -> str:
    """Which part a frame is in, written down once more."""
    if by == "class":
        return clusters[str(line["clip"])].split("_g")[0]
    if by == "motion":
        return "<" if line["motion"] < 1.5 else "between" if line["motion"] < 3 else "above"
    return "easy" if line["copy_ssim"] >= 0.9 else "between" if line["copy_ssim"] >= 0.6 else "hard"


ORDER = {
    "motion": ["<", "between", "above"],
    "difficulty": ["easy", "between", "hard"],
    "class": sorted(CLASSES),
}


@pytest.mark.parametrize("by", ["motion", "difficulty", "class"])
@pytest.mark.parametrize("protocol", ["mathieu2016", "moving-pixels"])
def test_numbers_are_those_of_loops_over_the_lines(tmp_path: Path, by: By, protocol: str) -> None:
    folders = varied_runs(tmp_path, "a", "b", protocol=protocol)
    made = strata_of(folders, by)
    clusters = json.loads((folders[0] / "manifest.json").read_text())["split"]["clusters"]
    assert len(made.strata) == 3
    for stratum, name in zip(made.strata, ORDER[by], strict=True):
        for row, folder in enumerate(folders):
            lines = [
                line
                for line in score_lines(folder)
                if part_of(line, by, clusters) == name and (protocol != "mathieu2016" or line["copy"] < 50)
            ]
            assert stratum.total == len(lines)
            assert stratum.clips == len({line["clip"] for line in lines})
            assert stratum.clusters == len({clusters[str(line["clip"])] for line in lines})
            for frame in (1, 2):
                own = [line for line in lines if line["frame"] == frame]
                assert stratum.frames[frame] == len(own)
                for key in ("psnr", "ssim", "sharpness"):
                    capped = key == "psnr" and protocol == "mathieu2016"
                    scores = [min(line[key], 50.0) if capped else line[key] for line in own]
                    mean = stratum.board.rows[f"{key}_{frame}"][row]
                    assert mean == pytest.approx(statistics.mean(scores), abs=1e-6), (name, key, frame)
    if protocol == "moving-pixels":
        assert sum(stratum.total for stratum in made.strata) == 48


@pytest.mark.parametrize(
    ("by", "fact", "values"),
    [
        ("motion", "motion", [1.4999, 1.5, 2.9999, 3.0]),
        ("difficulty", "copy_ssim", [0.9, 0.8999, 0.6, 0.5999]),
    ],
)
def test_bounds_belong_to_one_part(tmp_path: Path, by: By, fact: str, values: list[float]) -> None:
    frame = {"psnr": 30.0, "ssim": 0.9, "sharpness": 20.0}
    scores = {
        1: [{**frame, fact: value} for value in values[:2]],
        2: [{**frame, fact: v} for v in values[2:]],
    }
    made = strata_of([make_run(tmp_path / "a", scores=scores)], by)
    assert [stratum.total for stratum in made.strata] == [1, 2, 1]
    low_high = [(stratum.part.low, stratum.part.high) for stratum in made.strata]
    assert (
        low_high
        == {
            "motion": [(None, 1.5), (1.5, 3.0), (3.0, None)],
            "difficulty": [(0.9, None), (0.6, 0.9), (None, 0.6)],
        }[by]
    )


def test_the_frames_do_not_depend_on_the_rows(tmp_path: Path) -> None:
    folders = varied_runs(tmp_path, "a", "b", "c")
    alone, together = strata_of(folders[:1], "motion"), strata_of(folders, "motion")
    for one, all_rows in zip(alone.strata, together.strata, strict=True):
        assert (one.frames, one.clips, one.clusters) == (all_rows.frames, all_rows.clips, all_rows.clusters)
        assert one.board.rows["psnr_1"][0] == all_rows.board.rows["psnr_1"][0]


def test_rows_stand_as_in_the_table(tmp_path: Path) -> None:
    folders = varied_runs(tmp_path, "a", "b", "c")
    made = strata_of(folders, "difficulty", sort="psnr_1", metrics=("psnr",))
    for stratum in made.strata:
        assert stratum.board.rows["label"].tolist() == made.board.rows["label"].tolist()
        assert [column.key for column in stratum.board.columns] == ["psnr"]


def test_an_empty_part_has_no_means(tmp_path: Path) -> None:
    frame = {"psnr": 30.0, "ssim": 0.9, "sharpness": 20.0, "motion": 2.0}
    runs = [make_run(tmp_path / label, label=label, scores={1: [frame, frame]}) for label in "ab"]
    slow, middle, fast = strata_of(runs, "motion").strata
    assert (slow.total, slow.clips, slow.clusters) == (fast.total, fast.clips, fast.clusters) == (0, 0, 0)
    assert all(math.isnan(mean) for mean in slow.board.rows["psnr_1"])
    assert middle.board.rows["psnr_1"].tolist() == [30.0, 30.0]
    assert not middle.board.rows["psnr_1_best"].any()


def test_frames_of_which_it_is_not_known_are_the_last_part(tmp_path: Path) -> None:
    frame = {"psnr": 30.0, "ssim": 0.9, "sharpness": 20.0, "motion": 2.0}
    scores = {1: [frame, {**frame, "motion": None}]}
    *_, last = strata_of([make_run(tmp_path / "a", scores=scores)], "motion").strata
    assert (last.part.name, last.total) == ("motion not known", 1)


def test_few_clusters_have_no_interval_and_no_best(tmp_path: Path) -> None:
    folders = varied_runs(tmp_path, "a", "b", clips=66)
    by_class = strata_of(folders, "class")
    assert [stratum.clusters for stratum in by_class.strata] == [11, 11, 11]
    for stratum in by_class.strata:
        low, high = stratum.board.rows["psnr_1_low"], stratum.board.rows["psnr_1_high"]
        assert (low < stratum.board.rows["psnr_1"]).all()
        assert (high > stratum.board.rows["psnr_1"]).all()
        assert stratum.board.rows["psnr_1_best"].any()
    fewer = strata_of(varied_runs(tmp_path / "few", "a", "b", clips=18), "class")
    for stratum in fewer.strata:
        assert stratum.clusters == 3
        assert stratum.board.rows["psnr_1_low"].isna().all()
        assert not stratum.board.rows["psnr_1_best"].any()


def test_a_run_of_schema_1_has_no_means_and_alone_no_strata(tmp_path: Path) -> None:
    (new,) = varied_runs(tmp_path, "new")
    scores = {
        line["clip"]: [{"psnr": 30.0, "ssim": 0.9, "sharpness": 20.0} for _ in range(2)]
        for line in score_lines(new)
    }
    old = make_run(tmp_path / "old", label="old", scores=scores, schema=1)
    for stratum in strata_of([new, old], "motion").strata:
        assert [math.isnan(mean) for mean in stratum.board.rows["psnr_1"]] == [False, True]
    with pytest.raises(
        UsageError, match=r"--by motion: the runs were made by an earlier vpbench.*vpbench migrate RUN"
    ):
        strata_of([old], "motion")


def test_what_the_runs_do_not_say_is_refused(tmp_path: Path) -> None:
    frame = {"psnr": 30.0, "ssim": 0.9, "sharpness": 20.0}
    still = make_run(tmp_path / "a", protocol="full-frame", scores={1: [{**frame, "motion": None}] * 2})
    with pytest.raises(
        UsageError, match=r"protocol 'full-frame' has no moving area from flow vectors\. Use --by diff"
    ):
        strata_of([still], "motion")
    with pytest.raises(UsageError, match=r"split 'demo' has clips without a class \('1.avi'\)"):
        strata_of([still], "class")
    excluded = make_run(tmp_path / "b", scores={1: [{**frame, "copy": 55.0}] * 2})
    with pytest.raises(UsageError, match="no frame on which all rows can be compared"):
        strata_of([excluded], "difficulty")


def test_each_part_has_the_differences_to_the_baseline(tmp_path: Path) -> None:
    folders = varied_runs(tmp_path, "a", "b")
    clusters = json.loads((folders[0] / "manifest.json").read_text())["split"]["clusters"]
    for stratum, name in zip(strata_of(folders, "motion", against="a").strata, ORDER["motion"], strict=True):
        leads = [
            min(b["psnr"], 50) - min(a["psnr"], 50)
            for a, b in zip(*map(score_lines, folders), strict=True)
            if part_of(a, "motion", clusters) == name and a["copy"] < 50 and a["frame"] == 1
        ]
        rows = stratum.board.rows
        assert rows["psnr_1_difference"][1] == pytest.approx(statistics.mean(leads))
        assert rows["psnr_1_win_rate"][1] == pytest.approx(statistics.mean(lead > 0 for lead in leads))
        assert math.isnan(rows["psnr_1_difference"][0])
    assert "psnr_1_difference" not in strata_of(folders, "motion").strata[0].board.rows
