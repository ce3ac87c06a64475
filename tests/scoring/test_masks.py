import numpy as np
import pytest

from vpbench.errors import UsageError
from vpbench.scoring.masks import moving_area
from vpbench.scoring.protocol import MaskRule
from vpbench.video.flow_colour import colour_code

FIXED = MaskRule("colour", max_motion=1.0)
FRAME = MaskRule("colour", max_motion="frame")


def by_bytes(flow, max_motion):
    """The rule as the released script applies it: any channel of the flow image below 0.2."""
    return (colour_code(flow, max_motion) / 255 < 0.2).any(axis=2)


def random_flow(seed=0, spread=1.0, shape=(60, 80)):
    return np.random.default_rng(seed).normal(0, spread, (*shape, 2)).astype(np.float32)


@pytest.mark.parametrize("m", [1.0, 0.8, 2.5, 1 / 3, 7.123456789, 1e-3, 400.0])
def test_colour_equals_the_bytes_on_a_dense_grid(m):
    axis = np.linspace(-1.2 * m, 1.2 * m, 301)
    field = np.stack(np.meshgrid(axis, axis), axis=2).astype(np.float32)
    area = moving_area(MaskRule("colour", max_motion=m), field, None)
    np.testing.assert_array_equal(area, by_bytes(field, m))
    assert 0.4 < area.mean() < 0.8


@pytest.mark.parametrize("max_motion", [1.0, 0.37, "frame"])
@pytest.mark.parametrize("spread", [0.01, 0.6, 1.0, 30.0])
def test_colour_equals_the_bytes_on_random_flow(max_motion, spread):
    for seed in range(3):
        field = random_flow(seed, spread)
        area = moving_area(MaskRule("colour", max_motion=max_motion), field, None)
        np.testing.assert_array_equal(area, by_bytes(field, max_motion))


@pytest.mark.parametrize("m", [1.0, 0.3, 2.0, 3.7, 1e-6, 12345.678])
def test_colour_equals_the_bytes_next_to_the_threshold(m):
    """Every float64 and float32 within a few steps of 0.8·m, along the axes and two diagonals."""
    for dtype in (np.float64, np.float32):
        lengths = [dtype(0.8 * m)]
        for _ in range(40):
            lengths = [np.nextafter(lengths[0], dtype(0)), *lengths, np.nextafter(lengths[-1], dtype(np.inf))]
        lengths = np.array(lengths, dtype)
        for direction in ((1, 0), (0, -1), (0.6, 0.8), (-np.sqrt(0.5), np.sqrt(0.5))):
            field = (lengths[:, None] * np.array(direction, dtype))[None].astype(dtype)
            area = moving_area(MaskRule("colour", max_motion=m), field, None)
            np.testing.assert_array_equal(area, by_bytes(field, m))
            assert area.any()
            assert not area.all()


def test_the_first_double_that_moves_is_four_fifths():
    """A plain comparison with 0.8 decides as the bytes do: 255·(1 − r) falls below 51 there, and not before."""
    lengths = [0.8]
    for _ in range(2000):
        lengths = [np.nextafter(lengths[0], 0), *lengths, np.nextafter(lengths[-1], 1)]
    field = np.stack([lengths, np.zeros(len(lengths))], axis=1)[None]
    area = moving_area(FIXED, field, None)
    np.testing.assert_array_equal(area, by_bytes(field, 1.0))
    np.testing.assert_array_equal(area[0], np.array(lengths) >= 0.8)


@pytest.mark.parametrize("max_motion", [1.0, "frame", 2e9])
def test_colour_equals_the_bytes_where_flow_is_unknown(max_motion):
    field = random_flow(5)
    field[0, :10, 0] = np.nan
    field[1, :10, 1] = 1.5e9
    field[2, :10] = -np.inf
    field[3, :10] = (9e8, -9e8)
    area = moving_area(MaskRule("colour", max_motion=max_motion), field, None)
    np.testing.assert_array_equal(area, by_bytes(field, max_motion))
    assert area[:3, :10].all()
    printed = moving_area(MaskRule("as-printed", max_motion=max_motion), field, None)
    np.testing.assert_array_equal(printed, ~area)


@pytest.mark.parametrize("rule", [FIXED, FRAME, MaskRule("magnitude", tau=0.8)])
def test_no_motion_is_an_empty_area(rule):
    area = moving_area(rule, np.zeros((4, 5, 2), np.float32), None)
    assert area.shape == (4, 5)
    assert area.dtype == np.bool_
    assert not area.any()


def test_the_smallest_motions_count_in_a_frame_of_no_other():
    field = np.zeros((4, 5, 2), np.float32)
    field[1, 1, 0] = np.float32(1e-45)
    assert np.argwhere(moving_area(FRAME, field, None)).tolist() == [[1, 1]]


def test_nothing_known_moves_everywhere_in_colours():
    field = np.full((3, 3, 2), np.nan, np.float32)
    np.testing.assert_array_equal(moving_area(FRAME, field, None), by_bytes(field, "frame"))


def test_magnitude_is_above_tau():
    field = np.array([[[0.6, 0.8], [1.0, 0.0], [0.0, -1.01], [0.0, 0.0], [np.nan, 0.0], [0.0, 2e9]]])
    area = moving_area(MaskRule("magnitude", tau=1.0), field, None)
    assert area.tolist() == [[False, False, True, False, True, True]]


def test_as_printed_is_the_complement():
    field = random_flow()
    printed = moving_area(MaskRule("as-printed", max_motion=1.0), field, None)
    np.testing.assert_array_equal(printed, ~by_bytes(field, 1.0))


def test_archive_keeps_bytes_up_to_50():
    image = np.full((2, 3, 3), 255, np.uint8)
    image[0, 0, 1] = 50
    image[0, 1, 2] = 51
    image[1, 2, 0] = 0
    area = moving_area(MaskRule("archive"), None, image)
    assert area.tolist() == [[True, False, False], [False, False, True]]


def test_archive_of_our_flow_images_is_the_colour_rule():
    field = random_flow()
    area = moving_area(MaskRule("archive"), None, colour_code(field, 1.0))
    np.testing.assert_array_equal(area, moving_area(FIXED, field, None))


def test_none_is_none():
    assert moving_area(MaskRule("none"), None, None) is None


@pytest.mark.parametrize(
    "rule", [FIXED, MaskRule("magnitude", tau=1.0), MaskRule("as-printed", max_motion=1.0)]
)
def test_rules_that_need_vectors_are_refused_by_name(rule):
    image = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(UsageError, match=rf"'{rule.kind}' needs flow vectors.*'archive'"):
        moving_area(rule, None, image)


def test_archive_without_images_is_refused_by_name():
    with pytest.raises(UsageError, match="'archive' needs the flow images"):
        moving_area(MaskRule("archive"), random_flow(), None)


def test_wrong_shapes_are_refused():
    with pytest.raises(UsageError, match="'archive': a flow image must be"):
        moving_area(MaskRule("archive"), None, np.zeros((4, 4), np.uint8))
    with pytest.raises(UsageError, match="A flow must be"):
        moving_area(FIXED, np.zeros((4, 4, 3), np.float32), None)
