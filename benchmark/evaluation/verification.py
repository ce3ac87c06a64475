"""Verification: a run evaluated again, from its saved predictions or from its predictor, score by score.

A run names a predictor, and is not trusted: what it names is run only if it is installed here, or if the
user names it. Where the libraries, the platform and the prepared clips are those of the run, every score must be the
same to the last bit; elsewhere it must agree within a tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from vpbench.clips.opening import Warn, no_warning, open_clips
from vpbench.errors import UsageError
from vpbench.escape import plain
from vpbench.evaluation.engine import evaluate_clips
from vpbench.evaluation.replay import (
    Replay,
    ReplayError,
    clips_of_run,
    predictor_again,
    protocol_of_run,
    saved_predictions,
)
from vpbench.files import temporary_folder
from vpbench.parallel.execution import ProgressBar, Workers, no_progress_bar
from vpbench.predictors.entrant import Entrant
from vpbench.predictors.samples import SCORED, Samples
from vpbench.predictors.spec import FRAMES
from vpbench.runs.environment import LAST_BITS, OF_PREDICTIONS
from vpbench.runs.manifest import Manifest
from vpbench.runs.run import Run, score_lines
from vpbench.runs.untrusted import check_run
from vpbench.scoring.protocol import FRAME_FACTS

TOLERANCE = 1e-9


@dataclass(frozen=True)
class Verification:
    """The result of evaluating a run again.

    Attributes:
        frames: number of frames compared.
        metrics: names of the metrics compared.
        source: what the predictions came from, in words.
        changed: what differs between then and now, in words; empty if the scores must be exactly equal.
        largest: the largest difference of a score, and where, in words; ``None`` if all are equal.
        first: the first difference that is too large, in words; ``None`` if there is none.
        tolerance: the largest difference that is not too large.
    """

    frames: int
    metrics: tuple[str, ...]
    source: str
    changed: tuple[str, ...]
    largest: tuple[float, str] | None
    first: str | None
    tolerance: float


def verify(
    run: Run,
    replay: Replay,
    workers: Workers,
    *,
    protocol: str | None = None,
    tolerance: float = TOLERANCE,
    warn: Warn = no_warning,
    progress: ProgressBar = no_progress_bar,
) -> Verification:
    """Evaluate a run again and compare.

    Args:
        run: the run; it need not be complete.
        replay: where its clips are, and its predictor where the run has no saved predictions and names none that is
            installed; that must be what the run names, in whatever version.
        workers: who does the work.
        protocol: TOML file, if the run's protocol is not one of vpbench's.
        tolerance: largest difference that is accepted where versions differ.
        warn: called with a warning for the user.
        progress: shows progress.

    Raises:
        UsageError: the predictor, split, protocol or clips of the run are not available.
        VpbenchError: the run is damaged, or evaluating fails.
    """
    check_run(run, partial=True, complete=False)
    rules = protocol_of_run(run, protocol)
    entrant, source = _entrant(run, replay)
    scored = _scored_clips(run, warn)
    request = clips_of_run(run, replay.clips, scored)
    with (
        open_clips(request, rules, workers, warn=warn, progress=progress) as opened,
        temporary_folder() as folder,
        progress(f"Verifying {run.label}", len(scored)) as step,
    ):
        made = evaluate_clips(entrant, opened.clips, rules, folder, replace(opened.execution, progress=step))
    drawn = run.manifest.samples
    again = made[SCORED.index(drawn.scored)] if drawn and len(made) > 1 else made[0]
    return _compare(run, again, source, tolerance)


def _entrant(run: Run, replay: Replay) -> tuple[Entrant, str]:
    """What predicts, and a description of it."""
    named = next(iter(replay.models), None)
    saved = saved_predictions(run)
    if saved is not None and named is None:
        return Entrant.of_frames("again", saved), "its saved predictions"
    try:
        spec, predictor = predictor_again(run, named, replay.device, any_version=True)
    except ReplayError as error:
        raise UsageError(f"{run.folder} cannot be evaluated again: {error}.") from None
    drawn = run.manifest.samples
    samples = None if drawn is None else Samples(drawn.count, drawn.seed)
    return Entrant("again", spec, predictor, samples), f"predictor '{plain(spec.name)}'"


def _scored_clips(run: Run, warn: Warn) -> list[int]:
    """The clips that the run scored; of one that is not complete, those that it has."""
    if run.manifest.complete:
        return list(run.clips)
    clips = sorted(set(run.scores["clip"].tolist()))
    if not clips:
        raise UsageError(f"{run.folder} has no scores yet.")
    warn(f"The run is not complete; the {len(clips)} clips that it scored are verified.")
    return clips


def _compare(run: Run, again: Run, source: str, tolerance: float) -> Verification:
    changed = _changes(run.manifest, again.manifest)
    allowed = tolerance if changed else 0.0
    new = {(line["clip"], line["frame"]): line for line in score_lines(again)}
    first, largest, frames = None, None, 0
    for line in score_lines(run):
        frames += 1
        other = new[line["clip"], line["frame"]]
        for column in (*run.metrics, "moving", "counted", *(FRAME_FACTS if run.has_frame_facts else ())):
            if line[column] == other[column]:
                continue
            place = f"clip {line['clip']}, frame {line['frame']}, {column}"
            where = f"{place}: {line[column]} in the run, {other[column]} now"
            if line[column] is None or other[column] is None or column == "counted":
                first = first or where
                continue
            difference = abs(line[column] - other[column])
            if largest is None or difference > largest[0]:
                largest = (difference, where)
            if difference > allowed:
                first = first or where
    return Verification(frames, tuple(run.metrics), source, changed, largest, first, allowed)


def _changes(then: Manifest, now: Manifest) -> tuple[str, ...]:
    """What differs among the things that the last bits of scores depend on, in words."""
    saved = now.predictor.name.startswith(FRAMES)  # by which torch and the device do not matter
    changes = []
    old, new = then.predictor.distribution, now.predictor.distribution
    if old != new and not saved:
        changes.append(f"predictor of {old}, now {new}")
    for key in LAST_BITS:
        old, new = getattr(then.environment, key), getattr(now.environment, key)
        if old != new and not (saved and key in OF_PREDICTIONS):
            changes.append(f"{key} {old}, now {new}")
    clips = now.prepared.clips
    differing = [index for index in clips if then.prepared.clips.get(index) != clips[index]]
    if differing:
        changes.append(
            f"{len(differing)} of {len(clips)} prepared clips differ in pixels or flow, clip {differing[0]} is the "
            "first"
        )
    return tuple(changes)
