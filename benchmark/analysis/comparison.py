"""Two runs compared clip by clip: how much they differ, how certain that is, and on which clips most."""

from __future__ import annotations

import math
import warnings
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from vpbench.analysis.bootstrap import (
    LEAST_CLUSTERS,
    LEVEL,
    RESAMPLES,
    SEED,
    cluster_sums,
    draw_resamples,
    half_widths,
)
from vpbench.analysis.columns import (
    ClipScores,
    Column,
    clip_scores,
    overall,
    parse_steps,
    score_columns,
    select_columns,
    split_score_name,
)
from vpbench.analysis.comparable import of_common_clips, require_comparable, row_labels
from vpbench.analysis.footnotes import preparation_differences, row_warnings
from vpbench.analysis.intervals import ratio_means
from vpbench.errors import UsageError
from vpbench.results.published_tables import Frame

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from vpbench.runs.manifest import ProtocolRecord, SplitRecord
    from vpbench.runs.run import Run


@dataclass(frozen=True)
class Difference:
    """One metric on one frame, A minus B, over the frames that both are compared on.

    Attributes:
        column: the metric.
        frame: the predicted frame; of several (``"1-3"``, ``"all"``) a clip's mean over those of its frames that both
            are compared on.
        clips: number of clips that have such frames.
        clusters: of how many clusters they are; ``None`` if that is not known.
        mean_a: A's mean over these frames (not over all that A counts, as a leaderboard has it), with scores capped.
        mean_b: B's.
        mean: mean difference, A − B; of several frames over frames, so that each counts the same.
        low: lower end of its interval; NaN for too few clusters.
        high: upper end.
        p: of the two-sided Wilcoxon signed-rank test on the clusters' means of the difference, which tests whether
            these are symmetric about 0. Where they are skewed, it may reject although the mean difference is 0. NaN
            for too few clusters, 1 if all are equal.
        wins: clips on which A is better.
        losses: clips on which B is better.
        ties: clips on which they are equal.
    """

    column: Column
    frame: Frame
    clips: int
    clusters: int | None
    mean_a: float
    mean_b: float
    mean: float
    low: float
    high: float
    p: float
    wins: int
    losses: int
    ties: int

    @property
    def better(self) -> str:
        """``"A"`` or ``"B"`` if the interval leaves out 0, else nothing."""
        if not math.isfinite(self.low) or self.low <= 0 <= self.high:
            return ""
        return "A" if (self.low > 0) == self.column.higher_is_better else "B"


