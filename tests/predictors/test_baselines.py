import numpy as np
import pytest
from flows import write_flow
from footage import rendered

from vpbench.baselines.last_frame import LastFrame
from vpbench.baselines.optical_flow import BilinearSampler, OpticalFlow
from vpbench.baselines.optical_flow_refined import OpticalFlowRefined
from vpbench.errors import UsageError, VpbenchError
from vpbench.predictors.predictor import check_predictions
from vpbench.predictors.spec import PredictorSpec
from vpbench.video import flow


def slow_sample(frame, displacement):
    """Bilinear sampling at x + d(x) with the border replicated, one pixel at a time."""
    height, width = frame.shape[:2]
    out = np.zeros(frame.shape)
    for row in range(height):
        for column in range(width):
            x = min(max(column + float(displacement[row, column, 0]), 0.0), width - 1.0)
            y = min(max(row + float(displacement[row, column, 1]), 0.0), height - 1.0)
            x0, y0 = int(x), int(y)
            x1, y1 = min(x0 + 1, width - 1), min(y0 + 1, height - 1)
            a, b = x - x0, y - y0
            top = (1 - a) * frame[y0, x0].astype(float) + a * frame[y0, x1].astype(float)
            bottom = (1 - a) * frame[y1, x0].astype(float) + a * frame[y1, x1].astype(float)
            out[row, column] = (1 - b) * top + b * bottom
    return out


def inputs_of(index, count=4):
    frames, flows = rendered(index, count + 2)
    return frames.astype(np.float32) / np.float32(255), flows


@pytest.mark.parametrize("spread", [0.05, 2.0, 50.0])
@pytest.mark.parametrize("shape", [(23, 31), (1, 9), (16, 16)])
def test_sampler_equals_the_slow_reference(spread, shape):
    rng = np.random.default_rng(1)
    frame = rng.random((*shape, 3), dtype=np.float32)
    displacement = rng.normal(0, spread, (*shape, 2)).astype(np.float32)
    found = BilinearSampler(displacement)(frame)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, slow_sample(frame, displacement), rtol=0, atol=1e-7)


def test_sampler_does_not_round_positions():
    """A 64th and a 100th of a pixel count for what they are."""
    ramp = np.tile(np.arange(50, dtype=np.float32)[None, :, None] / 64, (5, 1, 3))
    for shift in (1 / 64, 0.01, 0.003):
        moved = BilinearSampler(np.full((5, 50, 2), (shift, 0)))(ramp)
        np.testing.assert_allclose(moved[:, :-1] - ramp[:, :-1], shift / 64, atol=1e-7)


def test_sampler_keeps_the_range_and_whole_positions():
    rng = np.random.default_rng(2)
    white = np.ones((20, 30, 3), np.float32)
    assert (BilinearSampler(rng.normal(0, 3, (20, 30, 2)))(white) <= 1).all()
    frame = rng.random((20, 30, 3), dtype=np.float32)
    np.testing.assert_array_equal(BilinearSampler(np.zeros((20, 30, 2)))(frame), frame)
    shifted = BilinearSampler(np.full((20, 30, 2), (2.0, -1.0)))(frame)
    np.testing.assert_array_equal(shifted[1:, :-2], frame[:-1, 2:])
    np.testing.assert_array_equal(shifted[1:, -1], frame[:-1, -1])


def test_last_frame_repeats_the_last_input():
    inputs, _ = inputs_of(1)
    predicted = LastFrame().predict(inputs[:4], 3)
    assert predicted.shape == (3, 240, 320, 3)
    assert predicted.dtype == np.float32
    for frame in predicted:
        np.testing.assert_array_equal(frame, inputs[3])


@pytest.mark.parametrize("name", ["dis", "farneback"])
def test_optical_flow_is_what_the_protocol_says(name):
    inputs, _ = inputs_of(1)
    inputs = inputs[:4, 100:140, 100:150]
    before, after = (inputs[-2:].astype(np.float64) * 255).round().astype(np.uint8)
    backward = -flow.estimate(name, before, after)
    first = slow_sample(inputs[-1], backward)
    second = slow_sample(first, backward)
    predicted = OpticalFlow(name).predict(inputs, 2)
    np.testing.assert_allclose(predicted, [first, second], rtol=0, atol=1e-6)
    assert np.abs(predicted[0] * 255 - np.rint(predicted[0] * 255)).max() > 0.1


def test_optical_flow_gives_the_estimator_the_frames_as_they_were(monkeypatch):
    """uint8 → float32 in [0, 1] → uint8 is exact for every value."""
    seen = []

    def record(before, after, parameters):
        seen.extend([before, after])
        return np.zeros((*before.shape[:2], 2), np.float32)

    monkeypatch.setitem(flow.ESTIMATORS, "record", flow.Estimator(record, {}, ""))
    frames = (
        np.arange(256, dtype=np.uint8).reshape(16, 16)[None, ..., None].repeat(3, axis=3).repeat(2, axis=0)
    )
    frames[1] = 255 - frames[1]
    OpticalFlow("record").predict(frames.astype(np.float32) / 255, 1)
    np.testing.assert_array_equal(seen, frames)


@pytest.mark.parametrize("index", [1, 5, 8])
def test_optical_flow_beats_the_last_frame_on_constant_motion(index):
    frames, _ = inputs_of(index)
    inner = np.s_[:, 20:-20, 20:-20]

    def error(predicted):
        return float(np.mean((predicted[inner] - frames[4:][inner]) ** 2))

    assert error(OpticalFlow().predict(frames[:4], 2)) < 0.2 * error(LastFrame().predict(frames[:4], 2))


