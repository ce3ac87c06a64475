"""Skill: differences to a baseline, win rates, all pairs, and the differences to published scores."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from boards import board_of, graded_runs, with_fields
from runs import by_column, make_run

from vpbench.analysis.comparison import compare
from vpbench.errors import UsageError
from vpbench.runs.run import read_run
from vpbench.scoring.built_in import get_protocol
from vpbench.splits import get_split


def test_differences_to_the_last_frame_are_those_of_a_comparison(tmp_path: Path) -> None:
    folders = graded_runs(tmp_path, {"good": 2, "last_frame": 0, "as_good": 0.1})
    rows = board_of(*folders).rows
    base = read_run(folders[1])
    for n in (0, 2):
        for d in compare(read_run(folders[n]), base).differences:
            key = f"{d.column.key}_{d.frame}"
            assert rows[f"{key}_difference"][n] == pytest.approx(d.mean)
            assert rows[f"{key}_difference_low"][n] == pytest.approx(d.low)
            assert rows[f"{key}_difference_high"][n] == pytest.approx(d.high)
            assert rows[f"{key}_win_rate"][n] == (d.wins + d.ties / 2) / d.clips
    assert rows["psnr_1_difference_low"][0] > 0
    assert rows["psnr_1_difference_low"][2] < 0 < rows["psnr_1_difference_high"][2]
    assert rows["ssim_1_win_rate"][0] == 0.5  # all ties
    assert math.isnan(rows["psnr_1_difference"][1])


def test_another_baseline_is_named_by_its_label(tmp_path: Path) -> None:
    folders = graded_runs(tmp_path, {"one": 2, "two": 0})
    assert board_of(*folders).against is None
    assert "psnr_1_difference" not in board_of(*folders).rows
    made = board_of(*folders, against="One")
    assert made.against == "one"
    assert made.rows["psnr_1_difference"][1] < 0
    with pytest.raises(UsageError, match=r"Unknown row 'on'.*Did you mean one"):
        board_of(*folders, against="on")


def test_a_baseline_of_schema_1_gives_no_differences(tmp_path: Path) -> None:
    (old,) = graded_runs(tmp_path / "old", {"last_frame": 0}, schema=1)
    made = board_of(old, *graded_runs(tmp_path, {"new": 2}))
    assert "psnr_1_difference" not in made.rows


def test_few_clusters_have_a_difference_and_no_interval(tmp_path: Path) -> None:
    clusters = {"clusters": {clip: f"{clip % 5}.avi" for clip in range(30)}}
    rows = board_of(*graded_runs(tmp_path, {"last_frame": 0, "good": 2}, split=clusters)).rows
    assert rows["psnr_1_difference"][1] > 1
    assert math.isnan(rows["psnr_1_difference_low"][1])


def test_rows_are_sorted_by_difference_and_win_rate(tmp_path: Path) -> None:
    folders = graded_runs(tmp_path, {"last_frame": 0, "low": 1, "high": 4, "mid": 2})
    expected = ["high", "mid", "low", "last_frame"]
    assert board_of(*folders, sort="psnr_1_difference").rows["label"].tolist() == expected
    assert board_of(*folders, sort="psnr_1_win_rate").rows["label"].tolist() == expected


def test_pairs_are_in_the_order_of_the_rows(tmp_path: Path) -> None:
    folders = graded_runs(tmp_path, {"low": 0, "high": 4, "mid": 2})
    pairs = board_of(*folders, sort="rank").ranking.pairs
    assert (np.triu(pairs.differences, 1)[np.triu_indices(3, 1)] > 0).all()
    assert (pairs.better(0.95, True) == np.triu(np.ones((3, 3), bool), 1)).all()


def whole_run(folder: Path, label: str, psnr: float, **split: object) -> Path:
    """A run of the whole split of the paper, all scores equal."""
    clips = get_split("ucf101-every10th")
    frames = by_column(psnr=[psnr, 20.0], ssim=[0.9, 0.8], sharpness=[25.0, 24.0])
    facts = {"name": clips.name, "hash": clips.hash, "total": 379, **split}
    return make_run(folder, label=label, scores={c.index: frames for c in clips.clips}, split=facts)


def test_published_scores_have_the_difference_to_the_measured_ones(tmp_path: Path) -> None:
    made = board_of(
        whole_run(tmp_path / "a", "last_frame", 29.45), whole_run(tmp_path / "b", "mine", 31.0)
    ).rows.set_index("label")
    assert made.loc["Last input", "psnr_1_minus_published"] == pytest.approx(29.45 - 28.7)
    assert made.loc["Last input", "psnr_2_minus_published"] == pytest.approx(20 - 23.8)
    assert made.loc[["Optical flow", "mine"], "psnr_1_minus_published"].isna().all()


@pytest.mark.parametrize("case", ["part", "other split", "other protocol", "two rows"])
def test_scores_of_another_setting_have_none(tmp_path: Path, case: str) -> None:
    folders = [
        whole_run(tmp_path / "a", "last_frame", 29.0, **({"hash": "x"} if case == "other split" else {}))
    ]
    if case == "part":
        folders = [with_fields(folders[0])]
        (folders[0] / "scores.jsonl").write_text(
            "".join((folders[0] / "scores.jsonl").read_text().splitlines(keepends=True)[:-2])
        )
        with_fields(folders[0], status="running")
        made = board_of(*folders, allow_incomplete=True)
    elif case == "other protocol":
        manifest = read_run(folders[0]).data["protocol"]
        assert manifest["hash"] == get_protocol("mathieu2016").hash
        made = board_of(with_fields(folders[0], protocol={**manifest, "hash": "0" * 16}))
    else:
        folders += [whole_run(tmp_path / "b", "last_frame", 28.0)] if case == "two rows" else []
        made = board_of(*folders)
    assert made.published
    assert not any(str(name).endswith("_minus_published") for name in made.rows)
