"""What to cite with a leaderboard's rows: the papers of the published rows and of the submitted methods."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vpbench.escape import bibtex_comment, bibtex_value
from vpbench.results.published_tables import read_published
from vpbench.tables.citation import MONTHS, BibtexEntry, parse_entry

if TYPE_CHECKING:
    from vpbench.analysis.leaderboard import Leaderboard

PAPER = "mathieu2016"  # the evaluation itself

_KEY = re.compile(r"[A-Za-z0-9_.:+/-]+")
_KINDS = (
    "article book booklet conference dataset inbook incollection inproceedings manual mastersthesis misc online "
    "phdthesis proceedings software techreport thesis unpublished"
)
# Accents and letters; any other command in an untrusted entry could read files or redefine others.
_COMMANDS = (
    "c v u H k r b d t o O l L i j ss ae AE oe OE aa AA url emph textit textbf textsc texttt textsuperscript"
)
# Comments, parameters, characters by code; and escaped braces, which BibTeX counts and LaTeX does not.
_UNSAFE = re.compile(r"%|#|\^\^|\\[{}]")


def entries(board: Leaderboard) -> str:
    """The BibTeX entries of the paper, of the published rows and of the rows' methods, each once.

    A row whose run gives no citation (``vpbench submit`` asks for one) has a comment instead. A citation that is not a
    BibTeX entry, or has commands that a bibliography does not need, becomes the note of a ``@misc`` entry, escaped.
    """
    sources = {table.source.key: table.source.bibtex.strip() for table in read_published()}
    texts = {PAPER: sources[PAPER]}
    texts |= {table.source.key: table.source.bibtex.strip() for table, _ in board.published}
    known = [parse_entry(text) for text in texts.values()]
    comments: list[str] = []
    for label, method, citation in board.measured[["label", "method", "citation"]].itertuples(index=False):
        if not isinstance(citation, str):
            comments.append(bibtex_comment(f"{label}: no citation is known"))
            continue
        entry = _entry(str(method), citation)
        if entry not in known:
            known.append(entry)
            key = _free_key(entry.key, texts)
            texts[key] = _print(entry, key)
    return "\n\n".join([*(["\n".join(dict.fromkeys(comments))] if comments else []), *texts.values()])


def entry_of(method: str, citation: str) -> str:
    """The BibTeX entry of one method, made safe in the same way."""
    entry = _entry(method, citation)
    return _print(entry, entry.key)


def _entry(method: str, citation: str) -> BibtexEntry:
    return _safe_entry(citation) or _note(method, citation)


def _safe_entry(citation: str) -> BibtexEntry | None:
    """The citation as an entry that is safe in anybody's bibliography; ``None`` if it is not one."""
    entry = parse_entry(citation)
    if entry is None or entry.kind not in _KINDS.split() or not _KEY.fullmatch(entry.key):
        return None
    fields = "".join(f"{name} = {{{value}}}" for name, value in entry.fields.items())
    commands = set(re.findall(r"\\([A-Za-z@]+)", fields))
    return entry if commands.issubset(_COMMANDS.split()) and not _UNSAFE.search(fields) else None


def _note(method: str, citation: str) -> BibtexEntry:
    """An entry whose note is the citation, escaped."""
    key = re.sub(r"[^a-z0-9]+", "-", method.lower()).strip("-") or "method"
    return BibtexEntry("misc", key, {"title": bibtex_value(method), "note": bibtex_value(citation)})


def _free_key(key: str, taken: dict[str, str]) -> str:
    free, number = key, 2
    while free in taken:
        free, number = f"{key}-{number}", number + 1
    return free


def _print(entry: BibtexEntry, key: str) -> str:
    fields = [
        f"  {name} = {value}," if name == "month" and value in MONTHS else f"  {name} = {{{value}}},"
        for name, value in entry.fields.items()
    ]
    return "\n".join([f"@{entry.kind}{{{key},", *fields, "}"])
