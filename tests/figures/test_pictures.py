"""Frames, error maps and luma as pictures; labels that break."""

from __future__ import annotations

import numpy as np
import pytest

from vpbench.figures import pictures
from vpbench.figures.labels import parts, wrapped


def test_error_map_and_luma() -> None:
    target = np.zeros((4, 5, 3), np.uint8)
    prediction = np.zeros((4, 5, 3), np.float32)
    prediction[1, 2] = (0.3, 0.6, 0.0)
    error = pictures.error(target, prediction)
    assert error[1, 2] == pytest.approx(0.3)
    assert error.sum() == pytest.approx(0.3)
    assert pictures.error_scale([error]) == pytest.approx(0.3, abs=0.02)
    assert pictures.error_scale([]) == 0.02
    assert pictures.error_map(error, 0.3)[0, 0].tolist() == pictures.error_map(error * 0, 0.3)[1, 2].tolist()
    white = pictures.grey(np.full((2, 2, 3), 255, np.uint8))
    assert white.tolist() == np.full((2, 2, 3), 255).tolist()
    assert pictures.grey(np.array([[[255, 0, 0]]], np.uint8))[0, 0].tolist() == [76, 76, 76]
    assert pictures.to_bytes(np.array([0.0, 0.5, 1.000001])).tolist() == [0, 128, 255]


def test_labels_break_where_they_may() -> None:
    assert parts("optical_flow,estimator=tvl1") == ["optical_flow,", "estimator=", "tvl1"]
    assert wrapped("optical_flow,estimator=farneback", 13) == ["optical_flow,", "estimator=", "farneback"]
    assert wrapped("adv_gdl_finetuned", 10) == ["adv_gdl_", "finetuned"]
    long = wrapped("x" * 400, 10)
    assert len(long) == 5
    assert long[-1].endswith("…")
    assert all(len(line) <= 10 for line in long)
