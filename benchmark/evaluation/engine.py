"""The engine: prepared clips × an entrant × a protocol → a run."""

from __future__ import annotations

import io
import statistics
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vpbench.clips.prepared import PreparedClips
from vpbench.errors import UsageError
from vpbench.evaluation.manifests import new_manifests, now
from vpbench.evaluation.pipeline import ClipTally, Job, outcomes
from vpbench.evaluation.prediction import PredictionRequest, multiply_adds, peak_mib
from vpbench.files import below, lock_folder, make_folder, write_atomic
from vpbench.parallel.execution import Execution
from vpbench.predictors.entrant import Entrant
from vpbench.predictors.samples import Tally
from vpbench.runs.manifest import LABEL, LABELS, Cost, Manifest
from vpbench.runs.run import Run, frame_facts_of, read_run
from vpbench.runs.writer import SAVED, RunWriter, is_finished
from vpbench.scoring.clip import Clip
from vpbench.scoring.frame_facts import frame_facts
from vpbench.scoring.protocol import Protocol
from vpbench.scoring.score import Scores, check_metrics, is_counted, score_clip

_Facts = dict[str, float | None]


@dataclass(frozen=True)
class Known:
    """What earlier runs have found out already.

    Attributes:
        frames: a run that was made on the same clips under the same protocol just now: what it says about the frames,
            whoever predicts them, is not computed again.
        predicted_by: the manifest of the run that made the frames which the predictor only looks up: the new run is
            of its predictor, and costs what it cost.
    """

    frames: Run | None = None
    predicted_by: Manifest | None = None


@dataclass(frozen=True, eq=False)
class Plan:
    """A run that is to be made, or the runs of several samples.

    Attributes:
        entrant: what predicts.
        clips: on which clips.
        protocol: under which protocol.
        manifests: of the runs, as they begin.
        folders: where each goes.
    """

    entrant: Entrant
    clips: PreparedClips
    protocol: Protocol
    manifests: tuple[Manifest, ...]
    folders: tuple[Path, ...]

    @property
    def finished(self) -> bool:
        """Whether the runs are there and complete."""
        return all(map(is_finished, self.folders, self.manifests))


def evaluate_clips(
    entrant: Entrant,
    clips: PreparedClips,
    protocol: Protocol,
    out: Path,
    execution: Execution,
    *,
    save_predictions: bool = False,
    force: bool = False,
    known: Known | None = None,
) -> tuple[Run, ...]:
    """Score a predictor on prepared clips, and keep the run on disk: :func:`plan_runs` and :func:`carry_out`.

    The run's folder is ``out/<split>/<protocol>/<label>``. An interrupted run resumes where it stopped; the
    scores, and their order in the file, do not depend on how the work is executed. Several samples of a stochastic
    predictor make two runs at once (:mod:`vpbench.predictors.samples`).

    Args:
        entrant: the predictor, with its label and what is drawn from it.
        clips: the prepared clips.
        protocol: the protocol.
        out: folder of runs.
        execution: how the work is executed.
        save_predictions: keep the predictions as float32 arrays; of several samples, the best ones.
        force: discard a run in the folder that does not match, rather than refuse.
        known: what earlier runs have found out already.

    Returns:
        The run; for several samples, the runs of their best and of their mean scores.

    Raises:
        UsageError: predictor, clips and protocol do not fit, or the folder holds another run.
        VpbenchError: the predictor failed or returned something invalid; clips are damaged; the disk is full or
            read-only; another process is writing into the folder.
    """
    plan = plan_runs(entrant, clips, protocol, out, None if known is None else known.predicted_by)
    return carry_out(plan, execution, keep=SAVED if save_predictions else None, force=force, known=known)


def plan_runs(
    entrant: Entrant,
    clips: PreparedClips,
    protocol: Protocol,
    out: Path,
    predicted_by: Manifest | None = None,
) -> Plan:
    """What there is to do to score a predictor on prepared clips; nothing is done yet.

    Args:
        entrant: the predictor, with its label and what is drawn from it.
        clips: the prepared clips.
        protocol: the protocol.
        out: folder of runs.
        predicted_by: as of :class:`Known`.

    Raises:
        UsageError: predictor, clips and protocol do not fit, or the label cannot name a folder.
        VpbenchError: what the predictor says about itself could not be kept.
    """
    entrant.check_fits(protocol)
    clips.check_serves(protocol)
    check_metrics(protocol)
    clips = clips.only(sorted(clips.contents))
    manifests = tuple(new_manifests(entrant, clips, protocol, predicted_by))
    return Plan(entrant, clips, protocol, manifests, tuple(_run_folder(out, one) for one in manifests))


def carry_out(
    plan: Plan,
    execution: Execution,
    *,
    keep: str | None = None,
    force: bool = False,
    known: Known | None = None,
    frames: Path | None = None,
) -> tuple[Run, ...]:
    """Make the runs of a plan; what is returned and raised is that of :func:`evaluate_clips`.

    Args:
        plan: the plan.
        execution: how the work is executed.
        keep: the folder in that of the run where the predictions are kept; ``None``: they are not.
        force: discard a run in the folder that does not match, rather than refuse.
        known: what earlier runs have found out already.
        frames: folder of the frames that the plan's predictor has predicted already; they are looked up.
    """
    known = known or Known()
    entrant = plan.entrant if frames is None else Entrant.of_frames(plan.entrant.label, frames)
    first = plan.folders[0]
    with ExitStack() as locks:
        for folder in plan.folders:
            locks.enter_context(lock_folder(folder, wait=False))
        writers = [
            RunWriter(
                folder,
                manifest,
                keep if folder == first else None,
                force,
                anew=not plan.entrant.spec.remade,
            )
            for folder, manifest in zip(plan.folders, plan.manifests, strict=True)
        ]
        if not all(writer.complete for writer in writers):
            saved = None if keep is None else (first / keep).absolute()
            described = {} if known.frames is None else _frame_facts(known.frames)
            request = PredictionRequest(entrant.spec.name, plan.protocol.targets, entrant.samples)
            job = _Job(plan.protocol, request, saved, not described.keys() >= plan.clips.contents.keys())
            cost = _score_missing(job, entrant, plan.clips, writers, execution, described)
            if known.predicted_by is not None:
                cost = known.predicted_by.cost or cost
            for writer in writers:
                if not writer.complete:
                    writer.finish(now(), cost)
        return tuple(read_run(folder) for folder in plan.folders)


