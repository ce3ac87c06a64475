"""The metrics against slow literal references, values computed by hand, and scikit-image."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference_metrics as reference
import skimage.data
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from vpbench.errors import UsageError, VpbenchError
from vpbench.scoring.metrics import Metric, get_metric
from vpbench.video.decoding import read_frames

Image = NDArray[np.float64]
Mask = NDArray[np.bool_]

EXACT = 1e-9
FLOOR_DB = 10 * math.log10(255**2 / 1e-4)  # 88.13, of equal frames under the released script
BORDERS = ("zero-full", "valid", "replicate", "symmetric")

# Metric with its parameters, and its reference.
CASES: dict[str, tuple[str, dict[str, Any], Callable[..., float]]] = {
    "psnr": ("psnr", {}, reference.psnr),
    "psnr capped": ("psnr", {"cap": 100.0}, partial(reference.psnr, cap=100.0)),
    "psnr-luma": ("psnr-luma", {}, reference.psnr_luma),
    "psnr-mathieu2016": ("psnr-mathieu2016", {}, reference.psnr_mathieu2016),
    **{
        f"ssim {border}": ("ssim", {"border": border}, partial(reference.ssim, border=border))
        for border in BORDERS
    },
    "sharpness-mathieu2016": ("sharpness-mathieu2016", {}, reference.sharpness_mathieu2016),
    "sharpness-luma": ("sharpness-luma", {}, reference.sharpness_luma),
    "sharpness-printed": ("sharpness-printed", {}, reference.sharpness_printed),
}
NAMES = sorted({name for name, _, _ in CASES.values()})
WHOLE_IMAGE = pytest.mark.parametrize("case", CASES)


def score(
    case: str, target: Image, prediction: Image, data_range: float = 1.0, mask: Mask | None = None
) -> float:
    name, parameters, _ = CASES[case]
    return get_metric(name).function(target, prediction, data_range=data_range, mask=mask, **parameters)


def assert_as_reference(
    case: str, target: Image, prediction: Image, data_range: float = 1.0, mask: Mask | None = None
) -> None:
    name, _, slow = CASES[case]
    expected = slow(target, prediction, data_range, mask)
    actual = score(case, target, prediction, data_range, mask)
    assert type(actual) is float
    assert actual == pytest.approx(expected, abs=EXACT, rel=0, nan_ok=True)
    metric = get_metric(name)
    assert math.isnan(actual) or metric.low <= actual <= metric.high


def random_pair(height: int = 31, width: int = 40, noise: float = 0.1, seed: int = 0) -> tuple[Image, Image]:
    rng = np.random.default_rng(seed)
    target = rng.random((height, width, 3))
    return target, np.clip(target + rng.normal(scale=noise, size=target.shape), 0, 1)


def blackened(mask: Mask, *frames: Image) -> list[Image]:
    return [frame * mask[:, :, None] for frame in frames]


def photographs() -> list[tuple[Image, Image]]:
    """Crops of real photographs, and of the same 1 pixel right and 1 down of there, in [0, 1]."""
    return [
        (picture[100:165, 120:203] / 255.0, picture[101:166, 121:204] / 255.0)
        for picture in (skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee())
    ]


# Against the references


@WHOLE_IMAGE
@pytest.mark.parametrize("noise", [1e-6, 0.003, 0.1, 10.0])
def test_random_images(case: str, noise: float) -> None:
    assert_as_reference(case, *random_pair(noise=noise))


@WHOLE_IMAGE
@pytest.mark.parametrize("data_range", [1.0, 2.0, 255.0, 1023.0])
def test_data_range_only_scales(case: str, data_range: float) -> None:
    target, prediction = (data_range * frame for frame in random_pair())
    assert_as_reference(case, target, prediction, data_range)
    assert score(case, target, prediction, data_range) == pytest.approx(
        score(case, target / data_range, prediction / data_range), abs=EXACT
    )


@WHOLE_IMAGE
@pytest.mark.parametrize(
    "size", [(11, 11), (12, 17), (15, 16), (16, 15), (17, 33), (32, 32), (33, 48), (49, 11), (11, 50)]
)
def test_odd_sizes(case: str, size: tuple[int, int]) -> None:
    assert_as_reference(case, *random_pair(*size))


@WHOLE_IMAGE
@pytest.mark.parametrize(
    "size", [(1, 1), (1, 4), (4, 1), (2, 2), (2, 3), (3, 2), (3, 3), (4, 4), (3, 40), (40, 3)]
)
def test_tiny_frames(case: str, size: tuple[int, int]) -> None:
    target, prediction = random_pair(*size)
    smallest = {"ssim valid": 11, "sharpness-printed": 2}.get(case, 3 if "sharpness" in case else 1)
    if min(size) < smallest:
        with pytest.raises(VpbenchError, match=rf"at least {smallest}.*{size[0]}×{size[1]}"):
            score(case, target, prediction)
    else:
        assert_as_reference(case, target, prediction)
        assert_as_reference(case, target, prediction, mask=np.ones(size, dtype=bool))


@pytest.mark.slow
@WHOLE_IMAGE
def test_photographs(case: str) -> None:
    for target, prediction in photographs():
        assert_as_reference(case, target, prediction)
        moving = np.abs(target - prediction).max(axis=2) > 0.05
        assert 0.05 < moving.mean() < 0.95
        assert_as_reference(case, target, prediction, mask=moving)
        assert_as_reference(case, *blackened(moving, target, prediction))


@pytest.mark.slow
@WHOLE_IMAGE
def test_real_frames(case: str, ucf101: Path) -> None:
    whole, cropped = sorted(ucf101.rglob("*.avi"))[:20:10]
    before, after = read_frames(whole, 3, 2) / 255.0
    assert_as_reference(case, after, before)
    before, after = read_frames(cropped, 3, 2)[:, 60:180, 80:240] / 255.0
    moving = np.abs(after - before).max(axis=2) > 0.02
    assert_as_reference(case, *blackened(moving, after, before))
    assert_as_reference(case, after, before, mask=moving)


@pytest.mark.slow
@WHOLE_IMAGE
def test_non_contiguous_views(case: str) -> None:
    target, prediction = random_pair(62, 80)
    mask = np.random.default_rng(1).random((62, 80)) < 0.5
    views: list[Callable[[NDArray[Any]], NDArray[Any]]] = [
        lambda a: a[::2, ::2],
        lambda a: a[::-1, ::-1],
        lambda a: a[5:40, 7:50],
        lambda a: np.asfortranarray(a),
        lambda a: a.swapaxes(0, 1),
    ]
    for view in views:
        assert_as_reference(case, view(target), view(prediction))
        assert_as_reference(case, view(target), view(prediction), mask=view(mask))
    assert_as_reference(case, target[..., ::-1], prediction[..., ::-1])
    expanded = np.broadcast_to(target[:, :, :1], target.shape)
    assert_as_reference(case, expanded, prediction)


@WHOLE_IMAGE
def test_arguments_are_only_read(case: str) -> None:
    target, prediction = random_pair()
    mask = np.random.default_rng(1).random(target.shape[:2]) < 0.5
    copies = [a.copy() for a in (target, prediction, mask)]
    for array in (target, prediction, mask):
        array.flags.writeable = False
    score(case, target, prediction)
    score(case, target, prediction, mask=mask)
    for array, copy in zip((target, prediction, mask), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@WHOLE_IMAGE
def test_same_bits_again(case: str) -> None:
    target, prediction = random_pair(100, 130)
    first = score(case, target, prediction)
    for _ in range(5):
        junk = np.random.default_rng(2).random((17, 331))  # so that memory lies elsewhere
        assert score(case, target.copy(), prediction.copy()) == first
        del junk


# Masks and moving areas


@WHOLE_IMAGE
@pytest.mark.parametrize("seed", range(4))
def test_random_masks(case: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    target, prediction = random_pair(seed=seed)
    mask = rng.random(target.shape[:2]) < (0.02, 0.3, 0.7, 0.98)[seed]
    assert_as_reference(case, target, prediction, mask=mask)
    assert_as_reference(case, *blackened(mask, target, prediction))
    assert_as_reference(case, *blackened(mask, target, prediction), mask=mask)


@WHOLE_IMAGE
def test_empty_mask(case: str) -> None:
    target, prediction = random_pair()
    empty = np.zeros(target.shape[:2], dtype=bool)
    assert math.isnan(score(case, target, prediction, mask=empty))
    assert_as_reference(case, *blackened(empty, target, prediction))


@WHOLE_IMAGE
def test_full_mask(case: str) -> None:
    target, prediction = random_pair()
    assert_as_reference(case, target, prediction, mask=np.ones(target.shape[:2], dtype=bool))


PIXELS = [
    (0, 0),
    (0, 39),
    (30, 0),
    (30, 39),
    (0, 20),
    (15, 0),
    (30, 20),
    (15, 39),
    (1, 1),
    (29, 38),
    (5, 5),
    (15, 20),
]


@WHOLE_IMAGE
@pytest.mark.parametrize("pixel", PIXELS)
def test_moving_area_of_one_pixel(case: str, pixel: tuple[int, int]) -> None:
    target, prediction = random_pair()
    mask = np.zeros(target.shape[:2], dtype=bool)
    mask[pixel] = True
    assert_as_reference(case, *blackened(mask, target, prediction))
    assert_as_reference(case, target, prediction, mask=mask)
    # The frames differ in this pixel alone, and what they share is not black.
    assert_as_reference(case, target, np.where(mask[:, :, None], prediction, target))
    assert_as_reference(case, target, np.where(mask[:, :, None], prediction, target), mask=~mask)


@pytest.mark.parametrize("case", [case for case in CASES if "sharpness" in case])
def test_mask_without_interior_pixels(case: str) -> None:
    target, prediction = random_pair()
    mask = np.zeros(target.shape[:2], dtype=bool)
    mask[0, :] = mask[:, 0] = True
    assert math.isnan(score(case, target, prediction, mask=mask))


def test_mask_outside_the_valid_window() -> None:
    target, prediction = random_pair()
    mask = np.ones(target.shape[:2], dtype=bool)
    mask[5:-5, 5:-5] = False
    assert math.isnan(score("ssim valid", target, prediction, mask=mask))


@WHOLE_IMAGE
@pytest.mark.parametrize(
    "box", [(0, 9, 0, 9), (20, 31, 25, 40), (7, 24, 0, 40), (0, 31, 11, 12), (9, 21, 14, 31)]
)
def test_boxes_of_difference(case: str, box: tuple[int, int, int, int]) -> None:
    target, prediction = random_pair()
    top, bottom, left, right = box
    mask = np.zeros(target.shape[:2], dtype=bool)
    mask[top:bottom, left:right] = True
    assert_as_reference(case, *blackened(mask, target, prediction))
    assert_as_reference(case, target, np.where(mask[:, :, None], prediction, target))


def test_black_masking_dilutes_the_released_psnr() -> None:
    """PSNR over all pixels = PSNR inside the mask − 10·log10(moving fraction)."""
    target, prediction = random_pair()
    mask = np.random.default_rng(1).random(target.shape[:2]) < 0.25
    inside = score("psnr-mathieu2016", target, prediction, mask=mask)
    black = score("psnr-mathieu2016", *blackened(mask, target, prediction))
    assert black == pytest.approx(inside - 10 * math.log10(mask.mean()), abs=EXACT)


# Values computed by hand


@WHOLE_IMAGE
def test_identical_frames(case: str) -> None:
    target, _ = random_pair()
    if case.startswith("ssim"):
        expected = 1.0
    elif case in ("psnr", "psnr-luma"):
        expected = math.inf
    else:
        expected = 100.0 if case == "psnr capped" else FLOOR_DB
    for frame in (target, np.zeros_like(target), np.ones_like(target)):
        assert score(case, frame, frame.copy()) == expected
        assert score(case, frame, frame.copy(), mask=np.eye(31, 40, dtype=bool)) == expected
    assert pytest.approx(88.1308, abs=1e-4) == FLOOR_DB


def test_psnr_by_hand() -> None:
    black, grey_ = np.zeros((16, 20, 3)), np.full((16, 20, 3), 0.1)
    assert score("psnr", black, grey_) == pytest.approx(20, abs=EXACT)
    assert score("psnr-luma", black, grey_) == pytest.approx(20, abs=EXACT)
    assert score("psnr", black, np.ones_like(black)) == 0
    # In [−1, 1] the difference is 0.2: e = 128² · 0.04 = 655.36, and 65025 / 655.36 = 99.2203…
    assert score("psnr-mathieu2016", black, grey_) == pytest.approx(
        10 * math.log10(65025 / 655.36), abs=EXACT
    )
    # One channel of three is off by 0.3: MSE 0.03; its luma is off by 0.587 · 0.3.
    green = black.copy()
    green[:, :, 1] = 0.3
    assert score("psnr", black, green) == pytest.approx(-10 * math.log10(0.03), abs=EXACT)
    assert score("psnr-luma", black, green) == pytest.approx(-20 * math.log10(0.1761), abs=EXACT)
    # A mask of the pixels that are equal, and one of 2 pixels of which 1 is off.
    dot = black.copy()
    dot[3, 4] = 0.5
    mask = np.zeros((16, 20), dtype=bool)
    mask[3, 3] = True
    assert score("psnr", black, dot, mask=mask) == math.inf
    mask[3, 4] = True
    assert score("psnr", black, dot, mask=mask) == pytest.approx(-10 * math.log10(0.125), abs=EXACT)


def test_psnr_cap() -> None:
    target, prediction = random_pair(noise=1e-7)
    function = get_metric("psnr").function
    assert function(target, prediction, data_range=1.0) > 100
    assert function(target, prediction, data_range=1.0, cap=100.0) == 100
    assert function(target, target, data_range=1.0, cap=60.0) == 60
    assert get_metric("psnr-luma").function(target, target, data_range=1.0, cap=60.0) == 60
    assert math.isnan(function(target, target, data_range=1.0, cap=60.0, mask=np.zeros((31, 40), dtype=bool)))


def test_ssim_by_hand() -> None:
    """Of constant frames x and y with 'valid' windows only the means count: (2xy + C1) / (x² + y² + C1)."""
    x, y, c1 = 51.0, 102.0, 6.5025
    frames = np.full((13, 14, 3), x / 255), np.full((13, 14, 3), y / 255)
    expected = (2 * x * y + c1) / (x * x + y * y + c1)
    assert score("ssim valid", *frames) == pytest.approx(expected, abs=EXACT)
    assert score("ssim replicate", *frames) == pytest.approx(expected, abs=EXACT)
    assert score("ssim zero-full", *frames) != pytest.approx(expected, abs=1e-3)


def test_sharpness_by_hand() -> None:
    black, step = np.zeros((10, 8, 3)), np.zeros((10, 8, 3))
    step[:, 4:] = 0.1  # one vertical edge: ∇x is 0.2 in [−1, 1] at column 4, in the 8 rows that count
    error = 128**2 * 0.2 * 8 * 3 / (3 * 10 * 8)
    assert score("sharpness-mathieu2016", black, step) == pytest.approx(
        10 * math.log10(65025 / error), abs=EXACT
    )
    assert score("sharpness-luma", black, step) == pytest.approx(10 * math.log10(65025 / error), abs=EXACT)
    # Printed formula: 25.5 of 255, in 9 of 9 · 7 places.
    assert score("sharpness-printed", black, step) == pytest.approx(
        10 * math.log10(65025 / (25.5 / 7)), abs=EXACT
    )
    # An edge in the first column's difference only counts from column 2; one at the last column does not count.
    last = np.zeros((10, 8, 3))
    last[:, 7] = 0.1
    assert score("sharpness-mathieu2016", black, last) == FLOOR_DB
    # A horizontal edge as strong as the vertical one in another place: the sums of gradients are equal there.
    corner, turned = np.zeros((2, 3, 3, 3))
    corner[1, 1] = 0.5
    assert score("sharpness-printed", corner, turned) < FLOOR_DB
    assert score("sharpness-mathieu2016", corner, turned) == pytest.approx(
        10 * math.log10(65025 / (128**2 * 2 / 9)), abs=EXACT
    )


def test_printed_sharpness_cannot_tell_directions() -> None:
    stripes = np.zeros((20, 20, 3))
    stripes[:, ::2] = 0.5
    turned = stripes.swapaxes(0, 1)
    assert score("sharpness-printed", stripes, turned) == FLOOR_DB
    assert score("sharpness-mathieu2016", stripes, turned) < 20


# Against scikit-image


def test_agrees_with_scikit_image() -> None:
    for target, prediction in photographs():
        assert score("psnr", target, prediction) == pytest.approx(
            peak_signal_noise_ratio(target, prediction, data_range=1.0), abs=EXACT
        )
        greys = [255 * reference.grey(frame) for frame in (target, prediction)]
        mean, full = structural_similarity(
            *greys, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, full=True
        )
        # scikit-image crops its mean like the 'valid' window.
        assert score("ssim valid", target, prediction) == pytest.approx(mean, abs=EXACT)
        mask = np.random.default_rng(0).random(target.shape[:2]) < 0.4
        mask[:5] = mask[-5:] = mask[:, :5] = mask[:, -5:] = False
        expected = full[mask].mean()
        for border in BORDERS:
            assert score(f"ssim {border}", target, prediction, mask=mask) == pytest.approx(
                expected, abs=EXACT
            )


# No rounding where it would show


def test_nearly_equal_frames() -> None:
    """Neither of these is lost in rounding: a difference of 1e-9, and 1 − SSIM of about 1e-13."""
    target = random_pair()[0] * 0.5 + 0.25
    prediction = target + 1e-9
    assert score("psnr", target, prediction) == pytest.approx(180, abs=1e-5)
    assert score("psnr-luma", target, prediction) == pytest.approx(180, abs=1e-5)
    assert score("ssim valid", target, prediction) < 1.0 + 1e-15
    assert 1.0 - score("ssim valid", target, target + 1e-5) == pytest.approx(
        float(np.mean(1.0 - reference.ssim_map(target, target + 1e-5, 1.0, "valid"))), abs=1e-12
    )


@WHOLE_IMAGE
def test_a_nan_is_no_perfect_score(case: str) -> None:
    target, _ = random_pair()
    prediction = target.copy()
    prediction[15, 20, 1] = math.nan
    assert math.isnan(score(case, target, prediction))


# Arguments


@pytest.mark.parametrize("name", NAMES)
def test_facts(name: str) -> None:
    metric = get_metric(name)
    assert isinstance(metric, Metric)
    assert metric.higher_is_better
    assert metric.low < metric.high
    assert metric.unit == ("" if name == "ssim" else "dB")
    assert metric.source
    assert metric.function.__doc__


def test_labels_differ() -> None:
    assert len({get_metric(name).label for name in NAMES}) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_data_range_has_no_default(name: str) -> None:
    parameters = {"border": "valid"} if name == "ssim" else {}
    with pytest.raises(TypeError, match="data_range"):
        get_metric(name).function(*random_pair(), **parameters)


def test_border_has_no_default() -> None:
    with pytest.raises(TypeError, match="border"):
        get_metric("ssim").function(*random_pair(), data_range=1.0)
    with pytest.raises(UsageError, match=r"Unknown SSIM border 'replicat'\. Did you mean replicate"):
        get_metric("ssim").function(*random_pair(), data_range=1.0, border="replicat")


@WHOLE_IMAGE
def test_wrong_arguments(case: str) -> None:
    target, prediction = random_pair()
    with pytest.raises(VpbenchError, match=r"prediction has shape \(30, 40, 3\), the target \(31, 40, 3\)"):
        score(case, target, prediction[1:])
    with pytest.raises(VpbenchError, match=r"RGB frames .* shape \(31, 40\)"):
        score(case, target[:, :, 0], prediction[:, :, 0])
    with pytest.raises(VpbenchError, match=r"shape \(0, 40, 3\)"):
        score(case, target[:0], prediction[:0])
    with pytest.raises(VpbenchError, match=r"mask must be boolean of shape \(31, 40\)"):
        score(case, target, prediction, mask=np.ones((31, 41), dtype=bool))
    with pytest.raises(VpbenchError, match=r"mask must be boolean .* float64"):
        score(case, target, prediction, mask=np.ones((31, 40)))  # type: ignore[arg-type]
    for data_range in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(VpbenchError, match="data_range must be"):
            score(case, target, prediction, data_range)
