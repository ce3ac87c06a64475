"""Hostile and damaged files made of valid ones: by field, whatever the format, and by byte; strategies of hypothesis.

What a format's writer would refuse, such as a number of 5,000 digits or a key that is there twice, stands in the data
as a mark, which is exchanged in the text for what it stands for.
"""

from __future__ import annotations

import ast
import copy
import csv
import io
import json
import re
import struct
import unicodedata
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w
from hypothesis import strategies as st

ABSOLUTE = Path("/vpbench-escaped")  # where nothing may be written
TEXTS = [
    *(
        "../../escaped",
        "..",
        ".",
        "",
        f"{ABSOLUTE}",
        "a/../../b",
        "..\\..\\b",
        "C:\\b",
        "~/b",
        ".hidden",
        "//b",
    ),
    *(
        "x" * 101,
        "x" * 256,
        "x" * 30_000,
        "中" * 200,
        "²",
        "1²3",
        "\x1b[2J\x07",
        "\x9b31m",
        "a\u202eb\u2066c",
        "\u2028",
    ),
    *(
        "a\nb",
        "\r",
        "\ufeff",
        "%s{}$x",
        "<script>",
        "@misc{a",
        "=1+1",
        "--out",
        "nan",
        "1e999",
        "frame",
        "yes",
        "0x10",
    ),
]
NUMBERS = [
    *(
        0,
        1,
        -1,
        2,
        7,
        255,
        2**31 - 1,
        2**31,
        -(2**31),
        2**32,
        2**53 + 1,
        2**63 - 1,
        2**63,
        2**64,
        2**65,
        -(2**63) - 1,
    ),
    *(0.0, -0.0, 0.5, 1e-308, 1e308, -1e308, 1e15, 4.9e-324, 150_000_000, 1.0000000001),
]
OTHERS: list[Any] = [
    None,
    True,
    False,
    [],
    {},
    [[]],
    [1, 2],
    [1] * 1_000,
    {"a": 1},
    {"": {}},
    [None],
    ["x", 1],
]
# What only a text of a format can say, by format.
RAW = {
    "json": ["9" * 5_000, "-" + "9" * 25, "1e999", "NaN", "-Infinity", "[" * 40 + "]" * 40, '"\\u0000"', '"\\ud800x"',
             "[" * 5_000 + "]" * 5_000, '{"a":' * 5_000 + "1" + "}" * 5_000, "1,", "'x'", "", "// x", '{"a":1,"a":2}'],
    "toml": ["9" * 5_000, "-" + "9" * 25, "inf", "nan", "-inf", "[" * 40 + "]" * 40, '"\\u0000"', '"\\ud800"', "'''",
             "[" * 5_000 + "]" * 5_000, "{a=" * 500 + "1" + "}" * 500, "1979-05-27T07:32:00Z", "07:32:00", "1979-05-27",
             "0xffffffffffffffffffff", "1_000", "", "{a=1,a=2}"],
    "python": ["9" * 5_000, "-1", "(" * 500 + ")" * 500, "'\\x00'", "__import__('os').system('x')", "1e400", "'|O'",
               "'<f4', 3", "lambda: 0", "b'<f4'", "'<U8'", "[('a', '<f4')]", "1j", "...", "{}", "(2**31,)", "'<f2'",
               "(0, 0, 2)", "(-1, 4, 2)", "(16, 16, 3)", "(16, 16)", "True", "'>f4'", "'<f16'", "'<i4'"],
    "csv": ['"', '"a', "\0", "9" * 5_000, "²", "1,2", " 3 ", "+3", "1_000", "٣", "0x1", "3.0", "\r\n", '""'],
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A file's bytes, and words of which its error names one; none where nobody can know."""

    data: bytes
    named: tuple[str, ...] = ()


def by_field(
    data: Any, form: str, write: Callable[[Any, Callable[[Any], str]], bytes]
) -> st.SearchStrategy[Mutant]:
    """Mutants of a tree of data: a field is dropped, renamed, there twice, or has another value; one to three times.

    Args:
        data: a table.
        form: a key of :data:`RAW`.
        write: makes a file of data.
    """
    return st.lists(_change(data, form), min_size=1, max_size=3).map(
        lambda changes: _mutant(data, changes, write)
    )


_Change = tuple[int, str, Any]


def _change(data: Any, form: str) -> st.SearchStrategy[_Change]:
    places = sum(1 for _ in _places(data))
    value = st.one_of(
        st.sampled_from([Raw(text) for text in RAW[form]]),
        st.sampled_from([*NUMBERS, *OTHERS]),
        st.sampled_from(TEXTS),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=20),
    )
    kinds = st.sampled_from(["drop", "rename", "twice", *["set"] * 6, "copy"])
    return st.tuples(st.integers(0, places - 1), kinds, value)


