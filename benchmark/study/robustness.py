"""The study of robustness: predictors whose inputs are corrupted, beside themselves on clean inputs.

Each condition is a run of its own, an ordinary one: an interrupted study resumes, and every other command takes its
runs. Targets and moving areas stay clean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from vpbench.analysis.bootstrap import LEVEL, half_widths
from vpbench.analysis.columns import Column, overall, score_columns
from vpbench.analysis.common import Common, common_frames
from vpbench.analysis.intervals import ratio_means
from vpbench.analysis.rows import make_entries, measured_row
from vpbench.clips.opening import OpenClips
from vpbench.errors import UsageError
from vpbench.evaluation.engine import Known, evaluate_clips
from vpbench.parallel.execution import ProgressBar, no_progress_bar
from vpbench.predictors.corrupted import KINDS, SEVERITIES, Corrupted, Corruption
from vpbench.predictors.entrant import Entrant
from vpbench.results.published_tables import Frame
from vpbench.runs.run import Run
from vpbench.scoring.protocol import Protocol

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Clean inputs, or corrupted ones.
Condition = Corruption | None


@dataclass(frozen=True)
class Robustness:
    """What a study of robustness measured.

    Attributes:
        models: labels, in the order given.
        corruptions: in the order of the tables.
        runs: of each model the run on clean inputs, and one for each corruption.
        columns: of scores.
        frames: ``"all"`` where the protocol has more than two predicted frames, and their numbers.
        scores: one row for each model, condition and frame: ``model``, ``corruption`` (``none`` on clean inputs),
            ``severity`` (0 on clean inputs), ``frame``, the means of the metrics over the frames that the run counts,
            and ``frames_counted``. ``<metric>_change`` is the mean change from clean inputs, over frames that are the
            same for all rows (:attr:`vpbench.analysis.columns.ClipScores.compared`), with the interval of that,
            ``_change_low`` and ``_change_high``. Rows without a severity have the mean change over the severities, and
            those of the corruption ``all`` over all corruptions.
        clusters: number of clusters that are compared.
        notes: what was left out.
    """

    models: tuple[str, ...]
    corruptions: tuple[Corruption, ...]
    runs: tuple[Run, ...]
    columns: tuple[Column, ...]
    frames: tuple[Frame, ...]
    scores: pd.DataFrame
    clusters: int
    notes: tuple[str, ...] = ()

    @property
    def kinds(self) -> list[str]:
        """The kinds of corruption."""
        return list(dict.fromkeys(corruption.kind for corruption in self.corruptions))

    @property
    def shown(self) -> tuple[Frame, ...]:
        """The frames that tables show: two of them at most, else the mean over all."""
        return overall(self.runs[0].targets) or self.frames


def choose(kinds: Sequence[str] = (), severities: Sequence[int] = (), seed: int = 0) -> list[Corruption]:
    """The corruptions of these kinds and severities, all where none are named, mildest first.

    Raises:
        UsageError: there is no such kind, severity or seed.
    """
    chosen = [kind for kind in KINDS if kind in kinds] if set(kinds) <= KINDS.keys() else kinds
    return [
        Corruption(kind, severity, seed)
        for kind in chosen or KINDS
        for severity in sorted(set(severities)) or SEVERITIES
    ]


def run_robustness(
    entrants: Sequence[Entrant],
    corruptions: Sequence[Corruption],
    protocol: Protocol,
    open_for: Callable[[Protocol], AbstractContextManager[OpenClips]],
    out: Path,
    progress: ProgressBar = no_progress_bar,
) -> Robustness:
    """Score predictors on clean and on corrupted inputs.

    Corruptions that need more inputs than the protocol gives are left out with a note.

    Args:
        entrants: the predictors.
        corruptions: what is done to their inputs.
        protocol: how frames are scored.
        open_for: opens the clips for a protocol.
        out: folder of runs; what is there already is not run again.
        progress: shows progress.

    Raises:
        UsageError: a predictor only looks frames up or cannot work under the protocol; no corruption is left; the
            folder holds other runs.
        VpbenchError: a predictor failed, or clips are damaged.
    """
    fitting = tuple(one for one in corruptions if KINDS[one.kind].least <= protocol.inputs)
    left = dict.fromkeys(one.kind for one in corruptions if one not in fitting)
    why = [
        f"Left out: {kind}, which needs {KINDS[kind].least} inputs; {protocol.name} gives {protocol.inputs}."
        for kind in left
    ]
    if not fitting:
        raise UsageError(" ".join(why) or "No corruption is named.")
    conditions: tuple[Condition, ...] = (None, *fitting)
    wanted = [_under(entrant, condition) for entrant in entrants for condition in conditions]
    for entrant in wanted:
        entrant.check_fits(protocol)
    runs: list[Run] = []
    with open_for(protocol) as opened:
        for entrant in wanted:
            with progress(entrant.label, len(opened.clips.contents)) as step:
                known = Known(frames=runs[0] if runs else None)
                execution = replace(opened.execution, progress=step)
                runs += evaluate_clips(entrant, opened.clips, protocol, out, execution, known=known)
    columns = score_columns(runs[0].manifest.protocol.definition, f"{runs[0].folder / 'manifest.json'}")
    frames: tuple[Frame, ...] = (*overall(protocol.targets), *range(1, protocol.targets + 1))
    models = tuple(entrant.label for entrant in entrants)
    scores, clusters = _scores(runs, models, conditions, columns, frames)
    return Robustness(models, fitting, tuple(runs), columns, frames, scores, clusters, tuple(why))


def _under(entrant: Entrant, condition: Condition) -> Entrant:
    """An entrant under a condition."""
    if condition is None:
        return entrant
    return replace(
        entrant,
        label=f"{entrant.label},{condition}",
        spec=entrant.spec.corrupted(condition),
        predictor=Corrupted(entrant.predictor, condition.kind, condition.severity, condition.seed),
    )


def _scores(
    runs: Sequence[Run],
    models: Sequence[str],
    conditions: Sequence[Condition],
    columns: Sequence[Column],
    frames: Sequence[Frame],
) -> tuple[pd.DataFrame, int]:
    """The table of scores, and the number of clusters that are compared."""
    entries = make_entries(runs, [run.label for run in runs], group=False)
    common = common_frames(entries)
    assert common is not None  # noqa: S101 -- runs that were made just now say on which frames
    series = _series(conditions)
    means = [measured_row(entry, columns, frames) for entry in entries]
    rows = []
    for number, model in enumerate(models):
        first = number * len(conditions)
        for frame in frames:
            changes = [_changes(common, first, list(series.values()), column, frame) for column in columns]
            for place, (corruption, severity) in enumerate(series):
                row = {"model": model, "corruption": corruption, "severity": severity, "frame": frame}
                # After the conditions come the means over several of them.
                mean = means[first + place] if place < len(conditions) else {}
                row |= {column.key: mean.get(f"{column.key}_{frame}", math.nan) for column in columns}
                row["frames_counted"] = mean.get(f"frames_counted_{frame}", math.nan)
                for column, (change, width) in zip(columns, changes, strict=True):
                    row[f"{column.key}_change"] = change[place]
                    row[f"{column.key}_change_low"] = change[place] - width[place]
                    row[f"{column.key}_change_high"] = change[place] + width[place]
                rows.append(row)
    clusters = len(np.unique(common.clusters[common.frames.any(axis=1)]))
    return pd.DataFrame(rows).astype({"severity": "Int64", "frames_counted": "Int64"}), clusters


def _series(conditions: Sequence[Condition]) -> Mapping[tuple[str, int | None], list[int]]:
    """The conditions, and then means over the severities of a kind, and over all: of which conditions each is."""
    found: dict[tuple[str, int | None], list[int]] = {
        ("none", 0) if one is None else (one.kind, one.severity): [place]
        for place, one in enumerate(conditions)
    }
    kinds = dict.fromkeys(one.kind for one in conditions if one is not None)
    for kind in kinds:
        found[kind, None] = [n for n, one in enumerate(conditions) if one is not None and one.kind == kind]
    if len(kinds) > 1:
        found["all", None] = [n for n, one in enumerate(conditions) if one is not None]
    return found


def _changes(
    common: Common, first: int, series: Sequence[Sequence[int]], column: Column, frame: Frame
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean change from clean inputs of each series, and how far its interval reaches.

    Args:
        common: what all runs are compared on.
        first: the entry of a model's clean run, which those of its corrupted ones follow.
        series: of which of the model's conditions each is the mean.
        column: the metric.
        frame: the frame.
    """
    values, counted = common.scores(column.key, frame)
    place = {int(entry): n for n, entry in enumerate(common.members)}
    found, widths = np.full((2, len(series)), np.nan)
    known = [n for n, of in enumerate(series) if {first, *(first + one for one in of)} <= place.keys()]
    if known:
        leads = np.stack(
            [
                np.mean([values[place[first + one]] for one in series[n]], axis=0) - values[place[first]]
                for n in known
            ]
        )
        means, residuals, counts = ratio_means(leads, np.broadcast_to(counted, leads.shape), common.clusters)
        found[known], widths[known] = means, half_widths(residuals, counts, common.resamples, LEVEL)
    return found, widths
