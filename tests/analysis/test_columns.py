"""A run's scores as arrays: on which frames rows are compared, with which scores, and which clips are independent."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from runs import by_column, make_run

from vpbench.analysis.columns import clip_scores
from vpbench.runs.run import read_run

SCORES = {
    # Clip 7: the predictor fails on a nearly still frame; clip 3: it does better than the copy.
    3: by_column(psnr=[62.0, 38.0], ssim=[0.9, 0.8], sharpness=[25.0, 24.0], copy=[49.9, 50.0], counted=[False, True]),
    7: by_column(psnr=[44.0, None], ssim=[0.9, 0.8], sharpness=[25.0, 24.0], copy=[61.5, 20.0], counted=[True, False]),
    9: by_column(psnr=[30.0, 29.0], ssim=[0.9, 0.8], sharpness=[25.0, 24.0], copy=[None, 20.0]),
}  # fmt: skip


def test_compared_frames_are_those_on_which_a_copy_is_below_the_rule(tmp_path: Path) -> None:
    scores = clip_scores(read_run(make_run(tmp_path / "a", scores=SCORES)))
    assert scores.clips.tolist() == [3, 7, 9]
    assert scores.counted.tolist() == [[False, True], [True, False], [True, True]]
    assert scores.compared is not None
    assert scores.compared.tolist() == [[True, False], [False, False], [False, True]]


def test_compared_scores_are_capped_in_the_column_of_the_rule(tmp_path: Path) -> None:
    scores = clip_scores(read_run(make_run(tmp_path / "a", scores=SCORES)))
    assert scores.cap == ("psnr", 50.0)
    capped = scores.capped("psnr").tolist()
    assert capped[0] == [50.0, 38.0]
    assert capped[1][0] == 44.0
    assert math.isnan(capped[1][1])
    assert scores.capped("ssim").tolist() == scores.scores["ssim"].tolist()
    assert scores.scores["psnr"][0, 0] == 62.0


@pytest.mark.parametrize("protocol", ["full-frame", "moving-pixels"])
def test_without_a_rule_every_defined_frame_is_compared(tmp_path: Path, protocol: str) -> None:
    still = 0.0 if protocol == "moving-pixels" else 0.25
    scores = {
        1: by_column(psnr=[62.0, 100.0], ssim=[0.9, 0.8], sharpness=[25.0, 24.0]),
        2: by_column(psnr=[None, 30.0], ssim=[None, 0.8], sharpness=[None, 24.0], moving=[still, 0.5]),
    }
    made = clip_scores(read_run(make_run(tmp_path / "a", protocol=protocol, scores=scores)))
    assert made.compared is not None
    assert made.compared.tolist() == [[True, True], [False, True]]
    assert made.cap is None
    assert made.capped("psnr")[0, 1] == 100.0


def test_still_frames_are_not_compared_where_the_protocol_skips_them(tmp_path: Path) -> None:
    scores = {1: by_column(psnr=[40.0, 39.0], ssim=[0.9, 0.8], sharpness=[25.0, 24.0], moving=[0.0, 0.1])}
    for protocol, expected in (("moving-pixels", [False, True]), ("mathieu2016", [True, True])):
        made = clip_scores(read_run(make_run(tmp_path / protocol, protocol=protocol, scores=scores)))
        assert made.compared is not None
        assert made.compared[0].tolist() == expected


def test_clusters_are_numbers_that_runs_of_the_same_clips_share(tmp_path: Path) -> None:
    names = {"9": "kitchen", "3": "garden", "7": "kitchen"}
    one, other = (
        clip_scores(
            read_run(make_run(tmp_path / label, label=label, scores=scores, split={"clusters": names}))
        )
        for label, scores in (("a", SCORES), ("b", dict(reversed(SCORES.items()))))
    )
    assert one.clusters is not None
    assert other.clusters is not None
    first, second, third = one.clusters.tolist()
    assert first != second == third
    assert other.clusters.tolist() == [first, second, third]


def test_a_run_of_schema_1_says_none_of_it(tmp_path: Path) -> None:
    plain = {
        clip: [{k: v for k, v in line.items() if k != "copy"} for line in lines]
        for clip, lines in SCORES.items()
    }
    run = read_run(make_run(tmp_path / "a", scores=plain, schema=1))
    assert not run.has_frame_facts
    made = clip_scores(run)
    assert made.compared is None
    assert made.clusters is None


def test_what_the_guide_says_of_two_clips_is_so() -> None:
    """docs/howto/compare.md: failing on clip 3111 raises a mean, and predicting clip 561 too well lowers one."""
    runs = Path(__file__).parents[2] / "results" / "runs" / "ucf101-every10th" / "mathieu2016"
    copy, gdl, flow = (
        clip_scores(read_run(runs / name)) for name in ("last_frame", "gdl_l1", "optical_flow")
    )
    (still,), (near,) = ((copy.clips == clip).nonzero()[0] for clip in (3111, 561))
    psnr = {name: made.scores["psnr"][:, 0] for name, made in (("copy", copy), ("gdl", gdl), ("flow", flow))}
    assert [round(scores[still], 1) for scores in psnr.values()] == [61.5, 62.1, 44.0]
    assert [made.counted[still, 0] for made in (copy, gdl, flow)] == [False, False, True]
    counted = flow.counted[:, 0]
    assert psnr["flow"][counted].mean() == pytest.approx(29.3, abs=0.05)
    assert psnr["flow"][counted & (copy.clips != 3111)].mean() == pytest.approx(28.8, abs=0.05)
    assert (round(psnr["gdl"][near], 1), gdl.counted[near, 0]) == (52.4, False)
    counted = gdl.counted[:, 0]
    lost = psnr["gdl"][counted | (gdl.clips == 561)].mean() - psnr["gdl"][counted].mean()
    assert lost == pytest.approx(0.7, abs=0.05)
    for made in (copy, gdl, flow):
        assert made.compared is not None
        assert (made.compared[still, 0], made.compared[near, 0]) == (False, True)
