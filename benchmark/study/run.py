"""The protocol study: the same predictions, scored under many protocols, mask rules and small changes.

It shows how far the numbers move when only the ruler changes. Each predictor predicts once for each
geometry of clips (frames and size); all settings of that geometry score the same arrays.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vpbench.clips.manifest import Geometry
from vpbench.clips.opening import OpenClips
from vpbench.clips.prepared import PreparedClips
from vpbench.errors import UsageError
from vpbench.escape import plain
from vpbench.evaluation.pipeline import ClipTally, Job, outcomes
from vpbench.evaluation.prediction import PredictionRequest
from vpbench.parallel.execution import Execution, ProgressBar, no_progress_bar
from vpbench.predictors.entrant import Entrant
from vpbench.scoring.clip import Clip
from vpbench.scoring.protocol import Protocol
from vpbench.scoring.score import Scores, score_clip
from vpbench.study.settings import Setting
from vpbench.study.sharpening import CHANGES


@dataclass(frozen=True)
class Study:
    """What a study measured.

    Attributes:
        models: labels, in the order given.
        settings: in the order of the tables; the first is the base that the others are compared with.
        split: ``name``, ``total`` and ``scored``.
        flow: name of the flow of the clips.
        scores: one row for each model, setting, clip and predicted frame: ``model``, ``setting`` (position in
            ``settings``), ``clip``, ``frame`` (1-based), one column for each metric (NaN where there is none),
            ``moving`` (fraction), ``counted``, and ``gradient`` (see :func:`gradient_ratio`).
        notes: what was left out.
    """

    models: tuple[str, ...]
    settings: tuple[Setting, ...]
    split: dict[str, Any]
    flow: str
    scores: pd.DataFrame
    notes: tuple[str, ...] = ()

    @property
    def metrics(self) -> list[str]:
        """The columns of scores, in the order of the first protocol that has them."""
        return list(dict.fromkeys(key for s in self.settings for key in s.protocol.metrics))

    def means(self) -> pd.DataFrame:
        """Means over the counted frames, one row for each model, setting and predicted frame.

        Columns: ``model``, ``setting``, ``frame``, the metrics, ``frames_counted``, ``frames_scored``, and, as
        means over all scored frames, ``moving`` and ``gradient``.
        """
        keys = ["model", "setting", "frame"]
        by = self.scores.groupby(keys, sort=False)
        counted = self.scores[self.scores["counted"]].groupby(keys, sort=False)[self.metrics].mean()
        table = by.agg(
            frames_counted=("counted", "sum"),
            frames_scored=("counted", "size"),
            moving=("moving", "mean"),
            gradient=("gradient", "mean"),
        )
        return counted.reindex(table.index).join(table).reset_index()


def run_study(
    entrants: Sequence[Entrant],
    settings: Sequence[Setting],
    open_for: Callable[[Protocol], AbstractContextManager[OpenClips]],
    progress: ProgressBar = no_progress_bar,
) -> Study:
    """Predict once for each geometry, and score under every setting.

    Args:
        entrants: the predictors.
        settings: what :func:`settings_for` returns, or a part of it; the first is the base.
        open_for: opens the clips for a protocol.
        progress: shows progress.

    Raises:
        UsageError: a predictor cannot work under the base protocol, or the clips cannot serve it.
        VpbenchError: a predictor failed, or clips are damaged.
    """
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    split: dict[str, Any] = {}
    flow = ""
    for numbered in _by_geometry(settings):
        reading = _reading([setting for _, setting in numbered])
        is_base = numbered[0][0] == 0
        able = _able(entrants, reading, numbered, None if is_base else notes)
        with open_for(reading) as opened:
            clips, count = opened.clips, len(opened.clips.contents)
            if is_base:
                flow = plain(clips.flow["name"])
                split = {"name": clips.split.name, "total": clips.split.total, "scored": count}
            for entrant in able:
                with progress(f"{entrant.label}, {reading.inputs} → {reading.targets}", count) as step:
                    execution = replace(opened.execution, progress=step)
                    rows += _rows(entrant, clips, reading, numbered, execution)
    return Study(
        tuple(e.label for e in entrants), tuple(settings), split, flow, _table(rows, settings), tuple(notes)
    )


def _able(
    entrants: Sequence[Entrant],
    reading: Protocol,
    numbered: tuple[tuple[int, Setting], ...],
    notes: list[str] | None,
) -> list[Entrant]:
    """The entrants that can predict from these clips; ``notes`` says of the others why, or they are refused."""
    able = []
    for entrant in entrants:
        if notes is None or entrant.predictor.min_inputs <= reading.inputs:
            entrant.check_fits(reading)
            able.append(entrant)
        else:
            notes.append(
                f"{entrant.label} needs {entrant.predictor.min_inputs} input frames and has no scores under "
                f"{', '.join(s.label for _, s in numbered)}."
            )
    return able


def _rows(
    entrant: Entrant,
    clips: PreparedClips,
    reading: Protocol,
    numbered: tuple[tuple[int, Setting], ...],
    execution: Execution,
) -> Iterator[dict[str, Any]]:
    """The rows of an entrant: its scores for each clip under each setting."""
    request = PredictionRequest(entrant.spec.name, reading.targets, entrant.samples)
    job = _Job(reading, request, tuple(setting for _, setting in numbered))
    for by_setting in outcomes(job, entrant, clips, execution):
        for (number, _), scores in zip(numbered, by_setting, strict=True):
            for line in scores:
                yield {"model": entrant.label, "setting": number, **line}
        execution.progress()


def _table(rows: list[dict[str, Any]], settings: Sequence[Setting]) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    metrics = list(dict.fromkeys(key for s in settings for key in s.protocol.metrics))
    table[metrics] = table.reindex(columns=metrics).astype(float)
    return table[["model", "setting", "clip", "frame", *metrics, "moving", "counted", "gradient"]]


def _by_geometry(settings: Sequence[Setting]) -> list[tuple[tuple[int, Setting], ...]]:
    """The settings, each with its position, in groups that read the same frames and flow."""
    groups: dict[str, list[tuple[int, Setting]]] = {}
    for number, setting in enumerate(settings):
        one = setting.protocol
        flow = one.flow if one.mask.needs_vectors else settings[0].protocol.flow
        key = json.dumps([Geometry.of(one).data(), flow], sort_keys=True)
        groups.setdefault(key, []).append((number, setting))
    return [tuple(group) for group in groups.values()]


def _reading(settings: Sequence[Setting]) -> Protocol:
    """A protocol of the group that makes a clip's reader read the flow that any of them needs."""
    kinds = {setting.protocol.mask.kind for setting in settings}
    if "archive" in kinds and kinds - {"archive", "none"}:
        raise UsageError("Mask rules of flow vectors and of flow images cannot share a study.")
    return next((s.protocol for s in settings if s.protocol.mask.kind != "none"), settings[0].protocol)


