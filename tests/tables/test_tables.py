import csv
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from published import published_table
from runs import by_column, make_run

from vpbench import escape
from vpbench.analysis.leaderboard import Leaderboard, LeaderboardOptions, build_leaderboard
from vpbench.errors import UsageError
from vpbench.results.published_tables import read_published
from vpbench.runs.run import read_run
from vpbench.tables.formats.export import FORMATS
from vpbench.tables.published import render_published
from vpbench.tables.render import render

SPLIT = {"name": "ucf101-every10th", "total": 379}
HOSTILE = [
    "x|y & 50% _a_ \\ <script>alert(1)</script> $x^2$ {~#}",
    "new\nline \x1b[31mred\x1b[0m [a] `code` *b* -- \"q\" 'c' 中文 é ℓ",
    "\\input{/etc/passwd} \\\\[1cm] *",
    "=cmd|calc",
]


def make_board(
    tmp_path: Path, labels: list[str], protocol: str = "mathieu2016", **options: object
) -> Leaderboard:
    targets = 8 if protocol == "ucf101-8to8" else 2
    folders = []
    for n, label in enumerate(labels):
        scores = {
            clip: by_column(
                psnr=[31.7 - n - k for k in range(targets)],
                ssim=[0.94 - n / 100] * targets,
                sharpness=[25.0] * targets,
            )
            for clip in (1, 11)
        }
        folder = tmp_path / f"{protocol}-{n}"
        folders.append(make_run(folder, label=label, protocol=protocol, scores=scores, **options))  # type: ignore[arg-type]
    return build_leaderboard([read_run(folder) for folder in folders])


@pytest.fixture
def board(tmp_path: Path) -> Leaderboard:
    return make_board(
        tmp_path, ["last_frame", "optical_flow", "optical_flow,estimator=edgeaware"], split=SPLIT
    )


def body(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(start))


def test_text_is_table_2_in_80_columns(board: Leaderboard) -> None:
    text = render(board)
    assert max(map(escape.width, text.splitlines())) <= 80
    assert re.search(r"1st frame +2nd frame", text)
    assert body(text, "last_frame").split()[1:] == [
        "31.70•",
        "0.940•",
        "25.00•",
        "2",
        "30.70•",
        "0.940•",
        "25.00•",
        "2",
    ]
    assert body(text, "optical_flow ").split()[1:5] == ["30.70◦", "0.930◦", "25.00•", "2"]
    assert "Moving area: 25.0 %" in text  # no column where all rows have the same
    assert body(text, "optical_flow,estimator=edgeaware ")
    measured, _, published = text.partition("\npublished\n")
    assert "last_frame" in measured
    assert body(published, "Adv+GDL fine-tuned*†").split()[2:] == [
        "32.0",
        "0.92",
        "25.4",
        "–",
        "28.9",
        "0.89",
        "25.0",
        "–",
    ]
    assert "†" not in measured
    assert "•: best, ◦: second of the measured rows, at the printed precision." in text


def test_counts_of_three_digits_still_fit(tmp_path: Path) -> None:
    scores = by_column(psnr=[30.0, 29.0], ssim=[0.9, 0.8], sharpness=[25.0, 24.0])
    folders = [
        make_run(
            tmp_path / str(n),
            label="optical_flow_edgewar" + "e" * n,
            split=SPLIT,
            scores=dict.fromkeys(range(379), scores),
        )
        for n in range(2)
    ]
    text = render(build_leaderboard([read_run(folder) for folder in folders]))
    assert max(map(escape.width, text.splitlines())) <= 80
    assert body(text, "optical_flow_edgewar ").split()[1:3] == ["1", "30.00•"]


def test_one_row_has_no_best(tmp_path: Path) -> None:
    board = make_board(tmp_path, ["last_frame"])
    assert "•" not in render(board)
    assert "**" not in render(board, "markdown")


def test_best_is_judged_at_printed_precision_and_by_direction(tmp_path: Path) -> None:
    folders = []
    for n, psnr in enumerate([30.001, 30.004, 29.99]):
        scores = {1: by_column(psnr=[psnr] * 2, ssim=[0.9] * 2, sharpness=[25.0 + n] * 2)}
        folders.append(make_run(tmp_path / str(n), label=f"r{n}", scores=scores))
    text = render(build_leaderboard([read_run(folder) for folder in folders]))
    assert [body(text, f"r{n}").split()[1] for n in range(3)] == ["30.00•", "30.00•", "29.99"]
    assert [body(text, f"r{n}").split()[3] for n in range(3)] == ["25.00", "26.00◦", "27.00•"]


