"""Which runs may stand in one table, what the refusal of others says, and labels that tell runs apart."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from boards import board_of, with_fields
from runs import by_column, make_run

from vpbench.errors import UsageError, VpbenchError
from vpbench.runs.run import read_run
from vpbench.runs.untrusted import check_run
from vpbench.scoring.protocol import MetricUse, Protocol


def test_other_protocols_are_refused_by_name(tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", label="one")
    other = make_run(tmp_path / "b", label="two", protocol="full-frame")
    with pytest.raises(UsageError) as caught:
        board_of(first, other)
    for part in ("'one'", "'two'", str(first), str(other), "mathieu2016 version 1", "full-frame", "mask"):
        assert part in str(caught.value)


def test_a_protocol_of_the_same_name_but_another_definition_is_refused(tmp_path: Path) -> None:
    base = {"name": "mine", "version": 1, "summary": "", "metrics": {"psnr": MetricUse("psnr")}}
    runs = [
        make_run(tmp_path / str(n), protocol=Protocol(**base, first_frame=n))  # type: ignore[arg-type]
        for n in (0, 1)
    ]
    with pytest.raises(UsageError, match="what differs: first_frame"):
        board_of(*runs)


def test_other_splits_are_refused(tmp_path: Path) -> None:
    runs = make_run(tmp_path / "a"), make_run(tmp_path / "b", label="two", split={"name": "mine"})
    with pytest.raises(UsageError, match=r"splits differ, demo .* and mine"):
        board_of(*runs)


def test_other_clips_are_refused_and_named(tmp_path: Path) -> None:
    def scores(*clips: int) -> dict[int, list[dict[str, object]]]:
        return {clip: by_column(psnr=[30.0, 29.0], ssim=[0.9, 0.8], sharpness=[25.0, 24.0]) for clip in clips}

    one = make_run(tmp_path / "a", label="one", scores=scores(1, 11, 21, 31))
    two = make_run(tmp_path / "b", label="two", scores=scores(1, 11, 41), split={"total": 4})
    with pytest.raises(UsageError) as caught:
        board_of(one, two)
    assert "Only 'one' has 2 clips: 21, 31. Only 'two' has 1 clip: 41." in str(caught.value)


def test_an_incomplete_run_is_refused_with_the_way_to_finish_it(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a", status="running", split={"scored": 40})
    with pytest.raises(UsageError, match=r"'last_frame' .*not complete: 3 of 40 clips.*resumes"):
        board_of(folder)
    assert list(board_of(folder, allow_incomplete=True).footnotes.values()) == ["run not complete"]


def test_a_run_without_scores_is_refused(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a", status="running", scores={})
    with pytest.raises(UsageError, match=r"'last_frame' .* has no scores yet"):
        board_of(folder, allow_incomplete=True)


def test_a_manifest_that_lacks_facts_is_refused_by_file(tmp_path: Path) -> None:
    with pytest.raises(VpbenchError, match=r"manifest\.json is damaged"):
        board_of(with_fields(make_run(tmp_path / "a"), environment={"python": "3.12"}))


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
        board_of(with_fields(make_run(tmp_path / "a"), **facts))


def test_equal_labels_are_told_apart_by_folder(tmp_path: Path) -> None:
    made = board_of(
        make_run(tmp_path / "monday" / "demo" / "last_frame"),
        make_run(tmp_path / "tuesday" / "demo" / "last_frame"),
        make_run(tmp_path / "x", label="other"),
    )
    assert made.rows["label"].tolist() == ["last_frame (monday)", "last_frame (tuesday)", "other"]


def test_common_clips_make_runs_comparable(tmp_path: Path) -> None:
    def scores(*clips: int) -> dict[int, list[dict[str, object]]]:
        return {c: by_column(psnr=[30.0 + c, 29.0], ssim=[0.9, 0.8], sharpness=[25.0, 24.0]) for c in clips}

    one = make_run(tmp_path / "a", label="one", scores=scores(1, 2, 3), split={"total": 9})
    two = make_run(
        tmp_path / "b", label="two", scores=scores(2, 3, 4), split={"total": 9}, prepared={"hash": "q" * 16}
    )
    with pytest.raises(UsageError, match="--common"):
        board_of(one, two)
    made = board_of(one, two, common=True)
    assert made.clips == 2
    assert made.rows["psnr_1"].tolist() == [32.5, 32.5]
    assert made.rows["clips_scored"].tolist() == [2, 2]
    assert made.marks == ((), ())  # the same clips, although the folders' hashes differ
    assert any("Only the 2 clips that all runs scored" in note for note in made.notes)
    three = make_run(tmp_path / "c", label="three", scores=scores(7), split={"total": 9})
    with pytest.raises(UsageError, match=r"'three'.*have no clip in common"):
        board_of(one, two, three, common=True)


def test_runs_that_know_other_clusters_are_refused(tmp_path: Path) -> None:
    clusters = {"1": "park", "11": "park", "21": "street"}
    one = make_run(tmp_path / "a", label="a", split={"clusters": clusters})
    other = make_run(tmp_path / "b", label="b", split={"clusters": {**clusters, "21": "park"}})
    with pytest.raises(
        UsageError, match=r"clip 21 is of cluster 'street' in one and of 'park'.*migrate RUN --split"
    ):
        board_of(one, other)


@pytest.mark.parametrize(("fact", "value"), [("copy", 61.0), ("copy_ssim", 0.81), ("motion", None)])
def test_runs_that_say_other_things_about_the_same_frame_are_refused(
    tmp_path: Path, fact: str, value: float | None
) -> None:
    """A stranger's run cannot choose the frames on which everybody is compared."""
    scores = {clip: by_column(psnr=[31.0, 30.0], ssim=[0.9, 0.8], sharpness=[25.0, 24.0]) for clip in (1, 2)}
    one = make_run(tmp_path / "a", label="a", scores=dict(reversed(scores.items())))
    changed = {**scores, 2: [scores[2][0], {**scores[2][1], fact: value}]}
    other = make_run(tmp_path / "b", label="b", scores=changed)
    with pytest.raises(
        UsageError, match=rf"of clip 2, frame 2, which was the same for both, one says that '{fact}'"
    ):
        board_of(one, other)
    contents = {
        "1": f"{1:016x}",
        "2": "0" * 16,
    }  # prepared otherwise: they may differ, and a footnote says so
    elsewhere = make_run(
        tmp_path / "c", label="c", scores=changed, prepared={"clips": contents, "hash": "q" * 16}
    )
    assert len(board_of(one, elsewhere).rows) == 2


def test_a_run_of_schema_1_stays_readable_beside_others(tmp_path: Path) -> None:
    made = board_of(make_run(tmp_path / "a", label="a", schema=1), make_run(tmp_path / "b", label="b"))
    assert made.rows["psnr_1"].tolist() == [made.rows["psnr_1"][0]] * 2


def test_a_metric_that_is_not_installed_is_named_with_the_run(tmp_path: Path) -> None:
    run = make_run(
        tmp_path / "a",
        protocol=Protocol("mine", 1, "", {"psnr": MetricUse("mine")}),
        prepared={"hash": "a" * 16},
        split={"name": "x"},
    )
    with pytest.raises(UsageError, match=r"manifest\.json, metrics: Unknown metric 'mine'"):
        board_of(run)
    with pytest.raises(UsageError, match=r"manifest\.json, protocol: Unknown metric 'mine'"):
        check_run(read_run(run))
