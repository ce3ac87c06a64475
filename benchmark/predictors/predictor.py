"""Predictors: the contract, and the check of what one returns.

A predictor gets the input frames and the number of frames wanted, and never sees the targets.
vpbench's own predictors and other packages' are found by the same entry-point group,
``vpbench.predictors``; one in a file is named as ``path/to/file.py:Class``, and a folder of frames that
another program predicted as ``frames:DIR`` (:mod:`vpbench.predictors.frames_folder`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from vpbench.errors import UsageError, VpbenchError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vpbench.scoring.protocol import Protocol

    Frames = NDArray[np.uint8] | NDArray[np.float32]


class Predictor:
    """Base class of predictors.

    Override :meth:`predict_next` (one frame ahead; further frames are then predicted recursively, each from
    the unquantised one before it, as in the paper) or :meth:`predict` (all frames at once), and
    :meth:`predict_batch` if a batch is faster than its clips one by one.

    The options that the command line takes (``--model NAME,key=value``) are the keyword arguments of
    ``__init__``.

    Attributes:
        min_inputs: fewest input frames it can work from; given more, it uses the last ones.
        max_targets: most frames it can predict; ``None`` for any number.
        runs_in: ``worker``: predictions are made in the worker processes, which also score; ``parent``: in
            the parent process, in batches, while the workers score (networks, anything on a GPU).
        trained: whether it has learnt weights; :meth:`describe` then says which, and trained on what.
        stochastic: whether its predictions are random; it then overrides :meth:`sample` instead.
        timed: whether the time that a prediction takes means anything.
    """

    min_inputs: ClassVar[int] = 1
    max_targets: ClassVar[int | None] = None
    runs_in: ClassVar[Literal["worker", "parent"]] = "worker"
    trained: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False
    timed: bool = True
    device: str = "cpu"

    def predict_next(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Predict the next frame.

        Args:
            inputs: float32 ``(T, H, W, 3)`` RGB in [0, 1], oldest first; T is the protocol's number of inputs.

        Returns:
            float32 ``(H, W, 3)`` in [0, 1], not rounded to 8 bits.
        """
        raise NotImplementedError(f"{type(self).__name__} overrides neither predict_next nor predict.")

    def predict(self, inputs: NDArray[np.float32], targets: int) -> NDArray[np.float32]:
        """Predict the next ``targets`` frames of one clip: float32 ``(targets, H, W, 3)`` in [0, 1]."""
        import numpy as np

        given = len(inputs)
        frames = np.empty((given + targets, *inputs.shape[1:]), np.float32)
        frames[:given] = inputs
        for k in range(targets):
            frame = np.asarray(self.predict_next(frames[k : given + k]))
            if frame.shape != inputs.shape[1:] or frame.dtype.kind != "f":
                return frame[None]  # check_predictions refuses it, naming the predictor and the clip
            frames[given + k] = frame
        return frames[given:]

    def predict_batch(
        self, inputs: Sequence[NDArray[np.float32]], targets: int
    ) -> Sequence[NDArray[np.float32]]:
        """Predict for several clips of one size; by default one after the other."""
        return [self.predict(clip, targets) for clip in inputs]

    def predict_clips(
        self, indices: Sequence[int], inputs: Sequence[NDArray[np.float32]], targets: int
    ) -> Sequence[NDArray[np.float32]]:
        """Predict for the clips ``indices`` of the split; override it only where it matters which they are."""
        return self.predict_batch(inputs, targets)

    def sample(self, inputs: NDArray[np.float32], targets: int, seed: int) -> NDArray[np.float32]:
        """Draw one of the possible futures of one clip (predictors with ``stochastic = True``).

        Args:
            inputs: as for :meth:`predict_next`.
            targets: number of frames.
            seed: the source of all randomness, 0 … 2³² − 1; different for each clip and sample.

        Returns:
            float32 ``(targets, H, W, 3)`` in [0, 1].
        """
        raise NotImplementedError(f"{type(self).__name__} is stochastic but does not override sample.")

    def sample_batch(
        self, inputs: Sequence[NDArray[np.float32]], targets: int, seeds: Sequence[int]
    ) -> Sequence[NDArray[np.float32]]:
        """Draw a future for each of several clips of one size; by default one after the other."""
        return [self.sample(clip, targets, seed) for clip, seed in zip(inputs, seeds, strict=True)]

    def sample_clips(
        self,
        indices: Sequence[int],
        inputs: Sequence[NDArray[np.float32]],
        targets: int,
        seeds: Sequence[int],
    ) -> Sequence[NDArray[np.float32]]:
        """Draw a future for each of the clips ``indices`` of the split; see :meth:`predict_clips`."""
        return self.sample_batch(inputs, targets, seeds)

    def multiply_adds(self, shape: tuple[int, int, int, int], targets: int) -> int | None:
        """What predicting ``targets`` frames of one clip costs, in multiply-adds; ``None`` if that is not known.

        One multiplication with its addition is one multiply-add, and two FLOPs. Count the matrix products and
        convolutions of everything that :meth:`predict` computes for one clip, or :meth:`sample` for one sample, for
        frames of this size; say in :meth:`describe`, as a mark, what else costs much. torch counts FLOPs
        (``torch.utils.flop_counter.FlopCounterMode``): give half of them.

        Args:
            shape: of the inputs, ``(T, H, W, 3)``.
            targets: number of frames.
        """
        return None

    def describe(self) -> dict[str, Any]:
        """Facts for the run's manifest, as JSON data.

        Keys with a meaning for tables: ``parameters`` (number of learnt parameters), ``weights`` (SHA-256),
        ``training_data`` (text), ``test_clips_seen`` (``yes`` if test clips were trained on, ``tuned`` if a choice
        was made with an eye on them, else ``no``), ``marks`` (list of short texts, each printed as a footnote of the
        row), ``seed`` of the training, ``recipe``, ``steps`` and ``method`` (runs of one method, recipe and number of
        steps that differ in their seed make one row of a leaderboard).
        """
        return {}