@dataclass(frozen=True)
class Comparison:
    """Two comparable runs and their differences.

    Attributes:
        labels: of A and of B.
        protocol: under which protocol.
        split: on which split.
        clips: number of clips that both scored.
        clusters: of how many clusters these are; ``None`` if a run does not say, which then has no intervals either.
        level: of the intervals.
        resamples: number of bootstrap resamples.
        seed: where they come from.
        differences: one metric after the other, each over all frames.
        by: the metric and frame that clips are sorted by.
        differing_clips: the clips that differ most, best for A first: ``clip``, ``source`` (``None`` where the split
            is not known), ``a``, ``b``, ``difference``.
        remarks: what makes the comparison unfair, in sentences.
    """

    labels: tuple[str, str]
    protocol: ProtocolRecord
    split: SplitRecord
    clips: int
    clusters: int | None
    level: float
    resamples: int
    seed: int
    differences: tuple[Difference, ...]
    by: tuple[Column, Frame]
    differing_clips: pd.DataFrame
    remarks: tuple[str, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """The differences as flat data, one line for each metric and frame."""
        rows = [
            {
                "metric": d.column.key,
                **{k: v for k, v in asdict(d).items() if k != "column"},
                "better": d.better or None,
            }
            for d in self.differences
        ]
        return pd.DataFrame(rows)


def compare(
    run_a: Run,
    run_b: Run,
    *,
    common: bool = False,
    level: float = LEVEL,
    metrics: Sequence[str] = (),
    by: str | None = None,
    most: int = 5,
    steps: Sequence[str] = (),
) -> Comparison:
    """Compare two runs on the same frames, which do not depend on what they predicted.

    If one of them is of schema 1, which does not say which these are, it is on the frames that both count, without
    intervals and tests.

    Args:
        run_a: A.
        run_b: B.
        common: keep only the clips that both scored.
        level: of the intervals.
        metrics: keep these columns, in this order.
        by: ``<column>_<frame>`` by which clips are sorted; by default the first column on the first frame.
        most: how many clips to name at most on which A is better, and on which B is.
        steps: the frames: ``3``, ``1-3`` for the mean over frames 1 to 3, ``all``; by default all, and their mean.

    Raises:
        UsageError: the runs are the same, or cannot be compared; the message names the difference.
        VpbenchError: a metric is not installed.
    """
    runs = [run_a, run_b]
    if run_a.folder.resolve() == run_b.folder.resolve():
        raise UsageError(f"{run_a.folder} is given twice; name two runs.")
    labels = row_labels(runs)
    if common:
        runs = of_common_clips(runs, labels)
    require_comparable(runs, labels, allow_incomplete=False)
    manifest, targets = runs[0].manifest, runs[0].targets
    every: tuple[Frame, ...] = (*overall(targets), *range(1, targets + 1))
    frames = parse_steps(steps, targets) or every
    columns = score_columns(manifest.protocol.definition, f"{runs[0].folder / 'manifest.json'}")
    shown = select_columns(columns, metrics)
    sorted_by = split_score_name(by or f"{shown[0].key}_1", columns, [*every, *frames])
    a, b = map(clip_scores, runs)
    both = _both(a, b)
    return Comparison(
        labels=(labels[0], labels[1]),
        protocol=manifest.protocol,
        split=manifest.split,
        clips=len(a.clips),
        clusters=None if both.clusters is None else len(np.unique(both.clusters)),
        level=level,
        resamples=RESAMPLES,
        seed=SEED,
        differences=tuple(_difference(both, c, frame, level) for c in shown for frame in frames),
        by=sorted_by,
        differing_clips=_differing_clips(both, *sorted_by, most, clip_sources(manifest.split)),
        remarks=tuple(_remarks(runs)),
    )


def _remarks(runs: Sequence[Run]) -> Iterator[str]:
    if preparation_differences(runs):
        yield "The clips of A and B were prepared differently."
    for name, run in zip("AB", runs, strict=True):
        for text in row_warnings([run]):
            yield f"{name}: {text}."


def clip_sources(split: SplitRecord) -> dict[int, str]:
    """The clips' source names if the split comes with vpbench and is the same version; else nothing."""
    from vpbench.splits import BUILT_IN, get_split

    known = get_split(split.name) if split.name in BUILT_IN else None
    if known is None or known.hash != split.hash:
        return {}
    return {
        clip.index: clip.source + (f" from frame {clip.first_frame}" if clip.first_frame else "")
        for clip in known.clips
    }


@dataclass(frozen=True)
class _Both:
    """Two runs, on which frames ``(clips, frames)`` they are compared, and the clusters of their clips, if known."""

    a: ClipScores
    b: ClipScores
    frames: NDArray[np.bool_]
    clusters: NDArray[np.int64] | None

    def scores(
        self, column: Column, frame: Frame
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """Both runs' scores ``(clips, frames)``, 0 where they are not compared, and a mask of where they are."""
        where = self.a.at(frame)
        both = self.frames[:, where]
        first, second = (np.where(both, run.capped(column.key)[:, where], 0.0) for run in (self.a, self.b))
        return first, second, both


def _both(a: ClipScores, b: ClipScores) -> _Both:
    if a.compared is None or b.compared is None:
        return _Both(a, b, a.counted & b.counted, None)
    return _Both(a, b, a.compared & b.compared, a.clusters)


def _difference(common: _Both, column: Column, frame: Frame, level: float) -> Difference:
    first, second, both = common.scores(column, frame)
    difference = first - second
    frames = both.sum(axis=1)
    better = difference.sum(axis=1)[frames > 0] * (1 if column.higher_is_better else -1)
    clips = len(better)
    mean = float(difference[both].mean()) if clips else math.nan
    clusters, width, p = _certainty(difference, both, common.clusters, level)
    return Difference(
        column=column,
        frame=frame,
        clips=clips,
        clusters=clusters,
        mean_a=float(first[both].mean()) if clips else math.nan,
        mean_b=float(second[both].mean()) if clips else math.nan,
        mean=mean,
        low=mean - width,
        high=mean + width,
        p=p,
        wins=int((better > 0).sum()),
        losses=int((better < 0).sum()),
        ties=int((better == 0).sum()),
    )


def _certainty(
    difference: NDArray[np.float64],
    both: NDArray[np.bool_],
    clusters: NDArray[np.int64] | None,
    level: float,
) -> tuple[int | None, float, float]:
    """The number of clusters that are compared, how far the interval reaches, and the p-value."""
    if clusters is None:
        return None, math.nan, math.nan
    _, residuals, counts = ratio_means(difference[np.newaxis], both[np.newaxis], clusters)
    kept = counts[0] > 0
    if kept.sum() < LEAST_CLUSTERS:
        return int(kept.sum()), math.nan, math.nan
    resamples = draw_resamples(counts.shape[1])
    means = cluster_sums(difference, clusters)[kept] / counts[0, kept]
    return int(kept.sum()), float(half_widths(residuals, counts, resamples, level)[0]), _wilcoxon(means)


def _wilcoxon(differences: NDArray[np.float64]) -> float:
    """The p-value of scipy's two-sided Wilcoxon signed-rank test; ties are left out, as Wilcoxon did."""
    from scipy.stats import wilcoxon

    if not differences.any():
        return 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on small samples with ties scipy says that p is approximate
        return float(wilcoxon(differences).pvalue)


def _differing_clips(
    common: _Both, column: Column, frame: Frame, most: int, names: dict[int, str]
) -> pd.DataFrame:
    first, second, both = common.scores(column, frame)
    frames = np.maximum(both.sum(axis=1), 1)
    mean_a, mean_b = first.sum(axis=1) / frames, second.sum(axis=1) / frames
    difference = mean_a - mean_b  # 0 where the clip is not compared
    better = difference if column.higher_is_better else -difference
    order = np.argsort(-better, kind="stable")
    wins, losses = order[better[order] > 0], order[better[order] < 0]
    kept = [*wins[:most], *losses[max(len(losses) - most, 0) :]]
    return pd.DataFrame(
        {
            "clip": common.a.clips[kept],
            "source": [names.get(int(clip)) for clip in common.a.clips[kept]],
            "a": mean_a[kept],
            "b": mean_b[kept],
            "difference": difference[kept],
        }
    )
