"""Text made safe to print: labels come from untrusted files and go to terminals, Markdown, LaTeX and CSV."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

LONGEST = 500  # characters of a text in a table

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_].*?(?:\x1b\\|\x07|$)|[ -/]*[0-~])", re.DOTALL)

_UNUSUAL = re.compile(r"[^\n\t -~]")

# As wide as what they stand for, in tables at least.
_LOOKALIKES = {
    **dict(zip("↑↓–—−×·•◦†‡§¶‖ℓτσ’‘“”", "^v---x.*o+#SP|lts''\"\"", strict=True)),
    "…": "...",
    "≥": ">=",
    "≤": "<=",
    "≠": "!=",
    "±": "+-",
    "∞": "inf",
}

_LATEX = {
    "\0": "{}",  # between hyphens, against their ligature
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"{\char34}",
    "`": r"\textasciigrave{}",
    "–": "--",
    "—": "---",
    "−": "$-$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "•": r"\textbullet{}",
    "†": r"\textdagger{}",
    "‡": r"\textdaggerdbl{}",
    "§": r"\S{}",
    "¶": r"\P{}",
    "‖": r"$\|$",
    "…": r"\ldots{}",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "≠": r"$\neq$",
    "±": r"$\pm$",
    "τ": r"$\tau$",
    "σ": r"$\sigma$",
    "λ": r"$\lambda$",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "ℓ": r"$\ell$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "’": "'",
    "‘": "`",
    "“": "``",
    "”": "''",
}


def plain(text: object, longest: int = LONGEST) -> str:
    """One line of visible characters: without terminal escapes, controls, and marks that reorder or hide text.

    Args:
        text: what is to be shown, for instance in a table.
        longest: characters after which it is cut.
    """
    whole = str(text)
    return _plain(whole[: 4 * longest], longest, len(whole) > 4 * longest)


@lru_cache(4096)  # tables repeat most names in every row
def _plain(text: str, longest: int, cut: bool) -> str:
    bare = _ANSI.sub("", text)
    kept = (" " if unicodedata.category(c) in ("Zl", "Zp", "Zs") or c in "\t\n\r\v\f" else c for c in bare)
    shown = " ".join("".join(c for c in kept if unicodedata.category(c)[0] != "C").split())
    if cut or len(shown) > longest:
        return f"{shown[: longest - 1]}…"
    return shown or "(no name)"


def visible(text: str) -> str:
    r"""A message, table or page with what a terminal or an editor would not show as text escaped: ``\u001b``.

    These are controls, marks that reorder or hide text, and lone surrogates; names may be a stranger's. Lines and tabs
    stay. JSON text stays JSON, of the same data: it has such characters in its strings only.
    """
    return _UNUSUAL.sub(lambda found: _escaped(found[0]) if _acts(found[0]) else found[0], text)


def _acts(character: str) -> bool:
    """Whether a character is obeyed, or ends the line, rather than shown."""
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _escaped(character: str) -> str:
    """A character as JSON escapes it, in one or two units of UTF-16."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[n : n + 2].hex()}" for n in range(0, len(units), 2))


def lookalikes(text: str) -> str:
    """ASCII that stands in for ``text`` where it cannot be encoded; a question mark for what it has nothing like."""
    return "".join(_LOOKALIKES.get(character, "?") for character in text)


def markdown(text: str) -> str:
    """``text`` with every character that Markdown or HTML would interpret escaped; fit for a table cell."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~$])", r"\\\1", text)


def latex(text: str) -> str:
    r"""``text`` for LaTeX's text mode, in characters that pdflatex prints.

    Characters that pdflatex cannot print without further packages appear as their code point, ``[U+4E2D]``.
    """
    made = (_latex_character(c) for c in text.replace("--", "-\0-").replace("--", "-\0-"))
    return "".join(made)


def _latex_character(character: str) -> str:
    if character in _LATEX:
        return _LATEX[character]
    if character.isascii() or character in "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿ":
        return character
    return f"[U+{ord(character):04X}]"


def bibtex_comment(text: str) -> str:
    """``text`` for between BibTeX entries: BibTeX knows no comment, and takes an ``@`` for the start of an entry."""
    return "% " + re.sub("[@{}]", "", text)


def bibtex_value(text: str) -> str:
    """``text`` for a field in braces, as LaTeX; BibTeX counts the braces of LaTeX's escapes too."""
    return latex(text).replace(r"\{", r"\textbraceleft{}").replace(r"\}", r"\textbraceright{}")


def csv(text: str) -> str:
    """``text`` for a CSV cell, with an apostrophe before anything that a spreadsheet would take for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def width(text: str) -> int:
    """Columns that ``text`` takes in a terminal: 2 for wide characters, 0 for combining ones."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )
