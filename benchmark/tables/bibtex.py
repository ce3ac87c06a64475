"""What to cite with a leaderboard's rows: the papers of the published rows and of the submitted methods."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vpbench.escape import latex, plain
from vpbench.results.published_tables import read_published

if TYPE_CHECKING:
    from vpbench.analysis.leaderboard import Leaderboard

PAPER = "mathieu2016"  # the evaluation itself

_ENTRY = re.compile(r"@(\w+)\s*\{\s*([A-Za-z0-9_.:+/-]+)\s*,(.*)\}\s*", re.DOTALL)
_TYPES = (
    "article book booklet conference dataset inbook incollection inproceedings manual mastersthesis misc online "
    "phdthesis proceedings software techreport thesis unpublished"
)
# Accents and letters; every other command of a stranger's entry could read files or redefine others.
_COMMANDS = (
    "c v u H k r b d t o O l L i j ss ae AE oe OE aa AA url emph textit textbf textsc texttt textsuperscript"
)


def entries(board: Leaderboard) -> str:
    """The BibTeX entries of the paper, of the published rows and of the rows' methods, each once.

    A row whose run gives no citation (``vpbench submit`` asks for one) has a comment instead. A citation that is no
    BibTeX entry, or has commands that a bibliography has no need of, becomes the note of a ``@misc`` entry, escaped.
    """
    papers = {table.source.key: table.source.bibtex.strip() for table, _ in board.published}
    known = {table.source.key: table.source.bibtex.strip() for table in read_published()}
    found = {PAPER: known[PAPER], **papers}
    lines: list[str] = []
    for row in board.measured.to_dict("records"):
        method, citation = str(row["method"]), row["citation"]
        if not isinstance(citation, str):
            lines.append(f"% {plain(row['label'])}: no citation is known")
            continue
        key, entry = _entry(method, citation)
        same = [k for k, text in found.items() if _bare(text) == _bare(entry)]
        if same:
            continue
        free, number = key, 2
        while free in found:
            free, number = f"{key}-{number}", number + 1
        found[free] = entry.replace(f"{{{key},", f"{{{free},", 1)
    return "\n\n".join([*(["\n".join(dict.fromkeys(lines))] if lines else []), *found.values()])


def _bare(text: str) -> str:
    return re.sub(r"\s+", "", text)


def _entry(method: str, citation: str) -> tuple[str, str]:
    match = _ENTRY.fullmatch(citation.strip())
    if match and match[1].lower() in _TYPES.split() and _is_harmless(match[3]):
        fields = re.sub(r"\s+", " ", match[3]).strip().rstrip(",")
        return match[2], f"@{match[1].lower()}{{{match[2]},\n  {fields},\n}}"
    key = re.sub(r"[^a-z0-9]+", "-", method.lower()).strip("-") or "method"
    return key, f"@misc{{{key},\n  title = {{{latex(method)}}},\n  note = {{{latex(plain(citation))}}},\n}}"


def _is_harmless(fields: str) -> bool:
    depth = 0
    for character in re.sub(r"\\[{}]", "", fields):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0:
            return False
    words = re.findall(r"\\([A-Za-z@]+)", fields)
    plain_text = not any(sign in fields for sign in ("^^", "%", "#"))
    return depth == 0 and plain_text and set(words) <= set(_COMMANDS.split())
