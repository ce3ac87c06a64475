"""A run's clips and predictions again: for figures, for the page, and to verify it.

A run is not trusted, and names a predictor, a split and folders. The rules on what of that is opened and run
are here, and only here: :func:`clips_of_run`, :func:`saved_predictions` and :func:`predictor_again`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from vpbench.clips.opening import ClipRequest, open_cached, open_clips
from vpbench.clips.prepared import open_prepared
from vpbench.errors import UsageError, VpbenchError
from vpbench.escape import plain
from vpbench.evaluation.manifests import description_of
from vpbench.evaluation.prediction import PredictionRequest, predict_clips
from vpbench.parallel.execution import Workers
from vpbench.predictors.frames_folder import FramesFolder
from vpbench.predictors.predictor import check_fits
from vpbench.predictors.spec import PredictorSpec, installed
from vpbench.scoring.built_in import find_built_in, get_protocol
from vpbench.scoring.score import score_clip
from vpbench.splits import Split

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vpbench.predictors.predictor import Predictor
    from vpbench.runs.run import Run
    from vpbench.scoring.clip import Clip
    from vpbench.scoring.protocol import Protocol


_AGREES = 0.01  # how far a score may be from the recorded one: above rounding, below what a reader would see


class ReplayError(VpbenchError):
    """Why a run's predictor is not run again, as a part of a sentence."""


@dataclass(frozen=True)
class Replay:
    """What the user gives and allows, to get the frames of runs again.

    Attributes:
        clips: where the clips are; a built-in split need not be named.
        rerun: whether predictors may be run again where a run saved no frames.
        models: predictors that the user names, for runs of predictors that are not installed.
        device: where predictors run.
    """

    clips: ClipRequest = field(default_factory=ClipRequest)
    rerun: bool = True
    models: tuple[PredictorSpec, ...] = ()
    device: str = "cpu"

    def load_clips(self, run: Run, indices: Iterable[int]) -> tuple[dict[int, Clip], list[int]]:
        """Load clips that a run scored, with their targets and flow.

        Where the cache lacks some of them and their sources are found, these are prepared there.

        Args:
            run: the run.
            indices: which clips.

        Returns:
            The clips by index, and the indices of those whose pixels or flow differ from what was scored
            (another decoder, another version of the flow, other files).

        Raises:
            UsageError: the split or its sources are not found, or are not those of the run.
            VpbenchError: clips are missing or damaged.
        """
        protocol = run.protocol()
        request = clips_of_run(run, self.clips, indices)
        stored = open_cached(request, protocol)
        if stored is None:
            with open_clips(request, protocol, Workers(1)) as opened:
                stored = opened.clips
        clips = {index: stored.load(index, protocol) for index in stored.contents}
        return clips, [index for index in clips if run.clips.get(index) != stored.contents[index]]


def clips_of_run(run: Run, request: ClipRequest, indices: Iterable[int]) -> ClipRequest:
    """The request for clips that a run scored.

    Args:
        run: the run. The name of its split opens a list that vpbench ships, never a path.
        request: where the user says that they are.
        indices: which clips.

    Raises:
        UsageError: the split is not found, or is not the run's.
    """
    folder = replace(request, split=request.split or run.recorded.split.name).folder
    found = replace(request, data=folder, default_data=None, only=tuple(sorted(set(indices))))
    if request.split is not None or found.kind != "prepared" or folder is None:
        given = request.split
        return replace(found, split=given if isinstance(given, Split) else run.split(given, folder))
    held = open_prepared(folder).split  # which says by its hash which split it is of
    if held.hash != run.recorded.split.hash:
        raise UsageError(
            f"{folder} holds clips of split '{held.name}'; the run scored '{run.manifest.split.name}'."
        )
    return found


def protocol_of_run(run: Run, name: str | None) -> Protocol:
    """The run's protocol, one of vpbench's or named by the user: an untrusted one could name files as parameters.

    Args:
        run: the run.
        name: what the user names, for one that is not vpbench's.

    Raises:
        UsageError: it is not vpbench's and not named, or what is there under its name is another.
    """
    recorded, shown = run.recorded.protocol, run.manifest.protocol
    if name is None and find_built_in(recorded.name) is None:
        raise UsageError(
            f"The run's protocol '{shown.name}' is not one of vpbench's; give it as --protocol FILE.toml."
        )
    known = get_protocol(name or recorded.name)
    if known.hash != recorded.hash:
        raise UsageError(
            f"The run's protocol '{shown.name}' (hash {shown.hash}) is not '{known.name}' ({known.hash})."
        )
    return known


def saved_predictions(run: Run) -> Path | None:
    """The folder of the frames that a run saved, if it did.

    Raises:
        VpbenchError: it is a symbolic link.
    """
    folder = run.folder / "predictions"
    if folder.is_symlink():
        raise VpbenchError(f"{folder} is a symbolic link, which is not followed.")
    return folder if folder.is_dir() else None


