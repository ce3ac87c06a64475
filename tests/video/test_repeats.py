import numpy as np
import pytest

from vpbench.video.repeats import LEAST_DIFFERENCE, are_distinct, distinct_frames


def clip(*values):
    """One grey frame for each value."""
    return np.stack([np.full((16, 20, 3), value, np.uint8) for value in values])


def test_the_threshold_is_a_mean_squared_difference():
    assert LEAST_DIFFERENCE == 2e-5
    frame = clip(100)[0]
    # 2e-5 · 255² = 1.3005: of 960 values 312 differ by 2, or 313.
    for count, distinct in ((312, False), (313, True)):
        other = frame.copy()
        other.reshape(-1)[:count] += 2
        assert are_distinct(frame, other) is distinct
        assert are_distinct(other, frame) is distinct


def test_differences_do_not_wrap_around():
    black, white = clip(0, 255)
    assert are_distinct(black, white)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ((9, 50, 90, 130), [3, 2, 1, 0]),
        ((9, 50, 50, 130), [3, 2, 0]),
        ((9, 50, 130, 130), [3, 1, 0]),
        ((50, 50, 130, 130), [3, 1]),
        ((7, 7, 7, 7), [3]),
        ((7,), [0]),
        # Each differs from the next by less than the threshold; the first does not from the last.
        ((9, 10, 11), [2, 0]),
    ],
)
def test_repeats_are_passed_over_from_the_last_frame_back(values, found):
    assert distinct_frames(clip(*values)) == found
