"""Small stand-ins for data sets, each in the very layout in which that is distributed; what they show is noise."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from folders import write_png
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


def write_cityscapes(folder: Path) -> Path:
    """``leftImg8bit_sequence/val``: two snippets whose numbers are next to each other, one apart, one with a hole."""
    val = folder / "leftImg8bit_sequence" / "val"
    starts = {("frankfurt", 0, 275): 60, ("lindau", 3, 0): 30, ("munster", 1, 0): 30}
    for (city, recording, first), count in starts.items():
        picture = moving_frames(10, (32, 64), seed=recording)
        for number in range(first, first + count):
            name = f"{city}_{recording:06d}_{number:06d}_leftImg8bit.png"
            write_png(val / city / name, picture[(number - first) % 10])
    (val / "munster" / "munster_000001_000012_leftImg8bit.png").unlink()
    (val / "lindau" / "lindau_000003_license.txt").write_text("not a frame")
    return folder


# Recording and first frame of its whole snippets.
CITYSCAPES_CLIPS = [("frankfurt_000000", 275), ("frankfurt_000000", 305), ("lindau_000003", 0)]


def write_kitti(folder: Path, frames: int = 10) -> Path:
    """The first frames of one drive of KITTI's raw data: windows of 9 of them are there."""
    drive = folder / "2011_09_26" / "2011_09_26_drive_0060_sync"
    for number, frame in enumerate(moving_frames(frames, (48, 160))):
        write_png(drive / "image_02" / "data" / f"{number:010d}.png", frame)
    (drive / "image_02" / "timestamps.txt").write_text("")
    return folder


def write_davis(folder: Path) -> Path:
    """``ImageSets/2017/val.txt``, and pictures of two sizes at 480p."""
    (folder / "ImageSets" / "2017").mkdir(parents=True)
    (folder / "ImageSets" / "2017" / "val.txt").write_text("bike-packing\nblackswan\n")
    for seed, (name, width) in enumerate({"bike-packing": 224, "blackswan": 200}.items()):
        for number, frame in enumerate(moving_frames(11, (176, width), seed)):
            path = folder / "JPEGImages" / "480p" / name / f"{number:05d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), frame)
    return folder


def write_vimeo(folder: Path) -> Path:
    """``tri_testlist.txt``, whose last line is empty, and its triplets among others."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tri_testlist.txt").write_text("00001/0389\n00002/0001\n\n")
    for seed, name in enumerate(("00001/0389", "00002/0001", "00002/0002")):
        for number, frame in enumerate(moving_frames(3, (256, 448), seed), start=1):
            write_png(folder / "sequences" / name / f"im{number}.png", frame)
    return folder
