"""A method's citation: one BibTeX entry, read by pybtex, which counts braces as BibTeX itself does."""

from __future__ import annotations

import re
from dataclasses import dataclass

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_KIND = re.compile("[A-Za-z]+")
_KEY = re.compile(r"""[^\s,{}"#%'()=~\\]+""")


@dataclass(frozen=True)
class BibtexEntry:
    """A BibTeX entry.

    Attributes:
        kind: its type in lower case, such as ``inproceedings``.
        key: the key that it is cited by.
        fields: names in lower case to values without their outer braces or quotes, white space collapsed, strings
            joined; a month's macro stays as it is (:data:`MONTHS`).
    """

    kind: str
    key: str
    fields: dict[str, str]


def parse_entry(text: str) -> BibtexEntry | None:
    """Read a text that is one BibTeX entry with a key and at least one field; ``None`` if it is anything else."""
    from pybtex.database.input.bibtex import LowLevelParser
    from pybtex.scanner import PybtexSyntaxError
    from pybtex.utils import CaseInsensitiveDict

    text = text.strip()
    parser = LowLevelParser(text, macros=CaseInsensitiveDict(zip(MONTHS, MONTHS, strict=True)))
    try:
        kind, (key, parts) = next(iter(parser))
    except (PybtexSyntaxError, StopIteration, ValueError):  # ValueError: @preamble has no key
        return None
    alone = text.startswith("@") and parser.pos == len(text)
    if not alone or kind.lower() == "string" or not _KIND.fullmatch(kind) or not _KEY.fullmatch(key):
        return None
    fields = {name.lower(): " ".join("".join(values).split()) for name, values in parts}
    return BibtexEntry(kind.lower(), key, fields) if len(fields) == len(parts) > 0 else None
