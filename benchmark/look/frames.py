"""The predicted frames of a run: those that it saved, or those of its predictor run again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from vpbench.errors import VpbenchError
from vpbench.escape import plain
from vpbench.frames_folder import FramesFolder
from vpbench.manifest import protocol_of
from vpbench.predictor import PredictorSpec, check_fits, check_predictions, predictor_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vpbench.clips import Clip
    from vpbench.predictor import Predictor
    from vpbench.runs import Run

_AGREES = 0.01  # how far a score may be from the recorded one: above rounding, below what a reader would see


class RunFrames:
    """Predicted frames of one run, clip by clip.

    Args:
        run: the run.
        again: whether the predictor may be run again where no frames were saved. Only installed predictors are
            run, and only in the version that the run names: a run from a stranger cannot bring code.
        models: predictors that the user names, for runs of predictors that are not installed.
        device: where a trained model runs.
    """

    def __init__(
        self, run: Run, *, again: bool = True, models: Sequence[PredictorSpec] = (), device: str = "cpu"
    ) -> None:
        self.run = run
        self.protocol = protocol_of(run.manifest)
        self._again, self._models, self._device = again, models, device
        self._predictor: Predictor | VpbenchError | None = None

    def get(self, clip: Clip) -> tuple[NDArray[np.float32], Literal["saved", "again"]]:
        """The predictions for a clip, float32 ``(targets, H, W, 3)`` in [0, 1], and where they come from.

        Raises:
            VpbenchError: there are none, and why; or saved ones are damaged.
        """
        shape = (self.protocol.targets, clip.inputs.shape[1], clip.inputs.shape[2], 3)
        if self._predictor is None:
            try:
                self._predictor = self._saved() or self._made()
            except VpbenchError as error:
                self._predictor = error
        if isinstance(self._predictor, VpbenchError):
            raise self._predictor
        saved = isinstance(self._predictor, FramesFolder)
        name = plain(self.run.manifest["label"])
        inputs = clip.inputs.astype(np.float32) / np.float32(255)
        try:
            made = next(iter(self._predictor.predict_clips([clip.index], [inputs], self.protocol.targets)))
        except VpbenchError:
            raise
        except Exception as error:
            raise VpbenchError(f"predictor '{name}', clip {clip.index}: raised {error!r}") from error
        return check_predictions(made, name, clip.index, shape), "saved" if saved else "again"

    def check(self, clip: Clip, predictions: NDArray[np.float32]) -> str | None:
        """Score the predictions and compare with what the run recorded.

        Returns:
            What differs, in a sentence; ``None`` if nothing does.
        """
        from vpbench.scoring import score_clip

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
        """The frames that the run saved, if it did."""
        folder = self.run.folder / "predictions"
        if folder.is_symlink():
            raise VpbenchError(f"{folder} is a symbolic link, which is not followed")
        return FramesFolder(folder) if folder.is_dir() else None

    def _made(self) -> Predictor:
        """The run's predictor, made anew.

        Raises:
            VpbenchError: it cannot be, and why.
        """
        said = self.run.manifest["predictor"]
        name, options = str(said.get("name")), said.get("options")
        if not self._again:
            raise VpbenchError("the run saved no frames, and the predictor is not to be run again")
        spec = next((one for one in self._models if one.identity()["name"] == name), None)
        if spec is None and name in predictor_names() and isinstance(options, dict):
            spec = PredictorSpec(
                name, tuple(sorted((str(key), str(value)) for key, value in options.items()))
            )
        if spec is None:
            raise VpbenchError(
                f"the run saved no frames, and its predictor '{plain(name)}' is not installed here; "
                "name it with --model, or run it with --save-predictions"
            )
        different = _difference(spec.identity(), said)
        predictor = None if different else spec.create(self._device)
        if predictor is not None:
            check_fits(predictor, name, self.protocol.inputs, self.protocol.targets, self.protocol.name)
            if predictor.stochastic:
                raise VpbenchError("the run saved no frames, and its predictor draws other ones each time")
            different = _difference(predictor.describe(), said.get("description") or {})
        if predictor is None or different:
            raise VpbenchError(
                f"the run saved no frames, and predictor '{plain(name)}' as it is here is another: {different}"
            )
        return predictor


def _difference(here: dict[str, Any], recorded: dict[str, Any]) -> str:
    """The first entry of ``here`` that differs from the record, in words; empty if none does."""
    for key, value in here.items():
        if recorded.get(key) != value:
            return f"{key} is {plain(value)}, the run has {plain(recorded.get(key))}"
    return ""
