import math

import numpy as np
import pytest

from vpbench.errors import UsageError
from vpbench.video.flow_colour import colour_code, colour_wheel, largest_motion


def wheel_by_hand():
    """The wheel, written out segment by segment from the published description."""
    rows = []
    rows += [(255, math.floor(255 * i / 15), 0) for i in range(15)]
    rows += [(255 - math.floor(255 * i / 6), 255, 0) for i in range(6)]
    rows += [(0, 255, math.floor(255 * i / 4)) for i in range(4)]
    rows += [(0, 255 - math.floor(255 * i / 11), 255) for i in range(11)]
    rows += [(math.floor(255 * i / 13), 0, 255) for i in range(13)]
    rows += [(255, 0, 255 - math.floor(255 * i / 6)) for i in range(6)]
    return rows


WHEEL = wheel_by_hand()


def pixel(u, v, m):
    """The colour of one vector, as slowly and literally as possible."""
    if math.isnan(u) or math.isnan(v) or abs(u) > 1e9 or abs(v) > 1e9:
        return (0, 0, 0)
    r = math.sqrt(u * u + v * v) / m
    a = math.atan2(-v, -u) / math.pi
    f = (a + 1) / 2 * 54
    k0 = math.floor(f)
    k1 = 0 if k0 + 1 == 55 else k0 + 1
    f -= k0
    colours = []
    for channel in range(3):
        c = (1 - f) * (WHEEL[k0][channel] / 255) + f * (WHEEL[k1][channel] / 255)
        c = 1 - r * (1 - c) if r <= 1 else 0.75 * c
        colours.append(math.floor(255 * c))
    return tuple(colours)


def reference(flow, m):
    return np.array([[pixel(float(u), float(v), m) for u, v in row] for row in flow], dtype=np.uint8)


@pytest.mark.parametrize(
    ("vector", "colour"),
    [
        ((1, 0), (255, 0, 0)),
        ((0, 1), (255, 229, 0)),
        ((-1, 0), (0, 209, 255)),
        ((0, -1), (88, 0, 255)),
        ((0.5, 0), (255, 127, 127)),
        ((0, 0.5), (255, 242, 127)),
        ((0.8, 0), (255, 50, 50)),
        ((0.81, 0), (255, 48, 48)),
        ((1.5, 0), (191, 0, 0)),
        ((0, 0), (255, 255, 255)),
    ],
)
@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_check_values(vector, colour, scale):
    for dtype in (np.float32, np.float64):
        field = np.array([[vector]], dtype=dtype) * dtype(scale)
        assert tuple(colour_code(field, scale)[0, 0].tolist()) == colour


def test_wheel():
    np.testing.assert_array_equal(colour_wheel(), WHEEL)
    assert len(WHEEL) == 55
    neighbours = np.roll(colour_wheel(), -1, axis=0)
    assert ((colour_wheel() == 0) & (neighbours == 0)).any(axis=1).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("m", [1.0, 0.37, 5.0])
def test_equals_the_slow_reference_on_a_dense_grid(dtype, m):
    axis = np.linspace(-1.3 * m, 1.3 * m, 131)
    field = np.stack(np.meshgrid(axis, axis), axis=2).astype(dtype)
    np.testing.assert_array_equal(colour_code(field, m), reference(field, m))


def test_equals_the_slow_reference_on_random_and_unknown_flow():
    rng = np.random.default_rng(3)
    field = rng.normal(0, 1, (60, 80, 2)).astype(np.float32)
    field[rng.random(field.shape) < 0.05] = np.nan
    field[rng.random(field.shape) < 0.05] = -1.7e9
    field[rng.random(field.shape) < 0.02] = np.inf
    np.testing.assert_array_equal(colour_code(field, 1.0), reference(field, 1.0))
    known = np.isfinite(field).all(axis=2) & (np.abs(field) <= 1e9).all(axis=2)
    largest = math.sqrt(max(float(u) ** 2 + float(v) ** 2 for u, v in field[known]))
    assert largest_motion(field) == largest
    np.testing.assert_array_equal(colour_code(field, "frame"), reference(field, largest))
    assert not colour_code(field, "frame")[~known].any()


def test_negative_zero_is_the_wheels_last_row():
    field = np.array([[[1.0, -0.0]]], np.float32)
    assert tuple(colour_code(field, 1.0)[0, 0].tolist()) == pixel(1.0, -0.0, 1.0) == WHEEL[54]


def test_no_motion_is_white_and_nothing_known_is_black():
    assert (colour_code(np.zeros((3, 4, 2), np.float32), "frame") == 255).all()
    assert (colour_code(np.full((3, 4, 2), np.nan, np.float32), "frame") == 0).all()


def test_frame_maximum_is_fully_saturated():
    field = np.array([[[3.0, 0.0], [1.5, 0.0]]], np.float32)
    assert colour_code(field, "frame").tolist() == [[[255, 0, 0], [255, 127, 127]]]


@pytest.mark.parametrize("m", [0, -1.0, float("nan"), float("inf"), "max"])
def test_bad_maximum(m):
    with pytest.raises(UsageError, match="max_motion"):
        colour_code(np.zeros((2, 2, 2), np.float32), m)


@pytest.mark.parametrize(
    "field", [np.zeros((2, 2, 3), np.float32), np.zeros((2, 2)), np.zeros((2, 2, 2), int)]
)
def test_bad_flow(field):
    with pytest.raises(UsageError, match="A flow must be"):
        colour_code(field, 1.0)
