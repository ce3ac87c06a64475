"""Validation: the scores by which every choice is made, on clips that are neither for training nor for the test.

Every validation video gives two clips, from its first frame on and near its end. They are scored as ``mathieu2016``
scores (moving areas) and on full frames, both in luma where a network predicts grey, beside the predictors that learn
nothing. All means run over one fixed set of frames: those where a copy of the last frame has less than 50 dB; scores
are capped at 50 dB.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from vpbench.files import make_folder, write_atomic, write_json
from vpbench.models.footage.videos import cache_segments, windows_of
from vpbench.models.networks.build import AnyGenerator
from vpbench.models.networks.forecast import forecast
from vpbench.models.recipes.recipe import Network
from vpbench.predictors.spec import PredictorSpec, predictor_names
from vpbench.reading import read_json
from vpbench.scoring.built_in import MATHIEU2016, get_protocol
from vpbench.scoring.clip import Clip
from vpbench.scoring.protocol import Protocol
from vpbench.scoring.score import score_clip
from vpbench.video import flow

STARTS = 2
CAP = 50.0
COPY = "last_frame"
# Predictors without training that a network is compared with, as far as they are installed, and their columns.
BASELINES = {"optical_flow": "to_flow", "optical_flow_refined": "to_refined"}
_KIND = "vpbench-validation-baseline"

# For each clip and each frame: psnr, ssim and sharpness of the moving areas, full_psnr; None where undefined.
Scores = list[list[dict[str, float | None]]]
Predict = Callable[[NDArray[np.uint8], int], NDArray[np.float32]]


class Validation:
    """The validation clips, with the scores of the predictors that learn nothing.

    Args:
        videos: validation videos.
        network: for the numbers of inputs and targets.
        cache: parent of the decoded cache; scores of the baselines are kept there too.
        most: about how many clips, spread evenly over the videos; ``None`` for all.
        device: where to predict.
    """

    def __init__(
        self, videos: Sequence[Path], network: Network, cache: Path, most: int | None, device: torch.device
    ) -> None:
        self._device = device
        self._inputs, self._targets = network.inputs, max(2, network.targets)
        count = len(videos) if most is None else min(max(1, most // STARTS), len(videos))
        self.whole = count == len(videos)
        chosen = [videos[index * len(videos) // count] for index in range(count)]
        self._segments = cache_segments(chosen, cache, STARTS, self._inputs + self._targets)
        self._clips = [
            (video, segment)
            for video in range(len(self._segments.files))
            for segment, _ in windows_of(self._segments.open(video), self._inputs + self._targets)
        ]
        full = get_protocol("full-frame")
        full = replace(full, metrics={"psnr": full.metrics["psnr"]})
        self._moving, self._full = (_protocol(base, network, self._targets) for base in (MATHIEU2016, full))
        installed = predictor_names()
        self._baselines = {
            name: self._baseline(name) for name in (COPY, *BASELINES) if name in installed or name == COPY
        }

    def __len__(self) -> int:
        """Number of clips."""
        return len(self._clips)

    def _clip(self, index: int) -> Clip:
        video, segment = self._clips[index]
        frames, inputs = np.array(self._segments.open(video)[segment]), self._inputs
        flows = tuple(
            flow.estimate(MATHIEU2016.flow, frames[at - 1], frames[at]) for at in range(inputs, len(frames))
        )
        return Clip(index, frames[:inputs], frames[inputs:], flows, None)

    def _score(self, predict: Predict) -> Scores:
        scores = []
        for index in range(len(self._clips)):
            clip = self._clip(index)
            predicted = predict(clip.inputs, self._targets)
            moving = score_clip(clip, predicted, self._moving)
            full = score_clip(clip, predicted, self._full)
            scores.append(
                [
                    {column: line[column] for column in self._moving.metrics} | {"full_psnr": other["psnr"]}
                    for line, other in zip(moving, full, strict=True)
                ]
            )
        return scores

    def _baseline(self, name: str) -> Scores:
        """A baseline's scores, computed once and kept beside the decoded clips."""
        predictor = PredictorSpec.parse(name).create()
        what = [name, predictor.describe(), self._moving.hash, self._full.hash]
        digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]
        path = self._segments.folder / f"{name}-{digest}.json"
        if not path.exists():

            def predict(inputs: NDArray[np.uint8], targets: int) -> NDArray[np.float32]:
                return predictor.predict(inputs.astype(np.float32) / np.float32(255), targets)

            scores = self._score(predict)
            write_json(path, {"kind": _KIND, "what": what, "scores": scores})
        kept: Scores = read_json(path, _KIND)["scores"]
        return kept

    def scores(self, generator: AnyGenerator, step: int) -> dict[str, float]:
        """Score a network.

        Returns:
            For frames 1 and 2 ``psnr_N``, ``ssim_N``, ``sharpness_N``, ``full_psnr_N`` and those of the copy; and
            for each baseline the mean difference in PSNR over the same frames, ``to_flow_N`` …, with its
            standard error, ``to_flow_se_N`` …, and both over all frames together, ``…_all``.
        """
        own = self._score(lambda inputs, count: forecast(generator, inputs, count, self._device))
        copy = self._baselines[COPY]
        result: dict[str, float] = {"step": step, "clips": len(self)}
        for frame in (1, 2):
            for column in ("psnr", "ssim", "sharpness", "full_psnr"):
                result[f"{column}_{frame}"] = self._mean(own, column, frame)
            for column in ("psnr", "ssim", "sharpness"):
                result[f"copy_{column}_{frame}"] = self._mean(copy, column, frame)
        for name, column in BASELINES.items():
            if name in self._baselines:
                for label, frames in (("1", [1]), ("2", [2]), ("all", range(1, self._targets + 1))):
                    mean, error = self._difference(own, self._baselines[name], frames)
                    result |= {f"{column}_{label}": mean, f"{column}_se_{label}": error}
        return result

    def _counted(self, frame: int) -> list[int]:
        """Clips whose frame counts, for every predictor."""
        counted = []
        for index, lines in enumerate(self._baselines[COPY]):
            psnr = lines[frame - 1]["psnr"]
            if psnr is not None and psnr < CAP:
                counted.append(index)
        return counted

    def _mean(self, scores: Scores, column: str, frame: int) -> float:
        values = [_capped(scores[index][frame - 1], column) for index in self._counted(frame)]
        return float(np.mean(values)) if values else float("nan")

    def _difference(self, own: Scores, other: Scores, frames: Sequence[int]) -> tuple[float, float]:
        """Mean difference in PSNR, and its standard error over videos, whose clips are not independent."""
        by_video = defaultdict(list)
        for frame in frames:
            for index in self._counted(frame):
                mine, theirs = (_capped(scores[index][frame - 1], "psnr") for scores in (own, other))
                by_video[self._clips[index][0]].append(mine - theirs)
        if not by_video:
            return float("nan"), float("nan")
        mean = float(np.mean([value for values in by_video.values() for value in values]))
        means = [float(np.mean(values)) for values in by_video.values()]
        error = float(np.std(means, ddof=1) / np.sqrt(len(means))) if len(means) > 1 else float("nan")
        return mean, error

    def picture(self, generator: AnyGenerator, path: Path) -> None:
        """Write a sample picture: last input, prediction and truth of frame 1, side by side, for two clips."""
        rows = []
        for index in range(0, len(self), max(1, len(self) // 2))[:2]:
            clip = self._clip(index)
            predicted = forecast(generator, clip.inputs, self._targets, self._device)[0]
            shown = np.rint(predicted * 255).astype(np.uint8)
            rows.append(np.concatenate([clip.inputs[-1], shown, clip.targets[0]], axis=1))
        width = min(row.shape[1] for row in rows)
        image = np.concatenate([row[:, :width] for row in rows], axis=0)
        _, data = cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]))
        make_folder(path.parent)
        write_atomic(path, data.tobytes())


def _capped(line: dict[str, float | None], column: str) -> float:
    """A score; where a PSNR is undefined, the frames are the same."""
    value = line[column]
    if column != "psnr":
        return float("nan") if value is None else value
    return CAP if value is None else min(value, CAP)


def _protocol(base: Protocol, network: Network, targets: int) -> Protocol:
    scored_as = get_protocol("figure5-grey").scored_as if network.grey else base.scored_as
    return replace(base, inputs=network.inputs, targets=targets, scored_as=scored_as)