@dataclass(frozen=True)
class Raw:
    """A value as the text has it."""

    text: str


def _places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all fields; of long lists and tables of their first."""
    if isinstance(data, dict):
        for key in [key for key in data if isinstance(key, str)][:12]:
            yield (*path, key)
            yield from _places(data[key], (*path, key))
    elif isinstance(data, list):
        for key in range(min(len(data), 4)):
            yield (*path, key)
            yield from _places(data[key], (*path, key))


def _at(data: Any, path: Sequence[Any]) -> Any:
    for step in path:
        data = data[step]
    return data


def _mutant(data: Any, changes: list[_Change], write: Callable[..., bytes]) -> Mutant:
    data, named = copy.deepcopy(data), []
    for number, kind, value in changes:
        places = list(_places(data))
        if not places:
            break
        *outer, key = places[number % len(places)]
        table = _at(data, outer)
        named += [f"{step}" if isinstance(step, str) else f"entry {step + 1}" for step in (*outer, key)]
        if kind == "drop":
            del table[key]
        elif kind == "set" or isinstance(table, list):
            table[key] = copy.deepcopy(value)
        elif kind == "rename":
            new = value if isinstance(value, str) else f"{key}s"
            named.append(new)
            table[new] = table.pop(key)
        elif kind == "twice":
            table[Raw(key)] = value if isinstance(value, Raw) else table[key]
        else:
            table[key] = copy.deepcopy(_at(data, places[-1 - number % len(places)]))
    return Mutant(write(data, _marks()), tuple(named))


class _marks:
    """Marks for what stands in the text as it is."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, data: Any) -> Any:
        """The data with marks, as a format's writer takes it."""
        if isinstance(data, Raw):
            return self._mark(data.text)
        if isinstance(data, dict):
            keys = [self._mark(json.dumps(key.text)) if isinstance(key, Raw) else key for key in data]
            return dict(zip(keys, map(self, data.values()), strict=True))
        return [self(value) for value in data] if isinstance(data, list) else data

    def _mark(self, text: str) -> str:
        self.texts.append(text)
        return f"MARK{len(self.texts) - 1}HERE"

    def exchanged(self, text: str) -> str:
        """A text with what the marks stand for."""
        return re.sub(r'"?MARK(\d+)HERE"?', lambda found: self.texts[int(found[1])], text)


def write_json(data: Any, marks: Any) -> bytes:
    return marks.exchanged(json.dumps(marks(data))).encode("utf-8", "surrogatepass")


def write_lines(data: Any, marks: Any) -> bytes:
    """JSON, a line for each entry."""
    lines = [json.dumps(marks(line)) for line in data]
    return marks.exchanged("".join(f"{line}\n" for line in lines)).encode("utf-8", "surrogatepass")


def write_toml(data: Any, marks: Any) -> bytes:
    text = tomli_w.dumps(_with_nothing_as_text(marks(data)))
    return marks.exchanged(text).encode("utf-8", "surrogatepass")


