"""Asking predictors for frames: in the worker that scores them, or in the parent process."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vpbench.errors import VpbenchError, with_place
from vpbench.predictors.predictor import Predictor, check_predictions
from vpbench.predictors.samples import Samples
from vpbench.predictors.spec import PredictorSpec


@dataclass(frozen=True)
class PredictionRequest:
    """What a predictor is asked for.

    Attributes:
        name: the predictor's name, for errors.
        targets: number of frames to predict.
        samples: how many futures are drawn of each clip; ``None`` for a predictor that is not stochastic.
    """

    name: str
    targets: int
    samples: Samples | None = None

    @property
    def draws(self) -> int:
        """How many futures of each clip are predicted."""
        return 1 if self.samples is None else self.samples.count


_made: dict[PredictorSpec, Predictor] = {}


def predictor_here(spec: PredictorSpec) -> Predictor:
    """The predictor of a spec, made once in each worker process."""
    if spec not in _made:
        _made[spec] = spec.create()
    return _made[spec]


def predict_clips(
    predictor: Predictor,
    request: PredictionRequest,
    indices: list[int],
    inputs: list[NDArray[np.uint8]],
    sample: int = 0,
) -> tuple[list[NDArray[np.float32]], float]:
    """Predictions for a batch of clips of one size, from frames of bytes; see :func:`predict_frames`.

    Args:
        predictor: the predictor.
        request: what it is asked for.
        indices: the clips' indices.
        inputs: the clips' inputs, uint8 ``(T, H, W, 3)``, RGB.
        sample: which of the samples (0-based), if there are several.
    """
    batch = [clip.astype(np.float32) for clip in inputs]
    for clip in batch:
        clip /= np.float32(255)  # in place: numpy divides uint8 into float32 six times as slowly
    return predict_frames(predictor, request, indices, batch, sample)


def predict_frames(
    predictor: Predictor,
    request: PredictionRequest,
    indices: list[int],
    batch: list[NDArray[np.float32]],
    sample: int = 0,
) -> tuple[list[NDArray[np.float32]], float]:
    """Predictions for a batch of clips of one size.

    Args:
        predictor: the predictor.
        request: what it is asked for.
        indices: the clips' indices.
        batch: the clips' inputs, float32 ``(T, H, W, 3)``, RGB in [0, 1], which the predictor gets as they are.
        sample: which of the samples (0-based), if there are several.

    Returns:
        For each clip float32 ``(targets, H, W, 3)`` in [0, 1], checked; and the seconds per clip.

    Raises:
        VpbenchError: the predictor raised, or what it returned is not valid; names predictor and clip.
    """
    where = f"Predictor '{request.name}', clip {', '.join(map(str, indices))}: "
    start = time.perf_counter()
    try:
        if request.samples is None:
            predictions = list(predictor.predict_clips(indices, batch, request.targets))
        else:
            seeds = [request.samples.seed_of(index, sample) for index in indices]
            predictions = list(predictor.sample_clips(indices, batch, request.targets, seeds))
    except VpbenchError as error:
        raise VpbenchError(f"{where}{error}") from error
    except Exception as error:
        raise VpbenchError(f"{where}raised {with_place(error)}.") from error
    seconds = (time.perf_counter() - start) / len(batch)
    if len(predictions) != len(batch):
        raise VpbenchError(f"{where}it returned {len(predictions)} predictions for {len(batch)} clips.")
    shape = (request.targets, *batch[0].shape[1:3], 3)
    checked = [
        check_predictions(p, request.name, i, shape) for i, p in zip(indices, predictions, strict=True)
    ]
    return checked, seconds


def multiply_adds(
    predictor: Predictor, request: PredictionRequest, shape: tuple[int, int, int, int]
) -> int | None:
    """The multiply-adds of a predicted frame, as the predictor says; ``None`` if it does not.

    Args:
        predictor: the predictor.
        request: what it is asked for.
        shape: of a clip's inputs, ``(T, H, W, 3)``.

    Raises:
        VpbenchError: the predictor raised, or what it returned is no count; names the predictor.
    """
    where = f"Predictor '{request.name}': multiply_adds() "
    try:
        total = predictor.multiply_adds(shape, request.targets)
    except Exception as error:
        raise VpbenchError(f"{where}raised {with_place(error)}.") from error
    if total is None:
        return None
    if type(total) is not int or not 0 <= total < 2**63:
        raise VpbenchError(f"{where}must return a whole number or None, not {total!r}.")
    return round(total / request.targets)


def peak_mib() -> float:
    """The largest resident set that this process has had, in MiB."""
    import psutil

    memory = psutil.Process().memory_info()
    if hasattr(memory, "peak_wset"):  # Windows
        return float(getattr(memory, "peak_wset")) / 2**20  # noqa: B009 -- unknown to other systems
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
