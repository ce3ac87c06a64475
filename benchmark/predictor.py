"""Predictors: the contract, the check of what one returns, and how one is found by name.

A predictor gets the input frames and the number of frames wanted, and never sees the targets.
Those that vpbench ships and those of other packages come by the same entry-point group,
``vpbench.predictors``; a file of one's own is named ``path/to/file.py:Class``, a folder of frames that
something else predicted ``frames:DIR`` (:mod:`vpbench.frames_folder`).
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from vpbench.errors import UsageError, VpbenchError, unknown_name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Frames = NDArray[np.uint8] | NDArray[np.float32]

GROUP = "vpbench.predictors"
FRAMES = "frames:"


class Predictor:
    """Base class of predictors.

    Override :meth:`predict_next` (one frame ahead; further frames are then predicted recursively, each from
    the unquantised one before it, as in the paper) or :meth:`predict` (all frames at once), and
    :meth:`predict_batch` where a batch is faster than its clips one by one.

    The options that the command line takes (``--model NAME,key=value``) are the keyword arguments of
    ``__init__``.

    Attributes:
        min_inputs: fewest input frames it can work from; given more, it uses the last ones.
        max_targets: most frames it can predict; ``None`` for any number.
        runs_in: ``worker``: predictions are made in the worker processes, beside the scoring; ``parent``: in
            the parent process, in batches, while the workers score (networks, anything on a GPU).
        trained: whether it has learnt weights; its :meth:`describe` then says which and from what.
        stochastic: whether it draws its predictions at random; it then overrides :meth:`sample` instead.
        timed: whether the time that a prediction takes says something about it.
    """

    min_inputs: ClassVar[int] = 1
    max_targets: ClassVar[int | None] = None
    runs_in: ClassVar[Literal["worker", "parent"]] = "worker"
    trained: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False
    timed: ClassVar[bool] = True
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
        """Predict for the clips ``indices`` of the split; override it only to look predictions up."""
        return self.predict_batch(inputs, targets)

    def sample(self, inputs: NDArray[np.float32], targets: int, seed: int) -> NDArray[np.float32]:
        """Draw one of the possible futures of one clip (predictors with ``stochastic = True``).

        Args:
            inputs: as for :meth:`predict_next`.
            targets: number of frames.
            seed: where all randomness must come from, 0 … 2³² − 1; another one for each clip and sample.

        Returns:
            float32 ``(targets, H, W, 3)`` in [0, 1].
        """
        raise NotImplementedError(f"{type(self).__name__} is stochastic but does not override sample.")

    def sample_batch(
        self, inputs: Sequence[NDArray[np.float32]], targets: int, seeds: Sequence[int]
    ) -> Sequence[NDArray[np.float32]]:
        """Draw a future for each of several clips of one size; by default one after the other."""
        return [self.sample(clip, targets, seed) for clip, seed in zip(inputs, seeds, strict=True)]

    def describe(self) -> dict[str, Any]:
        """Facts for the run's manifest, as JSON data.

        Keys with a meaning for tables: ``parameters`` (number of learnt parameters), ``weights`` (SHA-256),
        ``training_data`` (text), ``contaminated`` (true if test clips were trained on), ``marks`` (list of
        short texts, each printed as a footnote of the row), ``seed`` of the training and ``method`` (runs of one
        method that differ in their seed make one row of a leaderboard).
        """
        return {}


@dataclass(frozen=True)
class PredictorSpec:
    """A predictor as named by the user: ``NAME[,key=value…]``, ``path/to/file.py:Class[,key=value…]``, ``frames:DIR``.

    Attributes:
        name: without the options.
        options: sorted by key.
        remade: whether any process can make the predictor from this, and one made later is the same.
    """

    name: str
    options: tuple[tuple[str, str], ...] = ()
    remade: ClassVar[bool] = True

    @classmethod
    def parse(cls, text: str) -> PredictorSpec:
        """Parse the value of ``--model``.

        Raises:
            UsageError: an option is not of the form ``key=value``, or a file is named without its class.
        """
        if text.startswith(FRAMES):  # a folder's name may have commas; there are no options
            if text == FRAMES:
                raise UsageError(f"--model {text}: name the folder too, as {FRAMES}DIR.")
            return cls(text)
        name, *pairs = text.split(",")
        options: list[tuple[str, str]] = []
        for pair in pairs:
            key, equals, value = pair.partition("=")
            if not (equals and key.isidentifier()):
                raise UsageError(f"--model {text}: '{pair}' is not of the form key=value.")
            if key in dict(options):
                raise UsageError(f"--model {text}: '{key}' is given twice.")
            options.append((key, value))
        spec = cls(name, tuple(sorted(options)))
        if spec._is_file and not (".py:" in name and name.rpartition(":")[2].isidentifier()):
            raise UsageError(f"--model {text}: give the class too, as path/to/file.py:Class.")
        return spec

    @property
    def label(self) -> str:
        """The label that a run of it has unless the user gives one."""
        stem = self.name
        if self._frames_folder is not None:
            folder = self._frames_folder.resolve()
            return (folder.parent if folder.name == "predictions" else folder).name + ".frames"
        if self._is_file:
            file, _, cls = self.name.rpartition(":")
            stem = f"{Path(file).stem}.{cls}"
        return ",".join([stem, *(f"{key}={value.replace('/', '_')}" for key, value in self.options)])

    @property
    def _frames_folder(self) -> Path | None:
        return Path(self.name.removeprefix(FRAMES)) if self.name.startswith(FRAMES) else None

    @property
    def _is_file(self) -> bool:
        return ".py:" in self.name or self.name.endswith(".py")

    def absolute(self) -> PredictorSpec:
        """The same predictor, for processes that may have another working folder."""
        if self._frames_folder is not None:
            return replace(self, name=f"{FRAMES}{self._frames_folder.absolute()}")
        if self._is_file:
            file, _, cls = self.name.rpartition(":")
            return replace(self, name=f"{Path(file).absolute()}:{cls}")
        return self

    def load_class(self) -> type[Predictor]:
        """Import and return the predictor's class.

        Raises:
            UsageError: the name or the file is unknown, or what it names is not a Predictor class.
            VpbenchError: its code raised when imported.
        """
        if self._frames_folder is not None:
            from vpbench.frames_folder import FramesFolder

            return FramesFolder
        if self._is_file:
            return _load_from_file(self.name)
        entry = _entries().get(self.name)
        if entry is None:
            raise unknown_name("predictor", self.name, predictor_names())
        try:
            found = entry.load()
        except Exception as error:
            raise VpbenchError(
                f"Predictor '{self.name}' ({entry.value}) cannot be loaded: {error!r}"
            ) from error
        return _checked_class(found, f"'{self.name}' ({entry.value})")

    def create(self, device: str = "cpu") -> Predictor:
        """Make the predictor with its options.

        Raises:
            UsageError: unknown name or option, or an option's value does not fit.
            VpbenchError: its code raised.
        """
        cls = self.load_class()
        frames = self._frames_folder
        arguments = _arguments(cls, self) if frames is None else {"folder": frames}
        try:
            predictor = cls(**arguments)
        except VpbenchError:
            raise
        except Exception as error:
            raise VpbenchError(f"Predictor '{self.name}' raised when it was made: {error!r}") from error
        predictor.device = device
        return predictor

    def identity(self) -> dict[str, Any]:
        """Where the predictor's code comes from, for the run's manifest: class, options, and version or hash."""
        identity: dict[str, Any] = {"name": self.name, "options": dict(self.options)}
        if self._frames_folder is not None:
            from vpbench.frames_folder import content_hash

            identity["name"] = FRAMES + self._frames_folder.resolve().name
            identity["sha256"] = content_hash(self._frames_folder)
        elif self._is_file:
            file = Path(self.name.rpartition(":")[0])
            identity["name"] = f"{file.name}:{self.name.rpartition(':')[2]}"
            identity["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
        elif (entry := _entries().get(self.name)) is not None and entry.dist is not None:
            identity["class"] = entry.value
            identity["distribution"] = f"{entry.dist.name} {entry.dist.version}"
        return identity


@cache
def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def predictor_names() -> list[str]:
    """Names of all installed predictors, sorted."""
    return sorted(_entries())


def _load_from_file(name: str) -> type[Predictor]:
    import importlib.util
    import sys

    file, _, class_name = name.rpartition(":")
    path = Path(file)
    if not path.is_file():
        raise UsageError(f"--model {name}: there is no file {path}.")
    module_name = f"vpbench_user_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    module = sys.modules.get(module_name)
    if module is None:
        spec = importlib.util.spec_from_file_location(module_name, path)
        assert spec and spec.loader  # noqa: S101, PT018 -- the name ends in .py
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module  # dataclasses and pickling look their module up here
        try:
            spec.loader.exec_module(module)
        except BaseException as error:
            del sys.modules[module_name]
            if isinstance(error, KeyboardInterrupt):
                raise
            line = _line_in(error, path)
            raise VpbenchError(f"{path}{line} raised when it was imported: {error!r}") from error
    if not hasattr(module, class_name):
        classes = [n for n, v in vars(module).items() if inspect.isclass(v) and v.__module__ == module_name]
        raise unknown_name(f"class in {path}", class_name, classes)
    return _checked_class(getattr(module, class_name), name)


def _line_in(error: BaseException, path: Path) -> str:
    """``:LINE`` where ``error`` passed through the file, or nothing."""
    import traceback

    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path
    ]
    return f":{lines[-1]}" if lines else ""


def _checked_class(found: object, name: str) -> type[Predictor]:
    if not (inspect.isclass(found) and issubclass(found, Predictor)):
        raise UsageError(f"Predictor {name} is not a class derived from vpbench.Predictor.")
    return found


def _arguments(cls: type[Predictor], spec: PredictorSpec) -> dict[str, Any]:
    """The options converted to the types that ``__init__`` declares (str, int, float, bool; default str)."""
    import typing

    accepted: dict[str, Any] = {}
    if spec.options and cls.__init__ is not object.__init__:
        try:
            hints = typing.get_type_hints(cls.__init__)
        except Exception as error:
            raise VpbenchError(
                f"Predictor '{spec.name}': the types of its options cannot be found out: {error!r}"
            ) from error
        for parameter in list(inspect.signature(cls.__init__).parameters.values())[1:]:
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                accepted[parameter.name] = hints.get(parameter.name, str)
    arguments = {}
    for key, value in spec.options:
        if key not in accepted:
            raise unknown_name(f"option of predictor '{spec.name}'", key, list(accepted))
        arguments[key] = _convert(spec.name, key, value, accepted[key])
    return arguments


def _convert(name: str, key: str, value: str, hint: Any) -> Any:
    import typing

    types = [t for t in (typing.get_args(hint) or (hint,)) if t is not type(None)]
    kinds = [kind for kind in (bool, int, float) if kind in types]
    for kind in kinds:
        try:
            if kind is bool:
                return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[
                    value.lower()
                ]
            return kind(value)
        except (KeyError, ValueError):
            continue
    if kinds and str not in types:
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise UsageError(f"--model {name}: {key}={value} is not of type {wanted}.")
    return value


def check_fits(predictor: Predictor, name: str, inputs: int, targets: int, protocol: str) -> None:
    """Refuse, by name, a predictor that cannot work under a protocol.

    Raises:
        UsageError: it needs more inputs than the protocol gives, or predicts fewer frames than it asks for.
    """
    if predictor.min_inputs > inputs:
        raise UsageError(
            f"Predictor '{name}' needs {predictor.min_inputs} input frames; protocol '{protocol}' gives {inputs}. "
            f"Choose another protocol (`vpbench list protocols`) or another predictor."
        )
    if predictor.max_targets is not None and predictor.max_targets < targets:
        raise UsageError(
            f"Predictor '{name}' predicts at most {predictor.max_targets} frames; protocol '{protocol}' asks for "
            f"{targets}. Choose another protocol (`vpbench list protocols`) or another predictor."
        )


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
        raise VpbenchError(f"{where}predictions cannot be made one numpy array: {error}") from error
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
