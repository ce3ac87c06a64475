"""Learns the poles of ``dynamic_atoms``: ``python -m vpbench.models.atoms.learning --data UCF-101 --out poles.toml``.

They are 80 numbers, learned from the flow at many places of UCF101's groups 8–21: from b_0, b_1, b_2, the atoms shall
predict b_3. The gradient goes through all iterations of the search for the codes. At the end the predictor is compared
with constant flow on the validation groups 22–25. The test groups 1–7 are never read.

The loss stands for the error of the predicted frame: an error of flow counts by the image gradient along it, no more
than about a pixel does, and relative to that of constant flow in the same video, since PSNR is a logarithm.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import cv2
import numpy as np
import tomli_w
import torch
from msgspec import to_builtins

from vpbench.baselines.optical_flow import BilinearSampler, OpticalFlow
from vpbench.cli.output import say
from vpbench.files import write_atomic
from vpbench.models.atoms.dictionary import LENGTH, SHIPPED, Poles, read_poles
from vpbench.models.atoms.predictor import STRIDE, DynamicAtoms
from vpbench.models.footage.videos import decode_segments, find_footage
from vpbench.parallel.processes import limit_threads
from vpbench.scoring.built_in import MATHIEU2016
from vpbench.scoring.clip import Clip
from vpbench.scoring.score import score_clip
from vpbench.splits import SplitClip
from vpbench.video import flow

if TYPE_CHECKING:
    from numpy.typing import NDArray

# DYAN's training script: 40 poles in a ring around the unit circle, Adam, and the iterations for a code.
POLES = 40
RING = (0.75, 1.15)
RATE = 0.005
ITERATIONS = 100
# Ours: places of a video, how far flow may go to be believed, sequences of a step.
PLACES = 300
MOVES = 0.2  # pixels: elsewhere there is nothing to learn
FARTHEST = 20.0  # pixels
LEAST_LOSS = 1e-6  # of constant flow: videos that stand still shall not outweigh all others
BATCH = 512


@dataclass(frozen=True)
class Examples:
    """What poles are learned from.

    Attributes:
        sequences: b_0 … b_T at some places, float32 ``(T + 1, N)``, pixels.
        weights: of each, float32 ``(N,)``.
    """

    sequences: NDArray[np.float32]
    weights: NDArray[np.float32]


def examples_of(videos: Sequence[Path], generator: np.random.Generator) -> Examples:
    """The flow at places of videos that move, between their first five frames.

    A place is a mean over :data:`STRIDE` pixels each way, and gives two sequences, u and v.
    """
    sequences, weights = [], []
    for video in videos:
        for frames in decode_segments(video, 1, LENGTH + 2):
            flows = np.stack(
                [_small(flow.estimate(flow.DEFAULT, after, before)) for before, after in pairwise(frames)]
            ).reshape(LENGTH + 1, -1, 2)
            moving = np.flatnonzero(np.abs(flows[:LENGTH]).max(axis=(0, 2)) > MOVES)
            places = generator.choice(moving, min(PLACES, len(moving)), replace=False)
            some = flows[:, places].reshape(LENGTH + 1, -1)
            steepness = _steepness(frames[-1])[places].ravel()
            believed = np.abs(some).max(axis=0) < FARTHEST
            sequences.append(some[:, believed])
            lost = steepness * _lost(some[LENGTH] - some[LENGTH - 1])
            weights.append(
                steepness[believed] / max(float(lost[believed].mean()), LEAST_LOSS) if believed.any() else []
            )
    return Examples(np.concatenate(sequences, axis=1), np.concatenate(weights).astype(np.float32))


def _small(image: NDArray[np.float32]) -> NDArray[np.float32]:
    size = (image.shape[1] // STRIDE, image.shape[0] // STRIDE)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def _steepness(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mean squared gradient of a frame's grey along x and y at each place, ``(places, 2)``, in [0, 1]² per pixel²."""
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32) / np.float32(255)
    slopes = [np.gradient(grey, axis=axis) ** 2 for axis in (1, 0)]
    return _small(np.stack(slopes, axis=2).astype(np.float32)).reshape(-1, 2)


def _lost(error: Any) -> Any:
    """How much of a slope is lost where flow is wrong by so many pixels: all of it from about one on."""
    return error**2 / (1 + error**2)


def learn(examples: Examples, penalty: float, steps: int, seed: int, training_data: str) -> Poles:
    """Learn poles by which b_0 … b_{T−1} predict b_T.

    Args:
        examples: what to learn from.
        penalty: :attr:`.dictionary.Poles.penalty`.
        steps: of Adam, each on :data:`BATCH` of the sequences.
        seed: of the first poles and of what is drawn.
        training_data: what the poles will say of themselves.
    """
    generator = torch.Generator().manual_seed(seed)
    low, high = RING
    area = torch.rand(POLES, generator=generator) * (high**2 - low**2) + low**2
    magnitudes = torch.nn.Parameter(area.sqrt())
    phases = torch.nn.Parameter(torch.rand(POLES, generator=generator) * (math.pi / 2))
    optimiser = torch.optim.Adam([magnitudes, phases], lr=RATE)
    every, weights = torch.from_numpy(examples.sequences), torch.from_numpy(examples.weights)
    for step in range(steps):
        drawn = torch.randint(every.shape[1], (BATCH,), generator=generator)
        some = every[:, drawn]
        atoms = differentiable_dictionary(magnitudes, phases, LENGTH + 1)
        change = (atoms[LENGTH] - atoms[LENGTH - 1]) @ _codes(atoms[:LENGTH], some[:LENGTH], penalty)
        loss = (weights[drawn] * _lost(some[LENGTH - 1] + change - some[LENGTH])).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            magnitudes.clamp_(0.01, 2)
            phases.clamp_(0, math.pi)
        if (step + 1) % 50 == 0:
            say(f"step {step + 1}: loss {loss.item():.3f}")
    return Poles(
        tuple(round(value, 6) for value in magnitudes.tolist()),
        tuple(round(value, 6) for value in phases.tolist()),
        penalty,
        ITERATIONS,
        training_data,
    )