@dataclass(frozen=True)
class _Job(Job[list[Scores], list[Scores]]):
    """Scores a clip under each of the settings of one geometry."""

    settings: tuple[Setting, ...]

    def score(self, clip: Clip, predictions: NDArray[np.float32]) -> list[Scores]:
        changed: dict[str | None, NDArray[np.float32]] = {None: predictions}
        for setting in self.settings:
            if setting.change is not None and setting.change not in changed:
                change = CHANGES[setting.change].function
                changed[setting.change] = np.stack([change(frame) for frame in predictions])
        scored = [score_clip(clip, changed[s.change], s.protocol) for s in self.settings]
        gradients = {
            change: [gradient_ratio(*pair) for pair in zip(clip.targets, frames, strict=True)]
            for change, frames in changed.items()
        }
        for lines, setting in zip(scored, self.settings, strict=True):
            for line, ratio in zip(lines, gradients[setting.change], strict=True):
                line["gradient"] = ratio
        return scored

    def tally(self, index: int) -> ClipTally[list[Scores], list[Scores]]:
        return _OneSample()


class _OneSample(ClipTally[list[Scores], list[Scores]]):
    """The scores of the one sample that a study draws."""

    def __init__(self) -> None:
        self._scored: list[Scores] = []

    def add(self, scored: list[Scores], predictions: NDArray[np.float32], seconds: float) -> None:
        self._scored = scored

    def outcome(self) -> list[Scores]:
        return self._scored


def gradient_ratio(target: NDArray[np.uint8], prediction: NDArray[np.float32]) -> float:
    """Mean absolute difference between neighbouring pixels of a prediction, over that of the target.

    It says how sharp a prediction is whether or not its edges are in the right places, which no protocol's
    sharpness does: 1 for as sharp as the truth. NaN for a target of one colour.

    Args:
        target: ``(H, W, 3)``, 0 … 255.
        prediction: ``(H, W, 3)``, 0 … 1.
    """

    def steps(image: NDArray[np.float32]) -> float:
        return float(np.abs(np.diff(image, axis=0)).mean() + np.abs(np.diff(image, axis=1)).mean())

    true = steps(target.astype(np.float32) / np.float32(255))
    return steps(prediction) / true if true else math.nan
