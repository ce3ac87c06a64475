"""A table in every format; names from strangers stay names."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from boards import HOSTILE_LABELS, SPLIT, make_board, wide_board
from needs import find_latex
from published import published_table

from vpbench import escape
from vpbench.analysis.leaderboard import Leaderboard
from vpbench.errors import UsageError
from vpbench.results.published_tables import read_published
from vpbench.tables.formats.export import FORMATS
from vpbench.tables.published import render_published
from vpbench.tables.render import render


class Page(HTMLParser):
    """Collects tags and texts, and checks that tags are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture
def small_board(tmp_path: Path) -> Leaderboard:
    return make_board(
        tmp_path, ["last_frame", "optical_flow", "optical_flow,estimator=edgeaware"], split=SPLIT
    )


def test_markdown_has_one_row_a_run_and_bold_best(small_board: Leaderboard) -> None:
    lines = [line for line in render(small_board, "markdown").splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 3 + 1 + 10
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert "1st frame PSNR (dB ↑)" in lines[0]
    cells = [cell.strip() for cell in lines[2].split("|")]
    assert cells[1:7] == ["last\\_frame", "1", "**31.70**", "**0.940**", "**25.00**", "8"]
    assert lines[5].split("|")[1].strip() == "*published*"
    assert "**" not in "".join(lines[5:]).replace("\\*", "")


def test_csv_has_full_precision_and_flags(small_board: Leaderboard) -> None:
    rows = list(csv.DictReader(io.StringIO(render(small_board, "csv"))))
    assert len(rows) == 13
    assert float(rows[1]["ssim_1"]) == float(small_board.rows["ssim_1"][1])
    assert rows[0]["frames_counted_1"] == "8"
    assert [row["published"] for row in rows] == ["False"] * 3 + ["True"] * 10
    assert rows[-1]["verified"] == "False"
    assert rows[-1]["frames_counted_1"] == ""
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in rows[0])


def test_latex_is_a_booktabs_table(small_board: Leaderboard) -> None:
    text = render(small_board, "latex")
    for part in (
        r"\begin{table*}",
        r"\caption{",
        r"\label{tab:mathieu2016-ucf101-every10th}",
        r"\toprule",
        r"\multicolumn{4}{c}{1st frame}",
        r"\cmidrule(lr){3-6}",
        r"{last\_frame} & 1 & \textbf{31.70}",
        r"\emph{published}",
        r"$\ell$2}\textsuperscript{\textdagger{}}",
        r"\bottomrule",
        r"\end{table*}",
    ):
        assert part in text


def test_json_has_every_number_and_says_how_it_was_found(tmp_path: Path) -> None:
    made = wide_board(tmp_path)
    data = json.loads(render(made, "json"))
    assert (data["kind"], data["schema"]) == ("vpbench-leaderboard", 1)
    assert (
        data["statistics"] | {"level": 0.95, "resamples": 1000, "seed": 0, "column": "psnr", "frame": 1}
        == (data["statistics"])
    )
    assert [row["label"] for row in data["rows"]][:2] == ["last_frame", "Adv+GDL"]
    assert data["rows"][1]["psnr_1_low"] == made.rows["psnr_1_low"][1]
    assert data["rows"][0]["psnr_1_sd"] is None
    assert data["rows"][-1]["rank"] is None
    assert [row["rank"] for row in data["rows"]][:2] == [2, 1]


def test_html_is_an_accessible_table_with_intervals_and_facts(tmp_path: Path) -> None:
    page = Page(render(wide_board(tmp_path), "html"))
    assert not page.open
    names = [tag for tag, _ in page.tags]
    assert (names.count("table"), names.count("tbody")) == (1, 2)
    scopes = [attributes.get("scope") for tag, attributes in page.tags if tag == "th"]
    assert set(scopes) == {"col", "colgroup", "row", "rowgroup"}
    (table,) = (attributes for tag, attributes in page.tags if tag == "table")
    assert table["aria-labelledby"] in [attributes.get("id") for tag, attributes in page.tags if tag == "p"]
    assert "script" not in names
    assert any(text.startswith("[") for text in page.texts)
    assert "param." in page.texts


