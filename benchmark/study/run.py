"""The protocol study: the same predictions, scored under many protocols, mask rules and small changes.

It shows how far the numbers move when nothing moves but the ruler. Each predictor predicts once for each
geometry of clips (frames and size); all settings of that geometry score the same arrays.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vpbench.clips.opening import Opened
from vpbench.clips.prepared import PreparedClips, geometry, load_clip
from vpbench.errors import UsageError
from vpbench.evaluation.prediction import Asked, predict_clips, predictor_here, runs_in_parent
from vpbench.parallel.processes import limit_threads, map_in_order, result, submit
from vpbench.predictors.predictor import Predictor, check_fits
from vpbench.predictors.samples import check_samples
from vpbench.predictors.spec import PredictorSpec
from vpbench.scoring.clip import Clip
from vpbench.scoring.protocol import Protocol
from vpbench.scoring.score import Scores, score_clip
from vpbench.study.settings import Setting
from vpbench.study.sharpening import CHANGES


@dataclass(frozen=True)
class Model:
    """A predictor of the study: its label in tables, how it was named, and itself."""

    label: str
    spec: PredictorSpec
    predictor: Predictor


@dataclass(frozen=True)
class Study:
    """What a study measured.

    Attributes:
        models: labels, in the order given.
        settings: in the order of the tables; the first is the base that the others are compared with.
        split: ``name``, ``total`` and ``scored``.
        flow: name of the flow of the clips.
        scores: one row a model, setting, clip and predicted frame: ``model``, ``setting`` (position in
            ``settings``), ``clip``, ``frame`` (1-based), one column a metric (NaN where there is none),
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
        """Means over the counted frames, one row a model, setting and predicted frame.

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


@dataclass(frozen=True)
class _Work:
    """All that a worker needs to know about one geometry; the clips follow one by one."""

    clips: Path
    reading: Protocol
    settings: tuple[tuple[int, Setting], ...]
    asked: Asked
    spec: PredictorSpec | None


def run_study(
    models: Sequence[Model],
    settings: Sequence[Setting],
    open_for: Callable[[Protocol], AbstractContextManager[Opened]],
    progress: Callable[[str, int], AbstractContextManager[Callable[[], None]]],
) -> Study:
    """Predict once for each geometry, and score under every setting.

    Args:
        models: the predictors.
        settings: what :func:`settings_for` returns, or a part of it; the first is the base.
        open_for: opens the clips for a protocol.
        progress: called with a label and a length; gives a function to call after each clip.

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
        able = []
        for model in models:
            if is_base or model.predictor.min_inputs <= reading.inputs:
                check_fits(model.predictor, model.spec.name, reading.inputs, reading.targets, reading.name)
                able.append(model)
            else:
                notes.append(
                    f"{model.label} needs {model.predictor.min_inputs} input frames and has no scores under "
                    f"{', '.join(s.label for _, s in numbered)}."
                )
        with open_for(reading) as opened:
            if is_base:
                flow = str(opened.clips.flow["name"])
                split = {
                    "name": opened.clips.split.name,
                    "total": opened.clips.split.total,
                    "scored": opened.count,
                }
            for model in able:
                with progress(f"{model.label}, {reading.inputs} → {reading.targets}", opened.count) as step:
                    for lines in _clips(model, opened, reading, numbered):
                        for number, scores in zip([n for n, _ in numbered], lines, strict=True):
                            rows += [{"model": model.label, "setting": number, **line} for line in scores]
                        step()
    table = pd.DataFrame(rows)
    metrics = list(dict.fromkeys(key for s in settings for key in s.protocol.metrics))
    table[metrics] = table.reindex(columns=metrics).astype(float)
    table = table[["model", "setting", "clip", "frame", *metrics, "moving", "counted", "gradient"]]
    return Study(tuple(m.label for m in models), tuple(settings), split, flow, table, tuple(notes))


