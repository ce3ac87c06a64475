"""``vpbench.evaluate``: score a Python function, a predictor or a model by name, from Python."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypedDict, Unpack

from vpbench.clips.opening import ClipRequest, open_clips
from vpbench.errors import UsageError
from vpbench.escape import visible
from vpbench.evaluation.engine import evaluate_clips
from vpbench.files import temporary_folder
from vpbench.parallel.execution import Workers
from vpbench.parallel.processes import threads_restored
from vpbench.predictors.corrupted import Corrupted
from vpbench.predictors.entrant import Entrant
from vpbench.predictors.predictor import Predictor
from vpbench.predictors.spec import PredictorSpec
from vpbench.scoring.built_in import get_protocol
from vpbench.scoring.protocol import Protocol
from vpbench.video.flow_source import flow_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from vpbench.runs.run import Run
    from vpbench.splits import Split

    Predict = Callable[[NDArray[np.float32], int], NDArray[np.floating[Any]]]
    Sample = Callable[[NDArray[np.float32], int, int], NDArray[np.floating[Any]]]


class Options(TypedDict, total=False):
    """The rarer options of :func:`evaluate` and :func:`evaluate_samples`, which explain them."""

    flow: str | None
    limit: int | None
    workers: int
    batch_size: int
    device: str
    seed: int | None
    save_predictions: bool
    force: bool


@dataclass(frozen=True)
class _Settings:
    """The same with their defaults."""

    flow: str | None = None
    limit: int | None = None
    workers: int = 1
    batch_size: int = 1
    device: str = "cpu"
    seed: int | None = None
    save_predictions: bool = False
    force: bool = False


def evaluate(
    predictor: Predict | Predictor | str,
    split: str | Split | None = None,
    protocol: str | Protocol | None = None,
    *,
    data: Path | str | None = None,
    out: Path | str | None = None,
    label: str | None = None,
    **options: Unpack[Options],
) -> Run:
    """Score a predictor.

    For example::

        run = vpbench.evaluate(lambda inputs, targets: inputs[-1:].repeat(targets, axis=0))

    A function, or a :class:`Predictor` that you made, runs in this process, whatever the number of workers; a model
    by name runs as in ``vpbench run``. Nobody can know later what a function did, so its run is not resumed: a
    folder that holds a run already is refused, or with ``force`` that run is discarded.

    Args:
        predictor: a function ``predict(inputs, targets)`` that gets the input frames, float32 ``(T, H, W, 3)`` RGB in
            [0, 1], and the number of frames wanted, and returns ``(targets, H, W, 3)`` floating-point in [0, 1]; or a
            predictor; or what ``--model`` takes.
        split: name, CSV file or folder of the split; by default ``ucf101-every10th`` if there is ``data``, else
            ``demo``.
        protocol: name, TOML file, or a protocol; by default the split's, which is ``mathieu2016`` for most.
        data: folder of videos, of prepared clips, or the authors' archive.
        out: folder of runs, to keep the run in ``out/<split>/<protocol>/<label>``. By default nothing is kept: the
            run that is returned has its scores and manifest in memory, and its ``folder`` no longer exists.
        label: the run's label; by default the function's, class's or model's name.
        **options: the rarer ones, by keyword:

            - ``flow``: of the moving areas, an estimator or ``files:DIR``; by default the protocol's.
            - ``limit``: score at most the first N clips.
            - ``workers`` (1): processes that read and score clips. More than one starts new Python processes, which
              need the usual ``if __name__ == "__main__":`` in a script.
            - ``batch_size`` (1): clips that :meth:`Predictor.predict_batch` gets at once.
            - ``device`` (``cpu``): where a model by name runs.
            - ``seed`` (0): for a stochastic predictor, of which one sample a clip is scored.
            - ``save_predictions``: keep the predictions as float32 arrays; needs ``out``.
            - ``force``: discard a run in the folder that does not match.

    Returns:
        The run: ``run.scores`` holds a column of numbers for each metric, ``run.manifest`` what was run on what.

    Raises:
        UsageError: unknown names, or predictor, split and protocol do not fit.
        VpbenchError: the predictor failed or returned something invalid; the message names the clip.
    """
    (run,) = _evaluate(predictor, None, split, protocol, data, out, label, _Settings(**options))
    return run


def evaluate_samples(
    predictor: Sample | Predictor | str,
    samples: int,
    split: str | Split | None = None,
    protocol: str | Protocol | None = None,
    *,
    data: Path | str | None = None,
    out: Path | str | None = None,
    label: str | None = None,
    **options: Unpack[Options],
) -> tuple[Run, Run]:
    """Score several samples of a stochastic predictor.

    Args:
        predictor: a function ``sample(inputs, targets, seed)``, whose randomness all comes from the seed; or a
            stochastic predictor; or what ``--model`` takes.
        samples: how many futures of each clip to draw, at least 2.
        split: as for :func:`evaluate`, like all that follows.
        protocol: see there.
        data: see there.
        out: see there.
        label: see there; the runs' labels end in ``.best-of-N`` and ``.mean-of-N``.
        **options: see there; ``seed`` is where the seeds of clips and samples come from, and ``save_predictions``
            keeps the best predictions.

    Returns:
        The run of the best and the run of the mean scores (:mod:`vpbench.predictors.samples`).

    Raises:
        UsageError: as for :func:`evaluate`; the predictor is deterministic; or fewer than 2 samples.
        VpbenchError: as for :func:`evaluate`.
    """
    if samples < 2:
        raise UsageError(f"evaluate_samples: {samples} samples; ask for at least 2 (`evaluate` scores one).")
    best, mean = _evaluate(predictor, samples, split, protocol, data, out, label, _Settings(**options))
    return best, mean


def _evaluate(
    given: Predict | Sample | Predictor | str,
    samples: int | None,
    split: str | Split | None,
    protocol: str | Protocol | None,
    data: Path | str | None,
    out: Path | str | None,
    label: str | None,
    settings: _Settings,
) -> tuple[Run, ...]:
    if settings.save_predictions and out is None:
        raise UsageError("save_predictions needs a folder to keep them in: give `out` too.")
    entrant = _entrant(given, samples, label, settings)
    clips = ClipRequest(
        split,
        None if data is None else Path(data),
        limit=settings.limit,
        flow=None if settings.flow is None else flow_source(settings.flow),
    )
    named = clips.protocol if protocol is None else protocol
    rules = clips.adapt(get_protocol(named) if isinstance(named, str) else named)
    entrant.check_fits(rules)
    with (
        threads_restored() if settings.workers == 1 else nullcontext(),
        open_clips(clips, rules, Workers(settings.workers), warn=_warn) as opened,
        _folder(out) as folder,
    ):
        return evaluate_clips(
            entrant,
            opened.clips,
            rules,
            folder,
            replace(opened.execution, batch_size=settings.batch_size),
            save_predictions=settings.save_predictions,
            force=settings.force,
        )


@contextmanager
def _folder(out: Path | str | None) -> Iterator[Path]:
    if out is not None:
        yield Path(out)
        return
    with temporary_folder() as folder:
        yield folder


def _warn(text: str) -> None:
    import warnings

    warnings.warn(visible(text), stacklevel=2)


class _Function(Predictor):
    """A function, as a predictor."""

    runs_in: ClassVar[Literal["worker", "parent"]] = "parent"

    def __init__(self, function: Predict) -> None:
        self._function = function

    def predict(self, inputs: NDArray[np.float32], targets: int) -> NDArray[np.float32]:
        predicted: NDArray[np.float32] = self._function(inputs, targets)
        return predicted


class _SampleFunction(Predictor):
    """A function of a seed, as a stochastic predictor."""

    runs_in: ClassVar[Literal["worker", "parent"]] = "parent"
    stochastic: ClassVar[bool] = True

    def __init__(self, function: Sample) -> None:
        self._function = function

    def sample(self, inputs: NDArray[np.float32], targets: int, seed: int) -> NDArray[np.float32]:
        drawn: NDArray[np.float32] = self._function(inputs, targets, seed)
        return drawn


@dataclass(frozen=True)
class _Given(PredictorSpec):
    """Names an object of this process, which no other process can make."""

    source: str | None = None

    @property
    def remade(self) -> bool:
        """No."""
        return False

    def identity(self) -> dict[str, Any]:
        """Its name, and the hash of its source where that is known."""
        identity: dict[str, Any] = {"name": f"python:{self.name}", "options": {}}
        if self.source is not None:
            identity["sha256"] = hashlib.sha256(self.source.encode()).hexdigest()
        return identity


def _entrant(
    given: Predict | Sample | Predictor | str, samples: int | None, label: str | None, settings: _Settings
) -> Entrant:
    if isinstance(given, str):
        spec = PredictorSpec.parse(given)
        predictor = spec.create(settings.device)
    else:
        predictor = _as_predictor(given, stochastic=samples is not None)
        spec = _spec_of(given, label)
    return Entrant.enter(label or spec.label, spec, predictor, samples, settings.seed)


def _as_predictor(given: Any, stochastic: bool) -> Predictor:
    if isinstance(given, Predictor):
        return given
    if inspect.isclass(given) and issubclass(given, Predictor):
        raise UsageError(f"{given.__name__} is a class; give an object of it: evaluate({given.__name__}()).")
    if not callable(given):
        raise UsageError(f"{given!r} is neither a function nor a Predictor nor the name of a model.")
    return _SampleFunction(given) if stochastic else _Function(given)


def _spec_of(given: object, label: str | None) -> PredictorSpec:
    if isinstance(given, Corrupted):
        return _spec_of(given.predictor, label).corrupted(given.corruption)
    thing = type(given) if isinstance(given, Predictor) or not hasattr(given, "__name__") else given
    name = getattr(thing, "__name__", "predictor")
    if name == "<lambda>" and label is None:
        name = "lambda"
    try:
        source = inspect.getsource(thing)  # type: ignore[arg-type]
    except (OSError, TypeError):
        source = None
    return _Given(re.sub(r"[^A-Za-z0-9_.]", "_", name), source=source)
