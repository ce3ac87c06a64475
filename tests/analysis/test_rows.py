"""Trainings of one method from several seeds as one row; rows and columns that are selected and sorted."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from boards import SPLIT, board_of, graded_runs, with_fields
from runs import by_column, make_run

from vpbench.errors import UsageError


def test_seeds_of_a_method_are_one_row(tmp_path: Path) -> None:
    folders = graded_runs(tmp_path, {"s1": 0, "s2": 0.5, "s3": 1, "other": 4})
    for seed, folder in enumerate(folders[:3], start=1):
        predictor = {"name": "adv", "options": {"weights": f"w{seed}"}, "description": {"seed": seed}}
        with_fields(folder, predictor=predictor)
    made, apart = board_of(*folders), board_of(*folders, group=False)
    assert made.rows["label"].tolist() == ["adv", "other"]
    assert apart.rows["label"].tolist() == ["s1", "s2", "s3", "other"]
    means = apart.rows["psnr_1"][:3]
    assert made.rows["psnr_1"][0] == pytest.approx(means.mean())
    assert made.rows["psnr_1_sd"][0] == pytest.approx(means.std(ddof=1))
    assert math.isnan(made.rows["psnr_1_sd"][1])
    assert made.rows["seeds"].tolist() == [3, 1]
    assert made.rows["rank"].tolist() == [2, 1]
    assert "3 trainings (seeds 1, 2, 3)" in made.footnotes[made.marks[0][0]]
    lows = apart.rows["psnr_1_low"][:3]
    assert lows.min() < made.rows["psnr_1_low"][0] < lows.max()


@pytest.mark.parametrize(
    "other",
    [
        {"name": "adv", "options": {}, "description": {"seed": 1}},
        {"name": "adv", "options": {"scale": "2"}, "description": {"seed": 2}},
        {"name": "gdl", "options": {}, "description": {"seed": 2}},
        {"name": "adv", "options": {}, "description": {"seed": 2, "training_data": "more"}},
        {"name": "adv", "options": {}, "description": {"seed": 2, "recipe": "own/adv"}},
        {"name": "adv", "options": {}, "description": {"seed": 2, "steps": 5}},
        {"name": "adv", "options": {}, "description": {}},
    ],
    ids=[
        "same seed",
        "other option",
        "other predictor",
        "other data",
        "other recipe",
        "other steps",
        "no seed",
    ],
)
def test_what_differs_in_more_than_the_seed_stays_apart(tmp_path: Path, other: dict[str, object]) -> None:
    one, two = graded_runs(tmp_path, {"one": 0, "two": 0})
    with_fields(one, predictor={"name": "adv", "options": {}, "description": {"seed": 1}})
    with_fields(two, predictor=other)
    assert board_of(one, two).rows["label"].tolist() == ["one", "two"]


def test_rows_and_metrics_are_selected_and_sorted(tmp_path: Path) -> None:
    folders = graded_runs(tmp_path, {"b_one": 0, "a_two": 4, "b_three": 2}, split=SPLIT)
    made = board_of(*folders, only=["B_*", "last input"], metrics=["ssim", "psnr"], sort="psnr_1")
    assert made.rows["label"].tolist() == ["b_three", "b_one", "Last input"]
    assert [column.key for column in made.columns] == ["ssim", "psnr"]
    assert not any(str(name).startswith("sharpness") for name in made.rows)
    assert made.rows["rank"].tolist()[:2] == [1, 2]
    assert board_of(*folders, sort="label", only=["?_*"]).rows["label"].tolist() == [
        "a_two",
        "b_one",
        "b_three",
    ]
    assert board_of(*folders, sort="rank").rows["label"].tolist()[:3] == ["a_two", "b_three", "b_one"]
    # ranks go by the protocol's first metric even where it is not shown
    assert board_of(*folders, metrics=["ssim"], sort="rank", only=["?_*"]).rows["rank"].tolist() == [1, 2, 3]
    for options, message in (
        ({"only": ["c_*"]}, "Unknown row"),
        ({"only": ["Adv*"]}, "No run is left"),
        ({"metrics": ["pnsr"]}, "Did you mean psnr"),
        ({"sort": "psnr"}, "Did you mean psnr_"),
        ({"rank_by": "psnr_9"}, "Did you mean psnr_"),
    ):
        with pytest.raises(UsageError, match=message):
            board_of(*folders, **options)


def test_an_interval_ends_where_the_metric_does(tmp_path: Path) -> None:
    values = [1.0] * 9 + [0.7]
    scores = {
        clip: by_column(psnr=[30.0 + clip], ssim=[ssim], sharpness=[25.0]) for clip, ssim in enumerate(values)
    }
    made = board_of(make_run(tmp_path / "one", scores={c: [f[0]] * 2 for c, f in scores.items()}))
    ((_, row),) = made.measured.iterrows()
    mean = sum(values) / 10
    assert row["ssim_1"] == pytest.approx(mean)
    assert row["ssim_1_low"] < mean - (1 - mean)  # so that the same to the other side would leave the range
    assert row["ssim_1_high"] == 1
    assert row["psnr_1_high"] - row["psnr_1"] == pytest.approx(row["psnr_1"] - row["psnr_1_low"])