def test_missing_means_are_dashes_and_never_best(tmp_path: Path) -> None:
    nothing = by_column(psnr=[60.0, None], ssim=[1.0, 1.0], sharpness=[50.0, 50.0], counted=[False, False])
    some = by_column(psnr=[30.0, 30.0], ssim=[0.9, 0.9], sharpness=[25.0, 25.0])
    folders = [
        make_run(tmp_path / name, label=name, scores={1: scores})
        for name, scores in (("none", nothing), ("one", some), ("two", some))
    ]
    made = build_leaderboard([read_run(folder) for folder in folders])
    assert body(render(made), "none").split() == ["none", "–", "–", "–", "0", "–", "–", "–", "0"]
    assert "none 1 + 0 excluded, 0 + 1 undefined" in render(made)
    for form in FORMATS:
        assert "nan" not in render(made, form).lower()


def test_markdown_has_one_row_a_run_and_bold_best(board: Leaderboard) -> None:
    lines = [line for line in render(board, "markdown").splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 3 + 1 + 10
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert "1st frame PSNR (dB ↑)" in lines[0]
    cells = [cell.strip() for cell in lines[2].split("|")]
    assert cells[1:6] == ["last\\_frame", "**31.70**", "**0.940**", "**25.00**", "2"]
    assert lines[5].split("|")[1].strip() == "*published*"
    assert "**" not in "".join(lines[5:]).replace("\\*", "")


def test_csv_has_full_precision_and_flags(board: Leaderboard) -> None:
    rows = list(csv.DictReader(io.StringIO(render(board, "csv"))))
    assert len(rows) == 13
    assert float(rows[1]["ssim_1"]) == float(board.rows["ssim_1"][1])
    assert rows[0]["frames_counted_1"] == "2"
    assert [row["published"] for row in rows] == ["False"] * 3 + ["True"] * 10
    assert rows[-1]["verified"] == "False"
    assert rows[-1]["frames_counted_1"] == ""
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in rows[0])


def test_latex_is_a_booktabs_table(board: Leaderboard) -> None:
    text = render(board, "latex")
    for part in (
        r"\begin{table}",
        r"\caption{",
        r"\label{tab:mathieu2016-ucf101-every10th}",
        r"\toprule",
        r"\multicolumn{4}{c}{1st frame}",
        r"\cmidrule(lr){2-5}",
        r"{last\_frame} & \textbf{31.70}",
        r"\emph{published}",
        r"$\ell$2}\textsuperscript{\textdagger{}}",
        r"\bottomrule",
        r"\end{table}",
    ):
        assert part in text


def test_long_horizons_are_followed_by_a_table_a_metric(tmp_path: Path) -> None:
    board = make_board(tmp_path, ["last_frame", "optical_flow", "gdl"], "ucf101-8to8")
    text = render(board)
    assert max(map(escape.width, text.splitlines())) <= 80
    for heading in ("all 8 frames", "1st frame", "8th frame", "PSNR (dB ↑) of each predicted frame."):
        assert heading in text
    steps = text[text.index("PSNR (dB ↑) of each") :]
    assert body(steps, "3 ").split() == ["3", "29.70•", "28.70◦", "27.70"]
    assert render(board, "markdown").count("of each predicted frame") == 3
    assert render(board, "latex").count(r"\begin{table}") == 4


def test_one_target_is_one_group(tmp_path: Path) -> None:
    scores = {1: by_column(psnr=[30.0], ssim=[0.9])}
    text = render(
        build_leaderboard([read_run(make_run(tmp_path / "a", protocol="dvf2017-like", scores=scores))])
    )
    assert "1st frame" in text
    assert "2nd" not in text


def test_hostile_names_stay_names(tmp_path: Path) -> None:
    board = make_board(tmp_path, HOSTILE)
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


def test_an_unknown_format_gets_a_suggestion(board: Leaderboard) -> None:
    with pytest.raises(UsageError, match="Did you mean latex"):
        render(board, "latx")


def wide_board(tmp_path: Path, clips: int = 30, **options: object) -> Leaderboard:
    """Three runs of enough clips for intervals, two of them seeds of one method."""
    folders = []
    for n, label in enumerate(["last_frame", "s1", "s2"]):
        scores = {
            clip: by_column(
                psnr=[31.7 + n / 3 + clip % 7 - k for k in range(2)], ssim=[0.9, 0.8], sharpness=[25.0, 24.0]
            )
            for clip in range(clips)
        }
        description = {"seed": n, "method": "Adv+GDL", "training_data": "UCF101 <train>"} if n else {}
        folders.append(
            make_run(tmp_path / label, label=label, scores=scores, split=SPLIT, description=description)
        )
    return build_leaderboard([read_run(folder) for folder in folders], LeaderboardOptions(**options))  # type: ignore[arg-type]


