"""The columns of scores that a table has, and a run's scores as arrays of clips and frames."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from vpbench.errors import UsageError, VpbenchError, unknown_name
from vpbench.results.published_tables import Frame
from vpbench.scoring.metrics import get_metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vpbench.runs.manifest import Definition
    from vpbench.runs.run import Run


_MOST_STEPS = 10


@dataclass(frozen=True)
class Column:
    """A column of scores: its key in the runs, and how its metric is printed.

    Attributes:
        key: column name of the protocol.
        label: heading.
        unit: unit, empty for none.
        higher_is_better: direction.
        decimals: digits after the point that are printed for measured rows.
        low: smallest value a score can have.
        high: largest value a score can have.
    """

    key: str
    label: str
    unit: str
    higher_is_better: bool
    decimals: int
    low: float
    high: float


@dataclass(frozen=True)
class ClipScores:
    """A run's scores as arrays with a row for each clip and a column for each predicted frame.

    Attributes:
        clips: int64 ``(clips,)``, ascending.
        counted: bool ``(clips, frames)``; what the protocol's means are over. Under a rule of exclusion it depends on
            the predictor.
        scores: metric column to float64 ``(clips, frames)``, NaN where undefined.
        compared: bool ``(clips, frames)``; what rows are compared on, whoever predicts: all frames, or under a
            protocol's rule of exclusion those that it does not exclude for a copy of the last input frame; without
            frames that have an undefined score or, where the protocol skips those, an empty moving area. ``None`` if
            the run is of schema 1, which does not say.
        clusters: int64 ``(clips,)``; clips of one cluster, which do not vary independently, have the same number. Runs
            of the same clips have the same numbers. ``None`` as above.
        cap: column of the protocol's rule of exclusion, and its threshold; ``None`` without such a rule.
        copy_ssim: float64 ``(clips, frames)``, NaN for none (:mod:`vpbench.scoring.frame_facts`); ``None`` as above.
        motion: the same.
    """

    clips: NDArray[np.int64]
    counted: NDArray[np.bool_]
    scores: dict[str, NDArray[np.float64]]
    compared: NDArray[np.bool_] | None = None
    clusters: NDArray[np.int64] | None = None
    cap: tuple[str, float] | None = None
    copy_ssim: NDArray[np.float64] | None = None
    motion: NDArray[np.float64] | None = None

    def capped(self, key: str) -> NDArray[np.float64]:
        """A column's scores for comparisons: in the rule's column none is above its threshold.

        A frame that is nearly perfect then counts as just that, instead of not at all.
        """
        scores = self.scores[key]
        return np.minimum(scores, self.cap[1]) if self.cap is not None and self.cap[0] == key else scores

    def at(self, frame: Frame) -> slice:
        """Which columns of the arrays belong to ``frame``."""
        return frames_of(frame)


def clip_scores(run: Run) -> ClipScores:
    """Arrange a run's scores by clip and frame."""
    scores = run.scores
    order = np.lexsort((scores["frame"], scores["clip"]))
    shaped = {key: values[order].reshape(-1, run.targets) for key, values in scores.items()}
    rule = run.manifest.protocol.definition.exclude
    clips, clusters = shaped["clip"][:, 0], run.clusters
    numbers = None
    if clusters is not None:
        numbers = np.unique([clusters[clip] for clip in clips.tolist()], return_inverse=True)[1].astype(
            np.int64
        )
    return ClipScores(
        clips=clips,
        counted=shaped["counted"],
        scores={key: shaped[key] for key in run.metrics},
        compared=_compared(run, shaped) if run.has_frame_facts else None,
        clusters=numbers,
        cap=None if rule is None else (rule.column, float(rule.at_least)),
        copy_ssim=shaped.get("copy_ssim"),
        motion=shaped.get("motion"),
    )


def _compared(run: Run, shaped: dict[str, NDArray[np.float64]]) -> NDArray[np.bool_]:
    definition = run.manifest.protocol.definition
    compared = np.all([np.isfinite(shaped[key]) for key in run.metrics], axis=0)
    if definition.skip_empty:
        compared &= shaped["moving"] > 0
    if definition.exclude is not None:
        compared &= shaped["copy"] < definition.exclude.at_least
    return np.asarray(compared)