def _by_geometry(settings: Sequence[Setting]) -> list[tuple[tuple[int, Setting], ...]]:
    """The settings, each with its position, in groups that read the same frames and flow."""
    groups: dict[str, list[tuple[int, Setting]]] = {}
    for number, setting in enumerate(settings):
        key = json.dumps([geometry(setting.protocol), setting.protocol.flow], sort_keys=True)
        groups.setdefault(key, []).append((number, setting))
    return [tuple(group) for group in groups.values()]


def _reading(settings: Sequence[Setting]) -> Protocol:
    """A protocol of the group that makes :func:`load_clip` read the flow that any of them needs."""
    kinds = {setting.protocol.mask.kind for setting in settings}
    if "archive" in kinds and kinds - {"archive", "none"}:
        raise UsageError("Mask rules of flow vectors and of flow images cannot share a study.")
    return next((s.protocol for s in settings if s.protocol.mask.kind != "none"), settings[0].protocol)


def _clips(
    model: Model, opened: Opened, reading: Protocol, numbered: tuple[tuple[int, Setting], ...]
) -> Iterator[list[Scores]]:
    """For each clip, its scores under each setting."""
    clips: PreparedClips = opened.clips
    in_parent = runs_in_parent(model.predictor, model.spec)
    samples = check_samples(model.predictor, model.spec.name, None, None)
    asked = Asked(model.spec.name, reading.targets, samples)
    spec = None if in_parent else model.spec.absolute()
    work = _Work(clips.folder.absolute(), reading, numbered, asked, spec)
    indices = sorted(clips.contents)[: opened.count]
    todo = [(work, index, None if clips.is_archive else clips.contents[index]) for index in indices]
    if in_parent:
        return _from_parent(model.predictor, todo, opened)
    return map_in_order(opened.executor, _predict_and_score, todo, opened.window)


def _from_parent(
    predictor: Predictor, todo: Sequence[tuple[_Work, int, str | None]], opened: Opened
) -> Iterator[list[Scores]]:
    """This process predicts, clip by clip, while the workers score."""
    limit_threads()
    scoring: deque[Future[list[Scores]]] = deque()
    try:
        for work, index, content in todo:
            inputs = load_clip(work.clips, index, work.reading, content, inputs_only=True).inputs
            (predictions,), _ = predict_clips(predictor, work.asked, [index], [inputs])
            scoring.append(submit(opened.executor, _load_and_score, work, index, content, predictions))
            if len(scoring) > opened.window:
                yield result(scoring.popleft())
        while scoring:
            yield result(scoring.popleft())
    finally:
        for future in scoring:
            future.cancel()


def _predict_and_score(work: _Work, index: int, content: str | None) -> list[Scores]:
    """Everything for one clip, in a worker."""
    limit_threads()
    assert work.spec is not None  # noqa: S101 -- only predictors that can be made anew come here
    clip = load_clip(work.clips, index, work.reading, content)
    (predictions,), _ = predict_clips(predictor_here(work.spec), work.asked, [index], [clip.inputs])
    return _score(work, clip, predictions)


def _load_and_score(
    work: _Work, index: int, content: str | None, predictions: NDArray[np.float32]
) -> list[Scores]:
    """Score what the parent process predicted."""
    limit_threads()
    return _score(work, load_clip(work.clips, index, work.reading, content), predictions)


def _score(work: _Work, clip: Clip, predictions: NDArray[np.float32]) -> list[Scores]:
    changed: dict[str | None, NDArray[np.float32]] = {None: predictions}
    for _, setting in work.settings:
        if setting.change is not None and setting.change not in changed:
            change = CHANGES[setting.change].function
            changed[setting.change] = np.stack([change(frame) for frame in predictions])
    scored = [score_clip(clip, changed[s.change], s.protocol) for _, s in work.settings]
    gradients = {
        change: [gradient_ratio(*pair) for pair in zip(clip.targets, frames, strict=True)]
        for change, frames in changed.items()
    }
    for lines, (_, setting) in zip(scored, work.settings, strict=True):
        for line, ratio in zip(lines, gradients[setting.change], strict=True):
            line["gradient"] = ratio
    return scored


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
