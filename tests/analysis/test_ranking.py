"""Ranks and intervals."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from boards import board_of, graded_runs, with_fields
from runs import by_column, make_run

from vpbench.analysis import columns, leaderboard
from vpbench.tables.render import render


def test_ranks_and_intervals_follow_the_paired_differences(tmp_path: Path) -> None:
    made = board_of(*graded_runs(tmp_path, {"low": -3, "same": 0, "as_same": 0.02, "high": 3}))
    assert made.rows["rank"].tolist() == [4, 2, 2, 1]
    for _, row in made.rows.iterrows():
        assert row["psnr_1_low"] < row["psnr_1"] < row["psnr_1_high"]
    # the intervals overlap by far, and yet all clips together tell the runs apart
    assert made.rows["psnr_1_high"][1] > made.rows["psnr_1_low"][3]
    # scores that do not vary have intervals of no width
    assert made.rows["ssim_1_low"].tolist() == pytest.approx([0.9] * 4)
    assert (made.clusters, made.ranking.statistics.clips, made.ranking.statistics.clusters) == (30, 30, 30)
    assert board_of(*graded_runs(tmp_path / "b", {"a": 0, "b": 3}), rank_by="ssim_2").rows[
        "rank"
    ].tolist() == [1, 1]


def edit_scores(folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Replace fields of each line of a run's scores."""
    lines = [json.loads(line) for line in (folder / "scores.jsonl").read_text().splitlines()]
    text = "".join(json.dumps({**line, **change(line)}) + "\n" for line in lines)
    (folder / "scores.jsonl").write_text(text)


def test_ranks_do_not_depend_on_what_a_run_counts(tmp_path: Path) -> None:
    one, two = graded_runs(tmp_path, {"one": 0, "two": 0.1}, noise=0.01)
    # the hard clips: leaving them out lifts the mean, not the rank
    edit_scores(one, lambda line: {"counted": line["psnr"] >= 30})
    made = board_of(one, two)
    assert made.rows["psnr_1"][0] > made.rows["psnr_1"][1] + 1
    assert made.rows["rank"].tolist() == [2, 1]
    assert made.ranking.statistics.clips == 30


def test_ranks_leave_out_the_clips_whose_copy_is_excluded(tmp_path: Path) -> None:
    """One run fails on still clips, where the other is near perfect: not what the rule of exclusion is to see."""
    one, two = graded_runs(tmp_path, {"fails": 0.5, "copies": 0}, noise=0.01)
    still = {"copy": 61.5}
    edit_scores(one, lambda line: still | {"psnr": 44.0, "counted": True} if line["clip"] < 12 else {})
    edit_scores(two, lambda line: still | {"psnr": 61.4, "counted": False} if line["clip"] < 12 else {})
    made = board_of(one, two)
    assert made.rows["psnr_1"][0] > made.rows["psnr_1"][1] + 3  # its failures raise its mean
    assert made.rows["rank"].tolist() == [1, 2]
    assert made.ranking.statistics.clips == 18
    edit_scores(one, lambda line: {"copy": 30.0})
    edit_scores(two, lambda line: {"copy": 30.0})
    assert board_of(one, two).ranking.pairs.differences[0, 1] < 0  # now they count, capped at 50 dB


def test_clips_of_one_video_are_one_cluster(tmp_path: Path) -> None:
    clusters = {n: f"{n % 5}.avi" for n in range(30)}
    few = board_of(*graded_runs(tmp_path / "few", {"one": 0, "two": 5}, split={"clusters": clusters}))
    assert few.clusters == 5
    assert few.rows["rank"].isna().all()
    assert few.rows["psnr_1_low"].isna().all()
    assert not few.rows["psnr_1_best"].any()
    clusters = {n: f"{n % 6}.avi" for n in range(30)}
    enough = board_of(*graded_runs(tmp_path / "enough", {"one": 0, "two": 5}, split={"clusters": clusters}))
    assert enough.rows["rank"].tolist() == [2, 1]
    assert enough.rows["psnr_1_low"].notna().all()
    assert enough.rows["psnr_1_best"].tolist() == [False, True]


def test_the_best_are_those_that_are_not_significantly_worse(tmp_path: Path) -> None:
    folders = graded_runs(tmp_path, {"low": -3, "best": 0.1, "as_good": 0, "contaminated": 3})
    with_fields(
        folders[3],
        submission={"method": "x", "test_clips_seen": True, "training_data": "UCF101", "citation": "x"},
    )
    made = board_of(*folders)
    for key in ("psnr_1", "psnr_2"):
        assert made.rows[f"{key}_best"].tolist() == [False, True, True, False]
    assert made.rows["ssim_1_best"].tolist() == [True, True, True, False]  # all equal
    assert not board_of(folders[0]).rows["psnr_1_best"].any()  # nothing to be better than


