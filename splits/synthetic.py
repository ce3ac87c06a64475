"""The split ``synthetic``: photographs moved by known motion, with the exact flow.

The photographs are part of scikit-image's wheel and are in the public domain or CC0 (their docstrings in
``skimage.data`` say so). A clip is a background and at most one sprite that passes over it; each is a photograph
under a similarity that is applied once per frame, so that positions, and with them the flow, are known exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vpbench.errors import UsageError, VpbenchError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Layer:
    """A photograph in motion.

    Attributes:
        photo: file name in scikit-image's data folder.
        anchor: (x, y) in the photograph, pixels; the layer turns and grows about it.
        scale: pixels of the photograph per pixel of frame 0.
        start: (x, y) in frame 0, pixels, where the anchor is.
        velocity: (x, y), pixels per frame, of the anchor.
        zoom: growth factor per frame.
        turn: degrees per frame, clockwise as seen.
        cut: semi-axes (x, y), in pixels of the photograph, of the ellipse about the anchor that is cut out;
            ``None`` keeps the whole photograph.
        tilt: degrees by which that ellipse is turned clockwise in the photograph.
    """

    photo: str
    anchor: tuple[float, float]
    scale: float
    start: tuple[float, float] = (159.5, 119.5)
    velocity: tuple[float, float] = (0.0, 0.0)
    zoom: float = 1.0
    turn: float = 0.0
    cut: tuple[float, float] | None = None
    tilt: float = 0.0

    def position(self, frame: int) -> NDArray[np.float64]:
        """Where the anchor is, (x, y) in pixels, at a 0-based frame."""
        return np.asarray(np.array(self.start) + frame * np.array(self.velocity))

    def pose(self, frame: int) -> NDArray[np.float64]:
        """The 3×3 matrix from the photograph's to the frame's pixel coordinates at a 0-based frame."""
        factor = self.zoom**frame / self.scale
        c, s = _turned(self.turn * frame)
        linear = factor * np.array([[c, -s], [s, c]])
        matrix = np.eye(3)
        matrix[:2, :2] = linear
        matrix[:2, 2] = self.position(frame) - linear @ np.array(self.anchor)
        return matrix


@dataclass(frozen=True)
class SyntheticClip:
    """A clip's definition.

    Attributes:
        name: says what moves and how.
        background: fills the frame.
        sprite: passes over it.
        size: (height, width) in pixels.
    """

    name: str
    background: Layer
    sprite: Layer | None = None
    size: tuple[int, int] = (240, 320)


CLIPS: tuple[SyntheticClip, ...] = (
    SyntheticClip("coffee-pan", Layer("coffee.png", (290, 195), 1.25, velocity=(2.3, -0.7))),
    SyntheticClip("cat-drift", Layer("chelsea.png", (222, 148), 1.05, velocity=(0.45, 0.3))),
    SyntheticClip("rocket-tilt", Layer("rocket.jpg", (318, 270), 1.1, velocity=(0.0, 4.5))),
    SyntheticClip("astronaut-pan-fast", Layer("astronaut.png", (180, 140), 1.05, velocity=(-8.0, -0.6))),
    SyntheticClip("coffee-zoom-in", Layer("coffee.png", (280, 198), 1.55, zoom=1.02)),
    SyntheticClip("cat-zoom-out", Layer("chelsea.png", (228, 149), 0.95, zoom=0.99)),
    SyntheticClip("galaxies-turn", Layer("hubble_deep_field.jpg", (500, 436), 1.3, turn=1.2)),
    SyntheticClip(
        "coffee-turn-zoom", Layer("coffee.png", (260, 200), 1.2, velocity=(0.4, 0.2), zoom=1.012, turn=-0.8)
    ),
    SyntheticClip(
        "saucer-flies",
        Layer("rocket.jpg", (318, 250), 1.3),
        Layer(
            "coffee.png", (278, 204), 4.4, (50, 95), velocity=(6.5, -1.5), turn=0.9, cut=(199, 181), tilt=12
        ),
    ),
    SyntheticClip(
        "cat-over-coffee",
        Layer("coffee.png", (330, 200), 1.25, velocity=(-1.5, 0.25)),
        Layer("chelsea.png", (228, 140), 2.0, (70, 110), velocity=(5.2, 0.9), turn=-1.1, cut=(125, 110)),
    ),
    SyntheticClip(
        "astronaut-floats",
        Layer("hubble_deep_field.jpg", (480, 430), 1.4, velocity=(0.8, 0.3)),
        Layer("astronaut.png", (222, 130), 2.2, (200, 130), velocity=(-2.6, -0.8), zoom=1.015, cut=(95, 125)),
    ),
    SyntheticClip("cat-still", Layer("chelsea.png", (215, 140), 1.15)),
)


def render(index: int, frames: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Render the first frames of a clip.

    The photographs are smoothed against aliasing and sampled by cubic splines; none shows its border in
    the first sixteen frames, and beyond the border it is mirrored.

    Args:
        index: 1-based number of the clip in :data:`CLIPS`.
        frames: how many frames, at least 1.

    Returns:
        The frames, uint8 ``(frames, H, W, 3)`` RGB; and the exact flow from each to the next, float32
        ``(frames − 1, H, W, 2)``, pixels, u to the right and v down. A pixel that is hidden in the next frame has the
        flow of what it shows.

    Raises:
        UsageError: there is no such clip, or fewer than 1 frame is asked for.
        VpbenchError: scikit-image's photographs are not installed.
    """
    if not 1 <= index <= len(CLIPS):
        raise UsageError(f"Split 'synthetic' has the clips 1 to {len(CLIPS)}, not {index}.")
    if frames < 1:
        raise UsageError(f"Split 'synthetic', clip {index}: ask for at least 1 frame, not {frames}.")
    clip = CLIPS[index - 1]
    images = np.stack([_frame(clip, frame) for frame in range(frames)])
    flows = np.empty((frames - 1, *clip.size, 2), dtype=np.float32)
    for frame in range(frames - 1):
        flows[frame] = _layer_flow(clip.background, frame, clip.size)
        if clip.sprite is not None:
            seen = cover(clip.sprite, frame, clip.size) >= 0.5
            flows[frame][seen] = _layer_flow(clip.sprite, frame, clip.size)[seen]
    return images, flows


