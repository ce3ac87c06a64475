"""Ranks and intervals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

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
    assert (made.statistics.least_pairs, made.statistics.most_pairs) == (30, 30)
    assert board_of(*graded_runs(tmp_path / "b", {"a": 0, "b": 3}), rank_by="ssim_2").rows[
        "rank"
    ].tolist() == [1, 1]


def test_ranks_see_only_the_clips_that_both_count(tmp_path: Path) -> None:
    one, two = graded_runs(tmp_path, {"one": 0, "two": 0.1}, noise=0.01)
    lines = [json.loads(line) for line in (one / "scores.jsonl").read_text().splitlines()]
    for line in lines:
        if line["psnr"] < 30:  # the hard clips: leaving them out lifts the mean, not the rank
            line["counted"] = False
    (one / "scores.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    made = board_of(one, two)
    assert made.rows["psnr_1"][0] > made.rows["psnr_1"][1] + 1
    assert made.rows["rank"].tolist() == [2, 1]
    assert made.statistics.least_pairs < 30


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


def test_a_run_without_enough_counted_clips_has_no_rank_and_takes_none(tmp_path: Path) -> None:
    one, two = graded_runs(tmp_path, {"one": 0, "two": 5})
    nothing = {
        n: by_column(psnr=[60.0, 60.0], ssim=[1.0] * 2, sharpness=[50.0] * 2, counted=[False] * 2)
        for n in range(30)
    }
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
    printed = render(made, "text")
    assert (
        "Rows that have seen test clips (contaminated), or tuned on test clips (‡) have no rank"
        in " ".join(printed.split())
    )


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
        lambda definition: tuple(replace(c, higher_is_better=False) for c in real(definition)),
    )
    assert board_of(*folders).rows["rank"].tolist() == [1, 2]
