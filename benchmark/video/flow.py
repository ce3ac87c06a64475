"""Optical flow between two frames, by estimator name.

The estimators are OpenCV's. Every parameter that OpenCV allows to be set is stated here and set on its objects, so
that a change of its defaults cannot change a score. Each pair of frames gets a new object: DIS and
TV-L1 objects that have seen frames of another size return another flow, or crash (OpenCV 4.10 and 5.0).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vpbench.errors import UsageError, VpbenchError, unknown_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Frame = NDArray[np.uint8]
    Flow = NDArray[np.float32]


DEFAULT = "dis"
# Below it, no estimator has enough pixels for its patches, and OpenCV's DIS crashes.
MIN_SIDE = 16


@dataclass(frozen=True)
class Estimator:
    """A flow estimator.

    Attributes:
        function: from two uint8 RGB frames ``(H, W, 3)`` and the parameters to a flow ``(H, W, 2)``.
        parameters: everything that fixes its result, as JSON data.
        summary: a one-line description.
    """

    function: Callable[[Frame, Frame, Mapping[str, Any]], Flow]
    parameters: Mapping[str, Any]
    summary: str


def estimate(name: str, before: Frame, after: Frame) -> Flow:
    """Estimate the flow from one frame to another: before(x) ≈ after(x + flow(x)).

    Args:
        name: a key of :data:`ESTIMATORS`.
        before: uint8 ``(H, W, 3)`` RGB.
        after: the same shape.

    Returns:
        float32 ``(H, W, 2)``, contiguous, pixels, u to the right and v down, finite. It depends on nothing but
        the arguments, the version of OpenCV and the processor's instruction set; not on the threads.

    Raises:
        UsageError: the estimator is unknown, or the frames are not of this form or have a side below 16.
        VpbenchError: OpenCV failed on these frames.
    """
    estimator = find_estimator(name)
    for frame in (before, after):
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or frame.shape != before.shape:
            raise UsageError(
                f"Flow '{name}': frames must be uint8 (height, width, 3) and alike, not {before.dtype} of shape "
                f"{before.shape} and {after.dtype} of shape {after.shape}."
            )
    if min(before.shape[:2]) < MIN_SIDE:
        raise UsageError(
            f"Flow '{name}': frames of {before.shape[0]}×{before.shape[1]} pixels are too small; each side must "
            f"have at least {MIN_SIDE}. Use larger frames or a protocol without a mask."
        )
    before, after = np.ascontiguousarray(before), np.ascontiguousarray(after)
    try:
        flow = estimator.function(before, after, estimator.parameters)
    except _cv2().error as error:
        raise VpbenchError(
            f"Flow '{name}' failed on frames of {before.shape[0]}×{before.shape[1]} pixels: {error}. "
            f"Try another estimator: {', '.join(ESTIMATORS)}."
        ) from error
    if not np.isfinite(flow).all():
        raise VpbenchError(
            f"Flow '{name}' returned NaN or infinity on frames of {before.shape[0]}×{before.shape[1]} pixels. "
            f"Try another estimator: {', '.join(ESTIMATORS)}."
        )
    return np.ascontiguousarray(flow, dtype=np.float32)


def describe(name: str) -> dict[str, Any]:
    """What fixes the flow, apart from the frames: name, parameters and OpenCV's version, as JSON data.

    Raises:
        UsageError: the estimator is unknown.
    """
    return {"name": name, "parameters": dict(find_estimator(name).parameters), "opencv": _cv2().__version__}


def _cv2() -> Any:
    """OpenCV, imported when it is first needed; its type stubs lack the estimators."""
    return importlib.import_module("cv2")


def find_estimator(name: str) -> Estimator:
    """Return an estimator by name.

    Raises:
        UsageError: there is no such estimator.
    """
    if name not in ESTIMATORS:
        raise unknown_name("flow estimator", name, list(ESTIMATORS))
    return ESTIMATORS[name]


def _grey(before: Frame, after: Frame) -> tuple[Any, Any]:
    cv2 = _cv2()
    return cv2.cvtColor(before, cv2.COLOR_RGB2GRAY), cv2.cvtColor(after, cv2.COLOR_RGB2GRAY)


def _configure(algorithm: Any, parameters: Mapping[str, Any]) -> Any:
    """Call OpenCV's setter of each parameter: ``patch_size`` is set by ``setPatchSize``."""
    for name, value in parameters.items():
        getattr(algorithm, "set" + _camel(name))(value)
    return algorithm