def test_optical_flow_of_a_still_clip_is_the_last_frame():
    frames, _ = inputs_of(12)
    np.testing.assert_allclose(OpticalFlow().predict(frames[:4], 2), frames[4:], atol=1e-6)


def slow_refined(inputs, targets):
    """The refined baseline, literally: one pixel and one frame at a time."""
    frames = (inputs.astype(np.float64) * 255).round().astype(np.uint8)
    earlier = len(frames) - 2
    while np.mean((frames[earlier] / 255 - frames[-1] / 255) ** 2) < 2e-5:
        earlier -= 1
    back = flow.estimate("dis-fine", frames[-1], frames[earlier])
    displacement = slow_sample(back, back)
    predicted = [inputs[-1]]
    for _ in range(targets):
        predicted.append(slow_sample(predicted[-1], displacement))
    return predicted[1:]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 1, 2, 2), (0, 2, 2, 2)], ids=str)
def test_refined_flow_equals_the_slow_reference(order):
    inputs, _ = inputs_of(1)
    inputs = inputs[list(order), 100:140, 100:150]
    predicted = OpticalFlowRefined().predict(inputs, 2)
    np.testing.assert_allclose(predicted, slow_refined(inputs, 2), rtol=0, atol=1e-6)


def test_refined_flow_does_not_take_a_repeat_for_standstill():
    frames, _ = inputs_of(5)
    repeated = frames[[1, 2, 3, 3]]
    inner = np.s_[:, 20:-20, 20:-20]
    assert (OpticalFlow().predict(repeated, 1) == repeated[-1:])[inner].mean() > 0.9
    refined, plain = OpticalFlowRefined().predict(repeated, 1), OpticalFlowRefined().predict(frames[:4], 1)
    np.testing.assert_array_equal(refined, plain)


def test_refined_flow_beats_optical_flow_where_something_moves_over_something():
    frames, _ = inputs_of(9)

    def error(predicted):
        return float(np.mean((predicted - frames[4:]) ** 2))

    assert error(OpticalFlowRefined().predict(frames[:4], 2)) < error(OpticalFlow().predict(frames[:4], 2))


def test_refined_flow_of_inputs_that_all_repeat_is_the_last_frame():
    frames, _ = inputs_of(1)
    still = frames[[3, 3, 3, 3]]
    np.testing.assert_array_equal(OpticalFlowRefined().predict(still, 2), still[:2])


@pytest.mark.parametrize("name", ["last_frame", "optical_flow", "optical_flow_refined"])
def test_what_they_return_passes_the_check(name):
    predictor = PredictorSpec.parse(name).create()
    inputs = np.random.default_rng(0).integers(0, 256, (2, 33, 47, 3)).astype(np.float32) / 255
    copy = inputs.copy()
    predicted = predictor.predict(inputs, 8)
    checked = check_predictions(predicted, name, 1, (8, 33, 47, 3))
    assert checked.min() >= 0
    assert checked.max() <= 1
    np.testing.assert_array_equal(inputs, copy)


def test_optical_flow_options():
    assert OpticalFlow.min_inputs == 2
    predictor = PredictorSpec.parse("optical_flow,estimator=farneback").create()
    assert predictor.describe() == {"flow": flow.describe("farneback")}
    refined = PredictorSpec.parse("optical_flow_refined").create()
    assert refined.describe() == {"flow": flow.describe("dis-fine")}
    with pytest.raises(UsageError, match="flow estimator 'farnbak'"):
        PredictorSpec.parse("optical_flow,estimator=farnbak").create()


def test_optical_flow_from_files_is_that_flow(tmp_path):
    inputs, _ = inputs_of(1)
    inputs = inputs[:4, 100:140, 100:150]
    frames = np.rint(inputs * 255).astype(np.uint8)
    write_flow(tmp_path, 7, 3, 4, flow.estimate("farneback", frames[2], frames[3]))
    predictor = PredictorSpec.parse(f"optical_flow,estimator=files:{tmp_path}").create()
    (found,) = predictor.predict_clips([7], [inputs], 2)
    np.testing.assert_array_equal(found, OpticalFlow("farneback").predict(inputs, 2))
    assert predictor.describe()["flow"]["name"] == "files"
    assert len(predictor.describe()["flow"]["sha256"]) == 64
    assert not predictor.timed
    assert OpticalFlow().timed
    with pytest.raises(VpbenchError, match=r"8/3_4\.flo \(or \.npy\) is missing"):
        predictor.predict_clips([8], [inputs], 2)
    with pytest.raises(UsageError, match="found by a clip's index"):
        predictor.predict(inputs, 2)


def test_refined_flow_from_files_looks_back(tmp_path):
    inputs, _ = inputs_of(1)
    inputs = inputs[[0, 1, 2, 2], 100:140, 100:150]
    frames = np.rint(inputs * 255).astype(np.uint8)
    write_flow(tmp_path, 7, 4, 2, flow.estimate("dis-fine", frames[3], frames[1]))
    (found,) = OpticalFlowRefined(f"files:{tmp_path}").predict_clips([7], [inputs], 2)
    np.testing.assert_array_equal(found, OpticalFlowRefined().predict(inputs, 2))
