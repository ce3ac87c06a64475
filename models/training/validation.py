"""Validation: the scores by which every choice is made, on clips that are neither for training nor for the test.

The clips are the first frames of the validation videos; they are scored as ``mathieu2016`` scores (moving areas)
and on full frames, beside a copy of the last frame. All means run over the frames that count for the copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from vpbench.files import make_folder, write_atomic
from vpbench.models.footage.videos import cache_segments
from vpbench.models.networks.flow_guided import FlowGuided
from vpbench.models.networks.forecast import forecast
from vpbench.models.networks.generator import Generator
from vpbench.models.recipes.recipe import Network
from vpbench.scoring.built_in import MATHIEU2016, get_protocol
from vpbench.scoring.clip import Clip
from vpbench.scoring.protocol import Protocol
from vpbench.scoring.score import score_clip
from vpbench.video import flow

Lines = list[dict[str, float]]


class Validation:
    """The validation clips, with the scores of the copy.

    Args:
        videos: validation videos.
        network: for the numbers of inputs and targets.
        cache: parent of the decoded cache.
        most: most clips; they are spread evenly over the videos.
        device: where to predict.
    """

    def __init__(
        self, videos: Sequence[Path], network: Network, cache: Path, most: int, device: torch.device
    ) -> None:
        self.device = device
        self.targets = max(2, network.targets)
        length = network.inputs + self.targets
        count = min(most, len(videos))
        chosen = [videos[index * len(videos) // count] for index in range(count)]
        segments = cache_segments(chosen, cache, 1, length)
        self.clips = [
            _clip(index, np.array(segments.open(index)[0]), network.inputs)
            for index in range(len(segments.files))
        ]
        self._moving = _protocol(MATHIEU2016, network, self.targets)
        self._full = _protocol(get_protocol("full-frame"), network, self.targets)
        copies = [np.stack([clip.inputs[-1].astype(np.float32) / 255] * self.targets) for clip in self.clips]
        self._copy = self._score(copies, self._moving)
        self._counted = [bool(line["counted"]) for line in self._copy]

    def _score(self, predictions: Sequence[NDArray[np.float32]], protocol: Protocol) -> Lines:
        return [
            line
            for clip, predicted in zip(self.clips, predictions, strict=True)
            for line in score_clip(clip, predicted, protocol)
        ]

    def _mean(self, lines: Lines, column: str, frame: int) -> float:
        values = [
            line[column]
            for line, counted in zip(lines, self._counted, strict=True)
            if counted and line["frame"] == frame and line[column] is not None
        ]
        return float(np.mean(values)) if values else float("nan")

    def scores(self, generator: Generator | FlowGuided, step: int) -> dict[str, float]:
        """Score a network: :data:`vpbench.models.training.logs.VALIDATION_COLUMNS`."""
        predictions = [forecast(generator, clip.inputs, self.targets, self.device) for clip in self.clips]
        moving, full = self._score(predictions, self._moving), self._score(predictions, self._full)
        result: dict[str, float] = {"step": step, "clips": len(self.clips)}
        for frame in (1, 2):
            for column in ("psnr", "ssim"):
                result[f"{column}_{frame}"] = self._mean(moving, column, frame)
                result[f"copy_{column}_{frame}"] = self._mean(self._copy, column, frame)
            result[f"full_psnr_{frame}"] = self._mean(full, "psnr", frame)
        return result

    def picture(self, generator: Generator | FlowGuided, path: Path) -> None:
        """Write a sample picture: last input, prediction and truth of frame 1, side by side, for two clips."""
        rows = []
        for clip in self.clips[:: max(1, len(self.clips) // 2)][:2]:
            predicted = forecast(generator, clip.inputs, self.targets, self.device)[0]
            shown = np.rint(predicted * 255).astype(np.uint8)
            rows.append(np.concatenate([clip.inputs[-1], shown, clip.targets[0]], axis=1))
        width = min(row.shape[1] for row in rows)
        image = np.concatenate([row[:, :width] for row in rows], axis=0)
        _, data = cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]))
        make_folder(path.parent)
        write_atomic(path, data.tobytes())


def _clip(index: int, frames: NDArray[np.uint8], inputs: int) -> Clip:
    flows = tuple(
        flow.estimate(MATHIEU2016.flow, frames[at - 1], frames[at]) for at in range(inputs, len(frames))
    )
    return Clip(index, frames[:inputs], frames[inputs:], flows, None)


def _protocol(base: Protocol, network: Network, targets: int) -> Protocol:
    return replace(base, inputs=network.inputs, targets=targets)
