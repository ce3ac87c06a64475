"""Submissions: a run checked from end to end and copied, without its predictions, to ``results/runs/``.

What is copied is written from what was read and checked (:mod:`vpbench.runs.untrusted`), not byte by byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import to_builtins

from vpbench.errors import UsageError, VpbenchError
from vpbench.files import (
    below,
    flush,
    lock_folder,
    make_folder,
    os_error,
    remove_leftovers,
    write_atomic,
    write_json,
)
from vpbench.predictors.seen import SEEN
from vpbench.reading import read_json
from vpbench.runs.manifest import Submission
from vpbench.runs.run import Run, score_lines
from vpbench.runs.scores import score_line
from vpbench.runs.untrusted import MOST, check_run, check_texts, read_untrusted, submission_of, submitted_data
from vpbench.signals import unbroken
from vpbench.tables.citation import parse_entry

_OLD = ".old.tmp"  # ends the name of an entry that is being replaced


def check_submission(submission: Submission) -> None:
    """Check what is said about a run.

    Raises:
        UsageError: a field is of the wrong type, is empty, or is not what it should be.
        VpbenchError: a text is too long, or contains invisible characters.
    """
    for key in ("method", "citation", "training_data", "submitted"):
        if not isinstance(getattr(submission, key), str):
            raise UsageError(f"submission: {key} must be text.")
    if not isinstance(submission.test_clips_seen, bool) and submission.test_clips_seen not in SEEN:
        raise UsageError(f"submission: test_clips_seen must be one of {', '.join(SEEN)}.")
    if not isinstance(submission.partial, bool):
        raise UsageError("submission: partial must be true or false.")
    for key in ("method", "citation", "training_data"):
        if not getattr(submission, key).strip():
            raise UsageError(f"submission: {key} is empty.")
    url, citation = submission.code_url, submission.citation
    if url is not None and not re.fullmatch(r"https?://[!-~]{3,500}", str(url)):
        raise UsageError("submission: the code's address must begin with https:// or http://.")
    if citation.lstrip().startswith("@") and parse_entry(citation) is None:
        raise UsageError(
            "submission: the citation begins like BibTeX but is not one whole entry, @type{key, …}."
        )
    check_texts(to_builtins(submission), "submission")


def check_committed(folder: Path, root: Path) -> Run:
    """Check a run under ``results/runs/``: all of :func:`check_run`, the submission, and its place.

    Raises:
        VpbenchError: names the file and what is wrong.
    """
    run = read_untrusted(folder)
    path = folder / "manifest.json"
    submission = submission_of(run)
    try:
        check_submission(submission)
    except VpbenchError as error:
        raise VpbenchError(f"{path}, {error}") from None
    check_run(run, partial=submission.partial)
    _refuse_corrupted(run)
    split = run.manifest.split
    if submission.partial != (split.scored < split.total):
        raise VpbenchError(f"{path}, submission: 'partial' contradicts the number of clips scored.")
    place = root / split.name / run.manifest.protocol.name / run.label
    if place != folder:
        raise VpbenchError(
            f"{folder} must stand in {place}: so say split, protocol and label in its manifest."
        )
    strange = sorted(p.name for p in folder.iterdir() if p.name not in MOST)
    if strange:
        raise VpbenchError(f"{folder} holds {strange[0]}; only manifest.json and scores.jsonl belong there.")
    return run


def submit(run: Run, submission: Submission, root: Path, *, force: bool = False) -> Path:
    """Check a run and copy it to ``root/<split>/<protocol>/<label>/``, whole or not at all.

    Args:
        run: the run, as :func:`read_untrusted` gives it.
        submission: what is said about it; :func:`check_submission` checks it.
        root: the folder of committed runs, ``results/runs``.
        force: replace an entry that is there.

    Returns:
        The new folder.

    Raises:
        UsageError: the run is not complete, or partial, or the entry exists.
        VpbenchError: something in the run is wrong, or the disk is full or read-only.
    """
    check_submission(submission)
    check_run(run, partial=submission.partial)
    _refuse_corrupted(run)
    split, protocol = run.manifest.split.name, run.manifest.protocol.name
    target = root / split / protocol / run.label
    for folder in (root / split, root / split / protocol, target):
        if folder.is_symlink():
            raise VpbenchError(
                f"{folder} is a symbolic link; the folders of results must not lead elsewhere."
            )
    target = below(root, split, protocol, run.label)
    with submissions_locked(root):
        if target.exists() and not force:
            raise UsageError(
                f"{target} is there already. Replace it with --force, or run with another label (--as)."
            )
        make_folder(target.parent)
        with unbroken():
            try:
                _put(run, submission, target)
            except OSError as error:
                raise os_error(error, f"write {target}") from error
            finally:
                _recover(target.parent)
    return target


def _refuse_corrupted(run: Run) -> None:
    if run.recorded.predictor.corrupted:
        raise UsageError(
            f"{run.folder} is of corrupted inputs ({run.manifest.predictor.name}); what is submitted are runs on "
            "clean ones."
        )


def _put(run: Run, submission: Submission, target: Path) -> None:
    """Write an entry beside its place and move it there; the old one is only deleted once the new one stands."""
    temporary, old = target.with_name(f".{target.name}.tmp"), target.with_name(f".{target.name}{_OLD}")
    make_folder(temporary)
    write_json(temporary / "manifest.json", submitted_data(run, submission))
    write_atomic(temporary / "scores.jsonl", b"".join(map(score_line, score_lines(run))))
    flush(temporary)
    if target.exists():
        target.rename(old)
    temporary.rename(target)
    flush(target.parent)


@contextmanager
def submissions_locked(root: Path) -> Iterator[None]:
    """Within the block no other process changes the submitted runs; what a killed one left is put in order first.

    Raises:
        VpbenchError: the folder cannot be locked.
    """
    with lock_folder(root, wait=True):
        for folder in root.glob("[!.]*/[!.]*"):
            if folder.is_dir() and not (folder.is_symlink() or folder.parent.is_symlink()):
                _recover(folder)
        yield


def _recover(folder: Path) -> None:
    """Restore entries of a table that were being replaced and have no successor; remove what else was left.

    Raises:
        VpbenchError: an entry cannot be restored; nothing is removed then.
    """
    for old in folder.glob(f".*{_OLD}"):
        target = folder / old.name[1 : -len(_OLD)]
        # The label tells the old entry 'a' from an unfinished one that is called 'a.old'.
        if not target.exists() and _label(old) == target.name:
            try:
                old.rename(target)
            except OSError as error:
                raise os_error(error, f"restore {target} from {old}") from error
    remove_leftovers(folder)


def _label(folder: Path) -> str | None:
    try:
        return str(read_json(folder / "manifest.json").get("label"))
    except VpbenchError:
        return None
