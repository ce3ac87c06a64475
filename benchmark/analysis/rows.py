"""The rows of a leaderboard: which runs make one, its means and their intervals, and its facts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from vpbench.analysis.columns import clip_scores, frames_of
from vpbench.analysis.comparable import clips_scored
from vpbench.predictors.seen import most_seen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vpbench.analysis.columns import ClipScores, Column
    from vpbench.results.published_tables import Frame, PublishedRow, PublishedTable
    from vpbench.runs.run import Run

# Options of predictors in which the trainings of one method differ.
_TRAINING_OPTIONS = ("weights", "checkpoint", "seed")


@dataclass(frozen=True)
class Entry:
    """What a measured row is made of: a run, or several trainings of one method from different seeds.

    Attributes:
        label: the row's label.
        runs: its runs, with the same clips.
        scores: of each run.
    """

    label: str
    runs: tuple[Run, ...]
    scores: tuple[ClipScores, ...]

    @property
    def eligible(self) -> bool:
        """Whether it may have a rank and be best: no run of it has seen test clips.

        Neither in training, nor in a choice, nor to choose among samples.
        """
        return all(run.test_clips_seen == "no" and not run.best_of_samples for run in self.runs)

    @property
    def comparable(self) -> bool:
        """Whether all its runs say on which frames they are to be compared; those of schema 1 do not."""
        return all(scores.compared is not None for scores in self.scores)


def make_entries(runs: Sequence[Run], labels: Sequence[str], group: bool) -> list[Entry]:
    """The entries of comparable runs: one per run, or with ``group`` one per method trained from several seeds."""
    groups = group_by_seed(runs) if group else [[n] for n in range(len(runs))]
    scores = [clip_scores(run) for run in runs]
    return [
        Entry(
            _label(runs, labels, members),
            tuple(runs[n] for n in members),
            tuple(scores[n] for n in members),
        )
        for members in groups
    ]


def _label(runs: Sequence[Run], labels: Sequence[str], members: Sequence[int]) -> str:
    """The run's label; of several the method's name, with the number of seeds where another row has that name."""
    if len(members) == 1:
        return labels[members[0]]
    name = runs[members[0]].method
    taken = {label for n, label in enumerate(labels) if n not in members}
    return f"{name} ({len(members)} seeds)" if name in taken else name


def group_by_seed(runs: Sequence[Run]) -> list[list[int]]:
    """The groups of runs that are one method trained from several seeds, in the order of their first runs.

    Runs belong together if their descriptions give seeds, all different, and the method (``method``, or that of
    the submission, or the predictor's name), the options other than the weights', the training data, the
    recipe and its steps, the number of parameters and the way to score samples are equal.
    """
    by_method: dict[Any, list[int]] = defaultdict(list)
    for n, run in enumerate(runs):
        options, samples = run.manifest.predictor.options, run.manifest.samples
        method = (
            run.method,
            str(sorted((k, v) for k, v in options.items() if k not in _TRAINING_OPTIONS)),
            run.training_data,
            run.recipe,
            run.parameters,
            samples and (samples.count, samples.scored),
        )
        by_method[n if run.seed is None else method].append(n)
    groups: list[list[int]] = []
    for members in by_method.values():
        seeds = {str(runs[n].seed) for n in members}
        groups += [members] if len(seeds) == len(members) else [[n] for n in members]
    return sorted(groups)


def measured_row(entry: Entry, columns: Sequence[Column], frames: Sequence[Frame]) -> dict[str, Any]:
    """Means, counts and facts of an entry.

    Of several trainings, each number is the mean of theirs, ``<column>_<frame>_sd`` the sample standard deviation, and
    a count of frames the smallest.
    """
    runs = entry.runs
    means = [_means(run, columns, frames) for run in runs]
    counts = {f"frames_{why}_{frame}" for why in ("counted", "excluded", "undefined") for frame in frames}
    row: dict[str, Any] = {}
    for key in means[0]:
        values = [by_key[key] for by_key in means]
        row[key] = min(values) if key in counts else _mean(values)
    if len(runs) > 1:
        scores = [f"{column.key}_{frame}" for column in columns for frame in frames]
        row |= {f"{key}_sd": float(np.std([by_key[key] for by_key in means], ddof=1)) for key in scores}
    facts = [_facts(run) for run in runs]
    row |= facts[0]
    row["test_clips_seen"] = most_seen(*(by_key["test_clips_seen"] for by_key in facts))
    row["best_of_samples"] = any(by_key["best_of_samples"] for by_key in facts)
    times = [by_key["ms_per_frame"] for by_key in facts]
    row["ms_per_frame"] = None if None in times else _mean(times)
    row["seeds"] = len(runs)
    # A name that is no UTF-8 would be refused by pandas where it has pyarrow.
    row["source"] = "; ".join(str(run.folder).encode(errors="backslashreplace").decode() for run in runs)
    return row


def published_row(
    table: PublishedTable, row: PublishedRow, keys: Sequence[str], measured: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """A published row in the columns of the measured ones.

    Args:
        table: its table.
        row: the row.
        keys: of the columns of scores.
        measured: the measured rows of the same split and protocol: where one of them, and no other, is of the same
            method, its means − the published ones go with the row.
    """
    scores = {f"{key}_{frame}": value for key in keys for frame, value in row.scores.get(key, {}).items()}
    same = [own for own in measured if row.predictor and own["predictor"] == row.predictor]
    if len(same) == 1:
        scores |= {f"{key}_minus_published": same[0][key] - value for key, value in scores.items()}
    return {
        "label": row.label,
        "published": True,
        "verified": row.verified,
        "source": table.citation,
        **scores,
        "protocol": table.protocol,
        "split": table.split,
    }


def as_frame(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """The rows as a data frame; counts are whole numbers, missing in published rows."""
    frame = pd.DataFrame(rows)
    counts = [name for name in frame if str(name).startswith("frames_")]
    counts += [
        "rank",
        "seeds",
        "parameters",
        "multiply_adds",
        "protocol_version",
        "clips_scored",
        "clips_total",
    ]
    return frame.astype(dict.fromkeys(counts, "Int64"))


def _means(run: Run, columns: Sequence[Column], frames: Sequence[Frame]) -> dict[str, Any]:
    scores = run.scores
    counted = scores["counted"]
    undefined = ~counted & np.any([~np.isfinite(scores[key]) for key in run.metrics], axis=0)
    means: dict[str, Any] = {}
    for frame in frames:
        within = frames_of(frame)
        here = (scores["frame"] > (within.start or 0)) & (scores["frame"] <= (within.stop or run.targets))
        for column in columns:
            means[f"{column.key}_{frame}"] = _mean(scores[column.key][here & counted])
        means[f"frames_counted_{frame}"] = int((here & counted).sum())
        means[f"frames_excluded_{frame}"] = int((here & ~counted & ~undefined).sum())
        means[f"frames_undefined_{frame}"] = int((here & undefined).sum())
    moving = scores["moving"]
    means["moving_fraction"] = _mean(moving[np.isfinite(moving)])
    return means


def _mean(values: Sequence[float] | NDArray[np.float64]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _facts(run: Run) -> dict[str, Any]:
    manifest, cost = run.manifest, run.manifest.cost
    return {
        "parameters": run.parameters,
        "ms_per_frame": cost and cost.ms_per_frame,
        "peak_memory_mib": cost and cost.peak_memory_mib,
        "multiply_adds": cost and cost.multiply_adds,
        "multiply_adds_frame": cost and cost.frame_size and "{1}×{0}".format(*cost.frame_size),
        "training_data": run.training_data,
        "test_clips_seen": run.test_clips_seen,
        "best_of_samples": run.best_of_samples,
        "method": run.method,
        "citation": manifest.submission and manifest.submission.citation,
        "predictor": manifest.predictor.name,
        "protocol": manifest.protocol.name,
        "protocol_version": manifest.protocol.version,
        "protocol_hash": manifest.protocol.hash,
        "split": manifest.split.name,
        "clips_scored": clips_scored(run),
        "clips_total": manifest.split.total,
        "prepared_hash": manifest.prepared.hash,
        "vpbench": manifest.environment.vpbench,
    }
