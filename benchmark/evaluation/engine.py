"""The engine: prepared clips × a predictor × a protocol → a run. A map over clips on an executor."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpbench.clips.prepared import PreparedClips, load_clip
from vpbench.errors import UsageError
from vpbench.evaluation.manifests import new_manifests, now
from vpbench.evaluation.prediction import Asked, predict_clips, predictor_here, runs_in_parent
from vpbench.files import lock_folder, make_folder, write_atomic
from vpbench.parallel.processes import limit_threads, map_in_order, result, submit
from vpbench.predictors.predictor import Predictor, check_fits
from vpbench.predictors.samples import Samples, Tally
from vpbench.predictors.spec import PredictorSpec
from vpbench.runs.manifest import LABEL, Cost
from vpbench.runs.run import Run, read_run
from vpbench.runs.writer import RunWriter
from vpbench.scoring.protocol import Protocol
from vpbench.scoring.score import Scores, check_metrics, is_counted, score_clip


@dataclass(frozen=True)
class _Job:
    """All that a worker needs to know about a run; the clips follow one by one."""

    clips: Path
    protocol: Protocol
    asked: Asked
    spec: PredictorSpec | None
    predictions: Path | None

    @property
    def draws(self) -> int:
        return self.asked.samples.count if self.asked.samples else 1


@dataclass(frozen=True)
class _Outcome:
    """A clip's scores for each run, the seconds that predicting it once took, and the peak memory in MiB."""

    scores: tuple[Scores, ...]
    seconds: float
    peak_mib: float


def _predict_and_score(job: _Job, index: int, content: str | None) -> _Outcome:
    """Everything for one clip, in a worker."""
    limit_threads()
    assert job.spec is not None  # noqa: S101 -- only predictors that can be made anew come here
    predictor = predictor_here(job.spec)
    clip = load_clip(job.clips, index, job.protocol, content)
    tally, total = Tally(job.protocol, keep=job.predictions is not None), 0.0
    for sample in range(job.draws):
        predictions, seconds = predict_clips(predictor, job.asked, [index], [clip.inputs], sample)
        tally.add(score_clip(clip, predictions[0], job.protocol), predictions[0])
        total += seconds
    return _outcome(job, index, tally, total)


def _load_inputs(job: _Job, index: int, content: str | None) -> NDArray[np.uint8]:
    """The inputs alone, for a prediction in the parent process."""
    limit_threads()
    return load_clip(job.clips, index, job.protocol, content, inputs_only=True).inputs


def _load_and_score(job: _Job, index: int, content: str | None, predictions: NDArray[np.float32]) -> Scores:
    """Score what the parent process predicted."""
    limit_threads()
    return score_clip(load_clip(job.clips, index, job.protocol, content), predictions, job.protocol)


def _outcome(job: _Job, index: int, tally: Tally, seconds: float) -> _Outcome:
    """What comes of a clip whose samples are all scored; keeps the frames whose scores are the first run's."""
    if job.predictions is not None and tally.frames is not None:
        _save(job.predictions / str(index), tally.frames, job.protocol.inputs)
    scores: tuple[Scores, ...] = (tally.best,)
    if job.draws > 1:
        scores += ([{**line, "counted": is_counted(line, job.protocol)} for line in tally.mean],)
    return _Outcome(scores, seconds / job.draws, _peak_mib())


def _save(folder: Path, predictions: NDArray[np.float32], inputs: int) -> None:
    """Keep the predictions as they were scored, under the archive's names (``pred_5.npy``)."""
    import io

    make_folder(folder)
    for k, frame in enumerate(predictions, start=1):
        buffer = io.BytesIO()
        np.save(buffer, frame, allow_pickle=False)
        write_atomic(folder / f"pred_{inputs + k}.npy", buffer.getvalue())


def _peak_mib() -> float:
    """The largest resident set that this process has had, in MiB."""
    import psutil

    memory = psutil.Process().memory_info()
    if hasattr(memory, "peak_wset"):  # Windows
        return float(getattr(memory, "peak_wset")) / 2**20  # noqa: B009 -- unknown to other systems
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def _outcomes_from_parent(
    predictor: Predictor,
    job: _Job,
    todo: list[tuple[_Job, int, str | None]],
    executor: Executor,
    window: int,
    batch_size: int,
) -> Iterator[_Outcome]:
    """Workers read the inputs and score; this process predicts, in batches, in between."""
    limit_threads()  # as in a worker: the scores must not depend on how many there are
    scoring: deque[tuple[_Awaited, NDArray[np.float32], Future[Scores]]] = deque()

    def settle() -> Iterator[_Outcome]:
        clip, frames, future = scoring.popleft()
        clip.tally.add(result(future), frames)
        clip.missing -= 1
        if not clip.missing:
            yield _outcome(job, clip.index, clip.tally, clip.seconds)

    try:
        loaded = map_in_order(executor, _load_inputs, todo, window)
        pending = zip(todo, loaded, strict=True)
        for items in _batches(pending, batch_size):
            indices = [index for (_, index, _), _ in items]
            clips = [
                _Awaited(i, Tally(job.protocol, keep=job.predictions is not None), job.draws) for i in indices
            ]
            for sample in range(job.draws):
                predictions, seconds = predict_clips(
                    predictor, job.asked, indices, [inputs for _, inputs in items], sample
                )
                for (task, _), clip, predicted in zip(items, clips, predictions, strict=True):
                    clip.seconds += seconds
                    scoring.append((clip, predicted, submit(executor, _load_and_score, *task, predicted)))
                while scoring and (len(scoring) > window or scoring[0][2].done()):
                    yield from settle()
        while scoring:
            yield from settle()
    finally:
        for _, _, future in scoring:
            future.cancel()


