"""``scores.jsonl``: one line of scores per clip and frame."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from vpbench.errors import VpbenchError
from vpbench.scoring.protocol import FIXED_COLUMNS, FRAME_FACTS

_Clip = Annotated[int, Meta(ge=0, lt=2**31)]
_Frame = Annotated[int, Meta(ge=1, lt=2**31)]
_Score = Annotated[int, Meta(gt=-(2**53), lt=2**53)] | float | None
_Fraction = Annotated[int, Meta(ge=0, le=1)] | Annotated[float, Meta(ge=0, le=1)]


@dataclass(frozen=True)
class ScoreFile:
    """What a ``scores.jsonl`` holds of whole clips.

    Attributes:
        columns: of equal length: ``clip`` and ``frame`` (int64, frame 1-based), one float64 column for each
            metric (NaN where undefined), ``moving`` (float64, fraction), ``counted`` (bool), and, unless the file is
            of schema 1, ``copy``, ``copy_ssim`` and ``motion`` (:mod:`vpbench.scoring.frame_facts`; float64, NaN for
            none).
        lines: the lines that these were read from, without their newlines.
        torn: whether a part of a clip follows.
    """

    columns: dict[str, NDArray[Any]]
    lines: list[bytes]
    torn: bool


def read_scores(path: Path, metrics: Sequence[str], targets: int) -> ScoreFile:
    """Read the scores of a run, finished or not; none if there is no such file.

    Args:
        path: ``scores.jsonl``.
        metrics: names of the metric columns.
        targets: lines of a clip.

    Raises:
        VpbenchError: a line is not a score line, a clip appears twice, or frames are out of order; names the
            file and the line.
    """
    try:
        if path.exists() and not path.is_file():
            raise VpbenchError(f"{path} is not an ordinary file.")
        data = path.read_bytes()
    except FileNotFoundError:
        data = b""
    except OSError as error:
        raise VpbenchError(f"Cannot read {path}: {error.strerror}.") from error
    *whole, tail = data.split(b"\n")
    facts = FRAME_FACTS if whole and b'"copy_ssim"' in whole[0] else ()
    columns = _columns(_decode(path, whole, metrics, facts), metrics, facts)
    if (undefined := _counted_undefined(columns, metrics)).any():
        raise _no_score_line(path, int(undefined.argmax()), whole)
    _check_order(path, columns, targets)
    cut = len(whole) - len(whole) % targets
    return ScoreFile(
        columns={key: values[:cut] for key, values in columns.items()},
        lines=whole[:cut],
        torn=bool(tail) or cut < len(whole),
    )


def score_line(line: dict[str, Any]) -> bytes:
    """The scores of one frame as a line of the file."""
    return (json.dumps(line, allow_nan=False) + "\n").encode()


@lru_cache(32)
def _decoder(metrics: tuple[str, ...], facts: tuple[str, ...]) -> msgspec.json.Decoder[Any]:
    """Decodes a line into an object with the fields ``clip``, ``frame``, ``m0``, ``m1``, …, ``moving``, ``counted``.

    And those of ``facts``.
    """
    names = {f"m{n}": metric for n, metric in enumerate(metrics)}
    scores = [(field, _Score) for field in names]
    fields = [("clip", _Clip), ("frame", _Frame), *scores, ("moving", _Fraction), ("counted", bool)]
    fields += [(fact, _Score) for fact in facts]
    return msgspec.json.Decoder(
        msgspec.defstruct("Line", fields, rename=names, forbid_unknown_fields=True, gc=False)
    )


def _decode(path: Path, whole: Sequence[bytes], metrics: Sequence[str], facts: tuple[str, ...]) -> list[Any]:
    """The lines, each as :func:`_decoder` has it."""
    decoder = _decoder(tuple(metrics), facts)
    # If a key appears twice, msgspec takes the last. There are as many colons as keys: no value contains one.
    colons = sum(json.dumps(key).count(":") + 1 for key in (*FIXED_COLUMNS, *metrics, *facts))
    text = b"\n".join(whole)
    try:
        lines: list[Any] = decoder.decode_lines(text)
        if (
            len(lines) == len(whole)
            and text.count(b"}\n{") == max(len(whole) - 1, 0)  # an object is a line, and a line an object
            and text.count(b":") == colons * len(whole)
        ):
            return lines
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    return [_decode_one(path, number, whole, decoder, colons) for number in range(len(whole))]


def _decode_one(
    path: Path, number: int, whole: Sequence[bytes], decoder: msgspec.json.Decoder[Any], colons: int
) -> Any:
    try:
        if whole[number].count(b":") == colons:
            return decoder.decode(whole[number])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    raise _no_score_line(path, number, whole)


def _no_score_line(path: Path, number: int, whole: Sequence[bytes]) -> VpbenchError:
    return VpbenchError(f"{path}, line {number + 1}: not a score line: {whole[number][:80]!r}.")


def _columns(lines: Sequence[Any], metrics: Sequence[str], facts: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    def column(field: str, dtype: type) -> NDArray[Any]:
        return np.array([*map(attrgetter(field), lines)], dtype)  # None becomes NaN

    return {
        "clip": column("clip", np.int64),
        "frame": column("frame", np.int64),
        **{metric: column(f"m{n}", np.float64) for n, metric in enumerate(metrics)},
        "moving": column("moving", np.float64),
        "counted": column("counted", np.bool_),
        **{fact: column(fact, np.float64) for fact in facts},
    }


def _counted_undefined(columns: dict[str, NDArray[Any]], metrics: Sequence[str]) -> NDArray[np.bool_]:
    """Which lines count although a score is undefined."""
    undefined = np.zeros(len(columns["clip"]), np.bool_)
    for metric in metrics:
        undefined |= np.isnan(columns[metric])
    undefined &= columns["counted"]
    return undefined


def _check_order(path: Path, columns: dict[str, NDArray[Any]], targets: int) -> None:
    """Check that each clip has its frames in order, one after the other, and is there once."""
    clips, frames = columns["clip"], columns["frame"]
    lines = np.arange(len(clips))
    first = lines - lines % targets  # the first line of the clip that a line should be of
    twice = lines == first
    twice[np.unique(clips[::targets], return_index=True)[1] * targets] = False
    expected = lines - first + 1
    wrong = twice | (frames != expected) | (clips != clips[first])
    if not wrong.any():
        return
    line = int(wrong.argmax())
    where = f"{path}, line {line + 1}"
    if twice[line]:
        raise VpbenchError(f"{where}: clip {clips[line]} is there twice.")
    raise VpbenchError(
        f"{where}: frame {expected[line]} of a clip was expected, not clip {clips[line]} frame {frames[line]}."
    )
