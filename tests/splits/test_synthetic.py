import numpy as np
import pytest
from footage import rendered
from scipy.ndimage import map_coordinates

from vpbench.errors import UsageError, VpbenchError
from vpbench.splits import synthetic
from vpbench.splits.synthetic import CLIPS
from vpbench.video import flow

INDICES = range(1, len(CLIPS) + 1)
NAMES = [clip.name for clip in CLIPS]
MOST_FRAMES = 16


def warp_back(frame, field):
    """``frame`` sampled at x + field(x) by cubic splines."""
    rows, columns = np.mgrid[: field.shape[0], : field.shape[1]]
    where = (rows + field[..., 1], columns + field[..., 0])
    return np.stack(
        [map_coordinates(frame[..., c].astype(float), where, order=3, mode="nearest") for c in range(3)],
        axis=2,
    )


def comparable(clip, frame, field):
    """Pixels that stay in view, and away from the sprite's edge, which mixes two motions."""
    height, width = clip.size
    rows, columns = np.mgrid[:height, :width]
    x, y = columns + field[..., 0], rows + field[..., 1]
    inside = (x >= 3) & (y >= 3) & (x <= width - 4) & (y <= height - 4)
    if clip.sprite is None:
        return inside
    now = synthetic.cover(clip.sprite, frame, clip.size)
    later = map_coordinates(synthetic.cover(clip.sprite, frame + 1, clip.size), (y, x), order=1)
    # Splines ring at the edge in the later frame, so keep well clear of it.
    return inside & (near(now) == near(later)) & (near(now) != 0.5) & (near(later) != 0.5)


def near(cover):
    """0 or 1 where the cover is that over a neighbourhood, else 0.5."""
    from scipy.ndimage import maximum_filter, minimum_filter

    low, high = minimum_filter(cover, 7), maximum_filter(cover, 7)
    return np.where(low > 0.999, 1.0, np.where(high < 0.001, 0.0, 0.5))


@pytest.mark.parametrize("index", INDICES, ids=NAMES)
def test_the_flow_is_exact(index):
    clip = CLIPS[index - 1]
    frames, flows = rendered(index, 3)
    for t in range(2):
        back = warp_back(frames[t + 1], flows[t])
        where = comparable(clip, t, flows[t])
        assert where.mean() > 0.7
        error = np.mean((back - frames[t])[where] ** 2)
        assert 10 * np.log10(255**2 / max(error, 1e-9)) > 42
        if clip.sprite is not None:
            inside = where & (synthetic.cover(clip.sprite, t, clip.size) > 0.5)
            assert inside.sum() > 1000
            assert np.abs((back - frames[t])[inside]).mean() < 2


@pytest.mark.parametrize("index", [1, 2, 5, 9, 10], ids=lambda index: NAMES[index - 1])
def test_an_estimator_finds_about_that_flow(index):
    frames, flows = rendered(index, 2)
    error = np.linalg.norm(flow.estimate("dis", *frames) - flows[0], axis=2)
    assert np.median(error) < 0.25


@pytest.mark.parametrize("index", INDICES, ids=NAMES)
def test_no_photograph_ends_within_the_first_sixteen_frames(index):
    clip = CLIPS[index - 1]
    height, width = synthetic.read_photo(clip.background.photo).shape[:2]
    for frame in range(MOST_FRAMES):
        x, y = synthetic.in_photo(clip.background, frame, clip.size)
        assert min(x.min(), y.min()) >= 0
        assert x.max() <= width - 1
        assert y.max() <= height - 1


@pytest.mark.parametrize("index", [i for i in INDICES if CLIPS[i - 1].sprite])
def test_cut_photographs_end_beyond_the_cut_and_stay_in_view(index):
    clip = CLIPS[index - 1]
    height, width = synthetic.read_photo(clip.sprite.photo).shape[:2]
    for frame in range(MOST_FRAMES):
        seen = synthetic.cover(clip.sprite, frame, clip.size) > 0
        x, y = synthetic.in_photo(clip.sprite, frame, clip.size)
        assert seen.sum() > 2000
        assert min(x[seen].min(), y[seen].min()) >= 0
        assert x[seen].max() <= width - 1
        assert y[seen].max() <= height - 1


def test_the_table_covers_each_kind_of_motion():
    assert len(set(NAMES)) == len(CLIPS) == 12
    backgrounds = [clip.background for clip in CLIPS]
    assert any(b.zoom > 1 for b in backgrounds)
    assert any(b.zoom < 1 for b in backgrounds)
    assert any(b.turn for b in backgrounds)
    speeds = [np.hypot(*b.velocity) for b in backgrounds if b.zoom == 1 and not b.turn]
    assert min(s for s in speeds if s) < 0.8 < 5 < max(speeds)
    assert [clip.name for clip in CLIPS if clip.sprite] == [
        "saucer-flies",
        "cat-over-coffee",
        "astronaut-floats",
    ]
    _, flows = rendered(NAMES.index("cat-still") + 1, 3)
    assert not flows.any()
    _, flows = rendered(NAMES.index("coffee-pan") + 1, 2)
    np.testing.assert_array_equal(flows[0], np.broadcast_to(np.float32([2.3, -0.7]), (240, 320, 2)))


def test_a_turn_is_clockwise_and_a_zoom_grows():
    turning = synthetic.Layer("coffee.png", (300, 200), 1.0, (10, 10), turn=90.0)
    np.testing.assert_allclose(turning.pose(1) @ [301, 200, 1], [10, 11, 1], atol=1e-12)
    growing = synthetic.Layer("coffee.png", (300, 200), 2.0, (10, 10), velocity=(1, 0), zoom=1.5)
    np.testing.assert_allclose(growing.pose(2) @ [302, 200, 1], [12 + 1.5**2, 10, 1])


def test_cover_is_the_area_of_the_ellipse():
    layer = synthetic.Layer("coffee.png", (300, 200), 2.0, (100, 80), zoom=1.1, cut=(80, 50), tilt=30)
    for frame in (0, 2):
        area = synthetic.cover(layer, frame, (200, 240)).sum()
        assert area == pytest.approx(np.pi * 40 * 25 * 1.1 ** (2 * frame), rel=0.002)


def test_rendering_is_repeatable_and_extends():
    frames, flows = synthetic.render(10, 4)
    assert frames.shape == (4, 240, 320, 3)
    assert frames.dtype == np.uint8
    assert flows.shape == (3, 240, 320, 2)
    assert flows.dtype == np.float32
    fewer, _ = synthetic.render(10, 2)
    np.testing.assert_array_equal(fewer, frames[:2])
    one, none = synthetic.render(10, 1)
    np.testing.assert_array_equal(one, frames[:1])
    assert none.shape == (0, 240, 320, 2)


@pytest.mark.parametrize(("index", "frames"), [(0, 2), (13, 2), (-1, 2), (1, 0)])
def test_what_is_not_there_is_refused(index, frames):
    with pytest.raises(UsageError, match="Split 'synthetic'"):
        synthetic.render(index, frames)


def test_a_missing_photograph_is_named():
    with pytest.raises(VpbenchError, match=r"no_such_photo\.png is missing or damaged"):
        synthetic.read_photo("no_such_photo.png")
