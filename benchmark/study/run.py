"""The protocol study: the same predictions, scored under many protocols, mask rules and small changes.

It shows how far the numbers move when only the ruler changes. Each predictor predicts once from the same inputs
(frames and size), as far ahead as any setting asks; all settings with these inputs score the same arrays, or the first
of their frames.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vpbench.clips.manifest import Geometry
from vpbench.clips.opening import OpenClips
from vpbench.clips.prepared import PreparedClips
from vpbench.errors import UsageError, VpbenchError
from vpbench.escape import plain
from vpbench.evaluation.pipeline import ClipTally, Job, outcomes
from vpbench.evaluation.prediction import PredictionRequest
from vpbench.parallel.execution import Execution, ProgressBar, no_progress_bar
from vpbench.predictors.entrant import Entrant
from vpbench.predictors.frames_folder import FramesFolder
from vpbench.scoring.clip import Clip
from vpbench.scoring.protocol import Protocol
from vpbench.scoring.score import Scores, score_clip
from vpbench.study.settings import Setting
from vpbench.study.sharpening import CHANGES

# Settings with their positions in the study.
_Numbered = tuple[tuple[int, Setting], ...]


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
    """Predict once from the same inputs, and score under every setting.

    Settings that the clips or a predictor cannot serve, such as those that look further ahead than the clips last,
    are left out with a note; those of the base's own frames may not be.

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
    for inputs in _by_inputs(settings):
        is_base = inputs[0][0] == 0
        with ExitStack() as stack:
            numbered, opened = _open(inputs, open_for, stack, notes)
            if opened is None:
                continue
            clips, count = opened.clips, len(opened.clips.contents)
            if is_base:
                flow = plain(clips.flow["name"])
                split = {"name": clips.split.name, "total": clips.split.total, "scored": count}
            for entrant in entrants:
                mine = _within_reach(entrant, numbered, settings[0].protocol, notes)
                if not mine:
                    continue
                reading = _reading(mine)
                with progress(f"{entrant.label}, {reading.inputs} → {reading.targets}", count) as step:
                    execution = replace(opened.execution, progress=step)
                    rows += _rows(entrant, clips, reading, mine, execution)
    return Study(
        tuple(e.label for e in entrants), tuple(settings), split, flow, _table(rows, settings), tuple(notes)
    )


def _open(
    numbered: _Numbered,
    open_for: Callable[[Protocol], AbstractContextManager[OpenClips]],
    stack: ExitStack,
    notes: list[str],
) -> tuple[_Numbered, OpenClips | None]:
    """Open the clips for settings with the same inputs, those that look furthest ahead included where clips allow it.

    Returns:
        The settings that the clips can serve, and the clips; ``notes`` says what is left out, and why.

    Raises:
        UsageError: the clips cannot serve the base.
        VpbenchError: clips that the base needs are missing or damaged.
    """
    least = numbered[0][1].protocol.targets if numbered[0][0] == 0 else 0
    horizons = sorted({setting.protocol.targets for _, setting in numbered}, reverse=True)
    for horizon in horizons:
        near = tuple(one for one in numbered if one[1].protocol.targets <= horizon)
        try:
            return near, stack.enter_context(open_for(_reading(near)))
        except VpbenchError as error:
            if horizon == least:
                raise
            left = [one for one in near if one[1].protocol.targets == horizon]
            notes.append(f"Left out: {_labels(left)}. {str(error).splitlines()[0]}")
    return (), None


def _within_reach(entrant: Entrant, numbered: _Numbered, base: Protocol, notes: list[str]) -> _Numbered:
    """The settings for which an entrant can predict; ``notes`` says of the others why not.

    Raises:
        UsageError: it cannot predict for the base.
    """
    predictor = entrant.predictor
    first = numbered[0][1].protocol
    if numbered[0][0] == 0:
        entrant.check_fits(base)
    problem, most = "", predictor.max_targets
    if isinstance(predictor, FramesFolder):
        most = predictor.targets_after(first.inputs)
        if not Geometry.of(base).holds(Geometry.of(first).of_inputs):
            problem = f"has frames for the clips of {base.name} alone"
    elif predictor.min_inputs > first.inputs:
        problem = f"needs {predictor.min_inputs} input frames"
    if problem:
        notes.append(f"{entrant.label} {problem} and has no scores under {_labels(numbered)}.")
        return ()
    far = [one for one in numbered if most is not None and one[1].protocol.targets > most]
    if far:
        notes.append(f"{entrant.label} predicts {most} frames and has no scores under {_labels(far)}.")
    return tuple(one for one in numbered if one not in far)


def _labels(numbered: Sequence[tuple[int, Setting]]) -> str:
    return ", ".join(setting.label for _, setting in numbered)


def _rows(
    entrant: Entrant,
    clips: PreparedClips,
    reading: Protocol,
    numbered: _Numbered,
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


def _by_inputs(settings: Sequence[Setting]) -> list[_Numbered]:
    """The settings, each with its position, in groups that read the same inputs and flow."""
    groups: dict[tuple[Geometry, str], list[tuple[int, Setting]]] = {}
    for number, setting in enumerate(settings):
        one = setting.protocol
        flow = one.flow if one.mask.needs_vectors else settings[0].protocol.flow
        groups.setdefault((Geometry.of(one).of_inputs, flow), []).append((number, setting))
    return [tuple(group) for group in groups.values()]


def _reading(numbered: _Numbered) -> Protocol:
    """A protocol that makes a clip's reader read all frames, and the flow, that any of the settings needs."""
    protocols = [setting.protocol for _, setting in numbered]
    kinds = {protocol.mask.kind for protocol in protocols}
    if "archive" in kinds and kinds - {"archive", "none"}:
        raise UsageError("Mask rules of flow vectors and of flow images cannot share a study.")
    masked = next((one for one in protocols if one.mask.kind != "none"), protocols[0])
    furthest = max(protocols, key=lambda one: one.targets)
    return replace(masked, name=furthest.name, targets=furthest.targets)


@dataclass(frozen=True)
class _Job(Job[list[Scores], list[Scores]]):
    """Scores a clip under each of the settings with the same inputs."""

    settings: tuple[Setting, ...]

    def score(self, clip: Clip, predictions: NDArray[np.float32]) -> list[Scores]:
        changed: dict[str | None, NDArray[np.float32]] = {None: predictions}
        for setting in self.settings:
            if setting.change is not None and setting.change not in changed:
                change = CHANGES[setting.change].function
                first = predictions[: setting.protocol.targets]
                changed[setting.change] = np.stack([change(frame) for frame in first])
        scored = [score_clip(clip, changed[s.change], s.protocol) for s in self.settings]
        gradients = {
            change: [gradient_ratio(*pair) for pair in zip(clip.targets, frames, strict=False)]
            for change, frames in changed.items()
        }
        for lines, setting in zip(scored, self.settings, strict=True):
            for line, ratio in zip(lines, gradients[setting.change], strict=False):
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