def test_intervals_and_spreads_stand_beneath_the_means_in_80_columns(tmp_path: Path) -> None:
    made = wide_board(tmp_path)
    text = render(made, intervals=True)
    assert max(map(escape.width, text.splitlines())) <= 80
    row = made.rows.iloc[1]
    assert f"[{row['psnr_1_low']:.2f}, {row['psnr_1_high']:.2f}]" in text
    assert f"±{row['psnr_1_sd']:.2f}" in text
    caption = " ".join(text.split("\n\n")[0].split())
    for part in ("95 %", "1000 resamples from seed 0", "30 clips that both count", "In brackets: intervals"):
        assert part in caption
    assert "[" not in body(render(made), "last_frame")
    assert "In brackets" not in render(made)
    assert "No intervals: they need 6 clips" in render(wide_board(tmp_path / "few", clips=5), intervals=True)
    assert "too narrow" in render(wide_board(tmp_path / "some", clips=12), intervals=True)
    assert "90 %" in render(wide_board(tmp_path / "level", level=0.9))


def test_facts_are_columns_and_training_data_footnotes(tmp_path: Path) -> None:
    made = wide_board(tmp_path)
    text = render(made, facts=True)
    assert max(map(escape.width, text.splitlines())) <= 80
    facts = text[text.index("  facts\n") :]
    assert body(facts, "last_frame").split()[1:] == ["25.0", "–", "1.5"]
    assert "published" not in facts.split("\n\n")[0]  # they have none
    assert "training data: UCF101 <train>" in text
    assert "training data" not in render(made)


def test_precision_is_for_decibels_and_one_digit_more_for_similarities(tmp_path: Path) -> None:
    cells = body(render(wide_board(tmp_path), precision=1), "last_frame").split()
    assert [cell.strip("•◦") for cell in cells[2:5]] == ["34.5", "0.90", "25.0"]


def test_second_best_is_marked_unless_two_share_the_best(tmp_path: Path) -> None:
    folders = []
    for n, (psnr, ssim) in enumerate([(31.0, 0.9), (30.0, 0.9), (29.0, 0.8)]):
        scores = {1: by_column(psnr=[psnr] * 2, ssim=[ssim] * 2, sharpness=[25.0] * 2)}
        folders.append(make_run(tmp_path / str(n), label=f"r{n}", scores=scores))
    made = build_leaderboard([read_run(folder) for folder in folders])
    assert [body(render(made), f"r{n}").split()[1] for n in range(3)] == ["31.00•", "30.00◦", "29.00"]
    assert [body(render(made), f"r{n}").split()[2] for n in range(3)] == ["0.900•", "0.900•", "0.800"]
    assert "<u>30.00</u>" in render(made, "markdown")
    assert r"\underline{30.00}" in render(made, "latex")
    assert "<u>30.00</u>" in render(made, "html")
    assert "<strong>31.00</strong>" in render(made, "html")


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


def test_json_is_json_whatever_a_manifest_holds(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a")
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"size": null', '"size": NaN'))
    assert (
        json.loads(render(build_leaderboard([read_run(folder)]), "json"))["protocol"]["definition"]["size"]
        is None
    )


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


@pytest.mark.parametrize("form", ["html", "json"])
def test_hostile_names_stay_names_in_pages(tmp_path: Path, form: str) -> None:
    made = make_board(tmp_path, HOSTILE, description={"marks": ["</script><script>x</script>"]})
    text = render(made, form)
    assert "<script" not in text
    assert "</script" not in text
    if form == "html":
        page = Page(text)
        assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img", "a"})
        assert any("<script>alert(1)</script>" in shown for shown in page.texts)
    else:
        assert "<script>alert(1)</script>" in json.loads(text)["rows"][0]["label"]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles(tmp_path: Path, board: Leaderboard) -> None:
    marks = {"marks": ["50% & <b>_x_ \\par #1 中"]}
    parts = [
        render(board, "latex"),
        render(make_board(tmp_path, HOSTILE, description=marks), "latex"),
        render(make_board(tmp_path, HOSTILE, "ucf101-8to8"), "latex"),
        render(wide_board(tmp_path), "latex", intervals=True, facts=True),
        render(wide_board(tmp_path), "latex", intervals=True),
        *(render_published(table, "latex") for table in read_published()),
    ]
    document = [
        "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}",
        *parts,
        "\\end{document}\n",
    ]
    (tmp_path / "table.tex").write_text("\n\\clearpage\n".join(document), encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "table.tex"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    log = (tmp_path / "table.log").read_text(encoding="utf-8", errors="replace")
    assert done.returncode == 0, log[-2000:]
    assert "Missing character" not in log
    assert "Overfull" not in log