def _run_folder(out: Path, manifest: Manifest) -> Path:
    if not LABEL.fullmatch(manifest.label):
        raise UsageError(f"'{manifest.label}' cannot be a run's label, which names a folder: {LABELS}.")
    return below(out, manifest.split.name, manifest.protocol.name, manifest.label)


def _frame_facts(run: Run) -> dict[int, list[_Facts]]:
    """What a run says about the frames of each clip."""
    facts: dict[int, list[_Facts]] = defaultdict(list)
    columns = {key: values.tolist() for key, values in run.scores.items()}
    for row, clip in enumerate(columns["clip"]):
        facts[clip].append(frame_facts_of(columns, row))
    return facts


def _score_missing(
    job: _Job,
    entrant: Entrant,
    clips: PreparedClips,
    writers: list[RunWriter],
    execution: Execution,
    known: dict[int, list[_Facts]],
) -> Cost:
    """Score the clips that a writer has not yet; returns what it cost."""
    missing = [index for index in clips.contents if any(index not in writer.done for writer in writers)]
    in_parent = entrant.runs_in_parent(execution.batch_size)
    shape = next(iter(clips)).load(job.reading, inputs_only=True).inputs.shape
    adds = multiply_adds(entrant.predictor, job.request, shape)  # before the work, as it may fail
    seconds, peak = [], peak_mib() if in_parent else 0.0
    for outcome in outcomes(job, entrant, clips.only(missing), execution):
        for writer, scores in zip(writers, outcome.scores, strict=True):
            if (clip := scores[0]["clip"]) not in writer.done:
                facts = [{}] * len(scores) if job.describes else known[clip]
                writer.append([line | of_frame for line, of_frame in zip(scores, facts, strict=True)])
        seconds.append(outcome.seconds)
        peak = max(peak, peak_mib() if in_parent else outcome.peak_mib)
        execution.progress()
    timed, targets = entrant.predictor.timed, job.reading.targets
    return Cost(
        ms_per_frame=round(statistics.median(seconds) / targets * 1e3, 3) if seconds and timed else None,
        frames_timed=len(seconds) * job.request.draws * targets if timed else 0,
        peak_memory_mib=round(peak, 1),
        parameters=writers[0].manifest.predictor.description.get("parameters"),
        multiply_adds=adds,
        frame_size=None if adds is None else (shape[1], shape[2]),
    )


@dataclass(frozen=True)
class _Outcome:
    """A clip's scores for each run, the seconds that predicting it once took, and the peak memory in MiB."""

    scores: tuple[Scores, ...]
    seconds: float
    peak_mib: float


@dataclass(frozen=True)
class _Job(Job[Scores, _Outcome]):
    """Scores under one protocol.

    Attributes:
        predictions: the folder to keep frames in, if they are kept.
        describes: whether score lines also say what holds of the frame whoever predicts it.
    """

    predictions: Path | None
    describes: bool

    def score(self, clip: Clip, predictions: NDArray[np.float32]) -> Scores:
        lines = score_clip(clip, predictions, self.reading)
        if not self.describes:
            return lines
        facts = frame_facts(clip, self.reading, (predictions, lines))
        return [line | of_frame for line, of_frame in zip(lines, facts, strict=True)]

    def tally(self, index: int) -> _ClipTally:
        return _ClipTally(self, index)


class _ClipTally(ClipTally[Scores, _Outcome]):
    """Combines the scores of a clip's samples into those of its runs."""

    def __init__(self, job: _Job, index: int) -> None:
        self._job, self._index = job, index
        self._samples = Tally(job.reading, keep=job.predictions is not None)
        self._seconds = 0.0

    def add(self, scored: Scores, predictions: NDArray[np.float32], seconds: float) -> None:
        self._samples.add(scored, predictions)
        self._seconds += seconds

    def outcome(self) -> _Outcome:
        """The scores for each run; saves the frames that the first run's scores are of."""
        job, samples = self._job, self._samples
        if job.predictions is not None and samples.frames is not None:
            _save(job.predictions / str(self._index), samples.frames, job.reading.inputs)
        scores: tuple[Scores, ...] = (samples.best,)
        if job.request.draws > 1:
            scores += ([{**line, "counted": is_counted(line, job.reading)} for line in samples.mean],)
        return _Outcome(scores, self._seconds / job.request.draws, peak_mib())


def _save(folder: Path, predictions: NDArray[np.float32], inputs: int) -> None:
    """Keep the predictions as they were scored, under the archive's names (``pred_5.npy``)."""
    make_folder(folder)
    for k, frame in enumerate(predictions, start=1):
        buffer = io.BytesIO()
        np.save(buffer, frame, allow_pickle=False)
        write_atomic(folder / f"pred_{inputs + k}.npy", buffer.getvalue())
