"""What a frame is like, whoever predicts it: a copy of the last input, its SSIM, and the motion; against slow loops."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace

import numpy as np
import pytest
import reference_metrics
from footage import moving_frames

from vpbench.scoring.built_in import get_protocol
from vpbench.scoring.clip import Clip
from vpbench.scoring.frame_facts import frame_facts
from vpbench.scoring.protocol import MetricUse, Protocol
from vpbench.scoring.score import score_clip


def clip(unknown: bool = False) -> Clip:
    frames = moving_frames(6, size=(24, 32), seed=3)
    flow = np.random.default_rng(1).normal(0, 1.2, (2, 24, 32, 2)).astype(np.float32)
    flow[:, :, 20:] = 0.1
    if unknown:
        flow[0, 3, 3] = np.nan
        flow[0, 4, 5, 1] = 2e9
    return Clip(5, frames[:4], frames[4:], (flow[0], flow[1]))


def motion_by_loops(flow: np.ndarray, threshold: float) -> tuple[np.ndarray, float | None]:
    """The moving area, and the median length of the flow in it, pixel by pixel; an unknown flow has none."""
    moves, lengths = np.zeros(flow.shape[:2], bool), []
    for row in range(flow.shape[0]):
        for column in range(flow.shape[1]):
            u, v = (float(x) for x in flow[row, column])
            known = abs(u) <= 1e9 and abs(v) <= 1e9
            moves[row, column] = not known or math.hypot(u, v) >= threshold
            if known and moves[row, column]:
                lengths.append(math.hypot(u, v))
    return moves, statistics.median(lengths) if lengths else None


@pytest.mark.parametrize("unknown", [False, True])
def test_the_facts_are_those_of_slow_loops(unknown: bool) -> None:
    one = clip(unknown)
    for k, facts in enumerate(frame_facts(one, get_protocol("mathieu2016"))):
        moves, motion = motion_by_loops(one.flows[k], 0.8)
        target, copy = (image * moves[..., None] / 255 for image in (one.targets[k], one.inputs[-1]))
        assert list(facts) == ["copy", "copy_ssim", "motion"]
        assert facts["copy"] == pytest.approx(reference_metrics.psnr_mathieu2016(target, copy, 1.0), abs=1e-5)
        assert facts["copy_ssim"] == pytest.approx(
            reference_metrics.ssim(target, copy, 1.0, border="zero-full"), abs=1e-6
        )
        assert facts["motion"] == pytest.approx(motion, rel=1e-12)


def test_the_later_frames_too_are_compared_with_the_last_input() -> None:
    one = clip()
    copies = np.stack([one.inputs[-1]] * 2).astype(np.float32) / np.float32(255)
    scores = score_clip(one, copies, get_protocol("mathieu2016"))
    facts = frame_facts(one, get_protocol("mathieu2016"))
    assert [f["copy"] for f in facts] == [line["psnr"] for line in scores]  # to the last bit
    assert [f["copy_ssim"] for f in facts] == [line["ssim"] for line in scores]
    assert facts[0]["copy"] > facts[1]["copy"]


@pytest.mark.parametrize("name", ["mathieu2016", "full-frame", "moving-pixels"])
def test_they_do_not_depend_on_what_was_predicted(name: str) -> None:
    one, protocol = clip(), get_protocol(name)
    copies = np.stack([one.inputs[-1]] * 2).astype(np.float32) / np.float32(255)
    facts = frame_facts(one, protocol)
    for predictions in (copies, 1 - copies, np.stack([copies[0], one.targets[1] / np.float32(255)])):
        assert frame_facts(one, protocol, (predictions, score_clip(one, predictions, protocol))) == facts


def test_scores_that_are_known_are_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    one, protocol = clip(), get_protocol("mathieu2016")
    copies = np.stack([one.inputs[-1]] * 2).astype(np.float32) / np.float32(255)
    scored = score_clip(one, copies, protocol)
    expected = frame_facts(one, protocol)
    monkeypatch.setattr("vpbench.scoring.frame_facts.score_frame", None)
    assert frame_facts(one, protocol, (copies, scored)) == expected


def test_without_a_rule_of_exclusion_there_is_no_copy_score() -> None:
    for facts in frame_facts(clip(), get_protocol("moving-pixels")):
        assert facts["copy"] is None
        assert 0 < facts["copy_ssim"] < 1
        assert facts["motion"] > 0.8


def test_whole_frames_have_no_motion_but_an_ssim() -> None:
    one = clip()
    for k, facts in enumerate(frame_facts(one, get_protocol("full-frame"))):
        expected = reference_metrics.ssim(one.targets[k] / 255, one.inputs[-1] / 255, 1.0, border="valid")
        assert facts == {"copy": None, "copy_ssim": pytest.approx(expected, abs=1e-6), "motion": None}


def test_a_still_frame_has_no_motion() -> None:
    one = clip()
    still = replace(one, flows=tuple(np.zeros_like(flow) for flow in one.flows))
    assert [f["motion"] for f in frame_facts(still, get_protocol("mathieu2016"))] == [None, None]
    assert [f["copy"] for f in frame_facts(still, get_protocol("mathieu2016"))] == [
        pytest.approx(88.13, abs=0.01)
    ] * 2
    assert [f["copy_ssim"] for f in frame_facts(still, get_protocol("moving-pixels"))] == [None, None]


def test_a_protocol_without_ssim_gets_one_inside_its_masks() -> None:
    one = clip()
    protocol = Protocol(
        "mine",
        1,
        "",
        {"error": MetricUse("psnr", "inside", {"cap": 100.0})},
        mask=get_protocol("mathieu2016").mask,
    )
    for k, facts in enumerate(frame_facts(one, protocol)):
        moves, _ = motion_by_loops(one.flows[k], 0.8)
        expected = reference_metrics.ssim(
            one.targets[k] / 255, one.inputs[-1] / 255, 1.0, border="replicate", mask=moves
        )
        assert facts["copy_ssim"] == pytest.approx(expected, abs=1e-6)