def cover(layer: Layer, frame: int, size: tuple[int, int]) -> NDArray[np.float64]:
    """How much of each pixel a layer covers: float64 ``(H, W)`` in [0, 1], with an edge one pixel wide."""
    if layer.cut is None:
        return np.ones(size)
    x, y = in_photo(layer, frame, size) - np.array(layer.anchor)[:, None, None]
    c, s = _turned(-layer.tilt)
    p, q = (c * x - s * y) / layer.cut[0], (s * x + c * y) / layer.cut[1]
    level = np.sqrt(p**2 + q**2)
    # First-order distance to the ellipse: its level over the level's slope.
    slope = np.sqrt((p / layer.cut[0]) ** 2 + (q / layer.cut[1]) ** 2) / np.maximum(level, 1e-9)
    distance = (level - 1) / np.maximum(slope, 1e-9) * layer.zoom**frame / layer.scale
    return np.asarray(np.clip(0.5 - distance, 0.0, 1.0))


def _frame(clip: SyntheticClip, frame: int) -> NDArray[np.uint8]:
    image = _sample(clip.background, frame, clip.size)
    if clip.sprite is not None:
        weight = cover(clip.sprite, frame, clip.size)[..., None]
        image += weight * (_sample(clip.sprite, frame, clip.size) - image)
    return np.rint(np.clip(image, 0, 255)).astype(np.uint8)


def _sample(layer: Layer, frame: int, size: tuple[int, int]) -> NDArray[np.float64]:
    """The layer's photograph as seen in a frame: float64 ``(H, W, 3)``, about [0, 255]."""
    from scipy.ndimage import map_coordinates

    x, y = in_photo(layer, frame, size)
    return np.stack(
        [
            map_coordinates(channel, (y, x), order=3, mode="mirror", prefilter=False)
            for channel in _splines(layer.photo, layer.scale)
        ],
        axis=2,
    )


def _layer_flow(layer: Layer, frame: int, size: tuple[int, int]) -> NDArray[np.float64]:
    """How a layer moves from a frame to the next: ``(H, W, 2)``, pixels; exactly 0 for a layer at rest."""
    c, s = _turned(layer.turn)
    growth = layer.zoom * np.array([[c, -s], [s, c]]) - np.eye(2)
    x, y = layer.position(frame)
    matrix = np.array([[1.0, 0.0, -x], [0.0, 1.0, -y]])
    return np.asarray(np.moveaxis(_mapped(growth @ matrix, size), 0, 2) + np.array(layer.velocity))


def in_photo(layer: Layer, frame: int, size: tuple[int, int]) -> NDArray[np.float64]:
    """Where in the photograph each pixel of a frame is: float64 ``(2, H, W)``, x and y in pixels."""
    return _mapped(np.linalg.inv(layer.pose(frame)), size)


def _mapped(matrix: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.float64]:
    """The pixel coordinates of a frame under an affine map: ``(2, H, W)``, x and y."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float64)
    return np.stack([row[0] * x + row[1] * y + row[2] for row in matrix[:2]])


def _turned(degrees: float) -> tuple[float, float]:
    """Cosine and sine of an angle."""
    return float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees)))


@lru_cache(maxsize=4)
def _splines(photo: str, scale: float) -> tuple[NDArray[np.float32], ...]:
    """Cubic spline coefficients of a photograph's channels R, G, B, smoothed for sampling every ``scale`` pixels."""
    from scipy.ndimage import gaussian_filter, spline_filter

    image = read_photo(photo).astype(np.float64)
    return tuple(
        spline_filter(
            gaussian_filter(image[..., channel], 0.5 * scale, mode="mirror"),
            order=3,
            output=np.float32,
            mode="mirror",
        )
        for channel in range(3)
    )


def read_photo(photo: str) -> NDArray[np.uint8]:
    """Read a photograph of scikit-image's wheel as uint8 ``(H, W, 3)`` RGB.

    Raises:
        VpbenchError: it is missing or damaged, or scikit-image is not installed.
    """
    from PIL import Image  # OpenCV prints warnings about the colour profile of one of these files

    try:
        path = Path(str(distribution("scikit-image").locate_file(f"skimage/data/{photo}")))
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except PackageNotFoundError:
        raise VpbenchError(
            "Split 'synthetic' needs the photographs of scikit-image: pip install scikit-image."
        ) from None
    except OSError as error:
        raise VpbenchError(
            f"Split 'synthetic': {path} is missing or damaged ({error}): "
            f"pip install --force-reinstall scikit-image."
        ) from error
