"""A suite is run: each predictor predicts once for all protocols that ask for the same inputs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from vpbench.clips.manifest import Geometry
from vpbench.clips.opening import ClipRequest, OpenClips, Warn, no_warning, open_clips
from vpbench.errors import VpbenchError
from vpbench.evaluation.engine import Known, carry_out, plan_runs
from vpbench.files import lock_folder
from vpbench.parallel.execution import ProgressBar, Workers, no_progress_bar
from vpbench.predictors.entrant import Entrant
from vpbench.predictors.spec import PredictorSpec
from vpbench.runs.run import Run
from vpbench.runs.writer import KEPT, has_frames
from vpbench.scoring.built_in import get_protocol
from vpbench.scoring.protocol import Protocol
from vpbench.signals import unbroken
from vpbench.suite.definition import Suite

# A split and a protocol, by name.
Cell = tuple[str, str]
_Opened = list[tuple[Protocol, OpenClips]]


@dataclass
class SuiteRuns:
    """What a suite made.

    Attributes:
        suite: what was asked for.
        runs: for each split and protocol its runs, in the order of the predictors.
        failures: what failed, and why.
        notes: what was left out, since it does not fit.
    """

    suite: Suite
    runs: dict[Cell, list[Run]] = field(default_factory=dict)
    failures: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class SuiteOptions:
    """Where and how a suite is run.

    Attributes:
        out: folder of runs.
        clips: where the clips are; its split is the suite's.
        workers: who does the work.
        device: where trained models run.
        batch_size: clips at once.
        force: discard runs in the folder that do not match.
        warn: called with a warning for the user.
        progress: shows progress.
    """

    out: Path
    clips: ClipRequest
    workers: Workers
    device: str = "cpu"
    batch_size: int = 1
    force: bool = False
    warn: Warn = no_warning
    progress: ProgressBar = no_progress_bar


def run_suite(suite: Suite, options: SuiteOptions) -> SuiteRuns:
    """Run what is not there yet, and go on past what fails.

    Run again, it resumes, and tries what failed again.

    Raises:
        UsageError: a predictor, protocol or split is unknown.
    """
    specs = [PredictorSpec.parse(model) for model in suite.models]
    protocols = [get_protocol(name) for name in suite.protocols]
    made = SuiteRuns(suite)
    for split in suite.splits:
        request = replace(options.clips, split=split)
        try:
            if request.kind == "videos":
                request.find_split()
            named = protocols or [get_protocol(request.protocol)]
        except VpbenchError as error:
            made.failures.append((split, str(error)))
            continue
        for group in _with_the_same_inputs([request.adapt(protocol) for protocol in named]):
            with ExitStack() as stack:
                opened = _open(split, request, group, options, stack, made)
                for spec in specs if opened else ():
                    _run_model(spec, split, opened, options, made)
    return made


def _with_the_same_inputs(protocols: Sequence[Protocol]) -> list[list[Protocol]]:
    """Groups of protocols for which a predictor gets the same frames; in each the furthest horizon comes first."""
    groups: dict[Geometry, list[Protocol]] = {}
    for protocol in protocols:
        groups.setdefault(Geometry.of(protocol).of_inputs, []).append(protocol)
    return [sorted(group, key=lambda protocol: -protocol.targets) for group in groups.values()]


def _open(
    split: str,
    request: ClipRequest,
    group: Sequence[Protocol],
    options: SuiteOptions,
    stack: ExitStack,
    made: SuiteRuns,
) -> _Opened:
    """The clips for each protocol of a group; those that cannot be opened are failures."""
    opened = []
    for protocol in group:
        try:
            clips = open_clips(
                request, protocol, options.workers, warn=options.warn, progress=options.progress
            )
            opened.append((protocol, stack.enter_context(clips)))
        except VpbenchError as error:
            made.failures.append((f"{split}, {protocol.name}", str(error)))
    return opened


def _run_model(
    spec: PredictorSpec, split: str, opened: _Opened, options: SuiteOptions, made: SuiteRuns
) -> None:
    """All runs of a predictor on the opened clips; what it cannot do is noted, and what fails is a failure."""
    try:
        entrants = list(_entrants(spec, options.device, made.suite))
    except VpbenchError as error:
        if (failure := (f"{spec.label}, {split}", str(error))) not in made.failures:
            made.failures.append(failure)
        return
    for entrant in entrants:
        misfits = [entrant.misfit(protocol) for protocol, _ in opened]
        made.notes += filter(None, misfits)
        fitting = [cell for cell, why in zip(opened, misfits, strict=True) if not why]
        try:
            _evaluate(entrant, split, fitting, options, made)
        except VpbenchError as error:
            names = ", ".join(protocol.name for protocol, _ in fitting)
            made.failures.append((f"{entrant.label}, {split}, {names}", str(error)))


def _entrants(spec: PredictorSpec, device: str, suite: Suite) -> Iterator[Entrant]:
    """A predictor, and a stochastic one once for each seed."""
    predictor = spec.create(device)
    if not predictor.stochastic:
        yield Entrant.enter(spec.label, spec, predictor)
        return
    for seed in suite.seeds:
        label = spec.label if len(suite.seeds) == 1 else f"{spec.label},seed={seed}"
        yield Entrant.enter(label, spec, predictor, 1, seed)


def _evaluate(entrant: Entrant, split: str, opened: _Opened, options: SuiteOptions, made: SuiteRuns) -> None:
    """The run under each protocol.

    Frames are predicted for the first of those that are not there, and kept until the others are scored too, also where
    that is interrupted or fails.
    """
    plans = [plan_runs(entrant, clips.clips, protocol, options.out) for protocol, clips in opened]
    missing = [plan for plan in plans if not plan.finished]
    predicted: Run | None = None
    for plan, (protocol, clips) in zip(plans, opened, strict=True):
        runs = made.runs.get((split, protocol.name), [])
        by = predicted if plan in missing else None
        with options.progress(f"{entrant.label}, {protocol.name}", len(clips.clips.contents)) as step:
            (run,) = carry_out(
                plan,
                replace(clips.execution, batch_size=options.batch_size, progress=step),
                keep=KEPT if plan in missing[:-1] and predicted is None else None,
                force=options.force,
                known=Known(runs[0] if runs else None, None if by is None else by.recorded),
                frames=None if by is None else by.folder / KEPT,
            )
        if predicted is None and has_frames(run.folder / KEPT, plan.clips.contents, protocol.targets):
            predicted = run
        made.runs.setdefault((split, protocol.name), []).append(run)
    for plan in plans:
        _remove_kept(plan.folders[0])


def _remove_kept(folder: Path) -> None:
    """Remove the frames that were kept, all of them or none."""
    kept = folder / KEPT
    if kept.is_dir():
        with lock_folder(folder, wait=False), unbroken():
            shutil.rmtree(kept.rename(kept.with_name(f"{KEPT}.tmp")), ignore_errors=True)
