"""Text made safe to print: labels come from untrusted files and go to terminals, Markdown, LaTeX and CSV."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_].*?(?:\x1b\\|\x07|$)|[ -/]*[0-~])", re.DOTALL)

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


def plain(text: object) -> str:
    """One line of visible characters: without terminal escapes, controls, and marks that reorder or hide text."""
    return _plain(str(text))


@lru_cache(4096)  # tables repeat most names in every row
def _plain(text: str) -> str:
    bare = _ANSI.sub("", text)
    kept = (" " if unicodedata.category(c) in ("Zl", "Zp", "Zs") or c in "\t\n\r\v\f" else c for c in bare)
    shown = "".join(c for c in kept if unicodedata.category(c)[0] != "C")
    return " ".join(shown.split()) or "(no name)"


def visible(text: str) -> str:
    """A message, possibly of several lines, without terminal control sequences; names in it may be untrusted."""
    bare = _ANSI.sub("", text)
    return "".join(c for c in bare if c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))


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


def csv(text: str) -> str:
    """``text`` for a CSV cell, with an apostrophe before anything that a spreadsheet would take for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def width(text: str) -> int:
    """Columns that ``text`` takes in a terminal: 2 for wide characters, 0 for combining ones."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )
