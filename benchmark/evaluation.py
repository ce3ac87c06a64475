"""The engine: prepared clips × a predictor × a protocol → a run. A map over clips on an executor."""

from __future__ import annotations

import inspect
import json
import math
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vpbench.clips import Clip, PreparedClips, load_clip
from vpbench.errors import UsageError, VpbenchError
from vpbench.files import lock_folder, make_folder, write_atomic
from vpbench.masks import moving_area
from vpbench.metrics import get_metric
from vpbench.predictor import Predictor, PredictorSpec, check_fits, check_predictions
from vpbench.protocol import Masking, Protocol
from vpbench.runs import KIND, LABEL, SCHEMA, Run, RunWriter, read_run
from vpbench.samples import SCORED, Samples, Scored, Tally
from vpbench.workers import limit_threads, map_in_order, result, submit

Scores = list[dict[str, Any]]


def score_clip(clip: Clip, predictions: NDArray[np.float32], protocol: Protocol) -> Scores:
    """Score the predictions of one clip.

    Args:
        clip: with its targets, and the flow or flow images that the protocol's mask rule needs.
        predictions: ``(targets, H, W, 3)`` in [0, 1], RGB; scored as they are, neither clipped nor rounded.
        protocol: how.

    Returns:
        A line for each predicted frame, as in ``scores.jsonl``: an undefined score is ``None``.
    """
    lines = []
    for k in range(protocol.targets):
        mask = moving_area(
            protocol.mask,
            None if clip.flows is None else clip.flows[k],
            None if clip.flow_images is None else clip.flow_images[k],
        )
        line: dict[str, Any] = {"clip": clip.index, "frame": k + 1}
        line.update(_score_frame(clip.targets[k], predictions[k], mask, protocol))
        moving = 1.0 if mask is None else float(np.count_nonzero(mask)) / mask.size
        line["moving"] = moving
        line["counted"] = is_counted(line, protocol)
        lines.append(line)
    return lines


