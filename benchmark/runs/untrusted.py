"""Checks of a run that is not trusted: everything that can be checked without its frames.

Nothing in it is executed. Its names become names of folders and are printed, so they must neither lead elsewhere nor
contain control characters.
"""

from __future__ import annotations

import math
import re
import unicodedata
from pathlib import Path
from typing import Any

from msgspec import to_builtins

from vpbench.errors import UsageError, VpbenchError
from vpbench.escape import plain
from vpbench.runs.manifest import LABEL, LONGEST_CITATION, Submission
from vpbench.runs.run import Run, read_run, score_lines
from vpbench.scoring.built_in import find_built_in, from_definition
from vpbench.scoring.metrics import get_metric
from vpbench.scoring.protocol import Protocol
from vpbench.scoring.score import check_metrics, is_counted
from vpbench.splits import BUILT_IN as SPLITS
from vpbench.splits import get_split

MOST = {"manifest.json": 4 * 2**20, "scores.jsonl": 64 * 2**20}  # bytes
_LONGEST = 2_000  # characters
_DEEPEST = 12
_SPLIT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}")
_HASH = re.compile(r"[0-9a-f]{16,64}")
# The fields of a manifest, in the order in which a submitted one has them.
_FIELDS = (
    *("kind", "schema", "label", "status", "predictor", "protocol", "split", "prepared", "environment"),
    *("samples", "started", "finished", "cost", "submission"),
)


def read_untrusted(folder: Path) -> Run:
    """Read a run that is not trusted.

    Raises:
        VpbenchError: a file is missing, a symbolic link, far too long, or damaged; names it.
    """
    for name, most in MOST.items():
        path = folder / name
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise VpbenchError(f"{path} is not an ordinary file.")
        if path.is_file() and path.stat().st_size > most:
            raise VpbenchError(f"{path} has over {most >> 20} MiB; no run is that large.")
    return read_run(folder)


def check_run(run: Run, *, partial: bool = False, complete: bool = True) -> Protocol:
    """Check all of a run that can be checked without its frames; returns its protocol.

    Args:
        run: the run.
        partial: whether it may have scored a part of its split only.
        complete: whether it must be complete.

    Raises:
        UsageError: the run is not complete, or partial.
        VpbenchError: something in it is missing, of the wrong type, contradicts something else, or could do harm
            when printed or used as a path; the message names the file, and the line or the field.
    """
    path = run.folder / "manifest.json"
    check_texts(run.data, f"{path}")
    _check_fields(run.data, f"{path}")
    where = f"{path}, protocol"
    protocol = from_definition(run.data["protocol"]["definition"], where)
    recorded = run.recorded.protocol
    if (protocol.name, protocol.version, protocol.hash) != (recorded.name, recorded.version, recorded.hash):
        raise VpbenchError(f"{where}: name, version and hash are not those of the definition.")
    known = find_built_in(protocol.name)
    if known is not None and known.hash != protocol.hash:
        raise VpbenchError(
            f"{where}: '{protocol.name}' version {protocol.version} is not the '{known.name}' of this vpbench, version "
            f"{known.version} (hash {known.hash}); run it again."
        )
    _check_split(run, path)
    try:
        check_metrics(protocol)
    except VpbenchError as error:
        raise type(error)(f"{where}: {error}") from None
    _check_scores(run, protocol)
    if complete and not run.manifest.complete:
        raise UsageError(
            f"{run.folder} is not complete. Give the `vpbench run` command that started it again."
        )
    split = run.manifest.split
    if split.scored < split.total and not partial:
        raise UsageError(
            f"{run.folder} scored {split.scored} of the {split.total} clips of split '{split.name}'. "
            "Run all of them, or say that it is a part: --partial."
        )
    return protocol


def submission_of(run: Run) -> Submission:
    """What was said about a run when it was submitted.

    Raises:
        VpbenchError: nothing was said, or more than a submission has; names the file.
    """
    submission = run.recorded.submission
    if submission is None or run.data["submission"].keys() - set(Submission.__struct_fields__):
        path = run.folder / "manifest.json"
        raise VpbenchError(f"{path}: the table 'submission' is missing or has other fields.")
    return submission


def submitted_data(run: Run, submission: Submission) -> dict[str, Any]:
    """The manifest of a run that was checked, as JSON data, with what is said when it is submitted."""
    data = {**run.data, "submission": to_builtins(submission)}
    return {key: data[key] for key in _FIELDS if key in data}


def check_texts(data: Any, where: str, depth: int = 0) -> None:
    """Refuse texts that are very long, or contain invisible characters that do something."""
    if depth > _DEEPEST:
        raise VpbenchError(f"{plain(where)[:300]}: nested too deeply.")
    if isinstance(data, dict):
        for key, value in data.items():
            _check_text(str(key), f"{where}, a key", 200)
            check_texts(value, f"{where}, {key}", depth + 1)
    elif isinstance(data, list | tuple):
        for value in data:
            check_texts(value, where, depth + 1)
    elif isinstance(data, str):
        _check_text(data, where, LONGEST_CITATION if where.endswith(", citation") else _LONGEST)
    elif isinstance(data, float) and not math.isfinite(data):
        raise VpbenchError(f"{where}: a number is not finite.")


