"""``--model frames:DIR``: frames predicted by another program, in any language, and read from a folder.

The layout is that of the authors' archive, and of the ``predictions/`` folder of a run: with 4 input frames, the
prediction for clip 11 is ``DIR/11/pred_5.png``, ``pred_6.png`` and so on, or ``.npy`` instead of ``.png``. A
``.npy`` file is a float32 array ``(H, W, 3)``, RGB in [0, 1]; PNG files have 8 bits per channel, so their scores
are those of rounded predictions and carry the mark ``quantised``.

The folder is not trusted. Symbolic links in it are refused, a file's size is compared with the clip's before the
file is read, and nothing in it is executed or unpickled.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL.PngImagePlugin import PngImageFile

from vpbench.errors import UsageError, VpbenchError
from vpbench.files import is_folder, open_file
from vpbench.predictors.predictor import Predictor
from vpbench.video.arrays import Array, read_array

if TYPE_CHECKING:
    from numpy.typing import NDArray


QUANTISED = "quantised: scored from predictions that were rounded to 8 bits"
_NAME = re.compile(r"pred_([1-9][0-9]{0,5})\.(png|npy)")
_CLIP = re.compile(r"0|[1-9][0-9]{0,8}")
_ENTRIES = 2_000_000  # files and folders; a folder with more is taken for something else
_MODES = ("L", "P", "RGB")  # grey, palette, RGB; the others have transparency or other depths


class FramesFolder(Predictor):
    """Looks up predictions in a folder.

    Args:
        folder: see the module's docstring.

    Raises:
        UsageError: there is no such folder, or it has no predicted frames.
        VpbenchError: there is a symbolic link in it.
    """

    timed = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        last: dict[str, tuple[int, str]] = {}
        for path in list_files(folder):
            found = _NAME.fullmatch(path.name)
            assert found is not None  # noqa: S101 -- list_files gives no others
            number = (int(found[1]), found[2])
            last[path.parent.name] = max(number, last.get(path.parent.name, number))
        if not last:
            raise UsageError(
                f"--model frames:{folder}: there are no predicted frames in the folder; for clip 1 and 4 inputs, "
                f"{folder / '1' / 'pred_5.png'} or .npy is the first."
            )
        # A folder may hold the inputs too, always as PNG; the last frame is certainly predicted.
        self.quantised = any(suffix == "png" for _, suffix in last.values())
        self._last = min(number for number, _ in last.values())

    def targets_after(self, inputs: int) -> int:
        """How many frames it has of every clip after so many inputs."""
        return self._last - inputs

    def predict_clips(
        self, indices: Sequence[int], inputs: Sequence[NDArray[np.float32]], targets: int
    ) -> Sequence[NDArray[np.float32]]:
        """Read the frames of clips.

        Raises:
            VpbenchError: a file is missing, exists as .png and as .npy, has another size than the clip, or is
                damaged; names it.
        """
        return [
            np.stack([self._read(index, len(clip) + k, clip.shape[1:3]) for k in range(1, targets + 1)])
            for index, clip in zip(indices, inputs, strict=True)
        ]

    def _read(self, index: int, number: int, size: tuple[int, ...]) -> NDArray[np.float32]:
        stem = self.folder / str(index) / f"pred_{number}"
        there = [path for path in (stem.with_suffix(".npy"), stem.with_suffix(".png")) if path.exists()]
        if not there:
            raise VpbenchError(
                f"{stem}.png (or .npy) is missing; the first predicted frame has the number of inputs plus one."
            )
        if len(there) == 2:
            raise VpbenchError(f"{stem}.npy and {there[1].name} are both there; remove one.")
        if there[0].suffix == ".npy":
            return _read_array(there[0], size)
        if not self.quantised:
            raise VpbenchError(
                f"{there[0]} is a PNG, but the last frames are .npy; use one format for all predicted frames."
            )
        return read_png(there[0], size).astype(np.float32) / np.float32(255)

    def describe(self) -> dict[str, Any]:
        """The format, and for PNG the mark."""
        if not self.quantised:
            return {"frames": "float32"}
        return {"frames": "png", "marks": [QUANTISED]}


def list_files(folder: Path) -> Iterator[Path]:
    """The files ``<clip>/pred_<number>.png`` and ``.npy`` below a folder, by clip and name.

    Raises:
        UsageError: there is no such folder.
        VpbenchError: there is a symbolic link anywhere below it, or far too many files.
    """
    if not is_folder(folder):
        raise UsageError(f"--model frames:{folder}: there is no folder {folder}.")
    found = []
    try:
        for entries, entry in enumerate(_walk(folder), start=1):
            path = Path(entry.path)
            if entry.is_symlink():
                raise VpbenchError(
                    f"{path} is a symbolic link; a folder of predictions must contain the frames themselves."
                )
            if entries > _ENTRIES:
                raise VpbenchError(
                    f"{folder} holds more than {_ENTRIES} files; it is not a folder of predictions."
                )
            of_clip = path.parent.parent == folder and _CLIP.fullmatch(path.parent.name)
            if of_clip and _NAME.fullmatch(path.name):
                found.append(path)
    except OSError as error:
        raise VpbenchError(f"Cannot read {folder}: {error.strerror}.") from error
    yield from sorted(found, key=lambda path: (int(path.parent.name), path.name))


def _walk(folder: Path) -> Iterator[os.DirEntry[str]]:
    folders = [str(folder)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)


def content_hash(folder: Path) -> str:
    """SHA-256 over the names and bytes of the frames in a folder: the identity of what it predicts."""
    total = hashlib.sha256()
    for path in list_files(folder):
        with open_file(path, links=False) as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        total.update(f"{digest}  {path.parent.name}/{path.name}\n".encode())
    return total.hexdigest()


def _read_array(path: Path, size: tuple[int, ...]) -> NDArray[np.float32]:
    """A float32 array ``(H, W, 3)`` of the given (height, width)."""
    wanted = (*size, 3)

    def check(found: Array) -> None:
        if found.shape != wanted or found.dtype != np.float32:
            raise VpbenchError(
                f"{path} is {found.dtype} {found.shape}; the clip needs float32 {wanted} (height, width, RGB)."
            )

    return np.asarray(read_array(path, check, links=False), dtype=np.float32)


def read_png(path: Path, size: tuple[int, ...]) -> NDArray[np.uint8]:
    """Read a PNG file of the given (height, width) with 8 bits per channel as uint8 ``(H, W, 3)``, RGB.

    The pixels are taken as they are stored: colour profiles, an orientation in EXIF data and further frames of
    an animation are ignored.

    Raises:
        VpbenchError: it is damaged, too long, or a picture of another kind; names it.
    """
    height, width = size
    limit = 2 * height * (3 * width + 1) + 2**16  # deflate never doubles
    with open_file(path, links=False) as stream:
        if os.fstat(stream.fileno()).st_size > limit:
            raise VpbenchError(f"{path} is longer than a picture of {width}×{height} pixels can be.")
        data = stream.read(limit)
    try:
        picture = PngImageFile(io.BytesIO(data))
    except (OSError, SyntaxError, ValueError) as error:
        raise VpbenchError(
            f"{path} is not a PNG file, or is cut off or damaged: it has no PNG header that can be read ({error})."
        ) from None
    _check_header(picture, path, (height, width))
    try:
        picture.verify()  # the checksums, which decoding ignores; the object cannot be used after it
        return np.asarray(PngImageFile(io.BytesIO(data)).convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise VpbenchError(f"{path} is cut off or damaged: {error}.") from None


def _check_header(picture: PngImageFile, path: Path, size: tuple[int, int]) -> None:
    if (picture.height, picture.width) != size:
        raise VpbenchError(
            f"{path} is {picture.width}×{picture.height} pixels; the clip is {size[1]}×{size[0]}."
        )
    stored_as = picture.tile[0][3]  # "RGB;16B" for 16 bits per channel, which the mode does not show
    if picture.mode not in _MODES or stored_as != picture.mode:
        raise VpbenchError(
            f"{path} must be RGB with 8 bits per channel (no transparency); for more precision use float32 .npy."
        )
