"""A run's saved predictions, scored under another protocol."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vpbench.clips.manifest import Geometry
from vpbench.clips.opening import ClipRequest, Warn, no_warning, open_clips
from vpbench.errors import UsageError
from vpbench.evaluation.engine import Known, evaluate_clips
from vpbench.evaluation.replay import clips_of_run, saved_predictions
from vpbench.parallel.execution import ProgressBar, Workers, no_progress_bar
from vpbench.predictors.entrant import Entrant
from vpbench.runs.run import Run
from vpbench.runs.untrusted import check_run
from vpbench.scoring.protocol import Protocol


def rescore(
    run: Run,
    protocol: Protocol,
    out: Path,
    clips: ClipRequest,
    workers: Workers,
    *,
    force: bool = False,
    warn: Warn = no_warning,
    progress: ProgressBar = no_progress_bar,
) -> Run:
    """Score the frames that a run saved under another protocol.

    The new run is of the old one's predictor, and costs what that cost: nothing is predicted again.

    Args:
        run: a complete run with saved predictions.
        protocol: the other protocol. It asks for the same inputs, and for no more frames than were predicted.
        out: folder of runs.
        clips: where the clips are; a built-in split need not be named.
        workers: who does the work.
        force: discard a run in the new run's folder that does not match.
        warn: called with a warning for the user.
        progress: shows progress.

    Raises:
        UsageError: the run has no saved predictions, is of several samples, or was predicted from other inputs; its
            clips are not found.
        VpbenchError: the run, its predictions or its clips are damaged.
    """
    made_under = check_run(run, partial=True)
    saved = saved_predictions(run)
    if saved is None:
        raise UsageError(f"{run.folder} has no saved predictions: run it again with --save-predictions.")
    if run.manifest.samples is not None and run.manifest.samples.count > 1:
        raise UsageError(
            f"{run.folder} saved those of {run.manifest.samples.count} samples that were best under its own protocol; "
            "run the predictor under the other one."
        )
    wanted, there = Geometry.of(protocol), Geometry.of(made_under)
    if not there.holds(wanted):
        raise UsageError(
            f"{run.folder} predicted {there.describe()}; protocol '{protocol.name}' asks for {wanted.describe()}."
        )
    entrant = Entrant.of_frames(run.recorded.label, saved)
    request = clips_of_run(run, clips, run.clips)
    with (
        open_clips(request, protocol, workers, warn=warn, progress=progress) as opened,
        progress(f"Scoring {run.label}", len(opened.clips.contents)) as step,
    ):
        execution = replace(opened.execution, progress=step)
        (again,) = evaluate_clips(
            entrant,
            opened.clips,
            protocol,
            out,
            execution,
            force=force,
            known=Known(predicted_by=run.recorded),
        )
    return again
