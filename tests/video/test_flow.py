from dataclasses import replace

import cv2
import numpy as np
import pytest
from footage import rendered

from vpbench.errors import UsageError, VpbenchError
from vpbench.video import flow

COFFEE, DRIFT, SAUCER, STILL = 1, 2, 9, 12
# (mean end-point error that is allowed on the slow drift and on the pan), measured and rounded up generously
ALLOWED = {
    "dis": (0.15, 0.25),
    "dis-fine": (0.15, 0.25),
    "farneback": (0.15, 1.2),
    "tvl1": (0.15, 0.3),
    "deepflow": (0.15, 0.3),
    "edgeaware": (0.1, 0.1),
}
FAST = ["dis", "dis-fine", "farneback", "edgeaware"]


def crop(frames):
    return np.ascontiguousarray(frames[..., 60:156, 100:228, :])


@pytest.fixture(scope="module", params=[DRIFT, COFFEE], ids=["drift", "pan"])
def moved(request):
    frames, flows = rendered(request.param, 2)
    return crop(frames), crop(flows)[0], [DRIFT, COFFEE].index(request.param)


def test_every_estimator_is_covered():
    assert set(ALLOWED) == set(flow.ESTIMATORS)


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_estimates_the_exact_flow(name, moved):
    frames, exact, case = moved
    found = flow.estimate(name, *frames)
    assert found.shape == exact.shape
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    inner = np.linalg.norm(found - exact, axis=2)[8:-8, 8:-8]
    assert inner.mean() < ALLOWED[name][case]


@pytest.mark.parametrize("name", ["dis", "dis-fine", "edgeaware"])
def test_finds_a_sprite_over_a_still_background(name):
    frames, exact = rendered(SAUCER, 2)
    found = flow.estimate(name, *frames)
    moving = np.hypot(*np.moveaxis(exact[0], 2, 0)) > 1
    error = np.linalg.norm(found - exact[0], axis=2)
    assert np.median(error[moving]) < 0.5
    assert np.median(error[~moving]) < 0.05


@pytest.mark.parametrize("name", sorted(ALLOWED))
@pytest.mark.parametrize("size", [(16, 16), (31, 17), (17, 90)])
def test_small_frames(name, size):
    frames, _ = rendered(DRIFT, 2)
    before, after = frames[:, 60 : 60 + size[0], 60 : 60 + size[1]]
    found = flow.estimate(name, before, after)
    assert found.shape == (*size, 2)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("name", ["dis", "dis-fine"])
@pytest.mark.parametrize("size", [(16, 320), (320, 16), (20, 1200), (33, 33), (47, 48), (48, 47), (48, 700)])
def test_dis_survives_the_sizes_on_which_opencv_alone_crashes(name, size):
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert np.isfinite(flow.estimate(name, noise, np.roll(noise, 1, axis=1))).all()


@pytest.mark.parametrize("name", sorted(ALLOWED))
@pytest.mark.parametrize("kind", ["photograph", "black"])
def test_identical_frames_do_not_move(name, kind):
    frame = crop(rendered(STILL, 1)[0])[0]
    if kind == "black":
        frame = np.zeros_like(frame)
    # Farnebäck's method leaves a little motion in the outermost pixels.
    allowed = 0.3 if name == "farneback" else 0.01
    assert np.abs(flow.estimate(name, frame, frame.copy())).max() < allowed


@pytest.mark.parametrize("name", FAST)
def test_the_same_frames_give_the_same_flow_whatever_came_between(name):
    frames, _ = rendered(COFFEE, 3)
    first = flow.estimate(name, frames[0], frames[1])
    flow.estimate(name, frames[2, :64, :64], frames[1, :64, :64])
    flow.estimate(name, frames[2, :20, :20], frames[1, :20, :20])
    flow.estimate(name, frames[2], frames[0])
    np.testing.assert_array_equal(flow.estimate(name, frames[0], frames[1]), first)


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_the_number_of_threads_does_not_matter(name, moved):
    frames, _, _ = moved
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        one = flow.estimate(name, *frames)
        cv2.setNumThreads(3)
        three = flow.estimate(name, *frames)
    finally:
        cv2.setNumThreads(before)
    np.testing.assert_array_equal(one, three)


def test_views_are_as_good_as_copies():
    frames, _ = rendered(COFFEE, 2)
    mirrored = frames[:, :, ::-1]
    np.testing.assert_array_equal(
        flow.estimate("dis", *mirrored), flow.estimate("dis", *np.ascontiguousarray(mirrored))
    )


