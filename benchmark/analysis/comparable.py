"""Which runs may share a table, and under which labels."""

from __future__ import annotations

import os.path
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vpbench.errors import UsageError
from vpbench.escape import plain
from vpbench.scoring.protocol import FRAME_FACTS

if TYPE_CHECKING:
    from vpbench.runs.manifest import Definition, ProtocolRecord, SplitRecord
    from vpbench.runs.run import Run

# How far apart what two runs say about the same frame may be: beyond rounding on another machine.
_AGREES = 1e-6


def clips_scored(run: Run) -> int:
    """Number of clips that have scores."""
    return len(np.unique(run.scores["clip"]))


def table_of(run: Run) -> tuple[str, str, str, str, str, int, list[str]]:
    """What the runs of one table have in common, to sort by; tables of a part of the split follow that of the whole."""
    split, protocol, files = run.manifest.split, run.manifest.protocol, run.manifest.flow_files
    clips = sorted(map(str, run.clips))
    return split.name, protocol.name, split.hash, protocol.hash, files, -len(clips), clips


def row_labels(runs: Sequence[Run]) -> list[str]:
    """The runs' labels; equal ones with the part of the folder that tells them apart."""
    labels = [run.label for run in runs]
    for label in {label for label, count in Counter(labels).items() if count > 1}:
        same = [n for n, other in enumerate(labels) if other == label]
        for n, part in zip(same, _parts([runs[n].folder.resolve() for n in same]), strict=True):
            labels[n] = f"{label} ({plain(part)})"
    return labels


def _parts(folders: list[Path]) -> list[str]:
    """Each folder without the leading and trailing names that all have in common."""
    start = len(Path(os.path.commonpath(folders)).parts)
    names = [folder.parts[start:] for folder in folders]
    end = 0
    while all(len(parts) > end + 1 for parts in names) and len({parts[-1 - end] for parts in names}) == 1:
        end += 1
    return ["/".join(parts[: len(parts) - end]) or str(f) for parts, f in zip(names, folders, strict=True)]


def require_comparable(runs: Sequence[Run], labels: Sequence[str], *, allow_incomplete: bool) -> None:
    """Check that the runs are complete, have scores, and are of the same protocol, split and set of clips.

    Args:
        runs: at least one.
        labels: their labels, for the message.
        allow_incomplete: accept runs that are not complete.

    Raises:
        UsageError: they are not; the message names the runs and the difference.
    """
    for run, label in zip(runs, labels, strict=True):
        if not (run.manifest.complete or allow_incomplete):
            raise UsageError(
                f"Run {_name(run, label)} is not complete: {clips_scored(run)} of "
                f"{run.manifest.split.scored} clips are scored. Repeat the `vpbench run` command that started it: it "
                "resumes where it stopped."
            )
        if not clips_scored(run):
            raise UsageError(f"Run {_name(run, label)} has no scores yet. Leave it out.")
    _refuse_mixed(runs, labels)


def of_common_clips(runs: Sequence[Run], labels: Sequence[str]) -> list[Run]:
    """The runs, restricted to the clips that all of them scored.

    Raises:
        UsageError: they have none in common; names two runs.
    """
    clips = set(runs[0].scores["clip"].tolist())
    for run, label in zip(runs[1:], labels[1:], strict=True):
        clips &= set(run.scores["clip"].tolist())
        if not clips:
            raise UsageError(
                f"Runs {_name(runs[0], labels[0])} and {_name(run, label)} have no clip in common with each other "
                "and the runs between them. Make one table for each."
            )
    return [run.of_clips(clips) for run in runs]


def _name(run: Run, label: str) -> str:
    return f"'{label}' ({run.folder})"


