"""Finding a predictor: a name and options, resolved through entry points or a Python file."""

from __future__ import annotations

import hashlib
import inspect
import re
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from vpbench.errors import UsageError, VpbenchError, unknown_name
from vpbench.files import is_file
from vpbench.predictors.corrupted import CORRUPTED, Corrupted, Corruption
from vpbench.predictors.predictor import Predictor

GROUP = "vpbench.predictors"


FRAMES = "frames:"


@dataclass(frozen=True)
class PredictorSpec:
    """A predictor as named by the user: ``NAME[,key=value…]``, ``path/to/file.py:Class[,key=value…]``, ``frames:DIR``.

    Before the first two may stand ``corrupted:KIND=SEVERITY:``, which makes it a :class:`CorruptedSpec`.

    Attributes:
        name: without the options.
        options: sorted by key.
    """

    name: str
    options: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> PredictorSpec:
        """Parse the value of ``--model``.

        Raises:
            UsageError: an option is not of the form ``key=value``, or a file is named without its class.
        """
        if "\0" in text:
            raise UsageError(f"--model {text}: it holds NUL, which no name has.")
        if text.startswith(FRAMES):  # a folder's name may have commas; there are no options
            if text == FRAMES:
                raise UsageError(f"--model {text}: name the folder too, as {FRAMES}DIR.")
            return cls(text)
        if text.startswith(CORRUPTED):
            corruption, inner = _uncorrupted(text)
            return cls.parse(inner).corrupted(corruption)
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
    def remade(self) -> bool:
        """Whether any process can make the same predictor from this, now and later."""
        return True

    @property
    def label(self) -> str:
        """The default label of its runs."""
        stem = self.name
        if self._frames_folder is not None:
            folder = self._frames_folder.resolve()
            return (folder.parent if folder.name == "predictions" else folder).name + ".frames"
        if self._is_file:
            file, _, cls = self.name.rpartition(":")
            stem = f"{Path(file).stem}.{cls}"
        return ",".join([stem, *(f"{key}={re.sub('[/:]', '_', value)}" for key, value in self.options)])

    @property
    def _frames_folder(self) -> Path | None:
        return Path(self.name.removeprefix(FRAMES)) if self.name.startswith(FRAMES) else None

    @property
    def _is_file(self) -> bool:
        return ".py:" in self.name or self.name.endswith(".py")

    def corrupted(self, corruption: Corruption) -> CorruptedSpec:
        """The same predictor with corrupted inputs."""
        name = f"{CORRUPTED}{corruption}:{self.name}"
        return CorruptedSpec(name, self.options, inner=self, corruption=corruption)

    def absolute(self) -> PredictorSpec:
        """The same predictor with absolute paths, for processes in another working folder."""
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
            from vpbench.predictors.frames_folder import FramesFolder

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
            from vpbench.predictors.frames_folder import content_hash

            identity["name"] = FRAMES + self._frames_folder.resolve().name
            identity["sha256"] = content_hash(self._frames_folder)
        elif self._is_file:
            file = _existing_file(self.name)
            identity["name"] = f"{file.name}:{self.name.rpartition(':')[2]}"
            identity["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
        elif (entry := _entries().get(self.name)) is not None and entry.dist is not None:
            identity["class"] = entry.value
            identity["distribution"] = f"{entry.dist.name} {entry.dist.version}"
        return identity


@dataclass(frozen=True, kw_only=True)
class CorruptedSpec(PredictorSpec):
    """A predictor with corrupted inputs: ``corrupted:KIND=SEVERITY[,seed=N]:`` before what names the predictor.

    Attributes:
        inner: the predictor.
        corruption: what is done to its inputs.
    """

    inner: PredictorSpec
    corruption: Corruption

    @property
    def remade(self) -> bool:
        """Whether the predictor is."""
        return self.inner.remade

    @property
    def label(self) -> str:
        """The predictor's, and the corruption."""
        return f"{self.inner.label},{self.corruption}"

    def absolute(self) -> PredictorSpec:
        """The same with absolute paths."""
        return self.inner.absolute().corrupted(self.corruption)

    def load_class(self) -> type[Predictor]:
        """The predictor's class; raises what that of the predictor raises."""
        return self.inner.load_class()

    def create(self, device: str = "cpu") -> Predictor:
        """Make the predictor, with corrupted inputs; raises what making the predictor raises."""
        corruption = self.corruption
        return Corrupted(self.inner.create(device), corruption.kind, corruption.severity, corruption.seed)

    def identity(self) -> dict[str, Any]:
        """That of the predictor, under the name that says the corruption."""
        identity = self.inner.identity()
        return {**identity, "name": f"{CORRUPTED}{self.corruption}:{identity['name']}"}


def _uncorrupted(name: str) -> tuple[Corruption, str]:
    """The corruption that a name of a corrupted predictor says, and the predictor's own.

    Raises:
        UsageError: it says none.
    """
    corruption, colon, inner = name.removeprefix(CORRUPTED).partition(":")
    if not (colon and inner):
        raise UsageError(f"--model {name}: name the predictor too, as {CORRUPTED}KIND=SEVERITY:NAME.")
    try:
        return Corruption.parse(corruption), inner
    except UsageError as error:
        raise UsageError(f"--model {name}: {error}") from None


def installed(name: str, options: tuple[tuple[str, str], ...]) -> PredictorSpec | None:
    """What a run names, if that is a predictor that is installed here; never a file.

    Raises:
        UsageError: it is a corrupted one, and there is no such corruption.
    """
    if name.startswith(CORRUPTED):
        corruption, inner = _uncorrupted(name)
        return PredictorSpec(inner, options).corrupted(corruption) if inner in predictor_names() else None
    return PredictorSpec(name, options) if name in predictor_names() else None


@cache
def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def predictor_names() -> list[str]:
    """Names of all installed predictors, sorted."""
    return sorted(_entries())


def _existing_file(name: str) -> Path:
    path = Path(name.rpartition(":")[0])
    if not is_file(path):
        raise UsageError(f"--model {name}: there is no file {path}.")
    return path


def _load_from_file(name: str) -> type[Predictor]:
    import importlib.util
    import sys

    path, class_name = _existing_file(name), name.rpartition(":")[2]
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
                f"Predictor '{spec.name}': the types of its options cannot be determined: {error!r}"
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
