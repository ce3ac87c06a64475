"""The predicted frames of a run: those that it saved, or those of its predictor run again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from vpbench.clips.prepare import cache_folder, prepare
from vpbench.clips.prepared import (
    PreparedClips,
    is_archive,
    is_prepared,
    load_clip,
    open_archive,
    open_prepared,
)
from vpbench.errors import UsageError, VpbenchError
from vpbench.escape import plain
from vpbench.parallel.processes import SerialExecutor
from vpbench.predictors.frames_folder import FramesFolder
from vpbench.predictors.predictor import check_fits, check_predictions
from vpbench.predictors.spec import PredictorSpec, predictor_names
from vpbench.scoring.clip import Clip
from vpbench.scoring.protocol import Protocol
from vpbench.splits import Sources, find_sources

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vpbench.predictors.predictor import Predictor
    from vpbench.runs.run import Run
    from vpbench.scoring.clip import Clip


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
        self.protocol = run.protocol()
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
        name = self.run.label
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
        from vpbench.scoring.score import score_clip

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
        said = self.run.recorded.predictor
        name = said.name
        if not self._again:
            raise VpbenchError("the run saved no frames, and the predictor is not to be run again")
        spec = next((one for one in self._models if one.identity()["name"] == name), None)
        if spec is None and name in predictor_names():
            spec = PredictorSpec(
                name, tuple(sorted((str(key), str(value)) for key, value in said.options.items()))
            )
        if spec is None:
            raise VpbenchError(
                f"the run saved no frames, and its predictor '{plain(name)}' is not installed here; "
                "name it with --model, or run it with --save-predictions"
            )
        different = _difference(spec.identity(), said.identity())
        predictor = None if different else spec.create(self._device)
        if predictor is not None:
            check_fits(predictor, name, self.protocol.inputs, self.protocol.targets, self.protocol.name)
            if predictor.stochastic:
                raise VpbenchError("the run saved no frames, and its predictor draws other ones each time")
            different = _difference(predictor.describe(), said.description)
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


@dataclass(frozen=True)
class ClipFinder:
    """Where to look for a run's clips.

    Attributes:
        split: ``--split``: needed for a split of one's own; the run's name of a built-in one is enough.
        data: ``--data``: videos, prepared clips or an archive; ``None``: the cache of ``vpbench run``.
    """

    split: str | None = None
    data: Path | None = None

    def find(self, run: Run, indices: Iterable[int]) -> tuple[dict[int, Clip], list[int]]:
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
            VpbenchError: clips are damaged.
        """
        protocol = run.protocol()
        wanted = sorted(set(indices))
        prepared = self._open(run, protocol, wanted)
        missing = [index for index in wanted if index not in prepared.contents]
        if missing:
            raise UsageError(
                f"Clip {missing[0]} is not in {prepared.folder}. Name clips that the run scored, and the folder "
                "that holds them as --data."
            )
        clips = {
            index: load_clip(
                prepared.folder, index, protocol, None if prepared.is_archive else prepared.contents[index]
            )
            for index in wanted
        }
        return clips, [index for index in wanted if run.clips.get(index) != prepared.contents[index]]

    def _open(self, run: Run, protocol: Protocol, wanted: list[int]) -> PreparedClips:
        data = self.data
        if data is not None and data.is_dir() and is_prepared(data):
            clips = open_prepared(data)
            if clips.split.hash != run.recorded.split.hash:
                raise UsageError(
                    f"{data} holds clips of split '{clips.split.name}'; the run scored '{run.manifest.split.name}'."
                )
            clips.check_serves(protocol)
            return clips
        split = run.split(self.split)
        if data is not None and data.is_dir() and is_archive(data):
            clips = open_archive(data, split.name, split.hash, (clip.index for clip in split.clips))
            clips.check_serves(protocol)
            return clips
        folder = cache_folder(split, protocol)
        if is_prepared(folder):
            try:
                clips = open_prepared(folder)
            except VpbenchError:
                pass  # being written, or left unfinished: `prepare` below waits, and mends it
            else:
                if set(wanted) <= set(clips.contents):
                    return clips
        sources = find_sources(split, data)
        chosen = Sources({i: path for i, path in sources.found.items() if i in wanted}, sources.missing)
        return prepare(split, chosen, protocol, folder, SerialExecutor())
