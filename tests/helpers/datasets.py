"""Small stand-ins for data sets, each in the very layout in which that is distributed; what they show is noise."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from footage import moving_frames, write_video
from numpy.typing import NDArray


def grey_frames(count: int, size: tuple[int, int], seed: int = 0) -> NDArray[np.uint8]:
    """Grey frames ``(count, H, W)`` in motion."""
    return np.stack(
        [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in moving_frames(count, size, seed)]
    ).astype(np.uint8)


def write_moving_mnist(folder: Path, sequences: int = 3) -> Path:
    """``mnist_test_seq.npy`` with fewer sequences: uint8 ``(20, N, 64, 64)``."""
    folder.mkdir(parents=True, exist_ok=True)
    made = [grey_frames(20, (64, 64), seed) for seed in range(sequences)]
    np.save(folder / "mnist_test_seq.npy", np.stack(made, axis=1))
    return folder


# As irregular as the published list: its head, blanks beside tabs, three ranges, an end without its last digit, a
# video that does not exist, a range that is too short, people of the other splits.
KTH_LIST = """
This database contains sequences of six classes of actions performed by
25 subjects in four different conditions (see below).

Training:   person11, 12, 13, 14, 15, 16, 17, 18
Test:       person22, 02, 03, 05, 06, 07, 08, 09, 10 

person13_handclapping_d2\tframes\t1-100, 101-275, 305-400, 401-523
person13_handclapping_d3\t*missing*
person16_boxing_d1\t\tframes\t1-105, 106-225, 226-362, 363-494

person17_boxing_d1    \t\tframes\t1-32, 33-62
person17_walking_d4\t\tframes\t1-30, 45-5
person25_jogging_d2\t\tframes\t2-40, 20-58, 41-62, 1-29
"""  # noqa: W291
# What it means: video, 0-based first frame.
KTH_CLIPS = [
    ("boxing/person17_boxing_d1_uncomp.avi", 0),
    ("boxing/person17_boxing_d1_uncomp.avi", 32),
    ("walking/person17_walking_d4_uncomp.avi", 0),
    ("jogging/person25_jogging_d2_uncomp.avi", 1),
    ("jogging/person25_jogging_d2_uncomp.avi", 19),
]


def write_kth(folder: Path, videos: bool = True) -> Path:
    """``00sequences.txt``, and 160×120 grey videos of the test persons in folders of their actions."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "00sequences.txt").write_text(KTH_LIST)
    for seed, video in enumerate(dict.fromkeys(video for video, _ in KTH_CLIPS) if videos else ()):
        frames = grey_frames(62, (120, 160), seed)
        write_video(folder / video, np.repeat(frames[..., None], 3, axis=3))
    return folder