def misfit(predictor: Predictor, name: str, protocol: Protocol) -> str:
    """Why a predictor cannot work under a protocol, as a sentence; nothing if it can.

    It needs more inputs than the protocol gives, or predicts fewer frames than it asks for.
    """
    if predictor.min_inputs > protocol.inputs:
        return (
            f"Predictor '{name}' needs {predictor.min_inputs} input frames; protocol '{protocol.name}' gives "
            f"{protocol.inputs}."
        )
    if predictor.max_targets is not None and predictor.max_targets < protocol.targets:
        return (
            f"Predictor '{name}' predicts at most {predictor.max_targets} frames; protocol '{protocol.name}' asks for "
            f"{protocol.targets}."
        )
    return ""


def check_fits(predictor: Predictor, name: str, protocol: Protocol) -> None:
    """Refuse a predictor that cannot work under a protocol.

    Raises:
        UsageError: it cannot; says why (:func:`misfit`).
    """
    if why := misfit(predictor, name, protocol):
        raise UsageError(f"{why} Choose another protocol (`vpbench list protocols`) or another predictor.")


def check_predictions(
    predictions: object, name: str, clip: int, shape: tuple[int, int, int, int]
) -> NDArray[np.float32]:
    """Check what a predictor returned for a clip, and return it as float32.

    Values may leave [0, 1] by 1e-6, the rounding of float32 arithmetic; nothing is clipped.

    Args:
        predictions: what it returned.
        name: the predictor's name, for the error.
        clip: the clip's index, for the error.
        shape: ``(targets, H, W, 3)``.

    Raises:
        VpbenchError: wrong type, shape or dtype; not finite; or out of [0, 1].
    """
    import numpy as np

    where = f"Predictor '{name}', clip {clip}: "
    try:
        array = np.asarray(predictions)
    except Exception as error:  # frames of unequal size, a tensor on another device, …
        raise VpbenchError(f"{where}predictions cannot be converted to a numpy array: {error}") from error
    if array.dtype.kind != "f":
        raise VpbenchError(f"{where}predictions must be floating-point in [0, 1], not {array.dtype}.")
    if array.shape != shape:
        raise VpbenchError(
            f"{where}predictions must have the shape {shape} (frames, height, width, RGB), not {array.shape}."
        )
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        frame = int(np.argmin(np.isfinite(array).all(axis=(1, 2, 3)))) + 1
        raise VpbenchError(f"{where}predicted frame {frame} contains NaN or infinity.")
    if low < -1e-6 or high > 1 + 1e-6:
        raise VpbenchError(
            f"{where}values must lie in [0, 1], but they span [{low:.6g}, {high:.6g}]; clip or rescale."
        )
    return np.ascontiguousarray(array, dtype=np.float32)
