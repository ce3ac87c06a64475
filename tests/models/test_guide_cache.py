"""The cache of what guides the motion network: it is what each window would give by itself, kept once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from footage import drifting

from vpbench.baselines.optical_flow_refined import OpticalFlowRefined
from vpbench.models.footage.frame_errors import moving_pixels
from vpbench.models.footage.guide_cache import Guides, cache_guides, guides_of
from vpbench.models.footage.guides import FIELDS, guide
from vpbench.models.footage.videos import Segments
from vpbench.video import flow

LENGTH = 8
# The third frame of the second segment repeats the second.
SEGMENTS = np.stack(
    [drifting(1, LENGTH, height=37, width=53), drifting(2, LENGTH, 37, 53)[[0, 1, 1, 3, 4, 5, 6, 7]]]
)
WINDOWS = [(segment, start) for segment in range(2) for start in range(LENGTH - 3)]
WHOLE = slice(0, 37), slice(0, 53)


@pytest.fixture(scope="module")
def guides() -> Guides:
    return guides_of(SEGMENTS)


@pytest.fixture
def segments(tmp_path: Path) -> Segments:
    file = tmp_path / "000000.npy"
    np.save(file, SEGMENTS[:1, :5, :20, :24])
    return Segments((Path("video.avi"),), (file,), tmp_path)


@pytest.mark.parametrize(("segment", "start"), WINDOWS)
def test_every_window_is_what_it_is_by_itself(guides: Guides, segment: int, start: int) -> None:
    expected = guide(SEGMENTS[segment, start : start + 4])
    np.testing.assert_array_equal(guides.windows[segment, start]["facts"], expected.facts)
    np.testing.assert_allclose(guides.fields(segment, start, *WHOLE), expected.fields, atol=0.01)


@pytest.mark.parametrize(("top", "left", "side"), [(0, 0, 20), (5, 8, 17), (17, 33, 20), (4, 21, 32)])
def test_a_patch_is_cut_from_the_whole(guides: Guides, top: int, left: int, side: int) -> None:
    part = slice(top, top + side), slice(left, left + side)
    whole = guides.fields(1, 2, *WHOLE)
    np.testing.assert_array_equal(guides.fields(1, 2, *part), whole[:, part[0], part[1]])


def test_each_flow_is_estimated_and_kept_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = []
    estimate = flow.estimate

    def counted(name: str, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        pairs.append((name, before.tobytes(), after.tobytes()))
        return estimate(name, before, after)

    monkeypatch.setattr(flow, "estimate", counted)
    guides = guides_of(SEGMENTS[:1])
    assert len(pairs) == len(set(pairs))
    # Back: each frame from the third on, to the one before, and once more; the other three in every window.
    windows = LENGTH - 3
    assert len(guides.fine) == windows + 1
    assert len(guides.coarse) == 3 * windows
    assert guides.coarse.shape[1:] == (19, 27, 2)
    assert guides.windows.shape == (1, windows)
    assert guides.windows["rows"].shape == (1, windows, FIELDS)


def test_the_errors_are_the_refined_baselines(guides: Guides) -> None:
    for segment, start in WINDOWS:
        frames = SEGMENTS[segment, start : start + 6]
        targets = len(frames) - 4
        errors = guides.windows[segment, start]["errors"]
        assert np.isnan(errors[targets:]).all()
        if targets < 1:
            continue
        predicted = OpticalFlowRefined().predict(frames[:4].astype(np.float32) / 255, targets)
        for index, target in enumerate(frames[4:]):
            moving = moving_pixels(frames[3 + index], target)
            squares = np.square(2 * predicted[index] - 2 * target.astype(np.float32) / 255).mean(2)
            assert errors[index] == pytest.approx(squares[moving].mean(), rel=0.05)


def test_the_cache_is_found_again(segments: Segments, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = cache_guides(segments)
    opened, expected = Guides.open(path), guides_of(SEGMENTS[:1, :5, :20, :24])
    np.testing.assert_array_equal(opened.fine, expected.fine)
    np.testing.assert_array_equal(opened.coarse, expected.coarse)
    assert opened.windows.tobytes() == expected.windows.tobytes()
    monkeypatch.setattr(flow, "estimate", None)
    assert cache_guides(segments) == [path]


def test_work_that_was_interrupted_is_done_again(segments: Segments) -> None:
    (path,) = cache_guides(segments)
    content = path.read_bytes()
    path.unlink()
    path.with_name("000000.fine.npy").write_bytes(b"half of it")
    assert cache_guides(segments) == [path]
    assert path.read_bytes() == content
    assert len(Guides.open(path).fine) == 3


def test_another_parameter_of_an_estimator_is_another_cache(
    segments: Segments, monkeypatch: pytest.MonkeyPatch
) -> None:
    (before,) = cache_guides(segments)
    for name, parameter, value in (
        ("dis-fine", "patch_stride", 4),
        ("dis", "patch_stride", 4),
        ("farneback", "levels", 3),
    ):
        estimator = flow.ESTIMATORS[name]
        assert estimator.parameters[parameter] != value
        with monkeypatch.context() as patch:
            changed = replace(estimator, parameters={**estimator.parameters, parameter: value})
            patch.setitem(flow.ESTIMATORS, name, changed)
            (after,) = cache_guides(segments)
        assert after.parent != before.parent
    assert cache_guides(segments) == [before]
