import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from runs import by_column, make_run

from vpbench.analysis import columns, leaderboard
from vpbench.analysis.leaderboard import Leaderboard, LeaderboardOptions, build_leaderboard
from vpbench.errors import UsageError, VpbenchError
from vpbench.results.published_tables import PublishedRow, PublishedTable, Source
from vpbench.runs.run import read_run
from vpbench.scoring.built_in import BUILT_IN
from vpbench.scoring.protocol import Exclusion, MaskRule, MetricUse, Protocol
from vpbench.scoring.wording import mask_in_words

SPLIT = {"name": "ucf101-every10th", "total": 379}


def board(*folders: Path, **options: object) -> Leaderboard:
    return build_leaderboard([read_run(folder) for folder in folders], LeaderboardOptions(**options))  # type: ignore[arg-type]


def test_means_run_over_the_counted_frames_of_each_frame_index(tmp_path: Path) -> None:
    scores = {
        1: by_column(psnr=[20.0, 10.0], ssim=[0.5, 0.4], sharpness=[24.0, 23.0], moving=[0.1, 0.3]),
        11: by_column(
            psnr=[55.0, 20.0],
            ssim=[0.99, 0.6],
            sharpness=[40.0, 25.0],
            moving=[0.0, 0.2],
            counted=[False, True],
        ),
        21: by_column(psnr=[30.0, None], ssim=[0.7, 0.5], sharpness=[26.0, 24.0], moving=[0.2, 0.4]),
    }
    row = board(make_run(tmp_path / "a", scores=scores)).rows.iloc[0]
    assert row["psnr_1"] == pytest.approx((20 + 30) / 2)
    assert row["ssim_1"] == pytest.approx((0.5 + 0.7) / 2)
    assert row["sharpness_2"] == pytest.approx((23 + 25) / 2)
    assert row["psnr_2"] == pytest.approx((10 + 20) / 2)
    assert [row[f"frames_{why}_1"] for why in ("counted", "excluded", "undefined")] == [2, 1, 0]
    assert [row[f"frames_{why}_2"] for why in ("counted", "excluded", "undefined")] == [2, 0, 1]
    assert row["moving_fraction"] == pytest.approx((0.1 + 0.3 + 0.0 + 0.2 + 0.2 + 0.4) / 6)


def test_a_run_without_a_counted_frame_has_no_mean(tmp_path: Path) -> None:
    nothing = by_column(psnr=[60.0, 60.0], ssim=[1.0, 1.0], sharpness=[50.0, 50.0], counted=[False, False])
    row = board(make_run(tmp_path / "a", scores={1: nothing})).rows.iloc[0]
    assert math.isnan(row["psnr_1"])
    assert row["frames_excluded_1"] == 1


def test_long_horizons_have_the_mean_of_all_frames_first_and_last(tmp_path: Path) -> None:
    psnr = [30.0, 28.0, 26.0, 24.0, 22.0, 20.0, 18.0, 16.0]
    scores = {1: by_column(psnr=psnr, ssim=[0.9] * 8, sharpness=[25.0] * 8)}
    made = board(make_run(tmp_path / "a", protocol="ucf101-8to8", scores=scores))
    assert made.frames == ("all", 1, 8)
    row = made.rows.iloc[0]
    assert row["psnr_all"] == pytest.approx(23.0)
    assert (row["psnr_1"], row["psnr_5"], row["psnr_8"]) == (30.0, 22.0, 16.0)
    assert row["frames_counted_all"] == 8


def test_no_runs_is_an_error() -> None:
    with pytest.raises(UsageError, match="at least one run"):
        build_leaderboard([])