def _check_text(text: str, where: str, longest: int) -> None:
    if len(text) > longest:
        raise VpbenchError(
            f"{plain(where)[:300]}: a text has {len(text)} characters; at most {longest} may be."
        )
    allowed = "\n\t" if where.endswith(", citation") else ""
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in allowed:
            raise VpbenchError(
                f"{plain(where)[:300]}: a text holds the control character U+{ord(character):04X}; remove it."
            )


def _check_fields(manifest: dict[str, Any], where: str) -> None:
    """Check the types of the manifest's fields, and the names that become those of folders."""
    unknown = sorted(set(manifest) - set(_FIELDS))
    if unknown:
        raise VpbenchError(f"{where}: there is no field '{unknown[0]}' in a run.")
    _require(where, "label", manifest, str, LABEL)
    if manifest["status"] == "complete":
        _require(where, "finished", manifest, str)
        _require(where, "cost", manifest, dict)
    if "samples" in manifest:
        _require(where, "samples", manifest, dict)
    predictor = manifest["predictor"]
    _require(f"{where}, predictor", "options", predictor, dict)
    _require(f"{where}, predictor", "description", predictor, dict)
    if not all(isinstance(mark, str) for mark in predictor["description"].get("marks") or ()):
        raise VpbenchError(f"{where}, predictor, description: 'marks' must be a list of texts.")
    _require(f"{where}, protocol", "hash", manifest["protocol"], str, _HASH)
    for key, pattern in (("name", _SPLIT), ("hash", _HASH)):
        _require(f"{where}, split", key, manifest["split"], str, pattern)
    _require(f"{where}, prepared", "hash", manifest["prepared"], str, _HASH)
    for key in ("flow", "decoder"):
        _require(f"{where}, prepared", key, manifest["prepared"], dict)
    for clip, content in manifest["prepared"]["clips"].items():
        if not (clip.isdigit() and _HASH.fullmatch(content)):
            raise VpbenchError(f"{where}, prepared, clips: '{plain(clip)[:50]}' is no clip with its hash.")
    for key in ("vpbench", "python", "numpy", "opencv"):
        _require(f"{where}, environment", key, manifest["environment"], str)


def _require(
    where: str, key: str, table: dict[str, Any], kind: type, pattern: re.Pattern[str] | None = None
) -> None:
    value = table.get(key)
    if type(value) is not kind:
        raise VpbenchError(f"{where}: '{key}' is missing or is not of type {kind.__name__}.")
    if pattern is not None and not pattern.fullmatch(str(value)):
        raise VpbenchError(f"{where}: '{key}' cannot be {plain(value)[:100]!r}.")


def _check_split(run: Run, path: Path) -> None:
    split, clips = run.recorded.split, run.recorded.prepared.clips
    known: dict[int, str] | None = None
    if split.name in SPLITS:
        built_in = get_split(split.name)
        known = built_in.clusters
        if (split.hash, split.total) != (built_in.hash, len(built_in.clips)):
            raise VpbenchError(f"{path}, split: it is not the split '{split.name}' of this vpbench.")
    if not split.scored == len(clips) <= split.found <= split.total:
        raise VpbenchError(
            f"{path}, split: scored, found and total contradict each other or the list of clips."
        )
    strange = sorted(clip for clip in clips if known is not None and clip not in known)
    if strange:
        raise VpbenchError(f"{path}, prepared: split '{split.name}' has no clip {strange[0]}.")
    for clip, cluster in (split.clusters or {}).items():
        if known is not None and cluster != known[clip]:
            raise VpbenchError(
                f"{path}, split, clusters: clip {clip} is of '{known[clip]}', not '{plain(cluster)[:100]}'."
            )


def _check_scores(run: Run, protocol: Protocol) -> None:
    """Check that every score can be what it says, and that what is counted follows the protocol."""
    path = run.folder / "scores.jsonl"
    metrics = {column: get_metric(use.metric) for column, use in protocol.metrics.items()}
    for number, line in enumerate(score_lines(run), start=1):
        if line["clip"] not in run.clips:
            raise VpbenchError(f"{path}, line {number}: clip {line['clip']} is not in the manifest.")
        for column, metric in metrics.items():
            score = line[column]
            if score is not None and not metric.low - 1e-9 <= score <= metric.high + 1e-9:
                raise VpbenchError(
                    f"{path}, line {number}: {column} is {score}; it lies in {metric.low:g} … {metric.high:g}."
                )
        if run.has_frame_facts:
            _check_frame_facts(line, protocol, f"{path}, line {number}")
        if line["counted"] != is_counted(line, protocol):
            raise VpbenchError(
                f"{path}, line {number}: 'counted' does not follow protocol '{protocol.name}'."
            )


def _check_frame_facts(line: dict[str, Any], protocol: Protocol, where: str) -> None:
    """Check what a line says about its frame, whoever predicts it."""
    copy, rule = line["copy"], protocol.exclude
    metric = None if rule is None else get_metric(protocol.metrics[rule.column].metric)
    low, high = (math.inf, -math.inf) if metric is None else (metric.low, metric.high)
    for key, value, least, most in (
        ("copy", copy, low, high),
        ("copy_ssim", line["copy_ssim"], -1, 1),
        ("motion", line["motion"], 0, math.inf if line["moving"] else -math.inf),
    ):
        if value is not None and not least - 1e-9 <= value <= most + 1e-9:
            raise VpbenchError(f"{where}: {key} cannot be {value} here.")
