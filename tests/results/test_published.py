from pathlib import Path

import pytest
from published import published_table

from vpbench.errors import VpbenchError
from vpbench.results.published_tables import for_runs, read_published

GOOD = """
[source]
key = "paper"
short = "Paper"
title = "A paper"
url = "https://example.org"
bibtex = "@misc{paper}"

[[table]]
name = "t"
place = "Table 1"
summary = "s"
protocol = "full-frame"
split = "demo"
verified = true
frames = [1, 2]
labels = { psnr = "PSNR" }
decimals = { psnr = 1 }
marks = { "*" = "starred" }
rows = [
  { label = "a", psnr = [30.0, nan] },
  { label = "b", psnr = [31, 29.5], marks = ["*"], verified = false },
]
"""


def test_table_2_is_whole_and_not_verified() -> None:
    table = published_table("mathieu2016/table2")
    assert (table.protocol, table.split) == ("mathieu2016", "ucf101-every10th")
    assert len(table.rows) == 10
    assert not any(row.verified for row in table.rows)
    assert [row.label for row in table.rows if row.marks] == [
        "GDL ℓ1",
        "Adv",
        "Adv+GDL",
        "Adv+GDL fine-tuned",
    ]
    best = table.rows[7].scores
    assert best == {"psnr": {1: 32.0, 2: 28.9}, "ssim": {1: 0.92, 2: 0.89}, "sharpness": {1: 25.4, 2: 25.0}}


def test_figure_5_is_verified_and_stands_alone() -> None:
    table = published_table("mathieu2016/figure5")
    assert table.protocol is None
    assert all(row.verified for row in table.rows)
    assert [row.group for row in table.rows] == ["Basketball Dunk"] * 3 + ["Ice Dancing"] * 3
    assert table.rows[2].scores == {"psnr": {1: 26.7, 2: 19.0}, "ssim": {1: 0.89, 2: 0.59}}


def test_the_appendix_is_an_empty_slot() -> None:
    table = published_table("mathieu2016/appendix-whole-image")
    assert table.rows == ()
    assert table.protocol is None


def test_only_filled_tables_of_the_same_protocol_and_split_are_for_runs() -> None:
    tables = read_published()
    assert [t.name for t in for_runs("mathieu2016", "ucf101-every10th", tables)] == ["table2"]
    assert not for_runs("full-frame", "ucf101-every10th", tables)
    assert not for_runs("mathieu2016", "demo", tables)


def test_a_file_of_ones_own_is_read(tmp_path: Path) -> None:
    (tmp_path / "paper.toml").write_text(GOOD, encoding="utf-8")
    (table,) = read_published(tmp_path)
    assert table.citation == "Paper, Table 1"
    assert [row.verified for row in table.rows] == [True, False]
    assert table.rows[1].scores["psnr"] == {1: 31.0, 2: 29.5}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("frames = [1, 2]", "frames = [1", "not TOML"),
        ('key = "paper"', 'key = "other"', "must be the file's name"),
        ('summary = "s"\n', "", "'summary' is missing"),
        ("rows = [", "lines = [", "'lines' is no field of it"),
        ("psnr = [30.0, nan]", "psnr = [30.0]", r"table 't', row 1 \('a'\): 'psnr' must have 2 values"),
        ("psnr = [30.0, nan]", "psnr = [30.0, inf]", "finite number, not inf"),
        ("psnr = [30.0, nan]", "ssim = [1.0, 1.0]", "'ssim' is no field"),
        ("psnr = [30.0, nan]", 'psnr = [30.0, "x"]', "must be a number, not a text"),
        ('marks = ["*"]', 'marks = ["+"]', r"'\+' is not explained"),
        ('{ "*" = "starred" }', '{ "†" = "starred" }', "cannot be a mark"),
        ('{ "*" = "starred" }', '{ "‡" = "starred" }', "cannot be a mark"),
        ('{ "*" = "starred" }', '{ "a" = "starred" }', "cannot be a mark"),
        ('split = "demo"\n', "", "'protocol' and 'split' must both"),
        ("decimals = { psnr = 1 }", "decimals = { ssim = 1 }", "the same metrics"),
        ('label = "a", ', "", "'label' is missing"),
    ],
)
def test_damage_is_named_with_the_file(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    (tmp_path / "paper.toml").write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(VpbenchError, match=message) as caught:
        read_published(tmp_path)
    assert "paper.toml" in str(caught.value)


def test_two_tables_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "paper.toml").write_text(GOOD + GOOD[GOOD.index("[[table]]") :], encoding="utf-8")
    with pytest.raises(VpbenchError, match="same name"):
        read_published(tmp_path)
