"""What the rows of a table are compared on: the same frames and the same resamples for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vpbench.analysis.bootstrap import draw_resamples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vpbench.analysis.rows import Entry
    from vpbench.results.published_tables import Frame


@dataclass(frozen=True)
class Common:
    """What entries of a table have in common.

    Attributes:
        entries: all entries of the table.
        members: the numbers of those that can be compared: whose runs say on which frames, and have such frames.
        frames: bool ``(clips, frames)``: on which frames all members are compared, whoever predicts them.
        clusters: int64 ``(clips,)``: the cluster of each clip.
        resamples: of :func:`vpbench.analysis.bootstrap.draw_resamples`, the same for all rows and columns.
    """

    entries: Sequence[Entry]
    members: NDArray[np.int64]
    frames: NDArray[np.bool_]
    clusters: NDArray[np.int64]
    resamples: NDArray[np.float64]

    @property
    def eligible(self) -> list[int]:
        """The numbers of the members that may have a rank and be best."""
        return [int(n) for n in self.members if self.entries[n].eligible]

    def scores(self, column: str, frame: Frame) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The members' scores ``(members, clips, frames)``, and on which frames they are compared ``(clips, frames)``.

        Scores are capped as comparisons have them; of several trainings, they are the mean.
        """
        where = self.entries[0].scores[0].at(frame)
        counted = self.frames[:, where]
        values = [
            np.mean([scores.capped(column)[:, where] for scores in self.entries[n].scores], axis=0)
            for n in self.members
        ]
        return np.where(counted, values, 0.0), counted


def common_frames(entries: Sequence[Entry]) -> Common | None:
    """What entries are compared on; ``None`` if they are all of runs of schema 1, which do not say it."""
    known: dict[int, NDArray[np.bool_]] = {}
    clusters = None
    for n, entry in enumerate(entries):
        compared = [scores.compared for scores in entry.scores if scores.compared is not None]
        if len(compared) == len(entry.scores):
            known[n] = np.logical_and.reduce(compared)
            clusters = entry.scores[0].clusters
    if clusters is None:
        return None
    # an entry without a defined score cannot be compared, and does not keep the others from it
    members = [n for n, compared in known.items() if compared.any()] or list(known)
    frames = np.logical_and.reduce([known[n] for n in members])
    resamples = draw_resamples(int(clusters.max()) + 1)
    return Common(entries, np.array(members, np.int64), frames, clusters, resamples)
