"""Predicting and scoring clip by clip: all of it in the workers, or predicting here while the workers score."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from vpbench.clips.prepared import PreparedClips, StoredClip
from vpbench.evaluation.prediction import PredictionRequest, predict_clips, predictor_here
from vpbench.parallel.execution import Execution
from vpbench.parallel.processes import limit_threads, map_in_order, result, submit
from vpbench.predictors.entrant import Entrant
from vpbench.predictors.predictor import Predictor
from vpbench.predictors.spec import PredictorSpec
from vpbench.scoring.clip import Clip
from vpbench.scoring.protocol import Protocol

Scored = TypeVar("Scored")
Outcome = TypeVar("Outcome")
_Loaded = tuple[StoredClip, NDArray[np.uint8]]


class ClipTally(ABC, Generic[Scored, Outcome]):
    """Gathers the results of one clip, sample by sample."""

    @abstractmethod
    def add(self, scored: Scored, predictions: NDArray[np.float32], seconds: float) -> None:
        """Add the next sample: its scores, its frames, and how long predicting them took."""

    @abstractmethod
    def outcome(self) -> Outcome:
        """The clip's result, once all samples are added."""


@dataclass(frozen=True)
class Job(ABC, Generic[Scored, Outcome]):
    """What is done with each clip; it is sent to the workers with each.

    Attributes:
        reading: says which frames and which flow are read.
        request: what the predictor is asked for.
    """

    reading: Protocol
    request: PredictionRequest

    @abstractmethod
    def score(self, clip: Clip, predictions: NDArray[np.float32]) -> Scored:
        """Score one sample of a clip, in a worker."""

    @abstractmethod
    def tally(self, index: int) -> ClipTally[Scored, Outcome]:
        """What gathers the samples of a clip; it stays in the process that predicts."""


def outcomes(
    job: Job[Scored, Outcome], entrant: Entrant, clips: PreparedClips, execution: Execution
) -> Iterator[Outcome]:
    """Predict and score clips; gives the result of each, in their order.

    Raises:
        VpbenchError: the predictor failed or returned something invalid; a clip is damaged; a worker died.
    """
    # Workers may have another working folder.
    stored = [replace(clip, folder=clip.folder.absolute()) for clip in clips]
    if entrant.runs_in_parent(execution.batch_size):
        return _predict_here(job, entrant.predictor, stored, execution)
    spec = entrant.spec.absolute()
    tasks = ((job, spec, clip) for clip in stored)
    return map_in_order(execution.executor, _predict_and_score, tasks, execution.window)


def _predict_and_score(job: Job[Scored, Outcome], spec: PredictorSpec, stored: StoredClip) -> Outcome:
    """Everything for one clip, in a worker."""
    limit_threads()
    predictor = predictor_here(spec)
    clip = stored.load(job.reading)
    tally = job.tally(clip.index)
    for sample in range(job.request.draws):
        (predictions,), seconds = predict_clips(predictor, job.request, [clip.index], [clip.inputs], sample)
        tally.add(job.score(clip, predictions), predictions, seconds)
    return tally.outcome()


@dataclass(frozen=True)
class _Pending(Generic[Scored, Outcome]):
    """A sample that a worker scores."""

    scored: Future[Scored]
    predictions: NDArray[np.float32]
    seconds: float
    tally: ClipTally[Scored, Outcome]
    is_last: bool

    def settle(self) -> Iterator[Outcome]:
        """Wait for the scores; gives the clip's result if they are its last."""
        self.tally.add(result(self.scored), self.predictions, self.seconds)
        if self.is_last:
            yield self.tally.outcome()


def _predict_here(
    job: Job[Scored, Outcome], predictor: Predictor, clips: list[StoredClip], execution: Execution
) -> Iterator[Outcome]:
    """Workers read the inputs and score; this process predicts, in batches, in between."""
    limit_threads()  # as in a worker: the scores must not depend on the number of workers
    executor, window = execution.executor, execution.window + execution.batch_size
    pending: deque[_Pending[Scored, Outcome]] = deque()
    try:
        inputs = map_in_order(executor, _load_inputs, ((job.reading, clip) for clip in clips), window)
        for batch in _batches(zip(clips, inputs, strict=True), execution.batch_size):
            indices, frames = [clip.index for clip, _ in batch], [frames for _, frames in batch]
            tallies = [job.tally(index) for index in indices]
            for sample in range(job.request.draws):
                predictions, seconds = predict_clips(predictor, job.request, indices, frames, sample)
                for (clip, _), predicted, tally in zip(batch, predictions, tallies, strict=True):
                    scored = submit(executor, _load_and_score, job, clip, predicted)
                    is_last = sample + 1 == job.request.draws
                    pending.append(_Pending(scored, predicted, seconds, tally, is_last))
                while pending and (len(pending) > window or pending[0].scored.done()):
                    yield from pending.popleft().settle()
        while pending:
            yield from pending.popleft().settle()
    finally:
        for sample_pending in pending:
            sample_pending.scored.cancel()


def _load_inputs(reading: Protocol, stored: StoredClip) -> NDArray[np.uint8]:
    """The inputs alone, read in a worker for a prediction in the parent process."""
    limit_threads()
    return stored.load(reading, inputs_only=True).inputs


def _load_and_score(job: Job[Scored, Any], stored: StoredClip, predictions: NDArray[np.float32]) -> Scored:
    """Score, in a worker, what the parent process predicted."""
    limit_threads()
    return job.score(stored.load(job.reading), predictions)


def _batches(items: Iterable[_Loaded], size: int) -> Iterator[list[_Loaded]]:
    """Groups of at most ``size`` neighbours whose frames have one shape."""
    group: list[_Loaded] = []
    for item in items:
        if group and (len(group) == size or group[0][1].shape != item[1].shape):
            yield group
            group = []
        group.append(item)
    if group:
        yield group
