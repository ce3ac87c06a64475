"""The self-test of a predictor: what a run takes for granted, tried on frames that are made for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vpbench.errors import UsageError, VpbenchError
from vpbench.evaluation.prediction import PredictionRequest, multiply_adds, peak_mib, predict_frames
from vpbench.predictors.predictor import Predictor
from vpbench.predictors.samples import Samples
from vpbench.predictors.spec import FRAMES, PredictorSpec
from vpbench.splits.synthetic import CLIPS, render

State = Literal["ok", "fault", "note"]
Clips = list[NDArray[np.float32]]

# Largest difference of predictions that are the same but for rounding.
TOLERANCE = 1e-4
_TARGETS = 2
_BATCH = 3
_LEAST_INPUTS = 4
# Sizes without an even side.
ODD_SIZES = ((37, 53), (121, 163))
_TIMED = 3


@dataclass(frozen=True)
class Finding:
    """What a test found.

    Attributes:
        state: ``ok``; ``fault``: scores would be wrong, or depend on what they must not; ``note``: worth knowing.
        what: which test.
        detail: a sentence.
    """

    state: State
    what: str
    detail: str


def self_test(spec: PredictorSpec, device: str = "cpu") -> list[Finding]:
    """Try a predictor.

    Args:
        spec: the predictor, which is made twice.
        device: where trained models run.

    Returns:
        A finding for each test; those after the first that cannot be done without it are left out.

    Raises:
        UsageError: the predictor looks its predictions up, so that it has none for frames made here.
        VpbenchError: it cannot be made.
    """
    if not spec.remade or spec.name.startswith(FRAMES):
        raise UsageError(
            f"--model {spec.name}: predictions that are looked up cannot be tried on other frames."
        )
    predictor = spec.create(device)
    targets = min(_TARGETS, predictor.max_targets or _TARGETS)
    request = PredictionRequest(spec.name, targets, Samples() if predictor.stochastic else None)
    return list(_Test(spec, predictor, device, request).findings())


@dataclass
class _Test:
    spec: PredictorSpec
    predictor: Predictor
    device: str
    request: PredictionRequest

    def findings(self) -> Iterator[Finding]:
        inputs = max(_LEAST_INPUTS, self.predictor.min_inputs)
        clips = [_scene(number, inputs).copy() for number in range(_BATCH)]
        try:
            first = self._predict(clips[0])
        except VpbenchError as error:
            yield Finding("fault", "contract", str(error))
            return
        shape = " × ".join(map(str, first.shape))
        yield Finding("ok", "contract", f"{shape} finite numbers in [0, 1]")
        yield self._try("inputs stay", lambda: self._inputs_stay(clips[0]))
        yield self._try("repeatable", lambda: self._repeatable(clips, first))
        yield self._try("made again", lambda: self._made_again(clips[0], first))
        yield self._try("no peeking", lambda: self._no_peeking(clips[0], first))
        yield self._try("batches", lambda: self._batches(clips))
        if self.request.targets > 1:
            yield self._try("horizon", lambda: self._horizon(clips[0], first))
        for size in ODD_SIZES:
            yield self._try(f"{size[0]}×{size[1]}", partial(self._odd, clips[0], size))
        yield self._try("cost", lambda: self._cost(clips[0]))

    def _try(self, what: str, test: Callable[[], tuple[State, str]]) -> Finding:
        try:
            state, detail = test()
        except VpbenchError as error:
            return Finding("fault", what, str(error))
        return Finding(state, what, detail)

    def _predict(
        self, clip: NDArray[np.float32], targets: int | None = None, predictor: Predictor | None = None
    ) -> NDArray[np.float32]:
        """Predictions for one clip, checked as a run checks them."""
        request = replace(self.request, targets=targets or self.request.targets)
        (found,), _ = predict_frames(predictor or self.predictor, request, [0], [clip])
        return found

    def _inputs_stay(self, clip: NDArray[np.float32]) -> tuple[State, str]:
        given = clip.copy()
        self._predict(given)
        if np.array_equal(given, clip):
            return "ok", "the frames given are not changed"
        return "fault", "it writes into the frames given; copy them first"

    def _repeatable(self, clips: Clips, first: NDArray[np.float32]) -> tuple[State, str]:
        self._predict(clips[1])
        again = self._predict(clips[0].copy())
        if not np.array_equal(again, first):
            return "fault", (
                f"the same frames, after others, gave another prediction ({_apart(again, first)}): it is random, or "
                "remembers what came before. Random predictors say `stochastic = True` and override `sample`"
            )
        if self.predictor.stochastic:
            (other,), _ = predict_frames(self.predictor, self.request, [0], [clips[0]], sample=1)
            if np.array_equal(other, first):
                return "note", "it is stochastic, but two seeds gave the same prediction"
            return "ok", "the same seed gives the same prediction, another seed another"
        return "ok", "the same frames give the same prediction, bit for bit, whatever came before"

    def _made_again(self, clip: NDArray[np.float32], first: NDArray[np.float32]) -> tuple[State, str]:
        again = self._predict(clip, predictor=self.spec.create(self.device))
        if np.array_equal(again, first):
            return "ok", "made a second time, it predicts the same"
        return "fault", (
            f"made a second time, it predicts something else ({_apart(again, first)}): every worker makes its own, so "
            "scores would depend on the number of workers. Fix the seed of its weights"
        )

    def _no_peeking(self, clip: NDArray[np.float32], first: NDArray[np.float32]) -> tuple[State, str]:
        """Frames that lie behind the inputs in memory must not matter."""
        for filling in (0.0, 1.0):
            whole = np.full((len(clip) + self.request.targets, *clip.shape[1:]), filling, np.float32)
            whole[: len(clip)] = clip
            found = self._predict(whole[: len(clip)])
            if not np.array_equal(found, first):
                return (
                    "fault",
                    f"what follows the inputs in memory changes its prediction ({_apart(found, first)})",
                )
        return "ok", "what follows the inputs makes no difference"

    def _batches(self, clips: Clips) -> tuple[State, str]:
        numbers = list(range(len(clips)))
        together, _ = predict_frames(self.predictor, self.request, numbers, clips)
        alone = [
            predict_frames(self.predictor, self.request, [number], [clips[number]])[0][0]
            for number in numbers
        ]
        difference = max(float(np.abs(one - two).max()) for one, two in zip(together, alone, strict=True))
        if difference == 0:
            return "ok", f"{len(clips)} clips together are predicted as each alone, bit for bit"
        if difference <= TOLERANCE:
            return "note", f"{len(clips)} clips together are predicted as each alone, to {difference:.1e}"
        return "fault", (
            f"a clip in a batch of {len(clips)} is predicted differently than alone, by up to {difference:.2g}: the "
            "clips of a batch must not see each other (batch normalisation in training mode?)"
        )

    def _horizon(self, clip: NDArray[np.float32], first: NDArray[np.float32]) -> tuple[State, str]:
        one = self._predict(clip, 1)
        if np.abs(one[0] - first[0]).max() <= TOLERANCE:
            return "ok", "the first frame is the same however many are asked for"
        return "note", (
            f"the first of {self.request.targets} frames is not the one that is predicted alone "
            f"({_apart(one[0], first[0])})"
        )

    def _odd(self, clip: NDArray[np.float32], size: tuple[int, int]) -> tuple[State, str]:
        self._predict(np.ascontiguousarray(clip[:, : size[0], : size[1]]))
        return "ok", "frames of this size are predicted too"

    def _cost(self, clip: NDArray[np.float32]) -> tuple[State, str]:
        began = time.perf_counter()
        for _ in range(_TIMED):
            self._predict(clip)
        seconds = (time.perf_counter() - began) / (_TIMED * self.request.targets)
        height, width = clip.shape[1:3]
        adds = multiply_adds(self.predictor, self.request, (len(clip), height, width, 3))
        counted = "" if adds is None else f", {adds / 1e9:.3g} G multiply-adds"
        return "note", (
            f"{1000 * seconds:.1f} ms{counted} a frame of {width}×{height}; {peak_mib():.0f} MiB at the most, all "
            "included"
        )


def _apart(one: NDArray[np.float32], two: NDArray[np.float32]) -> str:
    return f"by up to {float(np.abs(one - two).max()):.2g}"


@cache
def _scene(number: int, inputs: int) -> NDArray[np.float32]:
    """The first frames of a clip of the split ``synthetic``: float32 ``(inputs, H, W, 3)`` in [0, 1]."""
    frames, _ = render(1 + number % len(CLIPS), inputs)
    return frames.astype(np.float32) / np.float32(255)
