"""Numbers in the documentation: whole, as the committed runs and the pages have them, and measured anew."""

from __future__ import annotations

import csv
import math
import re
import runpy
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from vpbench.models.footage.videos import find_footage
from vpbench.runs.run import read_run
from vpbench.splits import get_split
from vpbench.splits.sources import find_sources

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "evidence"
TEST, OTHERS = "ucf101-every10th", "groups-22-25"
THRESHOLDS = ("0.2", "0.4", "0.6", "0.8", "1", "1.5", "2", "3", "4")
RULES = (*THRESHOLDS, "frame", "previous")
COLUMNS = ("psnr", "ssim", "sharpness")

Lines = list[dict[str, str]]


@pytest.fixture(scope="module")
def data() -> dict[str, Lines]:
    """The lines of each file."""
    found = {}
    for name in (TEST, OTHERS):
        with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            found[name] = list(csv.DictReader(file))
    return found


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    """The names of the script that measures."""
    return runpy.run_path(str(FOLDER / "mask_calibration.py"))


def test_every_clip_has_every_rule_and_frame_once(data: dict[str, Lines]) -> None:
    indices = {Path(clip.source).stem: clip.index for clip in get_split(TEST).clips}
    for name, number in ((TEST, 40), (OTHERS, 185)):
        videos = list(dict.fromkeys(line["video"] for line in data[name]))
        assert len(videos) == number
        keys = [(line["video"], line["rule"], line["frame"]) for line in data[name]]
        assert keys == [(video, rule, frame) for video in videos for rule in RULES for frame in "12"]
        assert all(
            math.isfinite(float(line[key]))
            for line in data[name]
            for key in line
            if key not in ("video", "rule")
        )
        if name == TEST:
            assert set(videos) <= set(indices)
        else:
            assert all(re.fullmatch(r"v_\w+_g2[2-5]_c\d\d", video) for video in videos)


def test_a_higher_threshold_leaves_less(data: dict[str, Lines]) -> None:
    for lines in data.values():
        shares = defaultdict(list)
        for line in lines:
            if line["rule"] in THRESHOLDS:
                shares[line["video"], line["frame"]].append(float(line["moving"]))
        assert all(moving == sorted(moving, reverse=True) for moving in shares.values())


@pytest.mark.parametrize("label", ["last_frame", "optical_flow"])
def test_the_protocols_own_rule_has_the_scores_of_the_committed_runs(
    data: dict[str, Lines], label: str
) -> None:
    scores = read_run(ROOT / "results" / "runs" / TEST / "mathieu2016" / label).scores
    sources = {clip.index: Path(clip.source).stem for clip in get_split(TEST).clips}
    own = {(line["video"], int(line["frame"])): line for line in data[TEST] if line["rule"] == "0.8"}
    assert len(own) == len(scores["clip"]) == 80
    for n, (clip, frame) in enumerate(zip(scores["clip"], scores["frame"], strict=True)):
        line = own[sources[int(clip)], int(frame)]
        assert float(line["moving"]) == pytest.approx(scores["moving"][n], abs=6e-5)
        for column, within in zip(COLUMNS, (6e-4, 6e-5, 6e-3), strict=True):
            assert float(line[f"{column}_{label}"]) == pytest.approx(scores[column][n], abs=within)


@pytest.mark.parametrize(("table", "name"), [("calibration-test", TEST), ("calibration-others", OTHERS)])
def test_the_page_has_the_means_of_the_file(data: dict[str, Lines], table: str, name: str) -> None:
    """Against plain loops, without the code that makes the table."""
    page = (ROOT / "docs" / "protocols.md").read_text(encoding="utf-8")
    (block,) = re.findall(rf"<!-- table: {table} -->\n(.*?)\n<!-- end of table -->", page, re.DOTALL)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()[3:14]]
    assert [row[0].strip("*").removesuffix(" px") for row in rows[: len(THRESHOLDS)]] == list(THRESHOLDS)
    for row, rule in zip(rows, RULES, strict=True):
        lines = [line for line in data[name] if line["rule"] == rule and line["frame"] == "1"]
        assert row[1] == f"{100 * statistics.fmean(float(line['moving']) for line in lines):.0f} %"
        firsts = {}
        for cell, predictor in zip(
            (row[3], row[4], row[8]), ("last_frame", "optical_flow", "flow_back"), strict=True
        ):
            counted = [line for line in lines if float(line[f"psnr_{predictor}"]) < 50]
            means = [
                statistics.fmean(float(line[f"{column}_{predictor}"]) for line in counted)
                for column in COLUMNS
            ]
            assert cell == f"{means[0]:.1f}/{means[1]:.2f}/{means[2]:.1f}"
            firsts[predictor] = means[0]
            if predictor == "last_frame":
                assert row[2] == str(len(counted))
        assert row[5].split("±")[0] == f"{firsts['optical_flow'] - firsts['last_frame']:+.1f}"


