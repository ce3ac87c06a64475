"""Two runs compared clip by clip: how much they differ, how certain that is, and on which clips most."""

from __future__ import annotations

import math
import warnings
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from vpbench.analysis.bootstrap import (
    LEVEL,
    RESAMPLES,
    SEED,
    draw_resamples,
    enough_clips,
    percentile_interval,
    resampled_means,
)
from vpbench.analysis.columns import (
    ClipScores,
    Column,
    clip_scores,
    overall,
    score_columns,
    select_columns,
    split_score_name,
)
from vpbench.analysis.comparable import clips_scored, of_common_clips, require_comparable, row_labels
from vpbench.errors import UsageError
from vpbench.results.published_tables import Frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from vpbench.runs.manifest import ProtocolRecord, SplitRecord
    from vpbench.runs.run import Run


@dataclass(frozen=True)
class Difference:
    """One metric on one frame, A minus B, over the clips that are counted in both.

    Attributes:
        column: the metric.
        frame: the predicted frame, or ``"all"``: a clip's mean over those of its frames that are counted in both.
        clips: number of clips that are counted in both.
        mean_a: A's mean over these (not over all that A counts, as a leaderboard has it).
        mean_b: B's.
        mean: mean difference, A − B; of ``"all"`` over frames, so that each counts the same.
        low: lower end of its interval; NaN for too few clips.
        high: upper end.
        p: of the two-sided Wilcoxon signed-rank test on the clips; NaN if there are no pairs, 1 if all are equal.
        wins: clips on which A is better.
        losses: clips on which B is better.
        ties: clips on which they are equal.
    """

    column: Column
    frame: Frame
    clips: int
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
        level: of the intervals.
        resamples: number of bootstrap resamples.
        seed: where they come from.
        differences: one metric after the other, each over all frames.
        by: the metric and frame that clips are sorted by.
        differing_clips: the clips that differ most, best for A first: ``clip``, ``source`` (``None`` where the split
            is not known), ``a``, ``b``, ``difference``.
    """

    labels: tuple[str, str]
    protocol: ProtocolRecord
    split: SplitRecord
    clips: int
    level: float
    resamples: int
    seed: int
    differences: tuple[Difference, ...]
    by: tuple[Column, Frame]
    differing_clips: pd.DataFrame

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
) -> Comparison:
    """Compare two runs on the clips that are counted in both.

    Args:
        run_a: A.
        run_b: B.
        common: keep only the clips that both scored.
        level: of the intervals.
        metrics: keep these columns, in this order.
        by: ``<column>_<frame>`` by which clips are sorted; by default the first column on the first frame.
        most: how many clips to name at most on which A is better, and on which B is.

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
    manifest, steps = runs[0].manifest, runs[0].targets
    frames: tuple[Frame, ...] = (*overall(steps), *range(1, steps + 1))
    columns = score_columns(manifest.protocol.definition)
    shown = select_columns(columns, metrics)
    sorted_by = split_score_name(by or f"{shown[0].key}_1", columns, frames)
    a, b = map(clip_scores, runs)
    resamples = draw_resamples(clips_scored(runs[0]))
    return Comparison(
        labels=(labels[0], labels[1]),
        protocol=manifest.protocol,
        split=manifest.split,
        clips=len(a.clips),
        level=level,
        resamples=RESAMPLES,
        seed=SEED,
        differences=tuple(_difference(a, b, c, frame, resamples, level) for c in shown for frame in frames),
        by=sorted_by,
        differing_clips=_differing_clips(a, b, *sorted_by, most, clip_sources(manifest.split)),
    )


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


def _paired(
    a: ClipScores, b: ClipScores, column: Column, frame: Frame
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Both runs' scores ``(clips, frames)``, 0 where not both count, and a mask of where both do."""
    where = a.at(frame)
    both = a.counted[:, where] & b.counted[:, where]
    first, second = (np.where(both, run.scores[column.key][:, where], 0.0) for run in (a, b))
    return first, second, both


def _difference(
    a: ClipScores, b: ClipScores, column: Column, frame: Frame, resamples: NDArray[np.float64], level: float
) -> Difference:
    first, second, both = _paired(a, b, column, frame)
    difference = first - second
    frames = both.sum(axis=1)
    pairs = frames > 0
    clips = int(pairs.sum())
    clip_means = difference.sum(axis=1)[pairs] / frames[pairs]
    low = high = math.nan
    if enough_clips(both):
        low, high = percentile_interval(resampled_means(difference, both, resamples), level)
    better = clip_means if column.higher_is_better else -clip_means
    return Difference(
        column=column,
        frame=frame,
        clips=clips,
        mean_a=float(first[both].mean()) if clips else math.nan,
        mean_b=float(second[both].mean()) if clips else math.nan,
        mean=float(difference[both].mean()) if clips else math.nan,
        low=low,
        high=high,
        p=_wilcoxon(clip_means),
        wins=int((better > 0).sum()),
        losses=int((better < 0).sum()),
        ties=int((better == 0).sum()),
    )


def _wilcoxon(differences: NDArray[np.float64]) -> float:
    """The p-value of scipy's two-sided Wilcoxon signed-rank test; ties are left out, as Wilcoxon did."""
    from scipy.stats import wilcoxon

    if not differences.size:
        return math.nan
    if not differences.any():
        return 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on small samples with ties scipy says that p is approximate
        return float(wilcoxon(differences).pvalue)


def _differing_clips(
    a: ClipScores, b: ClipScores, column: Column, frame: Frame, most: int, names: dict[int, str]
) -> pd.DataFrame:
    first, second, both = _paired(a, b, column, frame)
    frames = np.maximum(both.sum(axis=1), 1)
    mean_a, mean_b = first.sum(axis=1) / frames, second.sum(axis=1) / frames
    difference = mean_a - mean_b  # 0 where a run does not count the clip
    better = difference if column.higher_is_better else -difference
    order = np.argsort(-better, kind="stable")
    wins, losses = order[better[order] > 0], order[better[order] < 0]
    kept = [*wins[:most], *losses[max(len(losses) - most, 0) :]]
    return pd.DataFrame(
        {
            "clip": a.clips[kept],
            "source": [names.get(int(clip)) for clip in a.clips[kept]],
            "a": mean_a[kept],
            "b": mean_b[kept],
            "difference": difference[kept],
        }
    )
