"""What is cited with a table, and what a stranger's citation cannot do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from runs import make_run

from vpbench.analysis.leaderboard import build_leaderboard
from vpbench.runs.run import read_run
from vpbench.tables.bibtex import entries
from vpbench.tables.citation import BibtexEntry, parse_entry

GOOD = """@InProceedings{liu2017,
  title = {Video {F}rames of {\\"O}sten},
  year = {2017},
}"""


def cited(tmp_path: Path, *citations: str | None) -> str:
    folders = []
    for n, citation in enumerate(citations):
        folder = make_run(tmp_path / str(n), label=f"run{n}")
        if citation is not None:
            manifest = json.loads((folder / "manifest.json").read_text())
            submission = {
                "method": f"Méthode_{n}",
                "citation": citation,
                "training_data": "none",
                "test_clips_seen": False,
            }
            (folder / "manifest.json").write_text(json.dumps({**manifest, "submission": submission}))
        folders.append(folder)
    return entries(build_leaderboard([read_run(folder) for folder in folders]))


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        (
            "@misc{a:b-2, note = {50\\% of \\{x\\}}}\n",
            BibtexEntry("misc", "a:b-2", {"note": "50\\% of \\{x\\}"}),
        ),
        (
            '@Article(a, Title = "x" # { {y}  z}, year=2017)',
            BibtexEntry("article", "a", {"title": "x {y} z", "year": "2017"}),
        ),
        ("@misc{k, month = FEB,}", BibtexEntry("misc", "k", {"month": "feb"})),
        ("@misc{k}", None),
        ("@misc{k, title = {x}} and more", None),
        ("see @misc{k, title = {x}}", None),
        ("@misc{k, title = {x}, title = {y}}", None),
        ("@misc{k, title = undefined}", None),
        ("@misc{k, title = {x\\} and \\{}}", None),  # BibTeX counts escaped braces too
        ('@string{feb = "x"}', None),
        ('@preamble{"x"}', None),
        ("@comment{k, title = {x}}", None),
        ("text", None),
        ("", None),
    ],
)
def test_one_whole_entry_is_read(text: str, entry: BibtexEntry | None) -> None:
    assert parse_entry(text) == entry


def test_the_paper_is_always_cited_and_unknown_citations_are_said(tmp_path: Path) -> None:
    text = cited(tmp_path, None)
    assert text.startswith("% run0: no citation is known\n\n@inproceedings{mathieu2016,")


def test_entries_are_kept_and_named_once(tmp_path: Path) -> None:
    text = cited(tmp_path, GOOD, GOOD, GOOD.replace("2017}", "2018}"))
    assert text.count("@inproceedings{liu2017,") == 1
    assert text.count("@inproceedings{liu2017-2,") == 1
    assert 'title = {Video {F}rames of {\\"O}sten}' in text


def test_a_field_stands_in_a_line_and_a_month_stays_a_macro(tmp_path: Path) -> None:
    text = cited(tmp_path, '@misc{me, title = "A" # {  B}, month = JAN, year = 2017}')
    assert text.endswith("@misc{me,\n  title = {A B},\n  month = jan,\n  year = {2017},\n}")


def test_a_text_becomes_a_note(tmp_path: Path) -> None:
    text = cited(tmp_path, "Our paper, 50% & more_")
    assert r"note = {Our paper, 50\% \& more\_}" in text
    assert "@misc{m-thode-0," in text


@pytest.mark.parametrize(
    "hostile",
    [
        GOOD.replace("Video", r"\input{/etc/passwd}"),
        GOOD.replace("Video", r"\immediate\write18{ls}"),
        GOOD.replace("Video", "^^5cinput x"),
        GOOD.replace("Video", "} } @preamble{"),
        GOOD.replace("@InProceedings", "@preamble"),
        GOOD.replace("Video", "% "),
        GOOD.replace("Video", r"{\}"),  # balanced for BibTeX, not for LaTeX
        GOOD.replace("title", r"\input"),
        GOOD.replace("{2017}", r"\input"),
    ],
)
def test_a_hostile_entry_becomes_an_escaped_note(tmp_path: Path, hostile: str) -> None:
    text = cited(tmp_path, hostile)
    own = text[text.index("@misc{") :]
    assert r"\input" not in own
    assert r"\immediate" not in own
    assert "^^" not in own
    assert own.count("@") == own.count("@misc") + own.count("@preamble") + own.count("@InProceedings")
    assert own.replace(r"\{", "").replace(r"\}", "").count("{") == own.replace(r"\{", "").replace(
        r"\}", ""
    ).count("}")


def test_published_rows_are_cited(cli, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a", split={"name": "ucf101-every10th", "total": 379})
    result = cli("leaderboard", folder, "--format", "bibtex", "--out", tmp_path / "x.bib")
    assert result.exit_code == 0
    assert (tmp_path / "x.bib").read_text().count("@inproceedings{mathieu2016,") == 1


def test_a_comment_begins_no_entry(tmp_path: Path) -> None:
    """BibTeX has no ``%`` comment: it reads whatever follows an ``@``."""
    folder = make_run(tmp_path / "a", label="@misc{x, } @preamble{ \\input{y} }")
    comment, rest = entries(build_leaderboard([read_run(folder)])).split("\n\n", 1)
    assert comment == "% miscx,  preamble \\inputy : no citation is known"
    assert rest.startswith("@inproceedings{mathieu2016,")


@pytest.mark.parametrize("braces", ["{", "}", "}{", "{{"])
def test_braces_in_a_note_are_balanced_for_bibtex(tmp_path: Path, braces: str) -> None:
    text = cited(tmp_path, f"Our {braces} paper")
    entry = parse_entry(text[text.index("@misc{") :])
    assert entry is not None
    assert entry.fields["note"].startswith(r"Our \textbrace")
