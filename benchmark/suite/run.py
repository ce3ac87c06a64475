"""A suite is run: each predictor predicts once for all protocols that ask for the same inputs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from vpbench.clips.manifest import Geometry
from vpbench.clips.opening import ClipRequest, OpenClips, Warn, no_warning, open_clips
from vpbench.errors import UsageError, VpbenchError
from vpbench.evaluation.engine import Known, evaluate_clips, planned_run
from vpbench.parallel.execution import ProgressBar, Workers, no_progress_bar
from vpbench.predictors.entrant import Entrant
from vpbench.predictors.spec import PredictorSpec
from vpbench.runs.run import Run
from vpbench.scoring.built_in import get_protocol
from vpbench.scoring.protocol import Protocol
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
        for group in _with_the_same_inputs([request.adapt(protocol) for protocol in protocols]):
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
        made.failures.append((f"{spec.label}, {split}", str(error)))
        return
    for entrant in entrants:
        fitting: _Opened = []
        for protocol, clips in opened:
            try:
                entrant.check_fits(protocol)
            except UsageError as error:
                made.notes.append(str(error).split(". ")[0] + ".")
            else:
                fitting.append((protocol, clips))
        try:
            for run in _evaluate(entrant, fitting, options):
                made.runs.setdefault((split, run.manifest.protocol.name), []).append(run)
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


def _evaluate(entrant: Entrant, opened: _Opened, options: SuiteOptions) -> Iterator[Run]:
    """The run under each protocol.

    Frames are predicted for the first of those that are not there, and kept until the others are scored too.
    """
    plans = [planned_run(entrant, clips.clips, protocol, options.out) for protocol, clips in opened]
    missing = [index for index, (_, finished) in enumerate(plans) if not finished]
    kept = plans[missing[0]][0] / "predictions" if len(missing) > 1 else None
    brought = kept is not None and kept.exists()
    predicted: Run | None = None
    try:
        for index, (protocol, clips) in enumerate(opened):
            by = entrant
            if predicted is not None and index in missing:
                by = Entrant.of_frames(entrant.label, predicted.folder / "predictions")
            with options.progress(f"{entrant.label}, {protocol.name}", len(clips.clips.contents)) as step:
                (run,) = evaluate_clips(
                    by,
                    clips.clips,
                    protocol,
                    options.out,
                    replace(clips.execution, batch_size=options.batch_size, progress=step),
                    save_predictions=kept is not None and index == missing[0],
                    force=options.force,
                    known=None
                    if by is entrant or predicted is None
                    else Known(predicted_by=predicted.recorded),
                )
            if kept is not None and index == missing[0]:
                predicted = run
            yield run
    finally:
        if predicted is not None and kept is not None and not brought:
            shutil.rmtree(kept, ignore_errors=True)