def test_runs_of_schema_1_have_means_only(tmp_path: Path) -> None:
    one, two = graded_runs(tmp_path, {"one": 0, "two": 5})
    (old,) = graded_runs(tmp_path / "old", {"old": 9}, schema=1)
    made = board_of(one, two, old)
    assert made.rows["rank"].tolist()[:2] == [2, 1]
    assert made.rows["rank"].isna().tolist() == [False, False, True]
    assert made.rows["psnr_1_low"].isna().tolist() == [False, False, True]
    assert made.rows["psnr_1"][2] > made.rows["psnr_1"][1]
    assert made.rows["psnr_1_best"].tolist() == [False, True, False]
    assert any("old: made by an earlier vpbench" in note and "vpbench migrate" in note for note in made.notes)
    alone = board_of(old)
    assert alone.clusters is None
    assert not alone.ranked


def test_equal_runs_share_a_rank_and_few_clips_have_none(tmp_path: Path) -> None:
    scores = {n: by_column(psnr=[30.0 + n, 29.0], ssim=[0.9, 0.8], sharpness=[25.0, 24.0]) for n in range(9)}
    same = board_of(*(make_run(tmp_path / n, label=n, scores=scores) for n in "ab"))
    assert same.rows["rank"].tolist() == [1, 1]
    assert (
        board_of(make_run(tmp_path / "c", scores=scores)).rows["rank"].isna().all()
    )  # nothing to be better than
    few = board_of(*(make_run(tmp_path / n, label=n) for n in "de"))
    assert few.rows["rank"].isna().all()
    assert few.rows["psnr_1_low"].isna().all()
    assert not few.ranked


def test_a_run_without_a_defined_score_has_no_rank_and_takes_none(tmp_path: Path) -> None:
    one, two = graded_runs(tmp_path, {"one": 0, "two": 5})
    nothing = {n: by_column(psnr=[None] * 2, ssim=[1.0] * 2, sharpness=[50.0] * 2) for n in range(30)}
    made = board_of(one, two, make_run(tmp_path / "x", label="x", scores=nothing))
    assert made.rows["rank"].isna().tolist() == [False, False, True]
    assert made.rows["rank"].tolist()[:2] == [2, 1]


def test_contaminated_runs_have_no_rank_and_take_none(tmp_path: Path) -> None:
    one, two = graded_runs(tmp_path, {"one": 0, "two": 5})
    with_fields(
        two, submission={"method": "Two", "test_clips_seen": True, "training_data": "UCF101", "citation": "x"}
    )
    made = board_of(one, two)
    assert made.rows["rank"].tolist() == [1, pd.NA]
    assert made.rows["test_clips_seen"].tolist() == ["no", "yes"]
    assert made.rows["training_data"].tolist()[1] == "UCF101"
    assert "contaminated" in made.footnotes[made.marks[1][0]]


@pytest.mark.parametrize("who", ["predictor", "submission"])
def test_runs_tuned_on_test_clips_have_their_own_mark_and_no_rank(tmp_path: Path, who: str) -> None:
    one, two, three = graded_runs(tmp_path, {"one": 0, "two": 5, "three": 9})
    said = {"method": "x", "training_data": "UCF101", "citation": "x"}
    if who == "predictor":
        predictor = {"name": "two", "options": {}, "description": {"test_clips_seen": "tuned"}}
        with_fields(two, predictor=predictor, submission={**said, "test_clips_seen": "no"})
    else:
        with_fields(two, submission={**said, "test_clips_seen": "tuned"})
    with_fields(three, submission={**said, "test_clips_seen": True})
    made = board_of(one, two, three)
    assert made.rows["rank"].tolist() == [1, pd.NA, pd.NA]
    assert made.eligible == [True, False, False]
    assert made.rows["test_clips_seen"].tolist() == ["no", "tuned", "yes"]
    assert made.marks[0] == ()
    assert made.marks[1] == ("‡",)
    assert "made with an eye on them" in made.footnotes["‡"]
    assert "contaminated" in made.footnotes[made.marks[2][0]]
    printed = " ".join(render(made).split())
    assert "‡ tuned on test clips: a choice was made with an eye on them; no rank." in printed
    assert "§ trained on clips of this test set (contaminated); no rank." in printed


def test_a_seed_that_was_tuned_takes_the_rank_of_its_row(tmp_path: Path) -> None:
    folders = graded_runs(tmp_path, {"s1": 0, "s2": 0, "other": 1})
    for seed, seen in ((1, "no"), (2, "tuned")):
        description = {"seed": seed, "test_clips_seen": seen}
        with_fields(folders[seed - 1], predictor={"name": "adv", "options": {}, "description": description})
    made = board_of(*folders)
    assert made.rows["test_clips_seen"].tolist() == ["tuned", "no"]
    assert made.rows["rank"].tolist() == [pd.NA, 1]
    assert made.marks[0][-1] == "‡"


def test_lower_is_better_turns_ranks_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = graded_runs(tmp_path, {"one": 0, "two": 5})
    real = columns.score_columns
    monkeypatch.setattr(
        leaderboard,
        "score_columns",
        lambda *given: tuple(replace(c, higher_is_better=False) for c in real(*given)),
    )
    assert board_of(*folders).rows["rank"].tolist() == [1, 2]
