"""``vpbench fvd``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vpbench.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vpbench.clips.opening import Opened
    from vpbench.runs.run import Run
    from vpbench.scoring.protocol import Protocol


_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument(
    "runs", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option(
    "--weights",
    required=True,
    envvar="VPBENCH_FVD_WEIGHTS",
    show_envvar=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="TorchScript file of the video network (I3D). Nothing is downloaded.",
)
@click.option("--split", metavar="FOLDER|FILE.csv", help="The runs' split, where it is one of your own.")
@click.option(
    "--data",
    type=_FOLDER,
    envvar="VPBENCH_DATA",
    show_envvar=True,
    help="Folder of UCF101's videos, of prepared clips, or of the authors' archive.",
)
@click.option("--device", default="cpu", show_default=True, help="Where the network runs, e.g. cuda.")
def fvd(runs: tuple[Path, ...], weights: Path, split: str | None, data: Path | None, device: str) -> None:
    """Fréchet video distance of each RUN's predictions.

    RUN has saved predictions (`vpbench run --save-predictions`). A sequence is a clip's inputs followed by its
    targets, or by the predictions. The distance compares two sets of sequences; no clip or frame has a value.
    """
    import hashlib

    from vpbench.cli.options import progress_bar
    from vpbench.clips.opening import open_clips
    from vpbench.models.learned_metrics.fvd import load_detector, video_distance
    from vpbench.runs.untrusted import check_run, read_untrusted

    context = click.get_current_context()
    from_environment = context.get_parameter_source("data") is click.core.ParameterSource.ENVIRONMENT
    detector = load_detector(weights, device)
    with weights.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    lines = []
    for folder in runs:
        run = read_untrusted(folder)
        protocol = check_run(run, partial=True)
        if not (folder / "predictions").is_dir():
            raise UsageError(f"{folder} has no saved predictions: run it again with --save-predictions.")
        name = run.manifest.split.name
        clips = sorted(run.clips)
        where = None if from_environment and name != "ucf101-every10th" else data
        with (
            open_clips(
                split or name, where, protocol, only=clips, workers=1, progress=progress_bar
            ) as opened,
            progress_bar(f"FVD of {run.label}", len(clips)) as step,
        ):
            value, features = video_distance(detector, _pairs(run, protocol, opened, step))
        frames = protocol.inputs + protocol.targets
        lines.append((run.label, value, len(clips), frames, features))
    width = max(len(label) for label, *_ in lines)
    click.echo(f"{'':<{width}}       FVD ↓  clips  frames")
    for label, value, count, frames, _ in lines:
        click.echo(f"{label:<{width}}  {value:>10.5g}  {count:>5}  {frames:>6}")
    click.echo(f"Network {weights.name}, SHA-256 {digest}.")
    if any(count <= features for *_, count, _, features in lines):
        click.echo(
            "Warning: with fewer clips than the network has features, the covariances are not of full rank and the "
            "distance depends strongly on the number of clips. Compare only values from the same clips.",
            err=True,
        )


def _pairs(
    run: Run, protocol: Protocol, opened: Opened, step: Callable[[], None]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """For each clip the true and the predicted sequence, float32 ``(T, H, W, 3)`` in [0, 1]."""
    import numpy as np

    from vpbench.clips.prepared import load_clip
    from vpbench.errors import VpbenchError
    from vpbench.predictors.frames_folder import FramesFolder

    predictor = FramesFolder(run.folder / "predictions")
    for index, content in opened.clips.contents.items():
        if run.clips[index] != content:
            raise VpbenchError(f"Clip {index} is not the one that {run.folder} was scored on.")
        clip = load_clip(opened.clips.folder, index, protocol, None if opened.clips.is_archive else content)
        inputs, targets = (
            frames.astype(np.float32) / np.float32(255) for frames in (clip.inputs, clip.targets)
        )
        (predicted,) = predictor.predict_clips([index], [inputs], protocol.targets)
        yield np.concatenate([inputs, targets]), np.concatenate([inputs, predicted])
        step()