def _refuse_mixed(runs: Sequence[Run], labels: Sequence[str]) -> None:
    base, base_label = runs[0], labels[0]
    for run, label in zip(runs[1:], labels[1:], strict=True):
        pair = f"Runs {_name(base, base_label)} and {_name(run, label)} cannot stand in one table: "
        first, second = base.manifest, run.manifest
        if first.protocol.hash != second.protocol.hash:
            raise UsageError(
                f"{pair}their protocols differ, {_protocol(first.protocol)} and {_protocol(second.protocol)}"
                f"{_differing(first.protocol.definition, second.protocol.definition)}. Make one table for each."
            )
        if (first.split.name, first.split.hash) != (second.split.name, second.split.hash):
            raise UsageError(
                f"{pair}their splits differ, {_split(first.split)} and {_split(second.split)}. Make one table for each."
            )
        if first.flow_files != second.flow_files:
            raise UsageError(
                f"{pair}their moving areas come from different files of flow. Make one table for each."
            )
        base_clips, clips = set(base.scores["clip"].tolist()), set(run.scores["clip"].tolist())
        if base_clips != clips:
            raise UsageError(
                f"{pair}they scored different clips. {_only(base_clips - clips, base_label)}"
                f"{_only(clips - base_clips, label)}Run both on the same clips (the same --data and --limit), or take "
                "the clips that all of them have, with --common (in Python: common=True)."
            )
    known = [one for one in zip(runs, labels, strict=True) if one[0].has_frame_facts]
    for run, label in known[1:]:
        if difference := _other_clusters(known[0][0], run) or _other_facts(known[0][0], run):
            raise UsageError(
                f"Runs {_name(*known[0])} and {_name(run, label)} cannot stand in one table: {difference}"
            )


def _other_clusters(first: Run, second: Run) -> str:
    """Where two runs of the same clips do not agree on what is independent; nothing if they do."""
    ours, theirs = first.manifest.split.clusters or {}, second.manifest.split.clusters or {}
    for clip in ours.keys() & theirs.keys():
        if ours[clip] != theirs[clip]:
            return (
                f"clip {clip} is of cluster '{ours[clip]}' in one and of '{theirs[clip]}' in the other. Give both the "
                "clusters of one list: `vpbench migrate RUN --split FILE.csv`."
            )
    return ""


def _other_facts(first: Run, second: Run) -> str:
    """Where two runs say different things about a frame that was the same for both; nothing if they do not."""
    keys = ("clip", "frame", *FRAME_FACTS)
    if all(np.array_equal(first.scores[key], second.scores[key], equal_nan=True) for key in keys):
        return ""
    one, other = (
        {key: run.scores[key][order] for key in keys}
        for run in (first, second)
        for order in [np.lexsort((run.scores["frame"], run.scores["clip"]))]
    )
    same = [clip for clip, content in first.clips.items() if second.clips.get(clip) == content]
    shared = np.isin(one["clip"], same)
    for fact in FRAME_FACTS:
        agree = np.isclose(one[fact], other[fact], rtol=_AGREES, atol=_AGREES, equal_nan=True)
        if (wrong := shared & ~agree).any():
            row = int(wrong.argmax())
            return (
                f"of clip {one['clip'][row]}, frame {one['frame'][row]}, which was the same for both, one says that "
                f"'{fact}' is {one[fact][row]:.6g}, the other {other[fact][row]:.6g}. `vpbench verify` says which was "
                "changed."
            )
    return ""


def _protocol(protocol: ProtocolRecord) -> str:
    return f"{protocol.name} version {protocol.version} (hash {protocol.hash})"


def _split(split: SplitRecord) -> str:
    return f"{split.name} (hash {split.hash})"


def _differing(first: Definition, second: Definition) -> str:
    fields = [field for field in first.__struct_fields__ if field != "name"]
    keys = [field for field in fields if getattr(first, field) != getattr(second, field)]
    return f"; what differs: {', '.join(keys)}" if keys else ""


def _only(clips: set[int], label: str) -> str:
    if not clips:
        return ""
    shown = ", ".join(map(str, sorted(clips)[:8])) + (", …" if len(clips) > 8 else "")
    return f"Only '{label}' has {len(clips)} clip{'s' if len(clips) > 1 else ''}: {shown}. "