def _with_nothing_as_text(data: Any) -> Any:
    if isinstance(data, dict):
        return {f"{key}": _with_nothing_as_text(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_with_nothing_as_text(value) for value in data]
    return "null" if data is None else data


def write_csv(data: Any, marks: Any) -> bytes:
    """A table of lists of cells."""
    stream = io.StringIO()
    rows = [row if isinstance(row, list) else [row] for row in marks(data)]
    csv.writer(stream, lineterminator="\n", escapechar="\\").writerows(rows)
    return marks.exchanged(stream.getvalue()).encode("utf-8", "surrogatepass")


def by_npy_header(valid: bytes) -> st.SearchStrategy[Mutant]:
    """Mutants of a `.npy` file whose header, a Python literal, says otherwise."""
    length = int.from_bytes(valid[8:10], "little")
    header, numbers = ast.literal_eval(valid[10 : 10 + length].decode()), valid[10 + length :]

    def write(data: Any, marks: Any) -> bytes:
        literal = marks.exchanged(repr(marks(data)).replace("'MARK", "MARK").replace("HERE'", "HERE"))
        text = literal.replace("[", "(").replace("]", ",)").encode("utf-8", "replace") + b"\n"
        return valid[:8] + (len(text) % 2**16).to_bytes(2, "little") + text + numbers

    return by_field({**header, "shape": list(header["shape"])}, "python", write).map(_unnamed)


def by_safetensors_header(valid: bytes) -> st.SearchStrategy[Mutant]:
    """Mutants of weights whose header, or what vpbench writes into it, both JSON, says otherwise."""
    length = int.from_bytes(valid[:8], "little")
    header, numbers = json.loads(valid[8 : 8 + length]), valid[8 + length :]

    def write(data: Any, marks: Any) -> bytes:
        text = write_json(data, marks)
        return len(text).to_bytes(8, "little") + text + numbers

    def write_head(data: Any, marks: Any) -> bytes:
        head = write_json(data, marks).decode("utf-8", "surrogatepass")
        text = json.dumps({**header, "__metadata__": {"vpbench": head}}).encode()
        return len(text).to_bytes(8, "little") + text + numbers

    head = json.loads(header["__metadata__"]["vpbench"])
    return st.one_of(by_field(head, "json", write_head), by_field(header, "json", write).map(_unnamed))


def _unnamed(mutant: Mutant) -> Mutant:
    return Mutant(mutant.data)


def by_number(
    valid: bytes, places: Sequence[tuple[int, str]], finish: Callable[[bytes], bytes] = bytes
) -> st.SearchStrategy[Mutant]:
    """Mutants whose header has other numbers.

    Args:
        valid: the file.
        places: where a number stands, and its format as `struct` has it.
        finish: makes it consistent.
    """

    def changed(changes: list[tuple[tuple[int, str], int]]) -> Mutant:
        data = bytearray(valid)
        for (place, form), value in changes:
            most = 1 << 8 * struct.calcsize(form)
            struct.pack_into(form.upper(), data, place, value % most)
        return Mutant(finish(bytes(data)))

    edges = st.sampled_from(
        [0, 1, 2, 3, 4, 6, 8, 16, 17, 100, 255, 4_096, 30_000, 2**16, 2**31 - 1, 2**31, 2**32 - 1]
    )
    value = st.one_of(edges, st.integers(0, 2**32 - 1))
    return st.lists(st.tuples(st.sampled_from(list(places)), value), min_size=1, max_size=3).map(changed)


def with_checksum(png: bytes) -> bytes:
    """A PNG file whose first chunk, of width, height and kind, has a checksum that fits."""
    return png[:29] + zlib.crc32(png[12:29]).to_bytes(4, "big") + png[33:]


def by_byte(valid: bytes, head: int | None = None) -> st.SearchStrategy[Mutant]:
    """Mutants by one to four changes of bytes: flipped, overwritten, removed, put in, or the rest cut off.

    Args:
        valid: the file.
        head: most of the changes are in so many of its first bytes.
    """
    length = len(valid)
    anywhere = st.integers(0, max(0, length - 1))
    place = anywhere if head is None else st.one_of(st.integers(0, min(head, length) - 1), anywhere)
    odd = [b"\0", b"\xff" * 4, b"\x80", b'"', b"{", b"]", b"\n", b"9" * 400, b"\xed\xa0\x80", b"\x1b[2J"]
    given = st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from(odd))
    kinds = st.sampled_from(["flip", "write", "remove", "insert", "cut", "double"])
    change = st.tuples(kinds, place, st.integers(0, 7), given)
    return st.lists(change, min_size=1, max_size=4).map(lambda changes: Mutant(_changed(valid, changes)))


def _changed(data: bytes, changes: list[tuple[str, int, int, bytes]]) -> bytes:
    for kind, place, bit, given in changes:
        place = min(place, max(0, len(data) - 1))
        if kind == "flip" and data:
            data = data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]
        elif kind == "write":
            data = data[:place] + given + data[place + len(given) :]
        elif kind == "remove":
            data = data[:place] + data[place + len(given) :]
        elif kind == "insert":
            data = data[:place] + given + data[place:]
        elif kind == "cut":
            data = data[:place]
        else:
            data = data[:place] + data[place // 2 :]
    return data


def is_harmless(text: str) -> bool:
    """Whether a terminal only shows it: nothing in it controls, reorders or hides, and all of it can be encoded."""
    return not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in text if c not in "\n\t")
