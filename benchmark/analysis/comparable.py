"""Which runs may stand in one table, and under which labels."""

from __future__ import annotations

import os.path
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vpbench.errors import UsageError
from vpbench.escape import plain

if TYPE_CHECKING:
    from vpbench.runs.run import Run


def clips_scored(run: Run) -> int:
    """Number of clips that have scores."""
    return len(np.unique(run.scores["clip"]))


def row_labels(runs: Sequence[Run]) -> list[str]:
    """The runs' labels; where some are equal, with the part of the folder that tells them apart."""
    labels = [plain(run.manifest["label"]) for run in runs]
    for label in {label for label, times in Counter(labels).items() if times > 1}:
        same = [n for n, other in enumerate(labels) if other == label]
        for n, part in zip(same, _parts([runs[n].folder.resolve() for n in same]), strict=True):
            labels[n] = f"{label} ({plain(part)})"
    return labels


def _parts(folders: list[Path]) -> list[str]:
    """Each folder without the leading and trailing names that all share."""
    start = len(Path(os.path.commonpath(folders)).parts)
    names = [folder.parts[start:] for folder in folders]
    end = 0
    while all(len(parts) > end + 1 for parts in names) and len({parts[-1 - end] for parts in names}) == 1:
        end += 1
    return ["/".join(parts[: len(parts) - end]) or str(f) for parts, f in zip(names, folders, strict=True)]


def require_comparable(runs: Sequence[Run], labels: Sequence[str], *, allow_incomplete: bool) -> None:
    """Check that the runs are finished, and of one protocol, split and set of clips.

    Args:
        runs: at least one.
        labels: their labels, for the message.
        allow_incomplete: do not ask that they are finished.

    Raises:
        UsageError: they are not; the message names the runs and the difference.
    """
    if not allow_incomplete:
        _refuse_incomplete(runs, labels)
    _refuse_mixed(runs, labels)


def of_common_clips(runs: Sequence[Run], labels: Sequence[str]) -> list[Run]:
    """The runs with the scores, and the prepared clips, of those clips only that all of them scored.

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
    return [_restricted(run, clips) for run in runs]


def _restricted(run: Run, clips: set[int]) -> Run:
    kept = np.isin(run.scores["clip"], list(clips))
    if kept.all():
        return run
    prepared = run.manifest["prepared"]
    names = set(map(str, clips))
    contents = {key: content for key, content in prepared["clips"].items() if key in names}
    return replace(
        run,
        manifest={**run.manifest, "prepared": {**prepared, "clips": contents}},
        scores={key: values[kept] for key, values in run.scores.items()},
    )


def _name(run: Run, label: str) -> str:
    return f"'{label}' ({run.folder})"


def _refuse_incomplete(runs: Sequence[Run], labels: Sequence[str]) -> None:
    for run, label in zip(runs, labels, strict=True):
        if run.manifest["status"] != "complete":
            done, all_clips = clips_scored(run), run.manifest["split"].get("scored")
            raise UsageError(
                f"Run {_name(run, label)} is not complete: {done}{f' of {all_clips}' if all_clips else ''} clips "
                "are scored. Give the `vpbench run` command that started it once more; it goes on where it stopped."
            )


def _refuse_mixed(runs: Sequence[Run], labels: Sequence[str]) -> None:
    base, base_label = runs[0], labels[0]
    for run, label in zip(runs[1:], labels[1:], strict=True):
        both = f"Runs {_name(base, base_label)} and {_name(run, label)} cannot stand in one table: "
        ours, theirs = base.manifest["protocol"], run.manifest["protocol"]
        if ours["hash"] != theirs["hash"]:
            raise UsageError(
                f"{both}their protocols differ, {_identity(ours)} and {_identity(theirs)}"
                f"{_differing(ours.get('definition', {}), theirs.get('definition', {}))}. Make one table for each."
            )
        ours, theirs = base.manifest["split"], run.manifest["split"]
        if (ours["name"], ours["hash"]) != (theirs["name"], theirs["hash"]):
            raise UsageError(
                f"{both}their splits differ, {_identity(ours)} and {_identity(theirs)}. Make one table for each."
            )
        one, other = set(base.scores["clip"].tolist()), set(run.scores["clip"].tolist())
        if one != other:
            raise UsageError(
                f"{both}they scored different clips. {_only(one - other, base_label)}"
                f"{_only(other - one, label)}Run both on the same clips (the same --data and --limit), or take the "
                "clips that all of them have, with --common (in Python: common=True)."
            )


def _identity(thing: dict[str, Any]) -> str:
    version = f" version {thing['version']}" if "version" in thing else ""
    return f"{plain(thing['name'])}{version} (hash {plain(thing['hash'])})"


def _differing(ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    keys = [key for key in {**ours, **theirs} if key != "name" and ours.get(key) != theirs.get(key)]
    return f"; what differs: {', '.join(map(plain, keys))}" if keys else ""


def _only(clips: set[int], label: str) -> str:
    if not clips:
        return ""
    shown = ", ".join(map(str, sorted(clips)[:8])) + (", …" if len(clips) > 8 else "")
    return f"Only '{label}' has {len(clips)} clip{'s' if len(clips) > 1 else ''}: {shown}. "
