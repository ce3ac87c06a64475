"""Splits of data sets in the layout in which they are distributed: where they lie below a folder, and their clips.

Of Moving MNIST and KITTI the list is fixed. Of the others it is made of a list that comes with the data, or of the
names of the files, so that nothing of theirs has to be copied here. ``docs/howto/datasets.md`` says what was taken
from whom.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from vpbench.errors import UsageError, VpbenchError
from vpbench.escape import plain
from vpbench.files import is_file, is_folder, read_bytes
from vpbench.splits.split import Split, SplitClip

_LARGEST_LIST = 2**24  # bytes; Vimeo's has 42 KB
_MOST_SHOWN = 8  # things in a folder, named in an error


@dataclass(frozen=True)
class DataSet:
    """A data set, and which of its clips are a split.

    Attributes:
        title: what it is called.
        summary: the split, in one line.
        marker: what its folder is known by: a file or folder in it.
        layout: what is expected in its folder, a path a line.
        whole: how many clips the whole data set has.
        clips: finds them in its folder; names are checked, and stay below it.
        by_name: whether files are found by their names in whatever folders they are.
    """

    title: str
    summary: str
    marker: str
    layout: tuple[str, ...]
    whole: int
    clips: Callable[[Path], Iterator[SplitClip]]
    by_name: bool = False

    def folder(self, split: str, data: Path | None) -> Path:
        """The data set's folder: the one that is given, or one in it.

        Raises:
            UsageError: none is given, or it has another layout; says which is expected, and what is there.
        """
        if data is None:
            raise UsageError(f"Split '{split}' needs the folder of {self.title}: --data DIR.")
        if not is_folder(data):
            raise UsageError(f"--data {data}: there is no such folder.")
        try:
            there = sorted(data.iterdir())
        except OSError as error:
            raise UsageError(f"--data {data}: cannot be read: {error.strerror}.") from None
        for folder in (data, *(path for path in there if is_folder(path))):
            if is_file(folder / self.marker) or is_folder(folder / self.marker):
                return folder
        shown = [plain(path.name)[:60] + ("/" if is_folder(path) else "") for path in there[:_MOST_SHOWN]]
        more = f", … ({len(there)} in all)" if len(there) > _MOST_SHOWN else ""
        raise UsageError(
            f"Split '{split}': {data} does not have the layout of {self.title}. Expected there, or in one folder of it:"
            + "".join(f"\n  {path}" for path in self.layout)
            + f"\nFound there: {', '.join(shown) or 'nothing'}{more}"
        )


def read_data_set(name: str, data: Path | None) -> Split:
    """The split of a data set, from the folder in which that is.

    Args:
        name: a key of :data:`DATA_SETS`.
        data: the folder that the user names.

    Raises:
        UsageError: it is not there, or a line of its list is wrong; names the file and the line.
    """
    data_set = DATA_SETS[name]
    folder = data_set.folder(name, data)
    clips = tuple(data_set.clips(folder))
    if not clips:
        raise UsageError(
            f"Split '{name}': {folder} has no clips of it. Expected there:"
            + "".join(f"\n  {path}" for path in data_set.layout)
        )
    return Split(name, data_set.summary, clips, "dataset", folder=folder, protocol=name, whole=data_set.whole)


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """The lines of a list, without blanks at the ends, each with how an error names it; empty ones are left out."""
    try:
        text = read_bytes(path, _LARGEST_LIST).decode()
    except VpbenchError as error:
        raise UsageError(str(error)) from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not a list of names: {error}.") from None
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield line.strip(), f"{path}, line {number}"


_MNIST = "mnist_test_seq.npy"


def _moving_mnist(folder: Path) -> Iterator[SplitClip]:
    for sequence in range(10_000):
        yield SplitClip(sequence + 1, f"{_MNIST}/{sequence}", frames=20)


_KTH_VIDEO = re.compile(
    r"(person(\d\d)_(boxing|handclapping|handwaving|jogging|running|walking)_d[1-4])\s+(.+)"
)
_KTH_FRAMES = re.compile(r"frames\s+(\d{1,6}\s*-\s*\d{1,6}(?:\s*,\s*\d{1,6}\s*-\s*\d{1,6})*)\s*,?")
_KTH_PERSONS = range(17, 26)
_KTH_CLIP = 30  # frames


def _kth(folder: Path) -> Iterator[SplitClip]:
    """The first frames of each subsequence of the persons 17 to 25 that is long enough.

    Ranges are 1-based, and their ends belong to them. Lines that do not begin with a video's name are the head of
    the list. One video is ``*missing*``, and one range ends before it begins: these are left out.
    """
    seen: set[str] = set()
    index = 0
    for line, where in _lines(folder / "00sequences.txt"):
        found = _KTH_VIDEO.fullmatch(line)
        if found is None and not re.match(r"person\d\d_", line):
            continue
        ranges = found and _KTH_FRAMES.fullmatch(found[4])
        if found is None or not (ranges or found[4] == "*missing*"):
            raise UsageError(
                f"{where}: expected `person17_boxing_d1 frames 1-110, 110-192`, not `{plain(line)[:100]}`."
            )
        video, person, action = found[1], found[2], found[3]
        if video in seen:
            raise UsageError(f"{where}: {video} is there twice.")
        seen.add(video)
        if ranges is None or int(person) not in _KTH_PERSONS:
            continue
        for first, last in re.findall(r"(\d+)\s*-\s*(\d+)", ranges[1]):
            if int(first) < 1:
                raise UsageError(f"{where}: the frames of {video} are counted from 1, not {first}.")
            if int(last) - int(first) + 1 >= _KTH_CLIP:
                index += 1
                source = f"{action}/{video}_uncomp.avi"
                yield SplitClip(index, source, int(first) - 1, _KTH_CLIP, given_cluster=f"person{person}")


_CITYSCAPES = "leftImg8bit_sequence/val"
_CITYSCAPES_FRAME = re.compile(r"([a-z-]+)_(\d{6})_(\d{6})_leftImg8bit\.png")
_SNIPPET = 30  # frames


def _cityscapes(folder: Path) -> Iterator[SplitClip]:
    """Snippets of 30 frames, of which none is missing, by city, recording and number of the first frame.

    Numbers run on within a snippet. Where those of several are next to each other, these are cut apart.
    """
    index = 0
    for city in sorted(path.name for path in _entries(folder / _CITYSCAPES) if is_folder(path)):
        found = [_CITYSCAPES_FRAME.fullmatch(path.name) for path in _entries(folder / _CITYSCAPES / city)]
        frames = sorted((name[2], int(name[3])) for name in found if name is not None and name[1] == city)
        for (recording, _), places in groupby(enumerate(frames), lambda at: (at[1][0], at[1][1] - at[0])):
            numbers = [frame for _, (_, frame) in places]
            for first in numbers[::_SNIPPET] if len(numbers) % _SNIPPET == 0 else ():
                index += 1
                source = f"{_CITYSCAPES}/{city}/{city}_{recording}_%06d_leftImg8bit.png"
                yield SplitClip(
                    index, source, first, _SNIPPET, given_cluster=f"{city}_{recording}_{first:06d}"
                )


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise UsageError(f"Cannot read {folder}: {error.strerror}.") from None


_KITTI_DAY = "2011_09_26"
_KITTI_DRIVES = {"0060": 78, "0084": 383, "0093": 433, "0096": 475}  # frames
_KITTI_WINDOW = 9  # frames


def _kitti(folder: Path) -> Iterator[SplitClip]:
    index = 0
    for number, frames in _KITTI_DRIVES.items():
        drive = f"{_KITTI_DAY}_drive_{number}_sync"
        for first in range(frames - _KITTI_WINDOW + 1):
            index += 1
            source = f"{_KITTI_DAY}/{drive}/image_02/data/%010d.png"
            yield SplitClip(index, source, first, _KITTI_WINDOW, given_cluster=drive)


_DAVIS_LIST = "ImageSets/2017/val.txt"


def _davis(folder: Path) -> Iterator[SplitClip]:
    for index, name in enumerate(_names(folder / _DAVIS_LIST, "[a-z0-9-]+", "bike-packing"), start=1):
        yield SplitClip(index, f"JPEGImages/480p/{name}")


_VIMEO_LIST = "tri_testlist.txt"


def _vimeo(folder: Path) -> Iterator[SplitClip]:
    for index, name in enumerate(_names(folder / _VIMEO_LIST, r"\d{5}/\d{4}", "00001/0389"), start=1):
        yield SplitClip(index, f"sequences/{name}", frames=3)


def _names(path: Path, pattern: str, example: str) -> Iterator[str]:
    """The names in a list, one a line."""
    seen: set[str] = set()
    for line, where in _lines(path):
        if not re.fullmatch(pattern, line):
            raise UsageError(f"{where}: expected a name like `{example}`, not `{plain(line)[:100]}`.")
        if line in seen:
            raise UsageError(f"{where}: {line} is there twice.")
        seen.add(line)
        yield line


DATA_SETS: dict[str, DataSet] = {
    "moving-mnist-10to10": DataSet(
        "Moving MNIST",
        "the published test sequences of Moving MNIST (needs --data)",
        _MNIST,
        (f"{_MNIST}  (uint8, 20 × 10000 × 64 × 64)",),
        10_000,
        _moving_mnist,
    ),
    "kth-10to20": DataSet(
        "KTH actions",
        "KTH actions, persons 17 to 25, the first 30 frames of each subsequence (needs --data)",
        "00sequences.txt",
        ("00sequences.txt", "boxing/person17_boxing_d1_uncomp.avi  (and so on, in these folders or others)"),
        858,
        _kth,
        by_name=True,
    ),
    "cityscapes-dmvfn": DataSet(
        "Cityscapes' sequences",
        "Cityscapes' validation snippets, as DMVFN is tested (needs --data)",
        _CITYSCAPES,
        (f"{_CITYSCAPES}/frankfurt/frankfurt_000000_000275_leftImg8bit.png  (and so on)",),
        500,
        _cityscapes,
    ),
    "kitti-dmvfn": DataSet(
        "KITTI's raw data",
        "four drives of KITTI's raw data, windows of 9 frames, as DMVFN is tested (needs --data)",
        _KITTI_DAY,
        (f"{_KITTI_DAY}/{_KITTI_DAY}_drive_0060_sync/image_02/data/0000000000.png  (also 0084, 0093, 0096)",),
        1_337,
        _kitti,
    ),
    "davis-dmvfn": DataSet(
        "DAVIS 2017",
        "DAVIS 2017's validation sequences at 480p, as DMVFN is tested (needs --data)",
        _DAVIS_LIST,
        (_DAVIS_LIST, "JPEGImages/480p/bike-packing/00000.jpg  (and so on)"),
        30,
        _davis,
    ),
    "vimeo-2to1": DataSet(
        "Vimeo-90K's triplets",
        "the test triplets of Vimeo-90K, two frames in, one out (needs --data)",
        _VIMEO_LIST,
        (_VIMEO_LIST, "sequences/00001/0389/im1.png, im2.png, im3.png  (and so on)"),
        3_782,
        _vimeo,
    ),
}
