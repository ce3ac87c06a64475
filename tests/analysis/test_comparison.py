"""Two runs against each other, by hand and against scipy, and what the command says."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from boards import with_fields
from runs import by_column, make_run
from scipy import stats

from vpbench import escape
from vpbench.analysis.bootstrap import draw_resamples, half_widths
from vpbench.analysis.comparison import Comparison, compare
from vpbench.analysis.intervals import ratio_means
from vpbench.errors import UsageError
from vpbench.runs.run import read_run
from vpbench.splits import get_split
from vpbench.tables.formats.export import FORMATS
from vpbench.tables.render import render

HOSTILE = '<img src=x onerror=alert(1)> \\input{x} & "q" | </script>'


def runs(
    tmp_path: Path,
    psnr_a: list[float | None],
    psnr_b: list[float | None],
    labels: tuple[str, str] = ("one", "two"),
    copies: list[float] | None = None,
    **options: object,
) -> tuple[Path, Path]:
    """Two runs with one clip a pair of scores: None is undefined, 50 and more is not counted.

    ``copies`` are the scores of a copy of the last frame, below 50 by default.
    """
    made = []
    for label, psnr in zip(labels, (psnr_a, psnr_b), strict=True):
        scores = {
            10 * n + 1: by_column(
                psnr=[value, 20.0 + n],
                ssim=[0.9, 0.8],
                sharpness=[25.0, 24.0],
                counted=[value is not None and bool(value < 50), True],
                copy=[copies[n] if copies else 20.0, 20.0],
            )
            for n, value in enumerate(psnr)
        }
        made.append(make_run(tmp_path / f"run{len(made)}", label=label, scores=scores, **options))  # type: ignore[arg-type]
    return made[0], made[1]


def compared(folders: tuple[Path, Path], **options: object) -> Comparison:
    return compare(read_run(folders[0]), read_run(folders[1]), **options)  # type: ignore[arg-type]


def test_differences_by_hand(tmp_path: Path) -> None:
    a = [30.0, 31.0, 32.0, 33.0, 60.0, 29.0, 28.0, 27.0, None, 60.0]
    b = [29.0, 29.0, 32.0, 34.0, 20.0, 28.0, 26.0, 26.5, 20.0, 48.0]
    copies = [20.0, 21.0, 22.0, 23.0, 50.0, 24.0, 25.0, 26.0, 27.0, 49.9]
    made = compared(runs(tmp_path, a, b, copies=copies))
    first = made.differences[0]
    # a copy of the fifth clip is excluded, whoever else predicts it; the ninth is undefined; the tenth is capped at 50
    differences = np.array([1, 2, 0, -1, 1, 2, 0.5, 2])
    assert (first.column.key, first.frame, first.clips, first.clusters) == ("psnr", 1, 8, 8)
    assert first.mean == pytest.approx(differences.mean())
    assert first.mean_a - first.mean_b == pytest.approx(first.mean)
    assert first.mean_a == pytest.approx(np.mean([30, 31, 32, 33, 29, 28, 27, 50]))
    assert (first.wins, first.losses, first.ties) == (6, 1, 1)
    assert first.p == pytest.approx(stats.wilcoxon(differences).pvalue)
    times = draw_resamples(10)[:, [0, 1, 2, 3, 5, 6, 7, 9]]
    _, residuals, counts = ratio_means(differences[None, :, None], np.ones((1, 8, 1), bool), np.arange(8))
    width = half_widths(residuals, counts, times, 0.95)[0]
    assert (first.low, first.high) == pytest.approx((first.mean - width, first.mean + width), abs=1e-6)
    second = made.differences[1]
    assert (second.clips, second.mean, second.ties, second.p, second.better) == (10, 0.0, 10, 1.0, "")
    assert made.differing_clips["clip"].tolist() == [11, 61, 91, 1, 51, 31]
    assert made.differing_clips["difference"].tolist() == [2.0, 2.0, 2.0, 1.0, 1.0, -1.0]


def test_what_is_compared_does_not_depend_on_the_predictor(tmp_path: Path) -> None:
    """A clip on which one run fails, and is counted, and the other does well, and is not, stays in the comparison."""
    level = [30.0] * 9
    made = compared(runs(tmp_path, [*level, 61.4], [*level, 44.0], copies=[20.0] * 9 + [49.0]))
    first = made.differences[0]
    assert (first.clips, first.wins, first.ties) == (10, 1, 9)
    assert first.mean == pytest.approx((50 - 44) / 10)


def test_clips_of_one_cluster_are_one_unit(tmp_path: Path) -> None:
    a, b = [30.0, 31.0, 30.0] * 8, [29.0, 30.5, 29.8] * 8
    clusters = {10 * n + 1: f"{n % 8}.avi" for n in range(24)}
    made = compared(runs(tmp_path, a, b, split={"clusters": clusters}))
    assert (made.clusters, made.differences[0].clips, made.differences[0].clusters) == (8, 24, 8)
    means = np.mean([np.subtract(a, b)[n::8] for n in range(8)], axis=1)
    assert made.differences[0].p == pytest.approx(stats.wilcoxon(means).pvalue)
    few = {10 * n + 1: f"{n % 5}.avi" for n in range(24)}
    made = compared(runs(tmp_path / "few", a, b, split={"clusters": few}))
    assert math.isnan(made.differences[0].low)
    assert math.isnan(made.differences[0].p)
    text = render(made, all_notes=True)
    assert "of 5 clusters" in text
    assert "No intervals and no p where there are fewer than 6 clusters" in text


def test_runs_that_do_not_say_what_to_compare_have_no_interval(tmp_path: Path) -> None:
    one, _ = runs(tmp_path / "new", [30.0, 60.0] * 10, [29.0] * 20)
    other = make_run(
        tmp_path / "old",
        label="old",
        scores={
            10 * n + 1: by_column(psnr=[29.0, 20.0], ssim=[0.9, 0.8], sharpness=[25.0, 24.0])
            for n in range(20)
        },
        schema=1,
    )
    made = compared((one, other))
    first = made.differences[0]
    assert (made.clusters, first.clips, first.clusters, first.mean) == (None, 10, None, 1.0)
    assert math.isnan(first.low)
    assert math.isnan(first.p)
    assert "vpbench migrate RUN" in " ".join(render(made).split())


def test_the_p_value_is_scipys(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(30, 3, 40), rng.normal(29.5, 3, 40)
    found = compared(runs(tmp_path, list(a), list(b))).differences[0]
    assert found.p == pytest.approx(stats.wilcoxon(a - b).pvalue)


def test_swapping_the_runs_turns_everything_round(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    folders = runs(tmp_path, list(rng.normal(31, 2, 30)), list(rng.normal(29, 2, 30)))
    one, other = compared(folders), compared(folders[::-1])
    for d, e in zip(one.differences, other.differences, strict=True):
        assert (d.mean, d.p, d.wins, d.losses) == pytest.approx((-e.mean, e.p, e.losses, e.wins))
        assert (d.low, d.high) == pytest.approx((-e.high, -e.low))
    assert (one.differences[0].better, other.differences[0].better) == ("A", "B")
    assert one.differing_clips["clip"].tolist() == other.differing_clips["clip"].tolist()[::-1]


def test_few_clips_have_no_interval_and_none_no_numbers(tmp_path: Path) -> None:
    few = compared(runs(tmp_path / "few", [30.0] * 5, [29.0] * 5)).differences[0]
    assert math.isnan(few.low)
    assert few.better == ""
    folders = runs(tmp_path / "none", [None, 30.0], [30.0, None])
    none = compared(folders).differences[0]
    assert none.clips == 0
    assert all(math.isnan(value) for value in (none.mean, none.mean_a, none.low, none.p))
    for form in FORMATS:
        text = render(compared(folders), form)
        assert "nan" not in text.lower()
    assert "No clip differs." in render(compared(folders))
    assert json.loads(render(compared(folders), "json"))["differences"][0]["p"] is None


def test_equal_runs_differ_nowhere(tmp_path: Path) -> None:
    made = compared(runs(tmp_path, [30.0, 31.0] * 10, [30.0, 31.0] * 10))
    assert all((d.mean, d.low, d.high, d.p, d.ties) == (0, 0, 0, 1, 20) for d in made.differences)
    assert made.differing_clips.empty
    assert "•" not in render(made)


def test_long_horizons_have_the_mean_of_all_frames_first(tmp_path: Path) -> None:
    folders = []
    for n in range(2):
        scores = {
            clip: by_column(
                psnr=[30.0 - k + n for k in range(8)],
                ssim=[0.9] * 8,
                sharpness=[25.0] * 8,
                counted=[True] * (8 - clip % 2 * n),
            )
            if not (clip % 2 and n)
            else by_column(
                psnr=[30.0 - k + n for k in range(7)] + [None],
                ssim=[0.9] * 8,
                sharpness=[25.0] * 8,
                counted=[True] * 7 + [False],
            )
            for clip in range(8)
        }
        folders.append(make_run(tmp_path / str(n), label=str(n), protocol="ucf101-8to8", scores=scores))
    made = compared((folders[0], folders[1]))
    by_frame = {d.frame: d for d in made.differences if d.column.key == "psnr"}
    assert list(by_frame) == ["all", *range(1, 9)]
    assert (by_frame["all"].clips, by_frame[8].clips) == (8, 4)
    assert by_frame["all"].mean == pytest.approx(-1)
    assert "all 8 frames" in render(made)


def test_runs_that_cannot_be_compared_are_refused_and_common_clips_help(tmp_path: Path) -> None:
    one = make_run(tmp_path / "a", label="one", split={"total": 3})
    scores = {clip: by_column(psnr=[30.0, 29.0], ssim=[0.9, 0.8], sharpness=[25.0, 24.0]) for clip in (1, 11)}
    two = make_run(tmp_path / "b", label="two", scores=scores, split={"total": 3})
    with pytest.raises(UsageError, match=r"Only 'one' has 1 clip: 21.*--common"):
        compared((one, two))
    assert compared((one, two), common=True).clips == 2
    with pytest.raises(UsageError, match="given twice"):
        compared((one, one))
    with pytest.raises(UsageError, match="Unknown score 'psnr_3'"):
        compared((one, two), common=True, by="psnr_3")
    with pytest.raises(UsageError, match=r"Unknown metric of this protocol .pnsr.\. Did you mean psnr"):
        compared((one, two), common=True, metrics=["pnsr"])


def test_clips_are_named_where_the_split_is_known(tmp_path: Path) -> None:
    split = get_split("demo")
    facts = {"name": "demo", "hash": split.hash, "total": 12}
    known = compared(runs(tmp_path / "a", [30.0], [29.0], split=facts))
    assert known.differing_clips["source"].tolist() == ["bikes.mp4 from frame 12"]
    other = compared(runs(tmp_path / "b", [30.0], [29.0]))
    assert other.differing_clips["source"].tolist() == [None]


def test_what_makes_a_comparison_unfair_is_said(tmp_path: Path) -> None:
    folders = runs(tmp_path, [30.0] * 8, [29.0] * 8)
    said = {"method": "x", "training_data": "UCF101", "citation": "x", "test_clips_seen": "tuned"}
    with_fields(folders[1], submission=said)
    text = " ".join(render(compared(folders)).split())
    assert "B: tuned on test clips: a choice was made with an eye on them; no rank." in text
    assert "A: tuned" not in text


def test_every_format_says_the_same(cli, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    folders = runs(tmp_path, list(rng.normal(31, 2, 30)), list(rng.normal(29, 2, 30)))
    assert "1000 resamples" not in cli("compare", *folders).stdout
    text = cli("compare", *folders, "--notes", "all").stdout
    assert max(map(escape.width, text.splitlines())) <= 80
    assert re.search(r"1st frame\nPSNR ↑ +30 +\d\d\.\d\d• +\d\d\.\d\d +\+\d\.\d\d +\[\+", text)
    for part in ("95 %", "1000 resamples", "seed 0", "Wilcoxon", "A is better", "B is better"):
        assert part in " ".join(text.split())
    (row, *_) = csv.DictReader(io.StringIO(cli("compare", *folders, "--format", "csv").stdout))
    data = json.loads(cli("compare", *folders, "--format", "json").stdout)
    assert data["differences"][0]["mean"] == float(row["mean"])
    assert data["clips_that_differ_most"][0]["difference"] > 0
    lines = [
        line
        for line in cli("compare", *folders, "--format", "markdown").stdout.splitlines()
        if line[:1] == "|"
    ]
    assert any(line.startswith("| PSNR ↑") for line in lines)
    assert (
        cli("compare", *folders, "--out", tmp_path / "x.txt", "--most", "1", "--level", "0.9").exit_code == 0
    )
    assert "90 % interval" in (tmp_path / "x.txt").read_text()


@pytest.mark.parametrize("form", FORMATS)
def test_hostile_names_stay_names(tmp_path: Path, form: str) -> None:
    text = render(compared(runs(tmp_path, [30.0], [29.0], labels=(HOSTILE, "=cmd"))), form)
    assert "<img" not in text or form == "text"
    assert "</script>" not in text or form == "text"
    assert form != "latex" or "\\input{" not in text