def _camel(name: str) -> str:
    """``patch_size`` to ``PatchSize``; ``fgs_lambda`` to ``FGSLambda``, as OpenCV spells it."""
    return name.title().replace("_", "").replace("Fgs", "FGS")


def _dis(before: Frame, after: Frame, parameters: Mapping[str, Any]) -> Flow:
    """Dense inverse search (Kroeger et al., ECCV 2016)."""
    cv2 = _cv2()
    settings = dict(parameters)
    # On fewer pixels OpenCV changes the patch size and the scales by rules of its own, which crash on long frames.
    whole = settings.pop("full_resolution_below")
    if min(before.shape[:2]) < whole:
        settings["finest_scale"] = 0
    algorithm = _configure(cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM), settings)
    flow: Flow = algorithm.calc(*_grey(before, after), None)
    return flow


def _farneback(before: Frame, after: Frame, parameters: Mapping[str, Any]) -> Flow:
    """Polynomial expansion (Farnebäck, SCIA 2003)."""
    cv2 = _cv2()
    settings = dict(parameters)
    flags = cv2.OPTFLOW_FARNEBACK_GAUSSIAN if settings.pop("gaussian") else 0
    flow: Flow = cv2.calcOpticalFlowFarneback(*_grey(before, after), None, **settings, flags=flags)
    return flow


def _tvl1(before: Frame, after: Frame, parameters: Mapping[str, Any]) -> Flow:
    """Duality-based TV-L1 (Zach, Pock & Bischof, DAGM 2007)."""
    cv2 = _cv2()
    algorithm = _configure(cv2.optflow.DualTVL1OpticalFlow_create(), parameters)
    flow: Flow = algorithm.calc(*_grey(before, after), None)
    return flow


def _deepflow(before: Frame, after: Frame, parameters: Mapping[str, Any]) -> Flow:
    """The variational part of DeepFlow (Weinzaepfel et al., ICCV 2013); OpenCV leaves its matching out."""
    cv2 = _cv2()
    algorithm = _configure(cv2.optflow.createOptFlow_DeepFlow(), parameters)
    flow: Flow = algorithm.calc(*_grey(before, after), None)
    return flow


def _edgeaware(before: Frame, after: Frame, parameters: Mapping[str, Any]) -> Flow:
    """Sparse matches, edge-aware interpolation, variational refinement.

    In the spirit of EpicFlow (Revaud et al., CVPR 2015), which the paper used, but **not EpicFlow**: the matches
    are a grid tracked by pyramidal Lucas-Kanade there and back, not DeepMatching, and the edges are OpenCV's
    gradients, not learnt ones. A pair without enough matches, such as two black frames, is refined from no motion.
    """
    cv2 = _cv2()
    grey = _grey(before, after)
    starts, ends = _matches(*grey, parameters["matches"])
    if len(starts) > parameters["fewest_matches"]:
        interpolator = _configure(
            cv2.ximgproc.createEdgeAwareInterpolator(),
            {**parameters["interpolation"], "k": min(parameters["interpolation"]["k"], len(starts))},
        )
        # Its last filter splits the frame by the number of threads, and rounds accordingly.
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            flow = interpolator.interpolate(before, starts, after, ends)
        finally:
            cv2.setNumThreads(threads)
    else:
        flow = np.zeros((*before.shape[:2], 2), dtype=np.float32)
    refinement = _configure(cv2.VariationalRefinement_create(), parameters["refinement"])
    refined: Flow = refinement.calc(*grey, flow)
    return refined