def score_column(key: str, metric_name: str) -> Column:
    """The column of a metric, headed by its name without what tells its variants apart: PSNR, SSIM, Sharpness."""
    metric = get_metric(metric_name)
    return Column(
        key=key,
        label=metric.label.split(" (")[0],
        unit=metric.unit or "",
        higher_is_better=metric.higher_is_better,
        decimals=2 if metric.unit == "dB" else 3,
        low=metric.low,
        high=metric.high,
    )


def score_columns(definition: Definition, where: str) -> tuple[Column, ...]:
    """The columns of a protocol; those that would have the same heading are headed by their keys.

    Raises:
        VpbenchError: a metric is not installed; the message begins with ``where``.
    """
    try:
        columns = [score_column(key, use.metric) for key, use in definition.metrics.items()]
    except VpbenchError as error:
        raise type(error)(f"{where}, metrics: {error}") from None
    count = Counter(column.label for column in columns)
    return tuple(
        column if count[column.label] == 1 else replace(column, label=column.key) for column in columns
    )


def frames_of(frame: Frame) -> slice:
    """Which predicted frames a mean is over, counted from 0."""
    if frame == "all":
        return slice(None)
    first, _, last = str(frame).partition("-")
    return slice(int(first) - 1, int(last or first))


def parse_steps(steps: Sequence[str], targets: int) -> tuple[Frame, ...]:
    """The frames that ``3``, ``1-3`` (the mean over frames 1 to 3) and ``all`` name, each once.

    Raises:
        UsageError: one is something else, or beyond the frames that are predicted.
    """
    found: dict[Frame, None] = {}
    for step in steps:
        numbers = re.fullmatch(r"([1-9]\d{0,4})(?:-([1-9]\d{0,4}))?", step)
        if step != "all" and not numbers:
            raise UsageError(
                f"--steps: '{step}' is no frame. Name frames (3), means over several (1-3), or all."
            )
        first, last = (1, 1) if numbers is None else (int(numbers[1]), int(numbers[2] or numbers[1]))
        if last > targets or first > last:
            raise UsageError(f"--steps: there is no '{step}' where {targets} frames are predicted.")
        found[step if step == "all" or last > first else first] = None
    return tuple(found)


def printed_steps(targets: int) -> tuple[Frame, ...]:
    """The steps of a table by default: the mean of all, and each frame; of many the first, the last and round ones."""
    if targets <= _MOST_STEPS:
        return (*overall(targets), *range(1, targets + 1))
    every = next(n * 10**power for power in range(5) for n in (1, 2, 5) if targets <= 5 * n * 10**power)
    return ("all", *sorted({1, *range(every, targets + 1, every), targets}))


def overall(targets: int) -> tuple[Frame, ...]:
    """``"all"``, the mean over all frames, for a protocol of more than two predicted frames; else nothing."""
    return ("all",) if targets > 2 else ()


def select_columns(columns: Sequence[Column], metrics: Sequence[str]) -> tuple[Column, ...]:
    """The columns with these keys, in their order (all if there are none).

    Raises:
        UsageError: a key that the protocol does not have.
    """
    by_key = {column.key: column for column in columns}
    for key in metrics:
        if key not in by_key:
            raise unknown_name("metric of this protocol", key, list(by_key))
    return tuple(by_key[key] for key in dict.fromkeys(metrics)) or tuple(columns)


def split_score_name(name: str, columns: Sequence[Column], frames: Sequence[Frame]) -> tuple[Column, Frame]:
    """The column and the frame that ``<column>_<frame>`` names, as in the CSV.

    Raises:
        UsageError: there is no such column or frame.
    """
    known = {f"{column.key}_{frame}": (column, frame) for column in columns for frame in frames}
    if name not in known:
        raise unknown_name("score", name, list(known))
    return known[name]
