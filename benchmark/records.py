"""Data out of files, JSON or TOML, made into frozen typed objects; what is wrong with it is said by field."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from vpbench.errors import UsageError, VpbenchError, unknown_hint
from vpbench.escape import plain

T = TypeVar("T")

_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}\Z"
# A name that a file or a folder can have anywhere.
Name = Annotated[str, Meta(pattern=_NAME)]

_LONGEST_PROBLEM = 500  # characters of a message

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
    f"`str` matching regex {_NAME!r}": "a name: at most 100 letters, digits and _ . + -",
    "that's a multiple of": "that is a multiple of",
    "Expected": "must be",
    ", got": ", not",
    " of length >= ": " with a length of at least ",
    " of length <= ": " with a length of at most ",
    " of length": " of",
    ">=": "of at least",
    "<=": "of at most",
    "<": "below",
    ">": "above",
    ".0": "",
}


def at(path: tuple[str, ...], problem: str) -> str:
    """A problem after the tables and the field that it is in: ``split: 'total' must be …``."""
    *outer, field = [plain(part)[:100] for part in path] or [""]
    place = ", ".join(outer)
    named = field if field.startswith("entry ") else f"'{field}'" if field else "it"
    return f"{place}{': ' if place else ''}{named} {problem}"


def refusal(problem: str, where: str, error: type[VpbenchError], remedy: str = "") -> VpbenchError:
    """The error for what is wrong with a file; one that the user wrote is not called damaged."""
    damaged = "" if issubclass(error, UsageError) else " is damaged"
    shown = plain(problem)
    if len(shown) > _LONGEST_PROBLEM:
        shown = f"{shown[: _LONGEST_PROBLEM - 1]}…"
    end = "" if shown.endswith(("?", ".")) else "."
    return error(f"{where}{damaged}: {shown}{end} {remedy}".rstrip())


def to_record(
    data: Any,
    kind: type[T],
    where: str,
    *,
    error: type[VpbenchError] = VpbenchError,
    remedy: str = "",
    tables: Mapping[str, str] | None = None,
) -> T:
    """Data as an object of a :class:`msgspec.Struct` or a dataclass, whose annotations give types and ranges.

    Args:
        data: what a file holds.
        kind: the type. A ``ValueError`` of its ``__post_init__`` is a text that begins with a field in quotes. Fields
            that a dataclass does not have are refused; of a ``Struct``, if it says so.
        where: names the file.
        error: type of the error: :class:`UsageError` for a file that the user wrote.
        remedy: a sentence that says what to do.
        tables: what to say of some of the outermost tables, whatever is wrong with them.

    Raises:
        VpbenchError: a field is missing, unknown, of the wrong type or out of range; names ``where`` and the field.
    """
    unknown = next(_unknown(data, kind, ()), None)
    if unknown is not None:
        raise refusal(unknown, where, error, remedy)
    try:
        return msgspec.convert(data, kind, str_keys=True)
    except msgspec.ValidationError as problem:
        raise refusal(in_words(str(problem), tables or {}, kind, data), where, error, remedy) from None
    except VpbenchError as problem:  # of a type that checks itself wherever it is made
        raise error(f"{where}: {problem}") from None


def check_fields(owner: Any, where: str) -> None:
    """Check a dataclass that somebody made in Python as :func:`to_record` checks one out of a file.

    Raises:
        UsageError: a field is of the wrong type or out of range; names ``where`` and the field.
    """
    kind: Any = type(owner)
    kinds = _fields(kind)
    _check_values({name: getattr(owner, name) for name in kinds}, kinds, where)


def check_values(values: Mapping[str, Any], function: Callable[..., Any], where: str) -> None:
    """Check values by the annotations of a function's parameters, where these are types that files can hold.

    Raises:
        UsageError: a value is of the wrong type or out of range; names ``where`` and the parameter.
    """
    try:
        kinds = typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError):  # somebody's function, annotated otherwise
        return
    _check_values(values, kinds, where)


def _check_values(values: Mapping[str, Any], kinds: Mapping[str, Any], where: str) -> None:
    for name, value in values.items():
        one, kind = {name: value}, dict[str, kinds.get(name, Any)]  # type: ignore[misc]
        try:
            msgspec.convert(one, kind)
        except msgspec.ValidationError as problem:
            raise refusal(in_words(str(problem), {}, kind, one), where, UsageError) from None
        except TypeError:  # not a type that files can hold
            continue


def _unknown(data: Any, kind: Any, path: tuple[str, ...]) -> Iterator[str]:
    """What to say of keys that dataclasses at or within ``kind`` do not have."""
    for one in _variants(kind):
        if not _refuses_unknown(one):  # a Struct says itself
            continue
        if _has_fields(one) and isinstance(data, dict):
            known = _fields(one)
            for key, value in data.items():
                if key in known:
                    yield from _unknown(value, known[key], (*path, key))
                else:
                    shown = plain(key)[:100]
                    hint = unknown_hint(shown, list(known))
                    yield (
                        at(path, f"has no key '{shown}'. {hint}")
                        if path
                        else f"it has no key '{shown}'. {hint}"
                    )
        elif (inner := _inner(one)) is not None and isinstance(data, dict | list | tuple):
            for key, value in data.items() if isinstance(data, dict) else enumerate(data, start=1):
                yield from _unknown(value, inner, (*path, key if isinstance(key, str) else f"entry {key}"))


@cache
def _refuses_unknown(kind: Any) -> bool:
    """Whether it is a dataclass, or holds some."""
    return bool(is_dataclass(kind)) or any(map(_refuses_unknown, filter(None, map(_inner, _variants(kind)))))


def in_words(error: str, tables: Mapping[str, str], kind: Any = None, data: Any = None) -> str:
    """What msgspec finds wrong with a field, after the tables that it is in: ``split: 'total' must be …``.

    Args:
        error: its message.
        tables: what to say of some of the outermost tables, whatever is wrong with them.
        kind: the type of the whole, if it is known: then what a field may be is said too.
        data: what was to be of that type, if it is known: then keys of tables are named.
    """
    problem, _, path = error.partition(" - at `")
    parts = re.findall(r"\w+|\[\.\.\.\]", path.partition("$")[2])
    if parts and parts[0] in tables:
        return tables[parts[0]]
    names, kind = _named(parts, kind, data)
    if missing := re.fullmatch(r"Object missing required field `(\w+)`", problem):
        return at((*names, missing[1]), "is missing")
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", problem, re.DOTALL):
        return at((*names, unknown[1]), "is no field of it")
    if path.startswith("key"):
        kind = next(
            (typing.get_args(one)[0] for one in _variants(kind) if typing.get_origin(one) is dict), None
        )
        if not problem.startswith("Invalid enum value"):
            return at(names, "has a key of the wrong form")
    if problem.startswith("'"):  # of a type's own check, which names the field
        return f"{', '.join(names)}{': ' if names else ''}{problem}"
    if choice := re.fullmatch(r"Invalid enum value '(.*)'", problem, re.DOTALL):
        known = [name for one in _variants(kind) for name in _choices(one)]
        hint = f". {unknown_hint(choice[1], known)}" if known else ""
        return at(
            names,
            f"{'has no key' if path.startswith('key') else 'cannot be'} '{plain(choice[1])[:100]}'{hint}",
        )
    problem = re.sub(r"`str` of length <= (\d+)", r"`str` of at most \1 characters", problem)
    for theirs, ours in _WORDS.items():
        problem = problem.replace(theirs, ours)
    problem = re.sub(r"`([a-z |]+)`", _types, problem)
    return at(names, problem)


def _named(parts: list[str], kind: Any, data: Any) -> tuple[tuple[str, ...], Any]:
    """The names on msgspec's path to a field, and the field's type; msgspec does not say which key of a table it is."""
    names: list[str] = []
    for part in parts:
        if part.isdigit():
            names.append(f"entry {int(part) + 1}")
            kind = next(filter(None, map(_inner, _variants(kind))), None)
            data = data[int(part)] if isinstance(data, list) and int(part) < len(data) else None
        elif part == "[...]":
            table = next((one for one in _variants(kind) if typing.get_origin(one) is dict), None)
            key = (
                next((key for key in data if not _fits({key: data[key]}, table)), None)
                if table and isinstance(data, dict)
                else None
            )
            names += [] if key is None else [key]
            kind = None if table is None else _inner(table)
            data = None if key is None else data[key]
        else:
            names.append(part)
            kind = next((_fields(one).get(part) for one in _variants(kind) if _has_fields(one)), None)
            data = data.get(part) if isinstance(data, dict) else None
    return tuple(names), kind


def _fits(data: Any, kind: Any) -> bool:
    try:
        msgspec.convert(data, kind, str_keys=True)
    except msgspec.ValidationError:
        return False
    return True


def _choices(kind: Any) -> Sequence[str]:
    """What a field of a type may be, in words."""
    if typing.get_origin(kind) is Literal:
        return [choice for choice in typing.get_args(kind) if choice]
    return [_TYPES[kind.__name__]] if kind in (int, float, bool) else []


def _types(found: re.Match[str]) -> str:
    return " or ".join(_TYPES.get(name, name) for name in found[1].split(" | "))


def _variants(kind: Any) -> tuple[Any, ...]:
    """The types of a union, without their annotations."""
    if typing.get_origin(kind) is typing.Annotated:
        return _variants(typing.get_args(kind)[0])
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return tuple(inner for one in typing.get_args(kind) for inner in _variants(one))
    return (kind,)


def _inner(kind: Any) -> Any:
    """The type of what a list or a table holds; ``None`` for another type."""
    arguments = typing.get_args(kind)
    return {dict: arguments[-1:], list: arguments[:1], tuple: arguments[:1]}.get(
        typing.get_origin(kind), [None]
    )[0]


def _has_fields(kind: Any) -> bool:
    return is_dataclass(kind) or (isinstance(kind, type) and issubclass(kind, msgspec.Struct))


@cache
def _fields(kind: Any) -> dict[str, Any]:
    """The fields of a dataclass or a ``Struct``, as files have them, with their types."""
    hints = typing.get_type_hints(kind, include_extras=True)
    if is_dataclass(kind):
        return {field.name: hints[field.name] for field in fields(kind)}
    return {
        encoded: hints[name]
        for encoded, name in zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True)
    }