def test_the_distance_is_in_standard_errors_over_clusters(data: dict[str, Lines]) -> None:
    """The sharpness part of one cell, by hand."""
    page = (ROOT / "docs" / "protocols.md").read_text(encoding="utf-8")
    squares = []
    for predictor, published in (("last_frame", 24.6), ("optical_flow", 25.3)):
        lines = [line for line in data[OTHERS] if line["rule"] == "2" and line["frame"] == "1"]
        values = defaultdict(list)
        for line in lines:
            if float(line[f"psnr_{predictor}"]) < 50:
                values[line["video"].rpartition("_c")[0]].append(float(line[f"sharpness_{predictor}"]))
        every = [value for group in values.values() for value in group]
        mean = statistics.fmean(every)
        error = math.sqrt(sum(sum(v - mean for v in group) ** 2 for group in values.values())) / len(every)
        squares.append(((mean - published) / error) ** 2)
    (others,) = re.findall(r"<!-- table: calibration-others -->\n(.*?)\n<!-- end", page, re.DOTALL)
    (line,) = [line for line in others.splitlines() if line.startswith("| 2 px")]
    assert line.split("|")[7].split("/")[1].strip() == f"{math.sqrt(statistics.fmean(squares)):.1f}"


@pytest.mark.slow
@pytest.mark.parametrize("name", [TEST, OTHERS])
def test_a_clip_measured_anew_has_the_numbers_of_the_file(
    ucf101: Path, data: dict[str, Lines], script: dict[str, Any], name: str
) -> None:
    if name == TEST:
        videos = [path for path in find_sources(get_split(TEST), ucf101).found.values() if path is not None]
    else:
        videos = list(find_footage(ucf101).validation)
    there = {line["video"] for line in data[name]}
    video = next((video for video in videos if video.stem in there), None)
    if video is None:
        pytest.skip(f"needs one of the videos of docs/evidence/{name}.csv in {ucf101}")
    expected = [line for line in data[name] if line["video"] == video.stem]
    measured = list(script["measure"](video))
    assert [(line["rule"], line["frame"]) for line in measured] == [
        (line["rule"], int(line["frame"])) for line in expected
    ]
    for line, kept in zip(measured, expected, strict=True):
        for key in kept:
            if key not in ("video", "rule", "frame"):  # estimated flow may differ a little between processors
                within = 0.002 if key == "moving" or key.startswith("ssim") else 0.05
                assert float(line[key]) == pytest.approx(float(kept[key]), abs=within), (kept["rule"], key)


def test_videos_that_a_file_has_are_not_measured_again(
    script: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = dict.fromkeys(script["HEADER"], "1")
    asked: list[str] = []

    def measure(video: Path) -> list[dict[str, str]]:
        asked.append(video.stem)
        return [{**line, "video": video.stem}]

    complete = script["complete"]
    monkeypatch.setitem(complete.__globals__, "measure", measure)
    complete(tmp_path / "a.csv", [Path("one.avi")])
    complete(tmp_path / "a.csv", [Path("one.avi"), Path("two.avi")])
    assert asked == ["one", "two"]
    with (tmp_path / "a.csv").open(newline="") as file:
        assert [row["video"] for row in csv.DictReader(file)] == ["one", "two"]


def test_clean_scores_beside_the_corrupted_ones_are_those_of_the_committed_runs() -> None:
    """A row whose weights change takes minutes to be corrupted again; this says so."""
    lines = (ROOT / "docs" / "howto" / "robustness.md").read_text(encoding="utf-8").splitlines()
    (clean,) = (number for number, line in enumerate(lines) if line.startswith("| clean, dB |"))
    names, shown = (
        [cell.strip(" `") for cell in lines[number].split("|")[2:-1]] for number in (clean - 2, clean)
    )
    runs = ROOT / "results" / "runs" / "demo" / "mathieu2016"
    compared = 0
    for name, psnr in zip(names, shown, strict=True):
        if (runs / name).is_dir():
            scores = read_run(runs / name).scores
            first = scores["psnr"][(scores["frame"] == 1) & scores["counted"]]
            assert psnr == f"{statistics.fmean(first):.2f}", name
            compared += 1
    assert compared == 4
