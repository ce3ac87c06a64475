"""``vpbench fvd``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vpbench.cli.options import (
    FILE,
    RUN,
    RUN_DATA,
    clip_request,
    data_option,
    run_split_option,
)
from vpbench.cli.output import progress_bar, say, warn
from vpbench.errors import UsageError, VpbenchError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vpbench.clips.prepared import PreparedClips
    from vpbench.runs.run import Run
    from vpbench.scoring.protocol import Protocol


@click.command()
@click.argument("runs", nargs=-1, required=True, type=RUN)
@click.option(
    "--weights",
    required=True,
    envvar="VPBENCH_FVD_WEIGHTS",
    show_envvar=True,
    type=FILE,
    help="TorchScript file of the video network (I3D). Nothing is downloaded.",
)
@run_split_option("The runs'")
@data_option(RUN_DATA)
@click.option("--device", default="cpu", show_default=True, help="Where the network runs, e.g. cuda.")
def fvd(runs: tuple[Path, ...], weights: Path, split: str | None, data: Path | None, device: str) -> None:
    """Fréchet video distance of each RUN's predictions.

    RUN has saved predictions (`vpbench run --save-predictions`). A sequence is a clip's inputs followed by its
    targets, or by the predictions. The distance compares two sets of sequences; no clip or frame has a value.
    """
    import hashlib

    from vpbench.clips.opening import open_clips
    from vpbench.evaluation.replay import clips_of_run, saved_predictions
    from vpbench.models.learned_metrics.fvd import load_detector, video_distance
    from vpbench.parallel.execution import Workers
    from vpbench.runs.untrusted import check_run, read_untrusted

    detector = load_detector(weights, device)
    with weights.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    lines = []
    for folder in runs:
        run = read_untrusted(folder)
        protocol = check_run(run, partial=True)
        predictions = saved_predictions(run)
        if predictions is None:
            raise UsageError(f"{folder} has no saved predictions: run it again with --save-predictions.")
        clips = clips_of_run(run, clip_request(split, data), run.clips)
        with (
            open_clips(clips, protocol, Workers(1), progress=progress_bar) as opened,
            progress_bar(f"FVD of {run.label}", len(opened.clips.contents)) as step,
        ):
            _check_scored(run, opened.clips)
            pairs = _pairs(opened.clips, predictions, protocol, step)
            value, features = video_distance(detector, pairs)
        frames = protocol.inputs + protocol.targets
        lines.append((run.label, value, len(opened.clips.contents), frames, features))
    width = max(len(label) for label, *_ in lines)
    say(f"{'':<{width}}       FVD ↓  clips  frames")
    for label, value, count, frames, _ in lines:
        say(f"{label:<{width}}  {value:>10.5g}  {count:>5}  {frames:>6}")
    say(f"Network {weights.name}, SHA-256 {digest}.")
    if any(count <= features for *_, count, _, features in lines):
        warn(
            "With fewer clips than the network has features, the covariances are not of full rank and the "
            "distance depends strongly on the number of clips. Compare only values from the same clips."
        )


def _check_scored(run: Run, clips: PreparedClips) -> None:
    for index, content in clips.contents.items():
        if run.clips[index] != content:
            raise VpbenchError(f"Clip {index} is not the one that {run.folder} was scored on.")


def _pairs(
    clips: PreparedClips, predictions: Path, protocol: Protocol, step: Callable[[], None]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """For each clip the true and the predicted sequence, float32 ``(T, H, W, 3)`` in [0, 1]."""
    import numpy as np

    from vpbench.predictors.frames_folder import FramesFolder

    predictor = FramesFolder(predictions)
    for stored in clips:
        clip = stored.load(protocol)
        inputs, targets = (
            frames.astype(np.float32) / np.float32(255) for frames in (clip.inputs, clip.targets)
        )
        (predicted,) = predictor.predict_clips([clip.index], [inputs], protocol.targets)
        yield np.concatenate([inputs, targets]), np.concatenate([inputs, predicted])
        step()