def recording(monkeypatch, module, name):
    """Note the calls of the algorithm that OpenCV's function ``name`` makes: method to its last arguments."""
    calls = {}
    make = getattr(module, name)

    class Recorder:
        def __init__(self, algorithm):
            self.algorithm = algorithm

        def __getattr__(self, method):
            def call(*arguments):
                calls[method] = arguments
                return getattr(self.algorithm, method)(*arguments)

            return call

    monkeypatch.setattr(module, name, lambda *arguments: Recorder(make(*arguments)))
    return calls


def test_edgeaware_keeps_within_the_interpolators_limit_of_matches(monkeypatch):
    calls = recording(monkeypatch, cv2.ximgproc, "createEdgeAwareInterpolator")
    known = flow.ESTIMATORS["edgeaware"]
    matches = {**known.parameters["matches"], "grid_step": 1, "most_matches": 500}
    monkeypatch.setitem(
        flow.ESTIMATORS, "edgeaware", replace(known, parameters={**known.parameters, "matches": matches})
    )
    frame = crop(rendered(DRIFT, 1)[0])[0]
    flow.estimate("edgeaware", frame, frame)
    _, starts, _, ends = calls["interpolate"]
    assert 100 < len(starts) <= 500
    np.testing.assert_allclose(starts, ends, atol=0.01)


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_description_states_what_fixes_the_result(name):
    import json

    description = flow.describe(name)
    assert description["name"] == name
    assert description["opencv"] == cv2.__version__
    assert json.loads(json.dumps(description)) == description
    assert bool(description["parameters"]) == (name != "deepflow")


def test_dis_parameters_are_the_medium_preset(monkeypatch):
    preset = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    calls = recording(monkeypatch, cv2, "DISOpticalFlow_create")
    flow.estimate("dis", *rendered(DRIFT, 2)[0])
    given = {name.removeprefix("set"): value for name, (value, *_) in calls.items() if name != "calc"}
    assert len(given) == len(flow.ESTIMATORS["dis"].parameters) - 1  # full_resolution_below is not OpenCV's
    for name, value in given.items():
        assert getattr(preset, f"get{name}")() == pytest.approx(value)


def test_the_fine_estimator_differs_in_scale_and_refinement_only():
    coarse, fine = (dict(flow.ESTIMATORS[name].parameters) for name in ("dis", "dis-fine"))
    assert {key: (coarse[key], fine[key]) for key in coarse if coarse[key] != fine[key]} == {
        "finest_scale": (1, 0),
        "variational_refinement_iterations": (5, 10),
    }
    assert coarse.keys() == fine.keys()


def test_every_parameter_of_the_interpolator_is_set(monkeypatch):
    calls = recording(monkeypatch, cv2.ximgproc, "createEdgeAwareInterpolator")
    flow.estimate("edgeaware", *crop(rendered(DRIFT, 2)[0]))
    del calls["interpolate"]
    assert calls == {
        "setK": (128,),
        "setSigma": (0.05,),
        "setLambda": (999.0,),
        "setUsePostProcessing": (True,),
        "setFGSLambda": (500.0,),
        "setFGSSigma": (1.5,),
    }


def test_unknown_names_get_a_suggestion():
    frame = np.zeros((16, 16, 3), np.uint8)
    with pytest.raises(UsageError, match=r"flow estimator 'farnback'.*farneback"):
        flow.estimate("farnback", frame, frame)
    with pytest.raises(UsageError, match="flow estimator"):
        flow.describe("epicflow")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (np.zeros((15, 40, 3), np.uint8), np.zeros((15, 40, 3), np.uint8), "15×40 pixels are too small"),
        (np.zeros((20, 20, 3), np.uint8), np.zeros((20, 21, 3), np.uint8), "alike"),
        (np.zeros((20, 20, 3), np.float32), np.zeros((20, 20, 3), np.float32), "uint8"),
        (np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint8), "uint8"),
        (np.zeros((20, 20, 3), np.uint8), np.zeros((20, 20, 3), np.float32), "float32"),
    ],
)
def test_frames_that_are_none_are_refused(before, after, message):
    with pytest.raises(UsageError, match=message):
        flow.estimate("dis", before, after)


def test_failures_name_the_estimator(monkeypatch):
    frame = np.zeros((16, 18, 3), np.uint8)

    def fails(before, after, parameters):
        raise cv2.error("inside")

    def returns_nan(before, after, parameters):
        return np.full((16, 18, 2), np.nan, np.float32)

    monkeypatch.setitem(flow.ESTIMATORS, "fails", flow.Estimator(fails, {}, ""))
    monkeypatch.setitem(flow.ESTIMATORS, "nan", flow.Estimator(returns_nan, {}, ""))
    with pytest.raises(VpbenchError, match=r"'fails' failed on frames of 16×18 pixels: .*inside"):
        flow.estimate("fails", frame, frame)
    with pytest.raises(VpbenchError, match="'nan' returned NaN"):
        flow.estimate("nan", frame, frame)
