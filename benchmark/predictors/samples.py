"""Samples of stochastic predictors: their seeds, and how the scores of N samples become the score of a run.

``--samples N`` scores N futures of each clip and makes two runs of them. In ``LABEL.best-of-N``, all scores of a
frame are those of the sample that does best on it by the protocol's first metric: how close the predictor *can*
come, which grows with N by chance alone. In ``LABEL.mean-of-N`` they are the means over the samples: how close it
comes on average.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from vpbench.errors import UsageError
from vpbench.scoring.metrics import get_metric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vpbench.predictors.predictor import Predictor
    from vpbench.scoring.protocol import Protocol


Scored = Literal["best", "mean"]
SCORED: tuple[Scored, ...] = ("best", "mean")
_MOST = 10_000
Drawn = Annotated[int, Meta(ge=1, le=_MOST)]
Seed = Annotated[int, Meta(ge=0, lt=2**32)]


@dataclass(frozen=True)
class Samples:
    """How many futures of each clip are drawn, from which seed."""

    count: int = 1
    seed: int = 0

    def seed_of(self, clip: int, sample: int) -> int:
        """The seed for one sample of one clip, 0 … 2³² − 1 (what every library's generator takes).

        It depends on nothing else, so that workers, batches and interruptions do not change a prediction, and
        the first 5 of 10 samples are those of ``--samples 5``.
        """
        text = f"vpbench sample {self.seed} {clip} {sample}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")

    def run_label(self, label: str, scored: Scored) -> str:
        """The label of one of the runs."""
        return label if self.count == 1 else f"{label}.{scored}-of-{self.count}"

    def mark(self, scored: Scored, protocol: Protocol) -> str:
        """What a table says about the row."""
        if self.count == 1:
            return f"stochastic: one sample a clip (seed {self.seed})"
        if scored == "best":
            metric = get_metric(next(iter(protocol.metrics.values())).metric).label
            return (
                f"stochastic: best of {self.count} samples (seed {self.seed}), chosen for each clip and frame by "
                f"{metric} against the truth"
            )
        return f"stochastic: mean score of {self.count} samples (seed {self.seed})"


def check_samples(predictor: Predictor, name: str, count: int | None, seed: int | None) -> Samples | None:
    """What to draw from a predictor: ``None`` if it is deterministic.

    Args:
        predictor: the predictor.
        name: its name, for the error.
        count: the number of samples asked for; ``None`` for one if it is stochastic.
        seed: the seed asked for; ``None`` for 0.

    Raises:
        UsageError: samples or a seed for a deterministic predictor; or a number out of range.
    """
    if count is not None and not 1 <= count <= _MOST:
        raise UsageError(f"--samples {count}: from 1 to {_MOST} can be drawn.")
    if seed is not None and not 0 <= seed < 2**32:
        raise UsageError(f"--seed {seed}: a seed is a whole number from 0 to 2³² − 1.")
    if predictor.stochastic:
        return Samples(count or 1, seed or 0)
    if count is not None or seed is not None:
        option = "--samples" if count is not None else "--seed"
        raise UsageError(
            f"{option}: predictor '{name}' is deterministic (it does not declare `stochastic = True`). Run it without; "
            "`vpbench leaderboard` puts its run beside the others."
        )
    return None


class Tally:
    """The scores of one clip's samples, combined as they arrive, in the order of the samples.

    Args:
        protocol: the protocol.
        keep: whether to keep the frames of the best sample.
    """

    def __init__(self, protocol: Protocol, keep: bool) -> None:
        self._columns = list(protocol.metrics)
        self._higher = get_metric(protocol.metrics[self._columns[0]].metric).higher_is_better
        self._samples: list[list[dict[str, Any]]] = []
        self._best: list[dict[str, Any]] = []
        self._keep = keep
        self.frames: NDArray[np.float32] | None = None

    def add(self, lines: list[dict[str, Any]], predictions: NDArray[np.float32]) -> None:
        """Add the score lines, and the frames, of the next sample."""
        self._samples.append(lines)
        if not self._best:
            self._best = list(lines)
            self.frames = predictions.copy() if self._keep else None
            return
        for k, line in enumerate(lines):
            if self._value(line) > self._value(self._best[k]):  # the first of equals stays
                self._best[k] = line
                if self.frames is not None:
                    self.frames[k] = predictions[k]

    def _value(self, line: dict[str, Any]) -> float:
        score = line[self._columns[0]]
        if score is None:
            return -math.inf
        return float(score) if self._higher else -float(score)

    @property
    def best(self) -> list[dict[str, Any]]:
        """The score lines of the best sample of each frame."""
        return self._best

    @property
    def mean(self) -> list[dict[str, Any]]:
        """Score lines with the means over the samples; undefined where one sample's is. ``counted`` is not updated."""
        lines = []
        for frame in zip(*self._samples, strict=True):
            line = dict(frame[0])
            for column in self._columns:
                scores = [one[column] for one in frame]
                line[column] = None if None in scores else math.fsum(scores) / len(scores)
            lines.append(line)
        return lines
