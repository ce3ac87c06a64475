"""The predicted frames of a run: those that it saved, or those of its predictor run again."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from vpbench.errors import VpbenchError
from vpbench.escape import plain
from vpbench.look.clips import protocol_of
from vpbench.predictor import PredictorSpec, check_fits, check_predictions, predictor_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vpbench.clips import Clip
    from vpbench.predictor import Predictor
    from vpbench.runs import Run

_HEADER = 4096  # bytes of a .npy file beside its data, at most
_AGREES = 0.01  # how far a score may be from the recorded one: above rounding, below what a reader would see


class RunFrames:
    """Predicted frames of one run, clip by clip.

    Args:
        run: the run.
        again: whether the predictor may be run again where no frames were saved. Only installed predictors are
            run, and only in the version that the run names: a run from a stranger cannot bring code.
        device: where a trained model runs.
    """

    def __init__(self, run: Run, *, again: bool = True, device: str = "cpu") -> None:
        self.run = run
        self.protocol = protocol_of(run.manifest)
        self._again, self._device = again, device
        self._predictor: Predictor | VpbenchError | None = None

    def get(self, clip: Clip) -> tuple[NDArray[np.float32], Literal["saved", "again"]]:
        """The predictions for a clip, float32 ``(targets, H, W, 3)`` in [0, 1], and where they come from.

        Raises:
            VpbenchError: there are none, and why; or saved ones are damaged.
        """
        shape = (self.protocol.targets, clip.inputs.shape[1], clip.inputs.shape[2], 3)
        folder = self.run.folder / "predictions" / str(clip.index)
        if folder.is_dir():
            return self._saved(folder, shape, clip.index), "saved"
        if self._predictor is None:
            try:
                self._predictor = self._made()
            except VpbenchError as error:
                self._predictor = error
        if isinstance(self._predictor, VpbenchError):
            raise self._predictor
        name = plain(self.run.manifest["predictor"]["name"])
        inputs = clip.inputs.astype(np.float32) / np.float32(255)
        try:
            made = next(iter(self._predictor.predict_batch([inputs], self.protocol.targets)))
        except Exception as error:
            raise VpbenchError(f"Predictor '{name}', clip {clip.index}: raised {error!r}.") from error
        return check_predictions(made, name, clip.index, shape), "again"

    def check(self, clip: Clip, predictions: NDArray[np.float32]) -> str | None:
        """Score the predictions and compare with what the run recorded.

        Returns:
            What differs, in a sentence; ``None`` if nothing does.
        """
        from vpbench.evaluation import score_clip

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

    def _saved(self, folder: Path, shape: tuple[int, int, int, int], index: int) -> NDArray[np.float32]:
        frames = []
        for step in range(1, shape[0] + 1):
            path = folder / f"pred_{self.protocol.inputs + step}.npy"
            if any(part.is_symlink() for part in (folder.parent, folder, path)):
                raise VpbenchError(f"{path} is behind a symbolic link, which is not followed.")
            frames.append(_read_frame(path, shape[1:]))
        return check_predictions(np.stack(frames), plain(self.run.manifest["label"]), index, shape)

    def _made(self) -> Predictor:
        """The run's predictor, made anew.

        Raises:
            VpbenchError: it cannot be, and why.
        """
        said = self.run.manifest["predictor"]
        name, options = str(said.get("name")), said.get("options")
        if not self._again:
            raise VpbenchError("the run saved no frames, and the predictor is not to be run again")
        if name not in predictor_names() or not isinstance(options, dict):
            raise VpbenchError(
                f"the run saved no frames, and its predictor '{plain(name)}' is not installed here; "
                "run it again with --save-predictions"
            )
        spec = PredictorSpec(name, tuple(sorted((str(key), str(value)) for key, value in options.items())))
        different = _difference(spec.identity(), said)
        predictor = None if different else spec.create(self._device)
        if predictor is not None:
            check_fits(predictor, name, self.protocol.inputs, self.protocol.targets, self.protocol.name)
            different = _difference(predictor.describe(), said.get("description") or {})
        if predictor is None or different:
            raise VpbenchError(
                f"the run saved no frames, and predictor '{name}' as installed here is another: {different}"
            )
        return predictor


def _difference(here: dict[str, Any], recorded: dict[str, Any]) -> str:
    """The first entry of ``here`` that differs from the record, in words; empty if none does."""
    for key, value in here.items():
        if recorded.get(key) != value:
            return f"{key} is {plain(value)}, the run has {plain(recorded.get(key))}"
    return ""


def _read_frame(path: Path, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Read a saved frame; the file's size, its type and shape are checked before any of its data is used.

    Raises:
        VpbenchError: the file is missing or is not a float32 array of ``shape``; names it.
    """
    wanted = 4 * int(np.prod(shape))
    try:
        size = path.stat().st_size
        if not wanted < size <= wanted + _HEADER:
            raise VpbenchError(
                f"{path} has {size} bytes; a float32 frame of shape {shape} has a little over {wanted}."
            )
        stream = io.BytesIO(path.read_bytes())
        version = np.lib.format.read_magic(stream)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        found, fortran, kind = read(stream)
    except OSError as error:
        raise VpbenchError(f"Cannot read {path}: {error.strerror}.") from error
    except ValueError as error:
        raise VpbenchError(f"{path} is damaged: {error}.") from None
    if (found, kind, fortran) != (shape, np.dtype(np.float32), False):
        raise VpbenchError(f"{path} must hold float32 {shape}, not {kind} {found}.")
    data = stream.read()
    if len(data) != wanted:
        raise VpbenchError(f"{path} is cut off.")
    return np.frombuffer(data, np.float32).reshape(shape)
