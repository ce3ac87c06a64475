"""What guides the motion network in a window: flows between distinct frames, and facts of the whole frame."""

from __future__ import annotations

import numpy as np
import pytest
from footage import drifting

from vpbench.models.footage.guides import (
    ESTIMATORS,
    FACTS,
    FIELDS,
    FINE,
    SPEEDS,
    doubled,
    guide,
    halved,
    pairs_of,
    warped,
)
from vpbench.video import flow

CLIP = drifting(3, 6, height=48, width=64)


def fact(facts: np.ndarray, name: str) -> float:
    return float(facts[FACTS.index(name)])


def hindsight(facts: np.ndarray) -> dict[float, float]:
    return dict(zip(SPEEDS[1:], map(float, facts[-len(SPEEDS) + 1 :]), strict=True))


@pytest.mark.parametrize(
    ("order", "distinct", "ages"),
    [
        ((0, 1, 2, 3), (3, 2, 1), (1, 2)),
        ((0, 1, 2, 2), (3, 1, 0), (2, 3)),
        ((0, 1, 1, 2), (3, 2, 0), (1, 3)),
        ((0, 0, 1, 1), (3, 1, None), (2, 0)),
        ((1, 1, 1, 1), (3, None, None), (0, 0)),
    ],
)
def test_flows_are_between_distinct_frames(order, distinct, ages) -> None:
    d0, d1, d2 = distinct
    wanted = [
        ("dis-fine", d0, d1),
        ("dis-fine", d1, d2),
        ("dis", d0, d2),
        ("farneback", d0, d1),
        ("dis", d1, d0),
    ]
    found = pairs_of(CLIP[list(order)])
    assert found == [None if None in pair else pair for pair in wanted]
    facts = guide(CLIP[list(order)]).facts
    assert (fact(facts, "age of d1"), fact(facts, "age of d2")) == ages


def test_the_first_fields_are_in_full_resolution_and_the_others_in_half() -> None:
    fields = guide(CLIP[:4]).fields
    assert fields.shape == (FIELDS, 48, 64, 2)
    for index, pair in enumerate(pairs_of(CLIP[:4])):
        assert pair is not None
        name, start, end = pair
        expected = flow.estimate(name, CLIP[start], CLIP[end])
        if index >= FINE:
            expected = doubled(halved(expected), (48, 64))
        np.testing.assert_array_equal(fields[index], expected)


def slow_halved(field: np.ndarray) -> np.ndarray:
    height, width = field.shape[:2]
    out = np.zeros(((height + 1) // 2, (width + 1) // 2, 2))
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            rows = [min(2 * y + dy, height - 1) for dy in (0, 1)]
            columns = [min(2 * x + dx, width - 1) for dx in (0, 1)]
            out[y, x] = np.mean([field[row, column] for row in rows for column in columns], axis=0)
    return out


def slow_doubled(field: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pixel y of the full size has its centre at (y + ½)/2 − ½ of the half size; beyond the border is the border."""
    out = np.zeros((*size, 2))
    for y in range(size[0]):
        for x in range(size[1]):
            at_y = min(max((y + 0.5) / 2 - 0.5, 0.0), field.shape[0] - 1.0)
            at_x = min(max((x + 0.5) / 2 - 0.5, 0.0), field.shape[1] - 1.0)
            for row in range(field.shape[0]):
                for column in range(field.shape[1]):
                    weight = max(0.0, 1 - abs(at_y - row)) * max(0.0, 1 - abs(at_x - column))
                    out[y, x] += weight * field[row, column]
    return out


@pytest.mark.parametrize("size", [(6, 8), (7, 9), (5, 6)])
def test_halves_and_doubles_equal_the_slow_reference(size) -> None:
    field = np.random.default_rng(0).normal(0, 3, (*size, 2)).astype(np.float32)
    np.testing.assert_allclose(halved(field), slow_halved(field), atol=1e-6)
    np.testing.assert_allclose(doubled(halved(field), size), slow_doubled(halved(field), size), atol=1e-5)


@pytest.mark.parametrize(("top", "left", "height", "width"), [(0, 0, 7, 9), (2, 3, 4, 6), (5, 1, 2, 5)])
def test_a_part_of_a_double_is_that_part(top, left, height, width) -> None:
    half = np.random.default_rng(1).normal(0, 3, (4, 5, 2)).astype(np.float32)
    whole = doubled(half, (7, 9))
    part = doubled(half, (height, width), top, left)
    np.testing.assert_array_equal(part, whole[top : top + height, left : left + width])


def test_warping_samples_where_the_displacement_points() -> None:
    image = np.random.default_rng(2).random((9, 11)).astype(np.float32)
    displacement = np.zeros((9, 11, 2), np.float32)
    displacement[..., 0], displacement[..., 1] = 2.0, -1.0
    found = warped(image, displacement)
    np.testing.assert_allclose(found[1:, :-2], image[:-1, 2:], atol=1e-6)
    np.testing.assert_allclose(found[:, -1], image[np.maximum(np.arange(9) - 1, 0), -1], atol=1e-6)
    displacement[..., 0] = 0.5
    np.testing.assert_allclose(warped(image, displacement)[1, 1], (image[0, 1] + image[0, 2]) / 2, atol=1e-6)


def test_facts_of_a_still_clip_say_nothing() -> None:
    facts = guide(CLIP[[2, 2, 2, 2]]).facts
    assert facts.shape == (len(FACTS),)
    assert np.isfinite(facts).all()
    for name in FACTS:
        if "log" not in name or "against" in name:
            assert fact(facts, name) == 0, name


def test_facts_of_a_steady_pan() -> None:
    facts = guide(CLIP[:4]).facts
    assert fact(facts, "share of pixels that move") > 0.95
    assert fact(facts, "d1 → d2 along d0 → d1") == pytest.approx(1, abs=0.1)
    assert fact(facts, "d0 → d2 along d0 → d1") == pytest.approx(2, abs=0.2)
    assert fact(facts, "d2 → d3 along d1 → d2") == pytest.approx(1, abs=0.1)
    assert np.exp(fact(facts, "log motion d0 → d1")) == pytest.approx(
        1.02, abs=0.1
    )  # 2 pixels over two components
    assert fact(facts, "log error of d0 → d1, against that of a copy") < -1
    assert min(hindsight(facts).values()) > 0.5


def test_hindsight_finds_the_speed() -> None:
    slowing = CLIP[[0, 1, 3, 4]]  # 2, 4, 2 pixels: the last step is half of the one before
    errors = hindsight(guide(slowing).facts)
    assert errors[0.5] < -0.3
    assert errors[0.5] == min(errors.values())
    assert fact(guide(slowing).facts, "d1 → d2 along d0 → d1") == pytest.approx(2, abs=0.25)


def test_flows_may_come_from_elsewhere() -> None:
    asked: list[tuple[str, int, int]] = []

    def flows(name: str, start: int, end: int) -> np.ndarray:
        asked.append((name, start, end))
        return flow.estimate(name, CLIP[start], CLIP[end])

    found, expected = guide(CLIP[:4], flows), guide(CLIP[:4])
    np.testing.assert_array_equal(found.fields, expected.fields)
    np.testing.assert_array_equal(found.facts, expected.facts)
    assert {name for name, _, _ in asked} == set(ESTIMATORS)
    assert len(asked) == FIELDS + 1