def test_a_folder_given_twice_is_one_row(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a")
    assert len(board(folder, tmp_path / "." / "a").rows) == 1


def test_other_protocols_are_refused_by_name(tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", label="one")
    other = make_run(tmp_path / "b", label="two", protocol="full-frame")
    with pytest.raises(UsageError) as caught:
        board(first, other)
    for part in ("'one'", "'two'", str(first), str(other), "mathieu2016 version 1", "full-frame", "mask"):
        assert part in str(caught.value)


def test_a_protocol_of_the_same_name_but_another_definition_is_refused(tmp_path: Path) -> None:
    base = {"name": "mine", "version": 1, "summary": "", "metrics": {"psnr": MetricUse("psnr")}}
    runs = [
        make_run(tmp_path / str(n), protocol=Protocol(**base, first_frame=n))  # type: ignore[arg-type]
        for n in (0, 1)
    ]
    with pytest.raises(UsageError, match="what differs: first_frame"):
        board(*runs)


def test_other_splits_are_refused(tmp_path: Path) -> None:
    runs = make_run(tmp_path / "a"), make_run(tmp_path / "b", label="two", split={"name": "mine"})
    with pytest.raises(UsageError, match=r"splits differ, demo .* and mine"):
        board(*runs)


def test_other_clips_are_refused_and_named(tmp_path: Path) -> None:
    def scores(*clips: int) -> dict[int, list[dict[str, object]]]:
        return {clip: by_column(psnr=[30.0, 29.0], ssim=[0.9, 0.8], sharpness=[25.0, 24.0]) for clip in clips}

    one = make_run(tmp_path / "a", label="one", scores=scores(1, 11, 21, 31))
    two = make_run(tmp_path / "b", label="two", scores=scores(1, 11, 41), split={"total": 4})
    with pytest.raises(UsageError) as caught:
        board(one, two)
    assert "Only 'one' has 2 clips: 21, 31. Only 'two' has 1 clip: 41." in str(caught.value)


def test_an_incomplete_run_is_refused_with_the_way_to_finish_it(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a", status="running", split={"scored": 40})
    with pytest.raises(UsageError, match=r"'last_frame' .*not complete: 3 of 40 clips.*resumes"):
        board(folder)
    assert list(board(folder, allow_incomplete=True).footnotes.values()) == ["run not complete"]


def test_a_run_without_scores_is_refused(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a", status="running", scores={})
    with pytest.raises(UsageError, match=r"'last_frame' .* has no scores yet"):
        board(folder, allow_incomplete=True)


def test_a_manifest_that_lacks_facts_is_refused_by_file(tmp_path: Path) -> None:
    with pytest.raises(VpbenchError, match=r"manifest\.json is damaged"):
        board(with_facts(make_run(tmp_path / "a"), environment={"python": "3.12"}))


@pytest.mark.parametrize(
    "facts",
    [
        {"cost": {"parameters": 1.5}},
        {"cost": {"parameters": 10**30}},
        {"cost": {"ms_per_frame": "fast"}},
        {"cost": {"ms_per_frame": math.nan}},
        {"cost": [1]},
        {"submission": ["x"]},
        {"split": {"name": "demo", "hash": "d", "total": 2**70}},
        {"predictor": {"name": "x", "options": [1]}},
    ],
)
def test_facts_of_the_wrong_type_are_refused_by_file(tmp_path: Path, facts: dict[str, object]) -> None:
    with pytest.raises(VpbenchError, match=r"manifest\.json is damaged"):
        board(with_facts(make_run(tmp_path / "a"), **facts))


def test_rows_on_other_prepared_clips_have_a_footnote(tmp_path: Path) -> None:
    other = {
        "hash": "q" * 16,
        "decoder": {"name": "opencv", "version": "5.0.0"},
        "clips": {"1": "0" * 15 + "1", "11": "x", "21": "y"},
    }
    folders = [make_run(tmp_path / name, label=name) for name in "abc"]
    folders.insert(0, make_run(tmp_path / "new", label="new", prepared=other))
    made = board(*folders)
    assert made.marks == (("a",), (), (), ())
    assert "hash qqqqqqqqqqqqqqqq instead of pppppppppppppppp, 2 clips differ" in made.footnotes["a"]
    assert "decoder version 5.0.0 instead of 4.12.0" in made.footnotes["a"]


def test_marks_and_contamination_become_footnotes_and_equal_ones_are_shared(tmp_path: Path) -> None:
    description = {"marks": ["early weights"], "contaminated": True, "training_data": "UCF101"}
    made = board(
        make_run(tmp_path / "a", label="one", description=description),
        make_run(tmp_path / "b", label="two", description={"marks": ["early weights", "grey"]}),
    )
    assert made.marks == (("a", "b"), ("a", "c"))
    assert made.footnotes["a"] == "early weights"
    assert "contaminated" in made.footnotes["b"]
    assert made.rows["contaminated"].tolist() == [True, False]
    assert made.rows["footnotes"][1] == "early weights; grey"


def test_equal_labels_are_told_apart_by_folder(tmp_path: Path) -> None:
    made = board(
        make_run(tmp_path / "monday" / "demo" / "last_frame"),
        make_run(tmp_path / "tuesday" / "demo" / "last_frame"),
        make_run(tmp_path / "x", label="other"),
    )
    assert made.rows["label"].tolist() == ["last_frame (monday)", "last_frame (tuesday)", "other"]


def test_labels_lose_what_a_terminal_would_obey(tmp_path: Path) -> None:
    made = board(make_run(tmp_path / "a", label="a\x1b[31mb\x1b]0;t\x07c\nd\u202ee\x00"))
    assert made.rows["label"].tolist() == ["abc de"]


def test_published_rows_stand_beneath_the_same_protocol_and_split_only(tmp_path: Path) -> None:
    same = board(make_run(tmp_path / "a", split=SPLIT))
    assert same.rows["published"].tolist() == [False] + [True] * 10
    last = same.rows.iloc[-1]
    assert (last["label"], last["psnr_1"], last["sharpness_2"]) == ("Optical flow", 31.6, 24.7)
    assert same.marks[5] == ("*", "†")
    assert "not verified" in same.footnotes["†"]
    assert "64×64" in same.footnotes["*"]
    assert any("3 of its clips: they are not comparable number by number" in note for note in same.notes)
    assert not board(make_run(tmp_path / "b")).published
    assert not board(make_run(tmp_path / "c", split=SPLIT, protocol="mathieu2016-framemax")).published


def test_a_whole_split_is_comparable_with_published_rows(tmp_path: Path) -> None:
    made = board(make_run(tmp_path / "a", split={**SPLIT, "total": 3}))
    assert made.published
    assert not any("not comparable" in note for note in made.notes)


def test_two_papers_with_one_mark_keep_their_footnotes_apart(tmp_path: Path) -> None:
    tables = []
    for key in "xy":
        row = PublishedRow("m", {"psnr": {1: 30.0, 2: 29.0}}, ("*",), verified=True)
        source = Source(key, key.upper(), "", "", "")
        common = {"place": "T", "page": None, "summary": "", "protocol": "mathieu2016", "split": "demo"}
        table = PublishedTable(
            source,
            "t",
            frames=(1, 2),
            labels={},
            decimals={"psnr": 1},
            rows=(row,),
            marks={"*": f"of {key}"},
            **common,
        )  # type: ignore[arg-type]
        tables.append(table)
    made = build_leaderboard([read_run(make_run(tmp_path / "a"))], published=tables)
    assert made.footnotes == {"*": "of x", "a": "of y"}
    assert made.marks == ((), ("*",), ("a",))


def test_columns_are_headed_by_their_metrics_unless_two_are_alike(tmp_path: Path) -> None:
    metrics = {
        "whole": MetricUse("psnr"),
        "masked": MetricUse("psnr-mathieu2016", "black"),
        "ssim": MetricUse("ssim"),
    }
    rules = Protocol(
        "mine", 1, "", metrics, mask=MaskRule("magnitude", tau=2.0), exclude=Exclusion("whole", 60)
    )
    made = board(make_run(tmp_path / "a", protocol=rules))
    assert [column.label for column in made.columns] == ["whole", "masked", "SSIM"]
    assert [column.decimals for column in made.columns] == [2, 2, 3]
    usual = board(make_run(tmp_path / "b"))
    assert [(c.label, c.unit) for c in usual.columns] == [("PSNR", "dB"), ("SSIM", ""), ("Sharpness", "dB")]


def test_caption_says_protocol_split_clips_mask_and_version(tmp_path: Path) -> None:
    caption = board(make_run(tmp_path / "a", split=SPLIT)).caption
    rules = BUILT_IN["mathieu2016"]
    for part in (
        "ucf101-every10th, 3 of 379 clips",
        "mathieu2016, version 1",
        rules.hash,
        "0.8 px",
        "vpbench 0.1.0",
    ):
        assert part in caption


def test_caption_names_the_flow_that_the_clips_have(tmp_path: Path) -> None:
    assert (
        "where the exact flow"
        in board(make_run(tmp_path / "a", prepared={"flow": {"name": "exact"}})).caption
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mathieu2016", "moving area where the dis flow exceeds 0.8 px, all else set to black"),
        ("mathieu2016-framemax", "exceeds 0.8 of the frame's largest"),
        ("mathieu2016-archive", "from the flow images that came with the clips"),
        ("full-frame", "whole frames"),
        ("moving-pixels", "scores averaged inside it"),
        ("dvf2017-like", "psnr averaged inside it, ssim with all else set to black"),
    ],
)
def test_masks_in_words(name: str, words: str) -> None:
    assert words in mask_in_words(BUILT_IN[name])


# Intervals, ranks, seeds, selection


def many(
    tmp_path: Path, leads: dict[str, float], clips: int = 30, noise: float = 1.0, **options: object
) -> list[Path]:
    """Runs on clips of unequal difficulty, each so much better as it leads."""
    rng = np.random.default_rng(0)
    difficulty = rng.normal(30, 5, (clips, 2))
    folders = []
    for label, lead in leads.items():
        psnr = (difficulty + lead + rng.normal(0, noise, difficulty.shape)).tolist()
        scores = {n: by_column(psnr=psnr[n], ssim=[0.9, 0.8], sharpness=[25.0, 24.0]) for n in range(clips)}
        folders.append(make_run(tmp_path / label, label=label, scores=scores, **options))  # type: ignore[arg-type]
    return folders


def with_facts(folder: Path, **facts: object) -> Path:
    """The run with these keys of its manifest."""
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))
    return folder


def test_ranks_and_intervals_follow_the_paired_differences(tmp_path: Path) -> None:
    made = board(*many(tmp_path, {"low": -3, "same": 0, "as_same": 0.02, "high": 3}))
    assert made.rows["rank"].tolist() == [4, 2, 2, 1]
    for _, row in made.rows.iterrows():
        assert row["psnr_1_low"] < row["psnr_1"] < row["psnr_1_high"]
    # the intervals overlap by far, and yet all clips together tell the runs apart
    assert made.rows["psnr_1_high"][1] > made.rows["psnr_1_low"][3]
    # scores that do not vary have intervals of no width
    assert made.rows["ssim_1_low"].tolist() == pytest.approx([0.9] * 4)
    assert (made.statistics.least_pairs, made.statistics.most_pairs) == (30, 30)
    assert board(*many(tmp_path / "b", {"a": 0, "b": 3}), rank_by="ssim_2").rows["rank"].tolist() == [1, 1]


def test_ranks_see_only_the_clips_that_both_count(tmp_path: Path) -> None:
    one, two = many(tmp_path, {"one": 0, "two": 0.1}, noise=0.01)
    lines = [json.loads(line) for line in (one / "scores.jsonl").read_text().splitlines()]
    for line in lines:
        if line["psnr"] < 30:  # the hard clips: leaving them out lifts the mean, not the rank
            line["counted"] = False
    (one / "scores.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    made = board(one, two)
    assert made.rows["psnr_1"][0] > made.rows["psnr_1"][1] + 1
    assert made.rows["rank"].tolist() == [2, 1]
    assert made.statistics.least_pairs < 30


def test_equal_runs_share_a_rank_and_few_clips_have_none(tmp_path: Path) -> None:
    scores = {n: by_column(psnr=[30.0 + n, 29.0], ssim=[0.9, 0.8], sharpness=[25.0, 24.0]) for n in range(9)}
    same = board(*(make_run(tmp_path / n, label=n, scores=scores) for n in "ab"))
    assert same.rows["rank"].tolist() == [1, 1]
    assert (
        board(make_run(tmp_path / "c", scores=scores)).rows["rank"].isna().all()
    )  # nothing to be better than
    few = board(*(make_run(tmp_path / n, label=n) for n in "de"))
    assert few.rows["rank"].isna().all()
    assert few.rows["psnr_1_low"].isna().all()
    assert not few.ranked


def test_a_run_without_enough_counted_clips_has_no_rank_and_takes_none(tmp_path: Path) -> None:
    one, two = many(tmp_path, {"one": 0, "two": 5})
    nothing = {
        n: by_column(psnr=[60.0, 60.0], ssim=[1.0] * 2, sharpness=[50.0] * 2, counted=[False] * 2)
        for n in range(30)
    }
    made = board(one, two, make_run(tmp_path / "x", label="x", scores=nothing))
    assert made.rows["rank"].isna().tolist() == [False, False, True]
    assert made.rows["rank"].tolist()[:2] == [2, 1]


def test_contaminated_runs_have_no_rank_and_take_none(tmp_path: Path) -> None:
    one, two = many(tmp_path, {"one": 0, "two": 5})
    with_facts(
        two, submission={"method": "Two", "test_clips_seen": True, "training_data": "UCF101", "citation": "x"}
    )
    made = board(one, two)
    assert made.rows["rank"].tolist() == [1, pd.NA]
    assert made.rows["contaminated"].tolist() == [False, True]
    assert made.rows["training_data"].tolist()[1] == "UCF101"
    assert "contaminated" in made.footnotes[made.marks[1][0]]


def test_lower_is_better_turns_ranks_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = many(tmp_path, {"one": 0, "two": 5})
    real = columns.score_columns
    monkeypatch.setattr(
        leaderboard,
        "score_columns",
        lambda definition: tuple(replace(c, higher_is_better=False) for c in real(definition)),
    )
    assert board(*folders).rows["rank"].tolist() == [1, 2]


def test_seeds_of_a_method_are_one_row(tmp_path: Path) -> None:
    folders = many(tmp_path, {"s1": 0, "s2": 0.5, "s3": 1, "other": 4})
    for seed, folder in enumerate(folders[:3], start=1):
        predictor = {"name": "adv", "options": {"weights": f"w{seed}"}, "description": {"seed": seed}}
        with_facts(folder, predictor=predictor)
    made, apart = board(*folders), board(*folders, group=False)
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
        {"name": "adv", "options": {}, "description": {}},
    ],
    ids=["same seed", "other option", "other predictor", "other data", "no seed"],
)
def test_what_differs_in_more_than_the_seed_stays_apart(tmp_path: Path, other: dict[str, object]) -> None:
    one, two = many(tmp_path, {"one": 0, "two": 0})
    with_facts(one, predictor={"name": "adv", "options": {}, "description": {"seed": 1}})
    with_facts(two, predictor=other)
    assert board(one, two).rows["label"].tolist() == ["one", "two"]


