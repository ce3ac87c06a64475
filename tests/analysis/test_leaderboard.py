"""The leaderboard: means, marks and footnotes, captions, and the published rows beneath."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from boards import SPLIT, board_of
from runs import by_column, make_run

from vpbench.analysis.leaderboard import build_leaderboard
from vpbench.errors import UsageError
from vpbench.results.published_tables import PublishedRow, PublishedTable, Source
from vpbench.runs.run import read_run
from vpbench.scoring.built_in import BUILT_IN
from vpbench.scoring.protocol import Exclusion, MaskRule, MetricUse, Protocol
from vpbench.scoring.wording import scoring_in_words
from vpbench.tables import notes


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
    row = board_of(make_run(tmp_path / "a", scores=scores)).rows.iloc[0]
    assert row["psnr_1"] == pytest.approx((20 + 30) / 2)
    assert row["ssim_1"] == pytest.approx((0.5 + 0.7) / 2)
    assert row["sharpness_2"] == pytest.approx((23 + 25) / 2)
    assert row["psnr_2"] == pytest.approx((10 + 20) / 2)
    assert [row[f"frames_{why}_1"] for why in ("counted", "excluded", "undefined")] == [2, 1, 0]
    assert [row[f"frames_{why}_2"] for why in ("counted", "excluded", "undefined")] == [2, 0, 1]
    assert row["moving_fraction"] == pytest.approx((0.1 + 0.3 + 0.0 + 0.2 + 0.2 + 0.4) / 6)


def test_a_run_without_a_counted_frame_has_no_mean(tmp_path: Path) -> None:
    nothing = by_column(psnr=[60.0, 60.0], ssim=[1.0, 1.0], sharpness=[50.0, 50.0], counted=[False, False])
    row = board_of(make_run(tmp_path / "a", scores={1: nothing})).rows.iloc[0]
    assert math.isnan(row["psnr_1"])
    assert row["frames_excluded_1"] == 1


def test_long_horizons_have_the_mean_of_all_frames_first_and_last(tmp_path: Path) -> None:
    psnr = [30.0, 28.0, 26.0, 24.0, 22.0, 20.0, 18.0, 16.0]
    scores = {1: by_column(psnr=psnr, ssim=[0.9] * 8, sharpness=[25.0] * 8)}
    made = board_of(make_run(tmp_path / "a", protocol="ucf101-8to8", scores=scores))
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
    assert len(board_of(folder, tmp_path / "." / "a").rows) == 1


def test_rows_on_other_prepared_clips_have_a_footnote(tmp_path: Path) -> None:
    other = {
        "hash": "q" * 16,
        "decoder": {"name": "opencv", "version": "5.0.0"},
        "clips": {"1": "0" * 15 + "1", "11": "x", "21": "y"},
    }
    folders = [make_run(tmp_path / name, label=name) for name in "abc"]
    folders.insert(0, make_run(tmp_path / "new", label="new", prepared=other))
    made = board_of(*folders)
    assert made.marks == (("a", "‖"), (), (), ())
    assert "prepared differently" in made.footnotes["‖"]
    assert "hash qqqqqqqqqqqqqqqq instead of pppppppppppppppp, 2 clips differ" in made.footnotes["a"]
    assert "decoder version 5.0.0 instead of 4.12.0" in made.footnotes["a"]


def test_marks_and_contamination_become_footnotes_and_equal_ones_are_shared(tmp_path: Path) -> None:
    description = {"marks": ["early weights"], "contaminated": True, "training_data": "UCF101"}
    made = board_of(
        make_run(tmp_path / "a", label="one", description=description),
        make_run(tmp_path / "b", label="two", description={"marks": ["early weights", "grey"]}),
    )
    assert made.marks == (("a", "§"), ("a", "b"))
    assert made.footnotes["a"] == "early weights"
    assert "contaminated" in made.footnotes["§"]
    assert made.rows["test_clips_seen"].tolist() == ["yes", "no"]
    assert made.rows["footnotes"][1] == "early weights; grey"


def test_labels_lose_control_characters(tmp_path: Path) -> None:
    made = board_of(make_run(tmp_path / "a", label="a\x1b[31mb\x1b]0;t\x07c\nd\u202ee"))
    assert made.rows["label"].tolist() == ["abc de"]


def test_published_rows_stand_beneath_the_same_protocol_and_split_only(tmp_path: Path) -> None:
    same = board_of(make_run(tmp_path / "a", split=SPLIT))
    assert same.rows["published"].tolist() == [False] + [True] * 10
    last = same.rows.iloc[-1]
    assert (last["label"], last["psnr_1"], last["sharpness_2"]) == ("Optical flow", 31.6, 24.7)
    assert same.marks[5] == ("*", "†")
    assert "not verified" in same.footnotes["†"]
    assert "64×64" in same.footnotes["*"]
    said = list(notes.notes(same, intervals=False))
    assert any("3 of its clips: they are not comparable number by number" in note for note in said)
    assert not board_of(make_run(tmp_path / "b")).published
    assert not board_of(make_run(tmp_path / "c", split=SPLIT, protocol="mathieu2016-framemax")).published


def test_a_whole_split_is_comparable_with_published_rows(tmp_path: Path) -> None:
    made = board_of(make_run(tmp_path / "a", split={**SPLIT, "total": 3}))
    assert made.published
    assert not any("not comparable" in note for note in notes.notes(made, intervals=False))


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
    made = board_of(make_run(tmp_path / "a", protocol=rules))
    assert [column.label for column in made.columns] == ["whole", "masked", "SSIM"]
    assert [column.decimals for column in made.columns] == [2, 2, 3]
    usual = board_of(make_run(tmp_path / "b"))
    assert [(c.label, c.unit) for c in usual.columns] == [("PSNR", "dB"), ("SSIM", ""), ("Sharpness", "dB")]


def test_a_predictor_cannot_hide_a_warning_behind_a_mark_of_the_same_words(tmp_path: Path) -> None:
    seen = "trained on clips of this test set (contaminated); no rank"
    made = board_of(
        make_run(tmp_path / "a", label="one", description={"marks": [seen]}),
        make_run(tmp_path / "b", label="two", description={"contaminated": True}),
    )
    assert made.marks == ((), ("§",))
    assert made.footnotes == {"§": seen}


def test_caption_says_protocol_split_and_clips_in_two_lines(tmp_path: Path) -> None:
    board = board_of(make_run(tmp_path / "a", split=SPLIT))
    rules = BUILT_IN["mathieu2016"]
    for part in (
        "ucf101-every10th, 3 of 379 clips",
        "mathieu2016, version 1",
        rules.hash,
        "4 frames in, 2 out",
    ):
        assert part in board.caption
    assert len(board.caption) < 140
    assert "0.8 px" in board.scoring
    assert "vpbench 0.1.0" in board.scoring


def test_the_flow_is_named_that_the_clips_have(tmp_path: Path) -> None:
    assert (
        "where the exact flow"
        in board_of(make_run(tmp_path / "a", prepared={"flow": {"name": "exact"}})).scoring
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mathieu2016", "moving area where the dis flow exceeds 0.8 px, all else set to black"),
        ("mathieu2016-framemax", "exceeds 0.8 of the frame's largest"),
        ("mathieu2016-archive", "from the flow images that came with the clips"),
        ("full-frame", "whole frames"),
        ("moving-pixels", "scores averaged inside it"),
        (
            "dvf2017-like",
            "psnr averaged inside it, ssim with all else set to black, predictions rounded to 8 bits",
        ),
        ("dyan2018-like", "black, predictions rounded down to 8 bits, frames scaled to 256×256"),
        ("mcnet2017-like", "whole frames, predictions rounded down to 8 bits"),
        ("figure5-grey", "all else set to black, luma alone"),
    ],
)
def test_what_is_scored_in_words(name: str, words: str) -> None:
    assert words in scoring_in_words(BUILT_IN[name])
