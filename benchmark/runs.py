"""Runs on disk: the folder ``<split>/<protocol>/<label>/`` with ``manifest.json`` and ``scores.jsonl``."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpbench.errors import UsageError, VpbenchError
from vpbench.files import os_error, read_json, write_json

KIND = "vpbench-run"
SCHEMA = 1
# What may be a label, which names a folder.
LABEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,=+-]{0,99}")
_FIXED = ("clip", "frame", "moving", "counted")
_LARGEST = 2**31  # above any clip
# Libraries on which a score's last bits depend, and the device.
_ENVIRONMENT = ("vpbench", "numpy", "opencv", "scipy", "torch", "device")


@dataclass(frozen=True)
class Run:
    """A run read from disk.

    Attributes:
        folder: where it is.
        manifest: the manifest, as it stands in the file.
        scores: columns of equal length: ``clip`` and ``frame`` (int64, frame 1-based), one float64 column for
            each metric (NaN where undefined), ``moving`` (float64, fraction) and ``counted`` (bool).
    """

    folder: Path
    manifest: dict[str, Any]
    scores: dict[str, Any]

    @property
    def metrics(self) -> list[str]:
        """Names of the metric columns, in the protocol's order."""
        return list(self.manifest["protocol"]["definition"]["metrics"])


def read_run(folder: Path) -> Run:
    """Read a run's folder.

    Raises:
        VpbenchError: no run is there, or it is of a later version, damaged, or has a clip twice; names the
            file and the line.
    """
    import numpy as np

    path = folder / "manifest.json"
    if not path.is_file():
        raise VpbenchError(f"{folder} is not a run: it has no manifest.json.")
    manifest = read_json(path, KIND)
    _check_manifest(manifest, path)
    metrics = list(manifest["protocol"]["definition"]["metrics"])
    lines, torn = _read_lines(folder / "scores.jsonl", metrics, manifest["protocol"]["definition"]["targets"])
    if manifest["status"] == "complete":
        if torn:
            raise VpbenchError(f"{folder / 'scores.jsonl'}, line {len(lines) + 1}: the file is cut off.")
        _check_complete(manifest, lines, folder)
    columns: dict[str, Any] = {key: np.array([line[key] for line in lines], np.int64) for key in _FIXED[:2]}
    for key in (*metrics, "moving"):
        columns[key] = np.array([math.nan if line[key] is None else line[key] for line in lines], np.float64)
    columns["counted"] = np.array([line["counted"] for line in lines], np.bool_)
    return Run(folder, manifest, columns)


def find_runs(path: Path) -> list[Path]:
    """The folders of runs at or below ``path``, sorted.

    Raises:
        UsageError: there is none.
    """
    if (path / "manifest.json").is_file():
        return [path]
    found = sorted(
        scores.parent for scores in path.rglob("scores.jsonl") if (scores.parent / "manifest.json").is_file()
    )
    if not found:
        raise UsageError(f"There is no run in {path}: no folder with manifest.json and scores.jsonl.")
    return found


def _check_manifest(manifest: dict[str, Any], path: Path) -> None:
    if manifest.get("schema") != SCHEMA:
        raise VpbenchError(
            f"{path} has schema {manifest.get('schema')}; this vpbench reads {SCHEMA}. "
            "Install the vpbench that wrote it, or run again."
        )
    try:
        definition = manifest["protocol"]["definition"]
        whole = (
            isinstance(manifest["label"], str)
            and manifest["status"] in ("running", "complete")
            and isinstance(definition["metrics"], dict)
            and type(definition["targets"]) is int
            and definition["targets"] >= 1
            and all(isinstance(manifest["protocol"][key], str) for key in ("name", "hash"))
            and all(isinstance(manifest["split"][key], str) for key in ("name", "hash"))
            and isinstance(manifest["prepared"]["clips"], dict)
        )
    except (KeyError, TypeError):
        whole = False
    if not whole:
        raise VpbenchError(f"{path} is damaged: fields are missing or of the wrong type.")


def _check_complete(manifest: dict[str, Any], lines: list[dict[str, Any]], folder: Path) -> None:
    wanted, there = set(manifest["prepared"]["clips"]), {str(line["clip"]) for line in lines}
    if wanted != there:
        raise VpbenchError(
            f"{folder / 'scores.jsonl'} has scores of {len(there & wanted)} of the {len(wanted)} clips that "
            f"{folder / 'manifest.json'} lists, and of {len(there - wanted)} others. Run it again."
        )


def _read_lines(path: Path, metrics: list[str], targets: int) -> tuple[list[dict[str, Any]], bool]:
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
    keys, text = (*_FIXED, *metrics), b"\n".join(whole)
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
    keys = {*_FIXED, *metrics}
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