def predictor_again(
    run: Run, named: PredictorSpec | None, device: str, *, any_version: bool = False
) -> tuple[PredictorSpec, Predictor]:
    """Make the predictor of a run again.

    A run cannot bring code: what it names is run only if it is installed here, or if the user names it; and only if
    it is what the run was made with.

    Args:
        run: the run.
        named: the predictor that the user names for it.
        device: where it runs.
        any_version: whether another version of the predictor's package is accepted. Otherwise the version, and
            everything that the predictor says about itself, must be the run's.

    Raises:
        ReplayError: it is not installed, or is another; says why.
        VpbenchError: it cannot be made.
    """
    recorded, shown, spec = run.recorded.predictor, run.manifest.predictor, named
    if spec is None:
        options = sorted((str(key), str(value)) for key, value in recorded.options.items())
        spec = installed(recorded.name, tuple(options))
    if spec is None:
        raise ReplayError(
            f"its predictor '{shown.name}' is not installed here; name it with --model, or run it "
            "with --save-predictions"
        )
    keys = ["sha256", "class", "options", *([] if any_version else ["distribution"])]
    _check_same(spec, spec.identity(), recorded.identity(), shown.identity(), keys)
    predictor = spec.create(device)
    described = description_of(predictor, spec.name)
    keys = ["weights", "corruption"] if any_version else list(described)
    _check_same(spec, described, recorded.description, shown.description, keys)
    if (run.manifest.samples is not None) != predictor.stochastic:
        raise ReplayError(
            f"predictor '{plain(spec.name)}' and the run do not agree on whether it is stochastic"
        )
    return spec, predictor


def _check_same(
    spec: PredictorSpec,
    here: dict[str, Any],
    recorded: dict[str, Any],
    shown: dict[str, Any],
    keys: list[str],
) -> None:
    """Check that facts about the predictor are those ``recorded``, which a message has as ``shown``."""
    for key in keys:
        if here.get(key) != recorded.get(key):
            raise ReplayError(
                f"predictor '{plain(spec.name)}' as it is here is another: {key} is {here.get(key)}, the run has "
                f"{shown.get(key)}"
            )


class RunFrames:
    """Predicted frames of one run, clip by clip: those that it saved, or those of its predictor run again."""

    def __init__(self, run: Run, replay: Replay) -> None:
        self.run = run
        self.protocol = run.protocol()
        self._replay = replay
        self._predictor: Predictor | VpbenchError | None = None

    def get(self, clip: Clip) -> tuple[NDArray[np.float32], Literal["saved", "again"]]:
        """The predictions for a clip, float32 ``(targets, H, W, 3)`` in [0, 1], and where they come from.

        Raises:
            VpbenchError: there are none, and why; or saved ones are damaged.
        """
        if self._predictor is None:
            try:
                self._predictor = self._saved() or self._again()
            except VpbenchError as error:
                self._predictor = error
        if isinstance(self._predictor, VpbenchError):
            raise self._predictor
        request = PredictionRequest(self.run.label, self.protocol.targets)
        (frames,), _ = predict_clips(self._predictor, request, [clip.index], [clip.inputs])
        return frames, "saved" if isinstance(self._predictor, FramesFolder) else "again"

    def check(self, clip: Clip, predictions: NDArray[np.float32]) -> str | None:
        """Score the predictions and compare with what the run recorded.

        Returns:
            What differs, in a sentence; ``None`` if nothing does.
        """
        scores = self.run.scores
        for line in score_clip(clip, predictions, self.protocol):
            row = np.flatnonzero((scores["clip"] == clip.index) & (scores["frame"] == line["frame"]))
            for column in self.protocol.metrics:
                new = np.nan if line[column] is None else line[column]
                for old in scores[column][row]:
                    if not (abs(new - old) <= _AGREES or (np.isnan(new) and np.isnan(old))):
                        return (
                            f"clip {clip.index}, frame {line['frame']}: {column} of these frames is {new:.4g}, "
                            f"the run recorded {old:.4g}"
                        )
        return None

    def _saved(self) -> FramesFolder | None:
        folder = saved_predictions(self.run)
        return None if folder is None else FramesFolder(folder)

    def _again(self) -> Predictor:
        if not self._replay.rerun:
            raise VpbenchError("the run saved no frames, and the predictor is not to be run again")
        name = self.run.recorded.predictor.name
        named = next((model for model in self._replay.models if model.identity()["name"] == name), None)
        try:
            spec, predictor = predictor_again(self.run, named, self._replay.device)
        except ReplayError as error:
            raise VpbenchError(f"the run saved no frames, and {error}") from None
        if predictor.stochastic:
            raise VpbenchError("the run saved no frames, and its predictor draws other ones each time")
        check_fits(predictor, spec.name, self.protocol)
        return predictor