def _score_frame(
    target: NDArray[np.uint8],
    prediction: NDArray[np.float32],
    mask: NDArray[np.bool_] | None,
    protocol: Protocol,
) -> dict[str, float | None]:
    images: dict[Masking, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    scores: dict[str, float | None] = {}
    for column, use in protocol.metrics.items():
        if use.masking not in images:
            true, predicted = target, prediction
            if use.masking == "black" and mask is not None:
                true, predicted = _blackened(target, mask), _blackened(prediction, mask)
            images[use.masking] = (_scaled(true), predicted.astype(np.float64))
        score = get_metric(use.metric).function(
            *images[use.masking],
            data_range=1.0,
            mask=mask if use.masking == "inside" else None,
            **use.parameters,
        )
        scores[column] = float(score) if math.isfinite(score) else None
    return scores


def _blackened(image: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[Any]:
    """The image with its pixels outside the mask at 0."""
    return np.asarray(cv2.copyTo(image, mask.view(np.uint8)))


def _scaled(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """uint8 as float64 in [0, 1]."""
    scaled = image.astype(np.float64)
    scaled /= 255.0
    return scaled


def _check_metrics(protocol: Protocol) -> None:
    """Refuse, before anything is written, metrics that are not installed or do not take their parameters."""
    for column, use in protocol.metrics.items():
        taken = inspect.signature(get_metric(use.metric).function).parameters
        given = set(use.parameters) - {"target", "prediction", "data_range", "mask"}
        open_ended = any(p.kind is p.VAR_KEYWORD for p in taken.values())
        wrong = sorted(set(use.parameters) - (given if open_ended else given & set(taken)))
        if wrong:
            raise UsageError(
                f"Protocol '{protocol.name}', column '{column}': metric '{use.metric}' has no parameter '{wrong[0]}'."
            )


def is_counted(line: dict[str, Any], protocol: Protocol) -> bool:
    """Whether a protocol's means count the frame of a score line."""
    if any(line[column] is None for column in protocol.metrics):
        return False
    if protocol.skip_empty and line["moving"] == 0:
        return False
    return protocol.exclude is None or line[protocol.exclude.column] < protocol.exclude.at_least


@dataclass(frozen=True)
class _Job:
    """All that a worker needs to know about a run; the clips follow one by one."""

    clips: Path
    protocol: Protocol
    name: str
    spec: PredictorSpec | None
    samples: Samples | None
    predictions: Path | None

    @property
    def draws(self) -> int:
        return self.samples.count if self.samples else 1


@dataclass(frozen=True)
class _Outcome:
    """A clip's scores for each run, the seconds that predicting it once took, and the peak memory in MiB."""

    scores: tuple[Scores, ...]
    seconds: float
    peak_mib: float


_predictors: dict[PredictorSpec, Predictor] = {}  # made once in each worker process


def _predict_and_score(job: _Job, index: int, content: str | None) -> _Outcome:
    """Everything for one clip, in a worker."""
    limit_threads()
    assert job.spec is not None  # noqa: S101 -- only predictors that can be made anew come here
    if job.spec not in _predictors:
        _predictors[job.spec] = job.spec.create()
    clip = load_clip(job.clips, index, job.protocol, content)
    tally, total = Tally(job.protocol, keep=job.predictions is not None), 0.0
    for sample in range(job.draws):
        predictions, seconds = _predict(_predictors[job.spec], job, [index], [clip.inputs], sample)
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


def _predict(
    predictor: Predictor, job: _Job, indices: list[int], inputs: list[NDArray[np.uint8]], sample: int
) -> tuple[list[NDArray[np.float32]], float]:
    """Predictions for a batch of clips of one size, checked, and the seconds per clip."""
    batch = [clip.astype(np.float32) for clip in inputs]
    for clip in batch:
        clip /= np.float32(255)  # in place: numpy divides uint8 into float32 six times as slowly
    clips = ", ".join(map(str, indices))
    start = time.perf_counter()
    try:
        if job.samples is None:
            predictions = list(predictor.predict_clips(indices, batch, job.protocol.targets))
        else:
            seeds = [job.samples.seed_of(index, sample) for index in indices]
            predictions = list(predictor.sample_batch(batch, job.protocol.targets, seeds))
    except VpbenchError as error:
        raise VpbenchError(f"Predictor '{job.name}', clip {clips}: {error}") from error
    except Exception as error:
        raise VpbenchError(f"Predictor '{job.name}', clip {clips}: raised {_told(error)}.") from error
    seconds = (time.perf_counter() - start) / len(batch)
    if len(predictions) != len(batch):
        raise VpbenchError(
            f"Predictor '{job.name}', clip {clips}: it returned {len(predictions)} predictions for "
            f"{len(batch)} clips."
        )
    height, width = inputs[0].shape[1:3]
    shape = (job.protocol.targets, height, width, 3)
    checked = [check_predictions(p, job.name, i, shape) for i, p in zip(indices, predictions, strict=True)]
    return checked, seconds


def _told(error: Exception) -> str:
    """An exception and the place where it was raised."""
    import traceback

    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({last.filename}:{last.lineno})"


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
                predictions, seconds = _predict(
                    predictor, job, indices, [inputs for _, inputs in items], sample
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
    predictor make two runs at once (:mod:`vpbench.samples`).

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
    _check_metrics(protocol)
    clips = clips.only(sorted(clips.contents)[:limit])
    if samples is not None and not predictor.stochastic:
        raise UsageError(f"Predictor '{spec.name}' is deterministic; there are no samples to draw.")
    if predictor.stochastic:
        samples = samples or Samples()
    manifests = _manifests(predictor, spec, label, clips, protocol, samples)
    for manifest in manifests:
        if not LABEL.fullmatch(manifest["label"]):
            raise UsageError(
                f"'{manifest['label']}' cannot be a run's label, which names a folder: letters, digits and _ . , = + - "
                "only, at most 100."
            )
    folders = [out / clips.split["name"] / protocol.name / manifest["label"] for manifest in manifests]
    kept = protocol.targets if save_predictions else 0
    with ExitStack() as locks:
        for folder in folders:
            locks.enter_context(lock_folder(folder, wait=False))
        writers = [
            RunWriter(folder, manifest, kept if folder == folders[0] else 0, force, anew=not spec.remade)
            for folder, manifest in zip(folders, manifests, strict=True)
        ]
        in_parent = (
            not spec.remade or predictor.runs_in == "parent" or batch_size > 1 or predictor.device != "cpu"
        )
        predictions = folders[0] / "predictions" if save_predictions else None
        job = _Job(
            clips.folder.absolute(),
            protocol,
            spec.name,
            None if in_parent else spec.absolute(),
            samples,
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
            cost = {
                "ms_per_frame": round(statistics.median(seconds) / protocol.targets * 1e3, 3)
                if seconds and predictor.timed
                else None,
                "frames_timed": len(seconds) * job.draws * protocol.targets if predictor.timed else 0,
                "peak_memory_mib": round(peak, 1),
                "parameters": manifests[0]["predictor"]["description"].get("parameters"),
            }
            for writer in writers:
                if not writer.complete:
                    writer.finish({"finished": _now(), "cost": cost})
        return tuple(read_run(folder) for folder in folders)


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat(timespec="seconds")


def _description(predictor: Predictor, name: str) -> dict[str, Any]:
    """What the predictor says of itself, as it will be read back from the manifest."""
    try:
        description: dict[str, Any] = json.loads(json.dumps(predictor.describe(), allow_nan=False))
    except VpbenchError:
        raise
    except Exception as error:
        raise VpbenchError(
            f"Predictor '{name}': describe() must return JSON data, but: {_told(error)}."
        ) from error
    return description


def _manifests(
    predictor: Predictor,
    spec: PredictorSpec,
    label: str,
    clips: PreparedClips,
    protocol: Protocol,
    samples: Samples | None,
) -> list[dict[str, Any]]:
    """The manifests of the runs that will be made: one, or for several samples one for each way to score them."""
    manifest = _manifest(predictor, spec, label, clips, protocol)
    if samples is None:
        return [manifest]

    def of(scored: Scored) -> dict[str, Any]:
        said = manifest["predictor"]["description"]
        marks = [*(said.get("marks") or ()), samples.mark(scored, protocol)]
        return {
            **manifest,
            "label": samples.run_label(label, scored),
            "predictor": {**manifest["predictor"], "description": {**said, "marks": marks}},
            "samples": {"count": samples.count, "seed": samples.seed, "scored": scored},
        }

    return [of(scored) for scored in SCORED[: 1 if samples.count == 1 else None]]


def _manifest(
    predictor: Predictor,
    spec: PredictorSpec,
    label: str,
    clips: PreparedClips,
    protocol: Protocol,
) -> dict[str, Any]:
    from vpbench.environment import environment

    split = clips.split
    return {
        "kind": KIND,
        "schema": SCHEMA,
        "label": label,
        "predictor": {**spec.identity(), "description": _description(predictor, spec.name)},
        "protocol": {
            "name": protocol.name,
            "version": protocol.version,
            "hash": protocol.hash,
            "definition": protocol.definition(),
        },
        "split": {
            "name": split["name"],
            "hash": split["hash"],
            "total": split["total"],
            "found": split["total"] - len(split["missing"]),
            "scored": len(clips.contents),
        },
        "prepared": {
            "hash": clips.hash,
            "flow": clips.flow,
            "decoder": clips.decoder,
            "clips": {str(index): content for index, content in clips.contents.items()},
        },
        "environment": environment(predictor.device, torch=predictor.runs_in == "parent"),
        "started": _now(),
        "finished": None,
        "cost": None,
    }
