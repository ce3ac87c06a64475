"""The predicted frames that a page shows, and what its reader must know about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vpbench.errors import VpbenchError
from vpbench.evaluation.replay import Replay, RunFrames

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vpbench.runs.run import Run
    from vpbench.scoring.clip import Clip

    Predicted = NDArray[np.float32] | str
    """Frames ``(targets, H, W, 3)`` in [0, 1], or why there are none."""


@dataclass(frozen=True)
class ShownRun:
    """A run on the page: its label, and its predictions by the index of the clip."""

    run: Run
    label: str
    predictions: dict[int, Predicted]


def predictions_of(
    runs: Sequence[tuple[str, Run]], clips: Mapping[int, Clip], replay: Replay
) -> tuple[list[ShownRun], list[str]]:
    """The predictions of each run for each clip, and remarks where they are missing, made again or not as scored.

    Args:
        runs: each with its label.
        clips: by index.
        replay: whether and where predictors are run again.
    """
    shown: list[ShownRun] = []
    concerned: dict[str, list[str]] = {}  # remark to the runs that it is on
    for label, run in runs:
        predictions, remarks = _predictions(run, clips, replay)
        shown.append(ShownRun(run, label, predictions))
        for remark, indices in remarks.items():
            which = f", {clips_in_words(indices)}" if 0 < len(indices) < len(clips) else ""
            concerned.setdefault(remark.rstrip("."), []).append(f"{label}{which}")
    return shown, [f"{'; '.join(labels)}: {remark}." for remark, labels in concerned.items()]


def clips_in_words(indices: Sequence[int]) -> str:
    """``clip 1``, or ``clips 1, 11``."""
    return f"clip{'s' if len(indices) > 1 else ''} {', '.join(map(str, indices))}"


def _predictions(
    run: Run, clips: Mapping[int, Clip], replay: Replay
) -> tuple[dict[int, Predicted], dict[str, list[int]]]:
    """A run's predictions, and remarks with the clips that they are on (none: on the run)."""
    source = RunFrames(run, replay)
    predictions: dict[int, Predicted] = {}
    remarks: dict[str, list[int]] = {}
    for index, clip in clips.items():
        try:
            frames, origin = source.get(clip)
        except VpbenchError as error:
            predictions[index] = str(error)
            remarks.setdefault(str(error), []).append(index)
            continue
        predictions[index] = frames
        if origin == "again":
            remarks.setdefault("no frames were saved; the predictor was run again for this page", [])
        if different := source.check(clip, frames):
            remarks.setdefault(f"the frames are not those that were scored: {different}", [])
    return predictions, remarks
