"""JSON and TOML out of files that may come from anybody: read up to a size, and as data that can do no harm.

What fields it must have is said by the type that :func:`vpbench.records.to_record` makes of it.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

from vpbench.errors import UsageError, VpbenchError
from vpbench.escape import plain
from vpbench.files import read_bytes
from vpbench.records import at, refusal

_LARGEST_JSON = 64 * 2**20  # bytes; a manifest of 100,000 clips has 5 MiB
_LARGEST_TOML = 2**20  # bytes
_DEEPEST = 32  # levels of tables and lists
_LONGEST_TEXT, _LONGEST_KEY = 20_000, 1_000  # characters
_MOST_DIGITS = 20


def read_json(path: Path, kind: str | None = None) -> dict[str, Any]:
    """Read a JSON object, which must have ``"kind": kind`` if a kind is given.

    Raises:
        VpbenchError: the file is missing, far too large, no JSON object, of another kind, or holds what could do harm
            (:func:`check_data`); names the path.
    """
    data = parse_json(read_bytes(path, _LARGEST_JSON), f"{path}")
    if kind is not None and data.get("kind") != kind:
        found = plain(repr(data.get("kind")))[:100]
        raise VpbenchError(f"{path} is not a {kind} manifest (its kind is {found}).")
    return data


def parse_json(text: bytes, where: str, *, nan: bool = False) -> dict[str, Any]:
    """The JSON object in a text.

    Args:
        text: UTF-8.
        where: names the file.
        nan: whether a number may be NaN.

    Raises:
        VpbenchError: it is none, has a key twice, or holds what could do harm (:func:`check_data`).
    """
    try:
        data = json.loads(text.decode("utf-8-sig"), parse_int=_whole_number, object_pairs_hook=_object)
    except ValueError as error:
        raise VpbenchError(f"{where} is damaged: {error}.") from None
    except RecursionError:
        raise VpbenchError(f"{where} is damaged: it is nested too deeply.") from None
    if not isinstance(data, dict):
        raise VpbenchError(f"{where} is damaged: it holds no JSON object.")
    check_data(data, where, nan=nan)
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of a key that is there twice, programs would take the one or the other."""
    made = dict(pairs)
    if len(made) < len(pairs):
        ((twice, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key '{plain(twice)[:100]}' is there twice")
    return made


def read_toml(
    path: Path, where: str, *, error: type[VpbenchError] = UsageError, nan: bool = False
) -> dict[str, Any]:
    """Read a TOML file.

    Args:
        path: the file.
        where: names it in errors.
        error: type of the errors: :class:`UsageError` for a file that the user names.
        nan: whether a number may be NaN.

    Raises:
        VpbenchError: the file is missing, far too large, not TOML, or holds what could do harm (:func:`check_data`).
    """
    import tomllib

    try:
        text = read_bytes(path, _LARGEST_TOML).decode("utf-8-sig")
    except VpbenchError as problem:
        raise error(f"{where}: {problem}") from None
    except UnicodeDecodeError as problem:
        raise error(f"{where} is not TOML: {problem}.") from None
    if long := re.search(rf"\d[\d_]{{{_MOST_DIGITS},}}", text):
        line = text.count("\n", 0, long.start()) + 1
        raise error(f"{where}, line {line}: a number has more than {_MOST_DIGITS} digits.")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise error(f"{where} is not TOML: {problem}.") from None
    except RecursionError:
        raise error(f"{where}: it is nested too deeply.") from None
    check_data(data, where, error=error, nan=nan)
    return data


def _whole_number(digits: str) -> int:
    """The number; for one of very many digits, which Python refuses without saying where, another that is too large."""
    return int(digits) if len(digits) <= _MOST_DIGITS else 2**65


def check_data(data: Any, where: str, *, error: type[VpbenchError] = VpbenchError, nan: bool = False) -> None:
    """Refuse what could do harm anywhere: NUL and lone surrogates, endless texts and numbers, deep nesting.

    Args:
        data: JSON data.
        where: names the file.
        error: type of the error.
        nan: whether a number may be NaN.

    Raises:
        VpbenchError: names ``where`` and the field.
    """
    found = _harm(data, (), nan)
    if found is not None:
        raise refusal(at(*found), where, error)


def _harm(value: Any, path: tuple[str, ...], nan: bool) -> tuple[tuple[str, ...], str] | None:
    """Where in data something could do harm, and what."""
    if isinstance(value, str):
        problem = _problem_of_text(value, _LONGEST_TEXT)
    elif isinstance(value, float):
        fine = math.isfinite(value) or (nan and math.isnan(value))
        problem = "" if fine else f"must be a finite number, not {value}"
    elif isinstance(value, int):
        problem = "" if abs(value) <= 2**64 else "must be a number of at most 2⁶⁴"
    elif isinstance(value, dict | list) and len(path) >= _DEEPEST:
        return path[:3], "is nested too deeply"
    elif isinstance(value, dict):
        for key, inner in value.items():
            if not (key.isprintable() and len(key) < 100) and (
                problem := _problem_of_text(key, _LONGEST_KEY)
            ):
                return path, f"has a key that {problem}"
            if not (type(inner) is str and inner.isascii() and inner.isprintable() and len(inner) < 100):
                found = _harm(inner, (*path, key), nan)
                if found is not None:
                    return found
        return None
    elif isinstance(value, list):
        places = ((inner, (*path, f"entry {number}")) for number, inner in enumerate(value, start=1))
        return next(filter(None, (_harm(inner, place, nan) for inner, place in places)), None)
    else:
        problem = "" if value is None else "cannot be a date or a time"  # which TOML has
    return (path, problem) if problem else None


def _problem_of_text(text: str, longest: int) -> str:
    if len(text) > longest:
        return f"has {len(text)} characters; at most {longest} may be"
    if not text.isprintable() and (found := re.search("[\0\ud800-\udfff]", text)):
        return f"holds U+{ord(found[0]):04X}, which no text has"
    return ""