def test_common_clips_make_runs_comparable(tmp_path: Path) -> None:
    def scores(*clips: int) -> dict[int, list[dict[str, object]]]:
        return {c: by_column(psnr=[30.0 + c, 29.0], ssim=[0.9, 0.8], sharpness=[25.0, 24.0]) for c in clips}

    one = make_run(tmp_path / "a", label="one", scores=scores(1, 2, 3), split={"total": 9})
    two = make_run(
        tmp_path / "b", label="two", scores=scores(2, 3, 4), split={"total": 9}, prepared={"hash": "q" * 16}
    )
    with pytest.raises(UsageError, match="--common"):
        board(one, two)
    made = board(one, two, common=True)
    assert made.clips == 2
    assert made.rows["psnr_1"].tolist() == [32.5, 32.5]
    assert made.rows["clips_scored"].tolist() == [2, 2]
    assert made.marks == ((), ())  # the same clips, although the folders' hashes differ
    assert any("Only the 2 clips that all runs scored" in note for note in made.notes)
    three = make_run(tmp_path / "c", label="three", scores=scores(7), split={"total": 9})
    with pytest.raises(UsageError, match=r"'three'.*have no clip in common"):
        board(one, two, three, common=True)


def test_rows_and_metrics_are_selected_and_sorted(tmp_path: Path) -> None:
    folders = many(tmp_path, {"b_one": 0, "a_two": 3, "b_three": 1}, split=SPLIT)
    made = board(*folders, only=["B_*", "last input"], metrics=["ssim", "psnr"], sort="psnr_1")
    assert made.rows["label"].tolist() == ["b_three", "b_one", "Last input"]
    assert [column.key for column in made.columns] == ["ssim", "psnr"]
    assert not any(str(name).startswith("sharpness") for name in made.rows)
    assert made.rows["rank"].tolist()[:2] == [1, 2]
    assert board(*folders, sort="label", only=["?_*"]).rows["label"].tolist() == ["a_two", "b_one", "b_three"]
    assert board(*folders, sort="rank").rows["label"].tolist()[:3] == ["a_two", "b_three", "b_one"]
    # ranks go by the protocol's first metric even where it is not shown
    assert board(*folders, metrics=["ssim"], sort="rank", only=["?_*"]).rows["rank"].tolist() == [1, 2, 3]
    for options, message in (
        ({"only": ["c_*"]}, "Unknown row"),
        ({"only": ["Adv*"]}, "No run is left"),
        ({"metrics": ["pnsr"]}, "Did you mean psnr"),
        ({"sort": "psnr"}, "Did you mean psnr_"),
        ({"rank_by": "psnr_9"}, "Did you mean psnr_"),
    ):
        with pytest.raises(UsageError, match=message):
            board(*folders, **options)