@dataclass
class _Awaited:
    """A clip that the parent process predicts: what is scored of it, and how many samples are not yet."""

    index: int
    tally: Tally
    missing: int
    seconds: float = 0.0


def _batches(items: Iterable[tuple[Any, NDArray[np.uint8]]], size: int) -> Iterator[list[Any]]:
    """Groups of at most ``size`` neighbours whose arrays have one shape."""
    group: list[Any] = []
    for item in items:
        if group and (len(group) == size or group[0][1].shape != item[1].shape):
            yield group
            group = []
        group.append(item)
    if group:
        yield group


def evaluate_clips(
    predictor: Predictor,
    spec: PredictorSpec,
    label: str,
    clips: PreparedClips,
    protocol: Protocol,
    out: Path,
    executor: Executor,
    *,
    window: int = 8,
    batch_size: int = 1,
    limit: int | None = None,
    samples: Samples | None = None,
    save_predictions: bool = False,
    force: bool = False,
    progress: Callable[[], None] | None = None,
) -> tuple[Run, ...]:
    """Score a predictor on prepared clips, and keep the run on disk.

    The run's folder is ``out/<split>/<protocol>/<label>``. An interrupted run goes on where it stopped; the
    scores, and their order in the file, do not depend on the executor. Several samples of a stochastic
    predictor make two runs at once (:mod:`vpbench.predictors.samples`).

    Args:
        predictor: the predictor.
        spec: its name and options; workers make it anew from this unless it runs in the parent process.
        label: the run's label.
        clips: the prepared clips.
        protocol: the protocol.
        out: folder of runs.
        executor: what does the work.
        window: clips submitted ahead; memory grows with this, not with the number of clips.
        batch_size: clips that a predictor gets at once; above 1 it runs in the parent process.
        limit: score the first so many clips.
        samples: what to draw from a stochastic predictor; by default one sample, seed 0.
        save_predictions: keep the predictions as float32 arrays; of several samples, those that are best.
        force: give up a run in the folder that does not match, rather than refuse.
        progress: called after each clip.

    Returns:
        The run; for several samples, the runs of their best and of their mean scores.

    Raises:
        UsageError: predictor, clips and protocol do not fit, or the folder holds another run.
        VpbenchError: the predictor failed or returned something invalid; clips are damaged; the disk refuses;
            another process writes into the folder.
    """
    check_fits(predictor, spec.name, protocol.inputs, protocol.targets, protocol.name)
    clips.check_serves(protocol)
    check_metrics(protocol)
    clips = clips.only(sorted(clips.contents)[:limit])
    if samples is not None and not predictor.stochastic:
        raise UsageError(f"Predictor '{spec.name}' is deterministic; there are no samples to draw.")
    if predictor.stochastic:
        samples = samples or Samples()
    manifests = new_manifests(predictor, spec, label, clips, protocol, samples)
    for manifest in manifests:
        if not LABEL.fullmatch(manifest.label):
            raise UsageError(
                f"'{manifest.label}' cannot be a run's label, which names a folder: letters, digits and _ . , = + - "
                "only, at most 100."
            )
    folders = [out / clips.split.name / protocol.name / manifest.label for manifest in manifests]
    kept = protocol.targets if save_predictions else 0
    with ExitStack() as locks:
        for folder in folders:
            locks.enter_context(lock_folder(folder, wait=False))
        writers = [
            RunWriter(folder, manifest, kept if folder == folders[0] else 0, force, anew=not spec.remade)
            for folder, manifest in zip(folders, manifests, strict=True)
        ]
        in_parent = runs_in_parent(predictor, spec, batch_size)
        predictions = folders[0] / "predictions" if save_predictions else None
        job = _Job(
            clips.folder.absolute(),
            protocol,
            Asked(spec.name, protocol.targets, samples),
            None if in_parent else spec.absolute(),
            predictions and predictions.absolute(),
        )
        todo = [
            (job, index, None if clips.is_archive else content)
            for index, content in clips.contents.items()
            if any(index not in writer.done for writer in writers)
        ]
        if not all(writer.complete for writer in writers):
            outcomes = (
                _outcomes_from_parent(predictor, job, todo, executor, window, batch_size)
                if in_parent
                else map_in_order(executor, _predict_and_score, todo, window)
            )
            seconds, peak = [], _peak_mib() if in_parent else 0.0
            for outcome in outcomes:
                for writer, scores in zip(writers, outcome.scores, strict=True):
                    if scores[0]["clip"] not in writer.done:
                        writer.append(scores)
                seconds.append(outcome.seconds)
                peak = max(peak, _peak_mib() if in_parent else outcome.peak_mib)
                if progress:
                    progress()
            cost = Cost(
                ms_per_frame=round(statistics.median(seconds) / protocol.targets * 1e3, 3)
                if seconds and predictor.timed
                else None,
                frames_timed=len(seconds) * job.draws * protocol.targets if predictor.timed else 0,
                peak_memory_mib=round(peak, 1),
                parameters=manifests[0].predictor.description.get("parameters"),
            )
            for writer in writers:
                if not writer.complete:
                    writer.finish(now(), cost)
        return tuple(read_run(folder) for folder in folders)
