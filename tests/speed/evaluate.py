"""How long evaluating `last_frame` takes in one process, against `cv2.imread` of the same PNGs.

    python tests/speed/evaluate.py [--data UCF-101] [--limit N] [--repeats N]

The clips of `synthetic` (and of UCF101, if its folder is given) are prepared first. Then reading the frames'
PNGs and evaluating under `mathieu2016` alternate, and the medians are compared. Exits with 1 if a ratio is 3
or more.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2

from vpbench.clips.prepare import prepare
from vpbench.clips.prepared import PreparedClips
from vpbench.evaluation.engine import evaluate_clips
from vpbench.parallel.execution import Execution
from vpbench.parallel.processes import limit_threads
from vpbench.predictors.entrant import Entrant
from vpbench.predictors.spec import PredictorSpec
from vpbench.scoring.built_in import MATHIEU2016
from vpbench.splits import find_sources, get_split

LIMIT = 3.0


def seconds(call: Callable[[], object]) -> float:
    """Processor time: there is one thread, and a busy machine should not count."""
    start = time.process_time()
    call()
    return time.process_time() - start


def compare(name: str, clips: PreparedClips, folder: Path, repeats: int) -> float:
    """Print and return the ratio of the medians."""
    pictures = [str(path) for i in clips.contents for path in (clips.folder / str(i)).glob("*_[1-6].png")]
    spec = PredictorSpec("last_frame")

    def read() -> None:
        for picture in pictures:
            cv2.imread(picture)

    def evaluate(out: Path) -> None:
        entrant = Entrant.enter("last_frame", spec, spec.create())
        evaluate_clips(entrant, clips, MATHIEU2016, out, Execution())

    taken = []
    for repeat in range(repeats + 1):
        out = folder / f"runs-{name}-{repeat}"
        taken.append((seconds(read), seconds(lambda: evaluate(out))))  # noqa: B023
    reading, evaluating = (
        statistics.median(column) * 1e3 / len(clips.contents) for column in zip(*taken[1:], strict=True)
    )
    print(
        f"{name}: {len(clips.contents)} clips, {len(pictures)} PNGs; per clip: imread {reading:.1f} ms, "
        f"evaluate {evaluating:.1f} ms; ratio {evaluating / reading:.2f}"
    )
    return evaluating / reading


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of UCF101's videos")
    parser.add_argument("--limit", type=int, help="UCF101 clips")
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    limit_threads()
    splits = {"synthetic": None, **({"ucf101-every10th": options.data} if options.data else {})}
    ratios = []
    with tempfile.TemporaryDirectory() as temporary:
        for name, data in splits.items():
            split = get_split(name)
            folder = Path(temporary) / name
            sources = find_sources(split, data)
            sources = sources.only([*sources.found][: options.limit])
            clips = prepare(split, sources, MATHIEU2016, folder, Execution())
            ratios.append(compare(name, clips, Path(temporary), options.repeats))
    print(f"wanted: below {LIMIT:g}")
    return int(max(ratios) >= LIMIT)


if __name__ == "__main__":
    sys.exit(main())
