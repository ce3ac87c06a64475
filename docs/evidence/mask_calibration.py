"""The two baselines of the paper under other rules for the moving area, clip by clip: evidence for docs/protocols.md.

    python docs/evidence/mask_calibration.py UCF-101

measures on the videos in that folder, and writes two files beside this one: ``ucf101-every10th.csv``, of the paper's
test clips, and ``groups-22-25.csv``, of the first six frames of the videos of UCF101's groups 22 to 25, which are not
test clips. A line is a clip, a predicted frame and a rule of :data:`RULES`; it has the share of the frame that moves,
and the scores of three predictors (:data:`PREDICTORS`) under ``mathieu2016``, but for that rule. Frames whose PSNR is
50 dB or more are there too, and the protocol does not count them.

Videos that a file has are not measured again: remove the file to start anew. ``python docs/tables`` makes the tables.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpbench.baselines.last_frame import LastFrame
from vpbench.baselines.optical_flow import OpticalFlow
from vpbench.evaluation.prediction import PredictionRequest, predict_clips
from vpbench.models.footage.videos import find_footage
from vpbench.parallel.processes import limit_threads
from vpbench.scoring.built_in import MATHIEU2016
from vpbench.scoring.clip import Clip
from vpbench.scoring.protocol import MaskRule
from vpbench.scoring.score import score_clip
from vpbench.splits import get_split
from vpbench.splits.sources import find_sources
from vpbench.video.decoding import read_frames
from vpbench.video.flow import estimate

HERE = Path(__file__).parent
TEST, OTHERS = "ucf101-every10th", "groups-22-25"


class FlowBack(OpticalFlow):
    """The other way to carry a flow on: the last input is sampled at x + b(x), b from the last input to the one before.

    The protocol's baseline samples it at x − f(x), with f from the last input but one to the last: f belongs to
    where a pixel was, b to where it is.
    """

    def displacement(self, inputs: NDArray[np.uint8], clip: int | None) -> NDArray[np.float32]:
        last = len(inputs) - 1
        return self.flow.between(inputs, last, last - 1, clip)


# "any channel below 0.2" of flow colours with a largest motion m is |flow| > 0.8 m; the protocol has m = 1 pixel.
RULES: dict[str, MaskRule] = {
    **{
        f"{pixels:g}": MaskRule("colour", max_motion=pixels / 0.8)
        for pixels in (0.2, 0.4, 0.6, 0.8, 1, 1.5, 2, 3, 4)
    },
    "frame": MaskRule("colour", max_motion="frame"),  # above 0.8 of the frame's largest
    "previous": MaskRule(
        "colour", max_motion=1.0
    ),  # above 0.8 pixels in the flow of the pair of frames before
}
PREDICTORS = {"last_frame": LastFrame(), "optical_flow": OpticalFlow(), "flow_back": FlowBack()}
COLUMNS = {"psnr": 3, "ssim": 4, "sharpness": 2}  # with the digits after the point that are kept
HEADER = ("video", "frame", "rule", "moving", *(f"{c}_{name}" for name in PREDICTORS for c in COLUMNS))


def measure(video: Path) -> Iterator[dict[str, Any]]:
    """The lines of a video."""
    frames = read_frames(video, 0, MATHIEU2016.frames)
    start, stop = MATHIEU2016.inputs - 1, MATHIEU2016.frames - 1
    flows = [estimate(MATHIEU2016.flow, frames[n], frames[n + 1]) for n in range(start - 1, stop)]
    inputs, targets = frames[: MATHIEU2016.inputs], frames[MATHIEU2016.inputs :]
    clip, before = (Clip(0, inputs, targets, tuple(pairs)) for pairs in (flows[1:], flows[:-1]))
    predicted = {
        name: predict_clips(predictor, PredictionRequest(name, len(targets)), [0], [inputs])[0][0]
        for name, predictor in PREDICTORS.items()
    }
    for rule, mask in RULES.items():
        protocol = replace(MATHIEU2016, name=f"rule-{rule}", mask=mask)
        scored = {
            name: score_clip(before if rule == "previous" else clip, one, protocol)
            for name, one in predicted.items()
        }
        for n in range(len(targets)):
            yield {
                "video": video.stem,
                "frame": n + 1,
                "rule": rule,
                "moving": f"{scored['last_frame'][n]['moving']:.4f}",
                **{
                    f"{column}_{name}": f"{lines[n][column]:.{digits}f}"
                    for name, lines in scored.items()
                    for column, digits in COLUMNS.items()
                },
            }


def complete(path: Path, videos: Sequence[Path]) -> None:
    """Add to a file the videos that it lacks, each as soon as it is measured."""
    if not path.exists():
        path.write_text(",".join(HEADER) + "\n", encoding="utf-8")
    there = {line.partition(",")[0] for line in path.read_text(encoding="utf-8").splitlines()}
    for number, video in enumerate(videos, start=1):
        if video.stem not in there:
            print(f"{path.stem}: {number} of {len(videos)}, {video.stem}", flush=True)
            lines = io.StringIO()
            csv.DictWriter(lines, HEADER, lineterminator="\n").writerows(measure(video))
            with path.open("a", encoding="utf-8") as file:
                file.write(lines.getvalue())


def main(data: Path) -> None:
    limit_threads()
    found = find_sources(get_split(TEST), data).found
    complete(HERE / f"{TEST}.csv", [path for _, path in sorted(found.items()) if path is not None])
    complete(HERE / f"{OTHERS}.csv", find_footage(data).validation)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
