"""Data out of files, JSON or TOML, made into frozen typed objects; what is wrong with it is said by field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from vpbench.errors import VpbenchError

T = TypeVar("T")

_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "object": "a table",
    "array": "a list",
    "null": "nothing",
}
_WORDS = {
    "Expected": "must be",
    ", got": ", not",
    "Invalid enum value": "cannot be",
    ">=": "of at least",
    "<=": "of at most",
    "<": "below",
}


def to_record(
    data: Any, kind: type[T], where: str, *, remedy: str = "", tables: Mapping[str, str] | None = None
) -> T:
    """Data as an object of a :class:`msgspec.Struct`. Fields that the type does not have are ignored.

    Args:
        data: what a file holds.
        kind: the type. A ``ValueError`` of its ``__post_init__`` is a text that begins with a field in quotes.
        where: names the file.
        remedy: a sentence that says what to do.
        tables: what to say of some of the outermost tables, whatever is wrong with them.

    Raises:
        VpbenchError: a field is missing or of the wrong type; names ``where`` and the field.
    """
    try:
        return msgspec.convert(data, kind, str_keys=True)
    except msgspec.ValidationError as error:
        problem = in_words(str(error), tables or {})
    except RecursionError:
        problem = "it is nested too deeply"
    raise VpbenchError(f"{where} is damaged: {problem}. {remedy}".rstrip())


def in_words(error: str, tables: Mapping[str, str]) -> str:
    """What msgspec finds wrong with a field, after the tables that it is in: ``split: 'total' must be …``."""
    problem, _, path = error.partition(" - at `")
    *outer, field = re.findall(r"\w+", path.partition("$")[2]) or [""]
    if [*outer, field][0] in tables:
        return tables[[*outer, field][0]]
    if missing := re.fullmatch(r"Object missing required field `(\w+)`", problem):
        outer, field, problem = [*outer, field], missing[1], "is missing"
    elif path.startswith("key"):
        problem = "has a key of the wrong form"
    elif problem.startswith("'"):  # of a type's own check, which names the field
        outer, field = [*outer, field], ""
    else:
        problem = re.sub(r"`([a-z |]+)`", _types, problem)
        for theirs, ours in _WORDS.items():
            problem = problem.replace(theirs, ours)
    place = ", ".join(filter(None, outer))
    return f"{place}{': ' if place else ''}" + (f"'{field}' {problem}" if field else problem)


def _types(found: re.Match[str]) -> str:
    return " or ".join(_TYPES.get(name, name) for name in found[1].split(" | "))