def _matches(before: Any, after: Any, parameters: Mapping[str, Any]) -> tuple[Flow, Flow]:
    """Points of a grid, and where they went; only those that come back to where they were.

    Returns:
        Two float32 arrays ``(N, 1, 2)`` of (x, y) in pixels.
    """
    cv2 = _cv2()
    height, width = before.shape
    step = parameters["grid_step"]
    while -(-height // step) * -(-width // step) > parameters["most_matches"]:
        step += 1
    y, x = np.mgrid[step // 2 : height : step, step // 2 : width : step]
    starts = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)[:, None]
    tracking: dict[str, Any] = {
        "winSize": (parameters["window"], parameters["window"]),
        "maxLevel": parameters["levels"],
        "criteria": (
            cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS,
            parameters["iterations"],
            parameters["epsilon"],
        ),
        "minEigThreshold": parameters["min_eigenvalue"],
    }
    ends, forward, _ = cv2.calcOpticalFlowPyrLK(before, after, starts, None, **tracking)
    returns, backward, _ = cv2.calcOpticalFlowPyrLK(after, before, ends, None, **tracking)
    kept = (forward[:, 0] == 1) & (backward[:, 0] == 1)
    kept &= np.linalg.norm(returns - starts, axis=2)[:, 0] <= parameters["return_within"]
    kept &= ((ends >= 0) & (ends <= (width - 1, height - 1))).all(axis=2)[:, 0]
    return starts[kept], ends[kept]


# OpenCV's preset "medium".
_DIS: dict[str, Any] = {
    "finest_scale": 1,
    "patch_size": 8,
    "patch_stride": 3,
    "gradient_descent_iterations": 25,
    "variational_refinement_iterations": 5,
    "variational_refinement_alpha": 20.0,
    "variational_refinement_gamma": 10.0,
    "variational_refinement_delta": 5.0,
    "variational_refinement_epsilon": 0.01,
    "use_mean_normalization": True,
    "use_spatial_propagation": True,
    "full_resolution_below": 48,
}


ESTIMATORS: dict[str, Estimator] = {
    "dis": Estimator(
        _dis,
        _DIS,
        "dense inverse search, medium preset: the fastest",
    ),
    "dis-fine": Estimator(
        _dis,
        {**_DIS, "finest_scale": 0, "variational_refinement_iterations": 10},
        "dense inverse search at full resolution, with more refinement",
    ),
    "farneback": Estimator(
        _farneback,
        {
            "pyr_scale": 0.5,
            "levels": 5,
            "winsize": 15,
            "iterations": 3,
            "poly_n": 5,
            "poly_sigma": 1.1,
            "gaussian": False,
        },
        "Farnebäck's polynomial expansion: smooth",
    ),
    "tvl1": Estimator(
        _tvl1,
        {
            "tau": 0.25,
            "lambda": 0.15,
            "theta": 0.3,
            "scales_number": 5,
            "warpings_number": 5,
            "epsilon": 0.01,
            "inner_iterations": 30,
            "outer_iterations": 10,
            "scale_step": 0.8,
            "gamma": 0.0,
            "median_filtering": 5,
            "use_initial_flow": False,
        },
        "duality-based TV-L1: sharp motion borders, the slowest",
    ),
    "deepflow": Estimator(
        _deepflow,
        {},  # OpenCV lets none be set
        "DeepFlow without its matching: accurate for small motions, slow",
    ),
    "edgeaware": Estimator(
        _edgeaware,
        {
            "matches": {
                "grid_step": 8,
                "most_matches": 32_000,  # the interpolator takes fewer than 32,767
                "window": 15,
                "levels": 4,
                "iterations": 30,
                "epsilon": 0.01,
                "min_eigenvalue": 1e-4,
                "return_within": 0.5,
            },
            "fewest_matches": 16,
            "interpolation": {
                "k": 128,
                "sigma": 0.05,
                "lambda": 999.0,
                "use_post_processing": True,
                "fgs_lambda": 500.0,
                "fgs_sigma": 1.5,
            },
            "refinement": {
                "fixed_point_iterations": 5,
                "sor_iterations": 5,
                "omega": 1.6,
                "alpha": 20.0,
                "delta": 5.0,
                "gamma": 10.0,
                "epsilon": 0.001,
            },
        },
        "tracked grid, edge-aware interpolation, refinement: in the spirit of EpicFlow, and not it",
    ),
}
