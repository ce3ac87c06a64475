"""Runs on disk: the folder ``<split>/<protocol>/<label>/`` with ``manifest.json`` and ``scores.jsonl``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpbench.errors import UsageError, VpbenchError
from vpbench.files import read_json
from vpbench.runs.scores import _FIXED, _read_lines

KIND = "vpbench-run"


SCHEMA = 1


# What may be a label, which names a folder.
LABEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,=+-]{0,99}")


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


def score_lines(run: Run) -> Iterator[dict[str, Any]]:
    """The lines of a run's ``scores.jsonl``, from its columns."""
    columns = {name: values.tolist() for name, values in run.scores.items()}
    for row in range(len(columns["clip"])):
        line: dict[str, Any] = {"clip": columns["clip"][row], "frame": columns["frame"][row]}
        for metric in run.metrics:
            score = columns[metric][row]
            line[metric] = None if math.isnan(score) else score
        yield {**line, "moving": columns["moving"][row], "counted": columns["counted"][row]}
