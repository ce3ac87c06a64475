"""Scores are read at once; whatever is wrong is found, and named by its line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runs import by_column, make_run

from vpbench.errors import VpbenchError
from vpbench.runs.run import read_run
from vpbench.runs.scores import read_scores

METRICS = ["psnr", "ssim", "sharpness"]
GOOD = [
    b'{"clip": 1, "frame": 1, "psnr": 30.5, "ssim": 0.9, "sharpness": 25, "moving": 0.25, "counted": true}',
    b'{"clip": 1, "frame": 2, "psnr": null, "ssim": 1, "sharpness": 24.5, "moving": 0, "counted": false}',
    b'{"clip": 11, "frame": 1, "psnr": 1e1, "ssim": -0.1, "sharpness": 25.5, "moving": 1, "counted": true}',
    b'{"frame": 2, "clip": 11, "psnr": 29, "ssim": 0.8, "sharpness": 24.5, "moving": 0.5, "counted": false}',
]


def changed(line: int, old: bytes, new: bytes) -> list[bytes]:
    assert old in GOOD[line]
    return [*GOOD[:line], GOOD[line].replace(old, new), *GOOD[line + 1 :]]


def written(folder: Path, lines: list[bytes]) -> Path:
    path = folder / "scores.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def rows(columns: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """The columns line by line, NaN as ``None``."""
    listed = {key: [None if v != v else v for v in values.tolist()] for key, values in columns.items()}
    return [dict(zip(listed, line, strict=True)) for line in zip(*listed.values(), strict=True)]


@pytest.mark.parametrize("count", [0, 2, 3, 4])
def test_good_lines_are_read_as_json(tmp_path: Path, count: int) -> None:
    whole = count - count % 2
    read = read_scores(written(tmp_path, GOOD[:count]), METRICS, 2)
    assert rows(read.columns) == [json.loads(line) for line in GOOD[:whole]]
    assert read.lines == GOOD[:whole]
    assert read.torn == bool(count % 2)


def test_every_number_is_read_to_its_last_bit(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).integers(0, 2**64, 4_000, np.uint64).view(np.float64)
    numbers = numbers[np.isfinite(numbers)]
    scores = {
        clip: by_column(psnr=[x], ssim=[0.5], sharpness=[2.0]) for clip, x in enumerate(numbers.tolist())
    }
    path = make_run(tmp_path / "a", scores=scores) / "scores.jsonl"
    assert (read_scores(path, METRICS, 1).columns["psnr"] == numbers).all()


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        (2, changed(1, b"0, ", b"-0.1, ")),
        (2, changed(1, b"null", b"NaN")),
        (1, changed(0, b"30.5", b"1e999")),
        (1, changed(0, b"30.5", b"1" + b"0" * 400)),
        (1, changed(0, b"30.5", b"true")),
        (1, changed(0, b"30.5", b'"30"')),
        (1, changed(0, b"30.5", b"[1]")),
        (1, changed(0, b"30.5", b"[" * 100_000)),
        (1, changed(0, b"30.5", b"null")),
        (1, changed(0, b"true", b"1")),
        (3, changed(2, b"11", b"11.0")),
        (3, changed(2, b"11", b"-11")),
        (3, changed(2, b"11", b"99999999999")),
        (3, changed(2, b'"frame": 1', b'"frame": true')),
        (3, changed(2, b'"frame": 1', b'"frame": 2')),
        (3, changed(2, b'"frame": 1', b'"frame": 9223372036854775808')),
        (4, changed(3, b"11", b"21")),
        (3, changed(2, b"}", b', "more": 1}')),
        (3, changed(2, b"}", b', "psnr": 99}')),
        (3, changed(2, b', "counted": true', b"")),
        (3, changed(2, b"moving", b"m\xffving")),
        (1, [b"", *GOOD]),
        (1, [b"null", *GOOD]),
        (1, [GOOD[0] + b"," + GOOD[1], GOOD[2], GOOD[3]]),
        (1, [GOOD[0] + b"," + GOOD[1], b"{", b"}"]),
        (1, [GOOD[0][:20], GOOD[0][20:], *GOOD[1:]]),
        (3, [*GOOD[:2], *GOOD[:2]]),
        (2, [GOOD[0], GOOD[2]]),
    ],
)
def test_what_is_wrong_is_named_by_its_line(tmp_path: Path, line: int, lines: list[bytes]) -> None:
    folder = make_run(tmp_path / "a", schema=1)
    written(folder, lines)
    with pytest.raises(VpbenchError, match=rf"scores\.jsonl, line {line}: "):
        read_run(folder)


FACTS = b', "copy": 31.5, "copy_ssim": 0.5, "motion": null}'


@pytest.mark.parametrize(
    ("line", "old", "new"),
    [
        (2, FACTS, b"}"),
        (2, b"31.5", b'"31"'),
        (2, b'"motion": null', b'"motion": NaN'),
        (3, b', "motion": null', b""),
        (4, b"motion", b"emotion"),
    ],
)
def test_what_is_said_of_frames_is_checked_line_by_line(
    tmp_path: Path, line: int, old: bytes, new: bytes
) -> None:
    lines = [one[:-1] + FACTS for one in GOOD]
    columns = read_scores(written(tmp_path, lines), METRICS, 2).columns
    assert rows(columns) == [json.loads(one) for one in lines]
    scores = by_column(psnr=[1, 2], ssim=[1, 1], sharpness=[1, 1])
    folder = make_run(tmp_path / "a", scores={1: scores, 11: scores})
    assert old in lines[line - 1]
    written(folder, [*lines[: line - 1], lines[line - 1].replace(old, new), *lines[line:]])
    with pytest.raises(VpbenchError, match=rf"scores\.jsonl, line {line}: "):
        read_run(folder)
    written(folder, GOOD)
    with pytest.raises(VpbenchError, match=r"line 1: 'copy' and others that describe the frame are missing"):
        read_run(folder)


def test_blanks_around_a_line_are_no_fault(tmp_path: Path) -> None:
    lines = [b"  " + GOOD[0], GOOD[1] + b"\r", *GOOD[2:]]
    read = read_scores(written(tmp_path, lines), METRICS, 2)
    assert rows(read.columns) == [json.loads(line) for line in GOOD]


@pytest.mark.parametrize("column", ["a:b", "a}b", "ä", "x y", "__init__", "class", "m0"])
def test_columns_of_any_name_are_read(tmp_path: Path, column: str) -> None:
    line = {"clip": 1, "frame": 1, column: 0.5, "psnr": 1.5, "moving": 0.5, "counted": True}
    path = written(tmp_path, [json.dumps(line).encode()])
    assert rows(read_scores(path, [column, "psnr"], 1).columns) == [line]


def test_columns_have_their_types(tmp_path: Path) -> None:
    scores = by_column(psnr=[30, None], ssim=[1, 0.5], sharpness=[25.0, None])
    run = read_run(make_run(tmp_path / "a", scores={3: scores}))
    assert {key: str(values.dtype) for key, values in run.scores.items()} == {
        "clip": "int64",
        "frame": "int64",
        "psnr": "float64",
        "ssim": "float64",
        "sharpness": "float64",
        "moving": "float64",
        "counted": "bool",
        "copy": "float64",
        "copy_ssim": "float64",
        "motion": "float64",
    }
