"""A run's folder, open for writing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from vpbench.errors import UsageError, VpbenchError
from vpbench.files import flush, os_error, remove_leftovers, write_atomic, write_json
from vpbench.reading import read_json
from vpbench.runs.environment import RESUMED_WITH
from vpbench.runs.manifest import KIND, OLDEST_SCHEMA, SCHEMA, Cost, Manifest, manifest_data
from vpbench.runs.scores import read_scores, score_line

# Folders in that of a run: the frames that the user saves, and those that are kept for a while to score them again.
SAVED, KEPT = "predictions", ".frames"


class RunWriter:
    """A run's folder, open for writing; hold its lock (``files.lock_folder``) around this.

    An existing run is resumed if :func:`_identity` is the same and no clip's pixels differ; clips may have been
    added.

    Args:
        folder: the run's folder.
        manifest: what is to be run.
        frames: the folder in it where a finished clip must have its predicted frames; ``None``: they are not kept.
        force: discard an existing run that does not match.
        anew: no existing run matches.

    Raises:
        UsageError: the folder holds another run, or other things, or symbolic links.
        VpbenchError: the run in it is damaged.
    """

    def __init__(
        self, folder: Path, manifest: Manifest, frames: str | None, force: bool, anew: bool = False
    ) -> None:
        self.folder = folder
        self.manifest = manifest
        self._scores = folder / "scores.jsonl"
        path = folder / "manifest.json"
        lines: list[tuple[int, bytes]] = []
        self._refuse_links()
        if path.exists():
            if force and (anew or self._differs(path)):
                self._clear()
            elif anew:
                raise UsageError(
                    f"{folder} holds a run, and whether this is the same predictor cannot be known. Choose another "
                    "label or folder, or discard the old run with force."
                )
            else:
                self._refuse_other(read_json(path, KIND))
                lines = self._lines()
        elif any(p.name[0] != "." for p in folder.iterdir()):  # the lock, and what a killed run left
            raise UsageError(f"{folder} holds other things than a run; choose another --out or --as.")
        scored = {clip for clip, _ in lines}
        if not scored <= manifest.prepared.clips.keys():
            raise UsageError(
                f"{folder} holds scores of {len(scored)} clips, others than this run asks for. Choose another "
                "--out, leave out --limit, or discard the old run with --force."
            )
        targets = manifest.protocol.definition.targets
        self.done = {
            clip for clip in scored if frames is None or has_frames(folder / frames, [clip], targets)
        }
        self.complete = (
            path.exists()
            and len(self.done) == len(manifest.prepared.clips)
            and read_json(path, KIND).get("status") == "complete"
        )
        for place in (folder, *folder.glob(f"{SAVED}/*"), *folder.glob(f"{KEPT}/*")):
            remove_leftovers(place)
        if not self.complete:
            write_json(path, manifest_data(manifest))
        self._rewrite(b"".join(line + b"\n" for clip, line in lines if clip in self.done))

    def _refuse_links(self) -> None:
        """Refuse links, through which a folder that somebody else made could lead writes elsewhere."""
        own = [self.folder / "manifest.json", self._scores]
        for inner in (self.folder / SAVED, self.folder / KEPT):
            own.append(inner)
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
            scored = {clip for clip, _ in self._lines()}
        except VpbenchError:
            return True
        return not scored <= self.manifest.prepared.clips.keys()

    def _lines(self) -> list[tuple[int, bytes]]:
        """The lines of whole clips so far, each with its clip."""
        definition = self.manifest.protocol.definition
        read = read_scores(self._scores, list(definition.metrics), definition.targets)
        return list(zip(read.columns["clip"].tolist(), read.lines, strict=True))

    def _clear(self) -> None:
        try:
            # The manifest goes last: a folder without one is not recognised as a run.
            for frames in (self.folder / SAVED, self.folder / KEPT):
                if frames.is_dir():
                    shutil.rmtree(frames)
            for name in ("scores.jsonl", "manifest.json"):
                (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise os_error(error, f"remove the old run in {self.folder}") from error

    def _refuse_other(self, old: dict[str, Any]) -> None:
        """Refuse to resume a run of something else."""
        new = manifest_data(self.manifest)
        differences = _differences(_identity(old), _identity(new))
        new_clips = new["prepared"]["clips"]
        for index, content in _table(_table(old, "prepared"), "clips").items():
            if new_clips.get(index, content) != content:
                differences.append(f"the prepared clip {index} is another")
                break
        if differences:
            older = differences == [f"schema was {OLDEST_SCHEMA}, now {SCHEMA}"]
            remedy = "Bring it up to date with `vpbench migrate`" if older else "Choose another --out or --as"
            raise UsageError(
                f"{self.folder} holds another run: {'; '.join(differences[:4])}. {remedy}, or discard the old run with "
                "--force."
            )

    def _rewrite(self, data: bytes) -> None:
        """Cut off a torn end, and lines of clips that have to be scored again: only ``data`` remains."""
        if not self._scores.exists() or self._scores.stat().st_size != len(data):
            write_atomic(self._scores, data)

    def append(self, lines: list[dict[str, Any]]) -> None:
        """Append one clip's lines in a single write.

        They are not flushed to the disk one by one: what a power cut tears off is scored again.

        Raises:
            VpbenchError: the disk is full or read-only; names the file.
        """
        data = b"".join(map(score_line, lines))
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

    def finish(self, when: str, cost: Cost) -> None:
        """Write the manifest of the run, which has finished: ``when`` (ISO 8601), and at what cost."""
        try:
            flush(self._scores)  # before a manifest says that they are there
        except OSError as error:
            raise os_error(error, f"write {self._scores}") from error
        finished = msgspec.structs.replace(self.manifest, finished=when, cost=cost, status="complete")
        write_json(self.folder / "manifest.json", manifest_data(finished))


def has_frames(folder: Path, clips: Iterable[int], targets: int) -> bool:
    """Whether a folder of frames, as a run keeps them, has as many of each of the clips."""
    return all(len([*(folder / str(clip)).glob("pred_*.npy")]) >= targets for clip in clips)


def is_finished(folder: Path, manifest: Manifest) -> bool:
    """Whether a folder holds the complete run that a manifest begins, of the same clips."""
    try:
        old = read_json(folder / "manifest.json", KIND)
    except VpbenchError:
        return False
    new = manifest_data(manifest)
    same_clips = _table(old, "prepared").get("clips") == new["prepared"]["clips"]
    return old.get("status") == "complete" and same_clips and _identity(old) == _identity(new)


def _identity(manifest: dict[str, Any]) -> dict[str, Any]:
    """What must be the same for a run to be resumed."""
    return {
        **{key: manifest.get(key) for key in ("schema", "label", "predictor", "protocol", "samples")},
        "split": {key: _table(manifest, "split").get(key) for key in ("name", "hash")},
        "prepared": {key: _table(manifest, "prepared").get(key) for key in ("flow", "decoder")},
        "environment": {key: _table(manifest, "environment").get(key) for key in RESUMED_WITH},
    }


def _table(data: dict[str, Any], key: str) -> dict[str, Any]:
    """A table of unchecked JSON data; empty if there is none."""
    table = data.get(key)
    return table if isinstance(table, dict) else {}


def _differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Where two pieces of JSON data differ, as texts."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted({*old, *new})
        each: Callable[[str], list[str]] = lambda key: _differences(  # noqa: E731
            old.get(key), new.get(key), f"{path}.{key}".lstrip(".")
        )
        return [text for key in keys for text in each(key)]
    return [] if old == new else [f"{path} was {old}, now {new}"]