class RunWriter:
    """A run's folder, open for writing; hold its lock (``files.lock_folder``) around this.

    A run that is there is gone on with if :func:`_identity` is the same and no clip's pixels differ; clips may
    have been added.

    Args:
        folder: the run's folder.
        manifest: what is to be run.
        predictions: how many prediction files a finished clip must have (0: none are kept).
        force: give up a run that is there and does not match.
        anew: no run that is there matches.

    Raises:
        UsageError: the folder holds another run, or other things, or symbolic links.
        VpbenchError: the run in it is damaged.
    """

    def __init__(
        self, folder: Path, manifest: dict[str, Any], predictions: int, force: bool, anew: bool = False
    ) -> None:
        self.folder = folder
        self.manifest = manifest
        self._scores = folder / "scores.jsonl"
        self._targets = int(manifest["protocol"]["definition"]["targets"])
        self._metrics = list(manifest["protocol"]["definition"]["metrics"])
        path = folder / "manifest.json"
        lines: list[dict[str, Any]] = []
        self._refuse_links()
        if path.exists():
            if force and (anew or self._differs(path)):
                self._clear()
            elif anew:
                raise UsageError(
                    f"{folder} holds a run, and whether this is the same predictor cannot be known. Choose another "
                    "label or folder, or give the old run up with force."
                )
            else:
                self._refuse_other(read_json(path, KIND))
                lines, _ = _read_lines(self._scores, self._metrics, self._targets)
        elif any(p.name[0] != "." for p in folder.iterdir()):  # the lock, and what a killed run left
            raise UsageError(f"{folder} holds other things than a run; choose another --out or --as.")
        scored = {line["clip"] for line in lines}
        if not scored <= {int(index) for index in manifest["prepared"]["clips"]}:
            raise UsageError(
                f"{folder} holds scores of {len(scored)} clips, others than this run asks for. Choose another "
                "--out, leave out --limit, or give the old run up with --force."
            )
        done = [line for line in lines if self._kept(line["clip"], predictions)]
        self.done = {line["clip"] for line in done}
        self.complete = (
            path.exists()
            and len(self.done) == len(manifest["prepared"]["clips"])
            and read_json(path, KIND).get("status") == "complete"
        )
        for leftover in folder.glob(".*.tmp"):  # of a run that was killed as it wrote
            leftover.unlink(missing_ok=True)
        if not self.complete:
            write_json(path, {**manifest, "status": "running"})
        self._rewrite(done)

    def _refuse_links(self) -> None:
        """A folder that somebody else made must not lead writes out of it."""
        inner = self.folder / "predictions"
        own = [self.folder / "manifest.json", self._scores, inner]
        if inner.is_dir() and not inner.is_symlink():
            own += inner.iterdir()
        for path in own:
            if path.is_symlink():
                raise UsageError(
                    f"{path} is a symbolic link, which vpbench never makes; choose another --out."
                )

    def _differs(self, path: Path) -> bool:
        try:
            self._refuse_other(read_json(path, KIND))
            lines, _ = _read_lines(self._scores, self._metrics, self._targets)
        except VpbenchError:
            return True
        return not {line["clip"] for line in lines} <= {int(i) for i in self.manifest["prepared"]["clips"]}

    def _clear(self) -> None:
        try:
            # The manifest goes last: a folder without one is not recognised as a run.
            if (self.folder / "predictions").is_dir():
                shutil.rmtree(self.folder / "predictions")
            for name in ("scores.jsonl", "manifest.json"):
                (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise os_error(error, f"remove the old run in {self.folder}") from error

    def _refuse_other(self, old: dict[str, Any]) -> None:
        """Refuse to go on with a run of something else."""
        differences = _differences(_identity(old), _identity(self.manifest))
        new_clips = self.manifest["prepared"]["clips"]
        for index, content in dict(old.get("prepared", {}).get("clips", {})).items():
            if new_clips.get(index, content) != content:
                differences.append(f"the prepared clip {index} is another")
                break
        if differences:
            raise UsageError(
                f"{self.folder} holds another run: {'; '.join(differences[:4])}. Choose another --out or --as, or "
                "give the old run up with --force."
            )

    def _kept(self, clip: int, predictions: int) -> bool:
        folder = self.folder / "predictions" / str(clip)
        return predictions == 0 or (folder.is_dir() and len(list(folder.glob("pred_*.npy"))) >= predictions)

    def _rewrite(self, lines: list[dict[str, Any]]) -> None:
        """Cut a torn tail, and lines of clips that have to be done again."""
        from vpbench.files import write_atomic

        data = b"".join(_encode(line) for line in lines)
        if not self._scores.exists() or self._scores.stat().st_size != len(data):
            write_atomic(self._scores, data)

    def append(self, lines: list[dict[str, Any]]) -> None:
        """Append one clip's lines in a single write.

        Raises:
            VpbenchError: the disk is full or read-only; names the file.
        """
        data = b"".join(_encode(line) for line in lines)
        try:
            descriptor = os.open(self._scores, os.O_WRONLY | os.O_APPEND)
            try:
                written = os.write(descriptor, data)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise os_error(error, f"write {self._scores}") from error
        if written != len(data):
            raise VpbenchError(f"Cannot write {self._scores}: the disk is full. Make room and run it again.")
        self.done.add(lines[0]["clip"])

    def finish(self, changes: dict[str, Any]) -> None:
        """Write the manifest of the finished run, with ``changes``."""
        write_json(self.folder / "manifest.json", {**self.manifest, **changes, "status": "complete"})


def _identity(manifest: dict[str, Any]) -> dict[str, Any]:
    """What must be the same for a run to be gone on with."""
    prepared, split = manifest.get("prepared", {}), manifest.get("split", {})
    environment = manifest.get("environment", {})
    return {
        **{key: manifest.get(key) for key in ("schema", "label", "predictor", "protocol", "samples")},
        "split": {key: split.get(key) for key in ("name", "hash")},
        "prepared": {key: prepared.get(key) for key in ("flow", "decoder")},
        "environment": {key: environment.get(key) for key in _ENVIRONMENT},
    }


def _encode(line: dict[str, Any]) -> bytes:
    return (json.dumps(line, allow_nan=False) + "\n").encode()


def _differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Where two pieces of JSON data differ, as texts."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted({*old, *new})
        each: Callable[[str], list[str]] = lambda key: _differences(  # noqa: E731
            old.get(key), new.get(key), f"{path}.{key}".lstrip(".")
        )
        return [text for key in keys for text in each(key)]
    return [] if old == new else [f"{path} was {old}, now {new}"]
