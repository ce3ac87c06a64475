"""Predictors with corrupted inputs: noise, JPEG, repeated and dropped frames, a static overlay, in five severities.

Only what the predictor is given is corrupted: targets and moving areas stay clean, so that its scores are comparable to
those from clean inputs. A corruption depends on its seed and the number of the clip and on nothing else: it is the same
for every predictor, whatever the order of the clips and the number of workers, and its severities share their random
numbers. What a severity means is in :data:`KINDS`, whose version is :data:`VERSION`.

The idea is that of D. Hendrycks, T. Dietterich, *Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations*, ICLR 2019; kinds and severities are our own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vpbench.errors import UsageError, unknown_name
from vpbench.predictors.frames_folder import FramesFolder
from vpbench.predictors.predictor import Predictor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Frames = NDArray[np.uint8]

CORRUPTED = "corrupted:"
# Raised whenever a change makes the corrupted frames others.
VERSION = 1
SEVERITIES = (1, 2, 3, 4, 5)
# Black and white fields of an overlay, like the letters of a caption.
_FIELDS = (6, 16)


@dataclass(frozen=True)
class Kind:
    """A kind of corruption.

    Attributes:
        summary: what happens to the inputs.
        levels: what each severity means, mildest first.
        words: the same in words; of frames, which are shown of four inputs, or of the last four.
        function: corrupts the inputs of a clip, uint8 ``(T, H, W, 3)``, which stay as they are, by a level, with a
            source of random numbers.
        least: fewest inputs that it needs.
        mark: what a footnote says, with ``{}`` for the words.
    """

    summary: str
    levels: tuple[Any, ...]
    words: tuple[str, ...]
    function: Callable[[Frames, Any, np.random.Generator], Frames]
    least: int = 1
    mark: str = "{}"


@dataclass(frozen=True)
class Corruption:
    """What is done to the inputs of a predictor.

    Attributes:
        kind: a key of :data:`KINDS`.
        severity: 1 … 5.
        seed: where its randomness comes from, 0 … 2³² − 1.

    Raises:
        UsageError: there is no such kind, severity or seed.
    """

    kind: str
    severity: int
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown_name("corruption", self.kind, list(KINDS))
        if self.severity not in SEVERITIES:
            raise UsageError(
                f"Severity {self.severity} of {self.kind}: severities are 1 to {SEVERITIES[-1]}."
            )
        if not 0 <= self.seed < 2**32:
            raise UsageError(f"Seed {self.seed} of {self.kind}: a seed is a whole number from 0 to 2³² − 1.")

    @classmethod
    def parse(cls, text: str) -> Corruption:
        """Read ``KIND=SEVERITY[,seed=N]``.

        Raises:
            UsageError: it is none.
        """
        first, comma, second = text.partition(",")
        kind, _, severity = first.partition("=")
        key, _, seed = second.partition("=")
        if not severity.isdecimal() or (comma and not (key == "seed" and seed.isdecimal())):
            raise UsageError(
                f"'{text}' is no corruption: KIND=SEVERITY or KIND=SEVERITY,seed=N is, as noise=3."
            )
        return cls(kind, int(severity), int(seed or 0))

    def __str__(self) -> str:
        return f"{self.kind}={self.severity}" + (f",seed={self.seed}" if self.seed else "")

    @property
    def in_words(self) -> str:
        """What this severity means."""
        return KINDS[self.kind].words[self.severity - 1]

    def apply(self, clip: int, frames: Frames) -> Frames:
        """Corrupt the inputs of a clip.

        Args:
            clip: its number in the split.
            frames: uint8 ``(T, H, W, 3)``, RGB, which stay as they are.
        """
        import numpy as np

        kind = KINDS[self.kind]
        return kind.function(frames, kind.levels[self.severity - 1], np.random.default_rng([self.seed, clip]))


class Corrupted(Predictor):
    """A predictor whose inputs are corrupted.

    It predicts what the predictor would from inputs that were damaged on their way to it; see
    :mod:`vpbench.predictors.corrupted`. For example::

        run = vpbench.evaluate(vpbench.Corrupted(MyModel(), "noise", 3))

    Its runs say in their label, their predictor's name and a footnote what was done to the inputs. How long it takes is
    not measured.

    Args:
        predictor: what predicts.
        kind: ``noise``, ``jpeg``, ``repeat``, ``drop`` or ``overlay`` (``vpbench list corruptions``).
        severity: 1 … 5.
        seed: where the randomness of noise and overlays comes from.

    Raises:
        UsageError: there is no such kind, severity or seed; the predictor is none, only looks frames up, or is
            corrupted already.
    """

    def __init__(self, predictor: Predictor, kind: str, severity: int, seed: int = 0) -> None:
        if not isinstance(predictor, Predictor):
            raise UsageError(f"{predictor!r} is not a Predictor: only the inputs of one can be corrupted.")
        if isinstance(predictor, FramesFolder | Corrupted):
            what = "looks its frames up" if isinstance(predictor, FramesFolder) else "is corrupted already"
            raise UsageError(f"The predictor {what}: its inputs cannot be corrupted.")
        self.predictor = predictor
        self.corruption = Corruption(kind, severity, seed)
        for attribute in ("max_targets", "runs_in", "trained", "stochastic", "device"):
            setattr(self, attribute, getattr(predictor, attribute))
        setattr(self, "min_inputs", max(predictor.min_inputs, KINDS[kind].least))  # noqa: B010 -- of classes
        self.timed = False

    def corrupt(self, clip: int, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """The inputs that the predictor gets instead, rounded to 8 bits.

        Args:
            clip: its number in the split.
            inputs: float32 ``(T, H, W, 3)``, RGB in [0, 1], which stay as they are.
        """
        import numpy as np

        frames = self.corruption.apply(clip, np.rint(inputs * np.float32(255)).astype(np.uint8))
        return frames.astype(np.float32) / np.float32(255)

    def predict_clips(
        self, indices: Sequence[int], inputs: Sequence[NDArray[np.float32]], targets: int
    ) -> Sequence[NDArray[np.float32]]:
        """Predict from corrupted inputs."""
        return self.predictor.predict_clips(indices, self._corrupted(indices, inputs), targets)

    def sample_clips(
        self,
        indices: Sequence[int],
        inputs: Sequence[NDArray[np.float32]],
        targets: int,
        seeds: Sequence[int],
    ) -> Sequence[NDArray[np.float32]]:
        """Draw futures of corrupted inputs; those of one clip are all of the same."""
        return self.predictor.sample_clips(indices, self._corrupted(indices, inputs), targets, seeds)

    def predict(self, inputs: NDArray[np.float32], targets: int) -> NDArray[np.float32]:
        """Predict as for the clip 0."""
        return self.predict_clips([0], [inputs], targets)[0]

    def sample(self, inputs: NDArray[np.float32], targets: int, seed: int) -> NDArray[np.float32]:
        """Draw a future as of the clip 0."""
        return self.sample_clips([0], [inputs], targets, [seed])[0]

    def multiply_adds(self, shape: tuple[int, int, int, int], targets: int) -> int | None:
        """Those of the predictor."""
        return self.predictor.multiply_adds(shape, targets)

    def describe(self) -> dict[str, Any]:
        """What the predictor says of itself, and what is done to its inputs."""
        described, corruption = self.predictor.describe(), self.corruption
        what = KINDS[corruption.kind].mark.format(corruption.in_words)
        mark = f"inputs corrupted: {corruption.kind}, severity {corruption.severity} ({what})"
        if corruption.seed:
            mark += f", seed {corruption.seed}"
        own = {
            "kind": corruption.kind,
            "severity": corruption.severity,
            "seed": corruption.seed,
            "version": VERSION,
        }
        # Trainings of one method make one row of a table, but not with trainings that had other inputs.
        method = {"method": f"{described['method']}, {corruption}"} if "method" in described else {}
        return {**described, **method, "corruption": own, "marks": [*(described.get("marks") or ()), mark]}

    def _corrupted(
        self, indices: Sequence[int], inputs: Sequence[NDArray[np.float32]]
    ) -> list[NDArray[np.float32]]:
        return [self.corrupt(index, clip) for index, clip in zip(indices, inputs, strict=True)]


def _noise(frames: Frames, sigma: float, random: np.random.Generator) -> Frames:
    """Gaussian noise of a standard deviation on the scale 0 … 255, of each pixel, channel and frame by itself."""
    import numpy as np

    noisy = frames + np.float32(sigma) * random.standard_normal(frames.shape, np.float32)
    return np.asarray(np.clip(np.rint(noisy), 0, 255), np.uint8)


def _jpeg(frames: Frames, quality: int, random: np.random.Generator) -> Frames:
    """Each frame by itself through JPEG, with colours at half the size (4:2:0)."""
    import cv2
    import numpy as np

    how = [cv2.IMWRITE_JPEG_QUALITY, quality]
    how += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
    files = [cv2.imencode(".jpg", frame[..., ::-1], how)[1] for frame in frames]
    return np.stack([np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR), np.uint8)[..., ::-1] for file in files])


def _repeat(frames: Frames, places: Sequence[int], random: np.random.Generator) -> Frames:
    return frames[_repeated(len(frames), places)]


def _repeated(count: int, places: Sequence[int]) -> list[int]:
    """Which inputs are shown where those at some places, 1 for the last, show the one before them again."""
    shown = list(range(count))
    for place in sorted(places, reverse=True):
        shown[count - place] = shown[count - place - 1]
    return shown


def _drop(frames: Frames, places: Sequence[int], random: np.random.Generator) -> Frames:
    return frames[_dropped(len(frames), places)]


def _dropped(count: int, places: Sequence[int]) -> list[int]:
    """Which inputs are shown where those at some places, 1 for the last, are lost.

    Those before a gap move up, and the oldest is shown more often, so that they are as many as before.
    """
    kept = [number for number in range(count) if count - number not in places]
    return [kept[0]] * len(places) + kept


def _overlay(frames: Frames, share: float, random: np.random.Generator) -> Frames:
    """A rectangle of a share of the frame's area and of its shape, at the same place in each frame.

    It has black and white fields; fields and place (all that fit are equally likely) are those of the clip.
    """
    import numpy as np

    height, width = (max(1, round(side * share**0.5)) for side in frames.shape[1:3])
    fields = random.integers(0, 2, _FIELDS, np.uint8) * np.uint8(255)
    top, left = (
        int(place * (side - own + 1))
        for place, side, own in zip(random.random(2), frames.shape[1:3], (height, width), strict=True)
    )
    rows, columns = np.arange(height) * _FIELDS[0] // height, np.arange(width) * _FIELDS[1] // width
    covered = frames.copy()
    covered[:, top : top + height, left : left + width] = fields[np.ix_(rows, columns)][..., np.newaxis]
    return covered


def _of_four(
    shown: Callable[[int, Sequence[int]], list[int]], levels: Sequence[Sequence[int]]
) -> tuple[str, ...]:
    return tuple(" ".join(str(number + 1) for number in shown(4, places)) for places in levels)


_SIGMAS = (2, 5, 10, 20, 40)
_QUALITIES = (75, 50, 25, 15, 8)
_SHARES = (0.01, 0.02, 0.05, 0.1, 0.2)
# Places from the end: 1 is the last input.
_REPEATED = ((3,), (2,), (1,), (1, 2), (1, 2, 3))
_DROPPED = ((3,), (2,), (2, 3), (1,), (1, 2))

KINDS: dict[str, Kind] = {
    "noise": Kind(
        "Gaussian noise on each pixel, of standard deviation σ on the scale 0 … 255, clipped and rounded",
        _SIGMAS,
        tuple(f"σ {sigma}" for sigma in _SIGMAS),
        _noise,
    ),
    "jpeg": Kind(
        "each frame compressed as JPEG, colours at half the size",
        _QUALITIES,
        tuple(f"quality {quality}" for quality in _QUALITIES),
        _jpeg,
    ),
    "repeat": Kind(
        "inputs that show the one before them again, as from a camera that hangs",
        _REPEATED,
        _of_four(_repeated, _REPEATED),
        _repeat,
        least=4,
        mark="four are shown as {}",
    ),
    "drop": Kind(
        "inputs that are lost: those before the gap move up, and the oldest is shown more often",
        _DROPPED,
        _of_four(_dropped, _DROPPED),
        _drop,
        least=4,
        mark="four are shown as {}",
    ),
    "overlay": Kind(
        "a static rectangle of black and white fields, like a caption, of a share of the frame's area",
        _SHARES,
        tuple(f"{100 * share:.0f} %" for share in _SHARES),
        _overlay,
        mark="{} of the area",
    ),
}
