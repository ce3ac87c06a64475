"""``scores.jsonl``: one line of scores per clip and frame."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from vpbench.errors import VpbenchError

FIXED = ("clip", "frame", "moving", "counted")


_LARGEST = 2**31  # above any clip


def read_lines(path: Path, metrics: list[str], targets: int) -> tuple[list[dict[str, Any]], bool]:
    """The lines of whole clips, and whether a torn tail follows them.

    Raises:
        VpbenchError: a line before the tail is no score line, or a clip is there twice; names the line.
    """
    try:
        if path.exists() and not path.is_file():
            raise VpbenchError(f"{path} is not an ordinary file.")
        data = path.read_bytes()
    except FileNotFoundError:
        return [], False
    except OSError as error:
        raise VpbenchError(f"Cannot read {path}: {error.strerror}.") from error
    *whole, tail = data.split(b"\n")
    lines = _read_at_once(whole, metrics, targets)
    if lines is None:
        lines = _read_one_by_one(path, whole, metrics, targets)
    cut = len(lines) - len(lines) % targets
    return lines[:cut], bool(tail) or cut < len(lines)


def _read_at_once(whole: list[bytes], metrics: list[str], targets: int) -> list[dict[str, Any]] | None:
    """The lines if nothing is wrong with any: the checks of :func:`_read_one_by_one`, by column and far quicker."""
    keys, text = (*FIXED, *metrics), b"\n".join(whole)
    # One object a line and no key twice: values are no objects and no texts, so that braces stand at a line's ends
    # only, and there are as many colons as keys.
    if not (
        text[:1] == b"{"
        and text[-1:] == b"}"
        and text.count(b"{") == text.count(b"}") == text.count(b"}\n{") + 1 == len(whole)
        and text.count(b":") == len(keys) * len(whole)
    ):
        return None
    try:
        lines: list[dict[str, Any]] = json.loads(b"[%b]" % text.replace(b"\n", b","), parse_constant=_refuse)
        columns = {key: [line[key] for line in lines] for key in keys}
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    clips = columns["clip"]
    firsts = clips[::targets]
    whole_clips, rest = divmod(len(lines), targets)
    valid = (
        len(lines) == len(whole)
        and {*map(len, lines)} <= {len(keys)}
        and {*map(type, clips)} <= {int}
        and {*map(type, columns["counted"])} <= {bool}
        and {*map(type, columns["frame"])} <= {int}
        and columns["frame"] == [*range(1, targets + 1)] * whole_clips + [*range(1, rest + 1)]
        and len({*firsts}) == len(firsts)
        and clips == [clip for clip in firsts for _ in range(targets)][: len(lines)]
        and max(clips, default=0) < _LARGEST
        and min(clips, default=0) >= 0
        and _are_numbers(columns["moving"])
        and 0 <= min(columns["moving"], default=0) <= max(columns["moving"], default=0) <= 1
        and all(_are_scores(columns[key], columns["counted"]) for key in metrics)
    )
    return lines if valid else None


def _are_numbers(values: list[Any]) -> bool:
    """Whether :func:`_is_number` holds for all."""
    types = {*map(type, values)}
    return (types <= {float} and math.isfinite(math.fsum(map(abs, values)))) or all(map(_is_number, values))


def _are_scores(values: list[Any], counted: list[bool]) -> bool:
    """Whether all are numbers or ``None``, and those that are counted are numbers."""
    if None not in values:
        return _are_numbers(values)
    rest = [value for value in values if value is not None]
    return _are_numbers(rest) and not any(c and v is None for c, v in zip(counted, values, strict=True))


def _read_one_by_one(
    path: Path, whole: list[bytes], metrics: list[str], targets: int
) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    seen: set[int] = set()
    keys = {*FIXED, *metrics}
    for number, text in enumerate(whole, start=1):
        try:
            line = json.loads(text, parse_constant=_refuse, object_pairs_hook=_once)
            valid = (
                line.keys() == keys
                and type(line["clip"]) is int
                and 0 <= line["clip"] < _LARGEST
                and type(line["frame"]) is int
                and type(line["counted"]) is bool
                and all(line[m] is None or _is_number(line[m]) for m in metrics)
                and _is_number(line["moving"])
                and 0 <= line["moving"] <= 1
                and not (line["counted"] and any(line[m] is None for m in metrics))
            )
        except (ValueError, AttributeError, RecursionError):
            valid = False
        if not valid:
            raise VpbenchError(f"{path}, line {number}: not a score line: {text[:80]!r}.")
        frame = (number - 1) % targets + 1
        if frame == 1 and line["clip"] in seen:
            raise VpbenchError(f"{path}, line {number}: clip {line['clip']} is there twice.")
        seen.add(line["clip"])
        if line["frame"] != frame or (frame > 1 and line["clip"] != lines[-1]["clip"]):
            raise VpbenchError(
                f"{path}, line {number}: frame {frame} of a clip was expected, not clip {line['clip']} frame "
                f"{line['frame']}."
            )
        lines.append(line)
    return lines


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key is there twice")
    return made


def _is_number(value: object) -> bool:
    """Whether a value from JSON is a number that a float can hold (``1e999`` is read as infinity)."""
    return (type(value) is float and math.isfinite(value)) or (type(value) is int and abs(value) < 2**53)


def encode(line: dict[str, Any]) -> bytes:
    """A line of the file."""
    return (json.dumps(line, allow_nan=False) + "\n").encode()