def test_hostile_names_stay_names(tmp_path: Path) -> None:
    board = make_board(tmp_path, HOSTILE_LABELS)
    text = render(board)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)
    assert max(map(escape.width, text.splitlines())) <= 80
    markdown = render(board, "markdown")
    assert "<script" not in markdown
    assert r"x\|y &amp; 50% \_a\_ \\ &lt;script&gt;" in markdown
    assert (
        len({len(re.findall(r"(?<!\\)\|", line)) for line in markdown.splitlines() if line[:1] == "|"}) == 1
    )
    latex = render(board, "latex")
    assert r"\textbackslash{}input\{/etc/" in latex
    assert r"x\textbar{}y \& 50\% \_a\_" in latex
    rows = list(csv.DictReader(io.StringIO(render(board, "csv"))))
    assert rows[3]["label"] == "'=cmd|calc"
    assert "\n" not in rows[1]["label"]


@pytest.mark.parametrize("form", ["html", "json"])
def test_hostile_names_stay_names_in_pages(tmp_path: Path, form: str) -> None:
    made = make_board(tmp_path, HOSTILE_LABELS, description={"marks": ["</script><script>x</script>"]})
    text = render(made, form)
    assert "<script" not in text
    assert "</script" not in text
    if form == "html":
        page = Page(text)
        assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img", "a"})
        assert any("<script>alert(1)</script>" in shown for shown in page.texts)
    else:
        assert "<script>alert(1)</script>" in json.loads(text)["rows"][0]["label"]


def test_an_unknown_format_gets_a_suggestion(small_board: Leaderboard) -> None:
    with pytest.raises(UsageError, match="Did you mean latex"):
        render(small_board, "latx")


def test_published_tables_are_printed_on_their_own() -> None:
    text = render_published(published_table("mathieu2016/figure5"))
    assert "Figure 5, page 9" in text
    assert re.search(r"Basketball Dunk\nConstant optical flow +25\.4 +0\.88 +18\.9 +0\.56\n", text)
    assert "•" not in text
    rows = list(csv.DictReader(io.StringIO(render_published(published_table("mathieu2016/figure5"), "csv"))))
    assert (rows[4]["group"], rows[4]["psnr_2"]) == ("Ice Dancing", "17.8")
    assert "Adv+GDL fine-tuned*†" in render_published(published_table("mathieu2016/table2"))


@pytest.mark.parametrize("form", FORMATS)
def test_the_empty_slot_is_printed_as_such(form: str) -> None:
    text = render_published(published_table("mathieu2016/appendix-whole-image"), form)
    expected = {"csv": "label,group,", "json": '"rows": []'}.get(form, "No rows yet")
    assert expected in text


def test_latex_compiles(tmp_path: Path, small_board: Leaderboard) -> None:
    pdflatex = find_latex()
    marks = {"marks": ["50% & <b>_x_ \\par #1 中"]}
    parts = [
        render(small_board, "latex"),
        render(make_board(tmp_path, HOSTILE_LABELS, description=marks), "latex"),
        render(make_board(tmp_path, HOSTILE_LABELS, "ucf101-8to8"), "latex"),
        render(wide_board(tmp_path), "latex", intervals=True, facts=True),
        render(wide_board(tmp_path), "latex", intervals=True),
        render(make_board(tmp_path, HOSTILE_LABELS), "latex", matrix=True),
        *(render_published(table, "latex") for table in read_published()),
    ]
    document = [
        "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}",
        *parts,
        "\\end{document}\n",
    ]
    (tmp_path / "table.tex").write_text("\n\\clearpage\n".join(document), encoding="utf-8")
    done = subprocess.run(
        [pdflatex, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "table.tex"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    log = (tmp_path / "table.log").read_text(encoding="utf-8", errors="replace")
    assert done.returncode == 0, log[-2000:]
    assert "Missing character" not in log
    assert "Overfull" not in log