def differentiable_dictionary(magnitudes: torch.Tensor, phases: torch.Tensor, length: int) -> torch.Tensor:
    """:func:`.dictionary.dictionary`, to learn through."""
    time = torch.arange(length)[:, None]
    grows, sign = magnitudes**time, 1 - 2 * (time % 2)
    cosine, sine = torch.cos(time * phases), torch.sin(time * phases)
    atoms = torch.cat(
        [torch.ones(length, 1), grows * cosine, sign * grows * cosine, grows * sine, sign * grows * sine], 1
    )
    norms: torch.Tensor = atoms[:LENGTH].norm(dim=0).clamp_min(1e-6)
    return atoms / norms


def _codes(atoms: torch.Tensor, sequences: torch.Tensor, penalty: float) -> torch.Tensor:
    """:func:`.dictionary.sparse_codes`, to learn through."""
    step = 1 / torch.linalg.matrix_norm(atoms.detach(), 2) ** 2
    code = ahead = torch.zeros(atoms.shape[1], sequences.shape[1])
    momentum = 1.0
    for _ in range(ITERATIONS):
        moved = ahead - step * (atoms.T @ (atoms @ ahead - sequences))
        shrunk = torch.nn.functional.softshrink(moved, float(penalty * step))
        following = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        ahead = shrunk + (momentum - 1) / following * (shrunk - code)
        code, momentum = shrunk, following
    return code


def compare(poles: Path, videos: Sequence[Path]) -> Iterator[str]:
    """What the atoms gain on the first frames of validation videos, in words: PSNR under mathieu2016, paired.

    Beside them stand the flow b_2 held constant, and ``optical_flow``. A frame counts where a copy of the last input is
    below 50 dB, and scores are capped there; means and standard errors are over groups of UCF101.
    """
    gains: dict[tuple[str, int], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    atoms = DynamicAtoms(poles=str(poles))
    for video in videos:
        for frames in decode_segments(video, 1, 6):
            scores = _scores(atoms, frames)
            for k in range(2):
                if scores["copy"][k] < 50:
                    for name in ("constant", "optical_flow"):
                        group = SplitClip(1, video.name).cluster
                        gains[name, k][group].append(scores["atoms"][k] - scores[name][k])
    for (name, k), groups in sorted(gains.items()):
        means = np.array([np.mean(values) for values in groups.values()])
        clips = sum(map(len, groups.values()))
        error = means.std(ddof=1) / math.sqrt(len(means)) if len(means) > 1 else math.nan
        yield (
            f"frame {k + 1}, dynamic_atoms − {name}: {means.mean():+.3f} dB, standard error {error:.3f}; "
            f"{clips} clips, {len(means)} groups, better in {np.mean(means > 0):.0%} of these"
        )


def _scores(atoms: DynamicAtoms, frames: NDArray[np.uint8]) -> dict[str, list[float]]:
    """PSNR of both frames of a clip, capped at 50 dB."""
    flows = tuple(flow.estimate(flow.DEFAULT, frames[at - 1], frames[at]) for at in (4, 5))
    clip = Clip(1, frames[:4], frames[4:], flows)
    inputs = clip.inputs.astype(np.float32) / np.float32(255)
    sample = BilinearSampler(flow.estimate(flow.DEFAULT, frames[3], frames[2]))
    first = sample(inputs[-1])
    predictions: dict[str, Any] = {
        "copy": np.stack([inputs[-1]] * 2),
        "constant": np.stack([first, sample(first)]),
        "optical_flow": OpticalFlow().predict(inputs, 2),
        "atoms": atoms.predict(inputs, 2),
    }
    return {
        name: [min(50.0, line["psnr"]) for line in score_clip(clip, predicted, MATHIEU2016)]
        for name, predicted in predictions.items()
    }


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True, help="Folder of UCF101.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="TOML file to write; else the shipped poles are compared."
)
@click.option("--videos", default=170, help="Videos to learn from, spread over groups 8–21.")
@click.option("--penalty", default=0.5, help="λ of the codes.")
@click.option("--steps", default=200, help="Steps of Adam.")
@click.option("--seed", default=0, help="Of all that is random.")
@click.option("--validate", default=92, help="Validation videos to compare on, spread over groups 22–25.")
def main(
    data: Path, out: Path | None, videos: int, penalty: float, steps: int, seed: int, validate: int
) -> None:
    """Learn poles on groups 8–21 of UCF101, and compare them with constant flow on groups 22–25."""
    limit_threads()
    footage = find_footage(data)
    if out is not None:
        chosen = _spread(footage.training, videos)
        examples = examples_of(chosen, np.random.default_rng(seed))
        say(f"{len(examples.weights)} sequences of {len(chosen)} videos")
        text = (
            f"flow ({flow.DEFAULT}) of UCF101 groups 8–21, {len(chosen)} videos, {steps} steps, seed {seed}"
        )
        poles = learn(examples, penalty, steps, seed, text)
        write_atomic(out, tomli_w.dumps(to_builtins(poles)).encode())
        read_poles(out)
    for line in compare(out or SHIPPED, _spread(footage.validation, validate)):
        say(line)


def _spread(videos: Sequence[Path], count: int) -> list[Path]:
    count = min(count, len(videos))
    return [videos[index * len(videos) // count] for index in range(count)]


if __name__ == "__main__":
    main()
