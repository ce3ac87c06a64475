"""How fast whole frames are predicted, against a plain fp32 eager call of the same network.

    python tests/speed/inference.py [--width W] [--rounds N] [--device cpu]

One 240×320 frame from four, by the multi-scale network: the predictor's path (padding, channels-last, inference
mode, conversion from and to float32 frames in [0, 1]) and a bare call of the network take turns; the medians are
compared. The predictor's is to be no slower, up to 10 % of noise. Exits with 1 if it is.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from vpbench.models.networks.forecast import forecast
from vpbench.models.networks.generator import Generator

LIMIT = 0.9


def seconds(call: Callable[[], object], device: str) -> float:
    began = time.perf_counter()
    call()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.manual_seed(0)
    network = Generator(width=options.width).to(options.device).eval()
    ours = Generator(width=options.width).to(options.device, memory_format=torch.channels_last).eval()
    clip = np.random.default_rng(0).random((4, 240, 320, 3)).astype(np.float32)
    frames = torch.from_numpy(clip).permute(0, 3, 1, 2).reshape(1, 12, 240, 320).to(options.device) * 2 - 1
    calls: dict[str, Callable[[], object]] = {
        "plain": lambda: network(frames)[-1],
        "vpbench": lambda: forecast(ours, clip, 1, options.device),
    }
    for call in calls.values():
        call()
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(options.rounds):
        for name, call in calls.items():
            taken[name].append(seconds(call, options.device))
    medians = {name: statistics.median(values) for name, values in taken.items()}
    ratio = medians["plain"] / medians["vpbench"]
    print(f"width {options.width:g}, 240×320, {options.device}, {torch.get_num_threads()} threads")
    print("  ".join(f"{name}: {value:.3f} s a frame" for name, value in medians.items()))
    print(f"ratio {ratio:.2f} (at least {LIMIT:g})")
    return 0 if ratio >= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
