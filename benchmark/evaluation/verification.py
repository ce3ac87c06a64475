"""Verification: a run evaluated again, from its saved predictions or from its predictor, score by score.

A run names a predictor, and may come from a stranger: what it names is run only if it is installed here, or if the
user names it. Where the libraries, the platform and the prepared clips are those of the run, every score must be the
same to the last bit; elsewhere it must agree within a tolerance.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vpbench.clips.opening import Progress, no_progress, open_clips
from vpbench.errors import UsageError, VpbenchError
from vpbench.escape import plain
from vpbench.evaluation.engine import evaluate_clips
from vpbench.predictors.samples import SCORED, Samples
from vpbench.predictors.spec import FRAMES, PredictorSpec, predictor_names
from vpbench.runs.manifest import Manifest
from vpbench.runs.run import Run, score_lines
from vpbench.runs.untrusted import check_run
from vpbench.scoring.built_in import BUILT_IN, get_protocol
from vpbench.scoring.protocol import Protocol

TOLERANCE = 1e-9
# On what the last bits of scores depend.
_VERSIONS = ("vpbench", "python", "numpy", "opencv", "scipy", "torch", "platform", "device")


@dataclass(frozen=True)
class Verification:
    """What came of evaluating a run again.

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
    *,
    model: str | None = None,
    split: str | None = None,
    protocol: str | None = None,
    data: Path | None = None,
    workers: int | None = None,
    device: str = "cpu",
    tolerance: float = TOLERANCE,
    warn: Callable[[str], None] = lambda text: None,
    progress: Progress = no_progress,
) -> Verification:
    """Evaluate a run again and compare.

    Args:
        run: the run; it need not be complete.
        model: the predictor, as for ``--model``, where the run has no saved predictions and names none that is
            installed; must be what the run names, in the same version.
        split: folder or CSV file, if the run's split is none of vpbench's.
        protocol: TOML file, if the run's protocol is none of vpbench's.
        data: folder of videos, of prepared clips, or the authors' archive.
        workers: worker processes.
        device: where a trained model runs.
        tolerance: largest difference that is accepted where versions differ.
        warn: called with a warning for people.
        progress: shows progress.

    Raises:
        UsageError: the predictor, split, protocol or clips of the run cannot be had.
        VpbenchError: the run is damaged, or evaluating fails.
    """
    rules = _protocol(check_run(run, partial=True, complete=False), protocol)
    known = run.split(split)
    spec, source = _predictor(run, model)
    predictor = spec.create(device)
    weights = run.recorded.predictor.description.get("weights")
    if not spec.name.startswith(FRAMES) and predictor.describe().get("weights") != weights:
        raise UsageError(f"Predictor '{spec.name}' has other weights than the run (hash {plain(weights)}).")
    samples = _samples(run) if predictor.stochastic else None
    if (run.manifest.samples is not None) != predictor.stochastic and not spec.name.startswith(FRAMES):
        raise UsageError(f"Predictor '{spec.name}' and the run do not agree on whether it is stochastic.")
    clips = list(run.clips)
    if not run.manifest.complete:
        clips = sorted(set(run.scores["clip"].tolist()))
        warn(f"The run is not complete; the {len(clips)} clips that it scored are verified.")
    if not clips:
        raise UsageError(f"{run.folder} has no scores yet.")
    with (
        open_clips(known, data, rules, only=clips, workers=workers, warn=warn, progress=progress) as opened,
        tempfile.TemporaryDirectory(prefix="vpbench-") as folder,
        progress(f"Verifying {run.label}", len(clips)) as step,
    ):
        made = evaluate_clips(
            predictor,
            spec,
            "again",
            opened.clips,
            rules,
            Path(folder),
            opened.executor,
            window=opened.window,
            samples=samples,
            progress=step,
        )
    drawn = run.manifest.samples
    again = made[SCORED.index(drawn.scored)] if drawn and len(made) > 1 else made[0]
    return _compare(run, again, source, tolerance)


def _protocol(said: Protocol, name: str | None) -> Protocol:
    """The run's protocol, one of vpbench's or named by the user: a stranger's could name files as parameters."""
    if name is None and said.name not in BUILT_IN:
        raise UsageError(
            f"The run's protocol '{said.name}' is not one of vpbench's; give it as --protocol FILE.toml."
        )
    known = get_protocol(name or said.name)
    if known.hash != said.hash:
        raise UsageError(
            f"The run's protocol '{said.name}' (hash {said.hash}) is not '{known.name}' ({known.hash})."
        )
    return known


def _predictor(run: Run, model: str | None) -> tuple[PredictorSpec, str]:
    """What predicts, and in words what that is."""
    saved = run.folder / "predictions"
    if saved.is_symlink():
        raise VpbenchError(f"{saved} is a symbolic link, which is not followed.")
    if model is None and saved.is_dir():
        return PredictorSpec(f"{FRAMES}{saved}"), "its saved predictions"
    said, name = run.recorded.predictor, run.manifest.predictor.name
    if model is not None:
        spec = PredictorSpec.parse(model)
    elif said.name in predictor_names():
        options = ((str(key), str(value)) for key, value in said.options.items())
        spec = PredictorSpec(said.name, tuple(sorted(options)))
    else:
        raise UsageError(
            f"{run.folder} has no saved predictions, and its predictor '{name}' is not installed here. "
            "Name it with --model, or run it with --save-predictions."
        )
    here, there = spec.identity(), said.identity()
    for key in ("sha256", "class", "options"):
        if here.get(key) != there.get(key):
            raise UsageError(
                f"The run is of predictor '{name}' with {key} {plain(there.get(key))}; '{spec.name}' has "
                f"{plain(here.get(key))}."
            )
    return spec, f"predictor '{plain(spec.name)}'"


def _samples(run: Run) -> Samples | None:
    drawn = run.manifest.samples
    return None if drawn is None else Samples(drawn.count, drawn.seed)


def _compare(run: Run, again: Run, source: str, tolerance: float) -> Verification:
    changed = _changes(run.manifest, again.manifest)
    allowed = tolerance if changed else 0.0
    new = {(line["clip"], line["frame"]): line for line in score_lines(again)}
    first, largest, frames = None, None, 0
    for line in score_lines(run):
        frames += 1
        other = new[line["clip"], line["frame"]]
        for column in (*run.metrics, "moving", "counted"):
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
    """What differs of that on which the last bits of scores depend, in words."""
    saved = now.predictor.name.startswith(FRAMES)  # by which torch and the device do not matter
    changes = []
    old, new = then.predictor.distribution, now.predictor.distribution
    if old != new and not saved:
        changes.append(f"predictor of {plain(old)}, now {plain(new)}")
    for key in _VERSIONS:
        old, new = getattr(then.environment, key), getattr(now.environment, key)
        if old != new and not (saved and key in ("torch", "device")):
            changes.append(f"{key} {plain(old)}, now {plain(new)}")
    clips = now.prepared.clips
    differing = [index for index in clips if then.prepared.clips.get(index) != clips[index]]
    if differing:
        changes.append(
            f"{len(differing)} of {len(clips)} prepared clips differ in pixels or flow, clip {differing[0]} is the "
            "first"
        )
    return tuple(changes)
