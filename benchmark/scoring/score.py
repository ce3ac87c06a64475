"""Scoring: one clip's predictions × a protocol → a line of scores for each predicted frame."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vpbench.errors import UsageError
from vpbench.records import check_values
from vpbench.scoring.clip import Clip
from vpbench.scoring.conversion import as_scored, scaled
from vpbench.scoring.metrics import get_metric
from vpbench.scoring.protocol import Masking, MetricUse, Protocol, ScoredAs

Scores = list[dict[str, Any]]

_OF_FRAMES = frozenset(
    {"target", "prediction", "data_range", "mask"}
)  # a metric's other parameters are the protocol's


def score_clip(clip: Clip, predictions: NDArray[np.float32], protocol: Protocol) -> Scores:
    """Score the predictions of one clip.

    Args:
        clip: with its targets, and the flow or flow images that the protocol's mask rule needs.
        predictions: ``(targets, H, W, 3)`` in [0, 1], RGB; scored as they are, neither clipped nor rounded, unless
            the protocol says otherwise (``scored_as``). There may be more than the protocol's targets.
        protocol: how.

    Returns:
        A line for each predicted frame, as in ``scores.jsonl``: an undefined score is ``None``.
    """
    lines = []
    for k in range(protocol.targets):
        mask = clip.moving_area(k, protocol.mask)
        line: dict[str, Any] = {"clip": clip.index, "frame": k + 1}
        line.update(score_frame(clip.targets[k], predictions[k], mask, protocol.metrics, protocol.scored_as))
        moving = 1.0 if mask is None else float(np.count_nonzero(mask)) / mask.size
        line["moving"] = moving
        line["counted"] = is_counted(line, protocol)
        lines.append(line)
    return lines


def score_frame(
    target: NDArray[np.uint8],
    prediction: NDArray[np.float32],
    mask: NDArray[np.bool_] | None,
    metrics: Mapping[str, MetricUse],
    scored_as: ScoredAs | None = None,
) -> dict[str, float | None]:
    """Score one frame.

    Args:
        target: the true frame, ``(H, W, 3)``, RGB.
        prediction: ``(H, W, 3)`` in [0, 1], RGB.
        mask: its moving area, bool ``(H, W)``; ``None`` for the whole frame.
        metrics: the columns.
        scored_as: what is done to the frames first, if anything.

    Returns:
        Column to score; ``None`` where it is not a finite number.
    """
    true_frame: NDArray[Any] = target
    predicted_frame: NDArray[Any] = prediction
    if scored_as is not None:
        true_frame, predicted_frame, mask = as_scored(target, prediction, mask, scored_as)
    images: dict[Masking, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    scores: dict[str, float | None] = {}
    for column, use in metrics.items():
        if use.masking not in images:
            true, predicted = true_frame, predicted_frame
            if use.masking == "black" and mask is not None:
                true, predicted = _blackened(true, mask), _blackened(predicted, mask)
            images[use.masking] = (scaled(true), scaled(predicted))
        score = get_metric(use.metric).function(
            *images[use.masking],
            data_range=1.0,
            mask=mask if use.masking == "inside" else None,
            **use.parameters,
        )
        scores[column] = float(score) if math.isfinite(score) else None
    return scores


def _blackened(image: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[Any]:
    """The image with its pixels outside the mask at 0."""
    return np.asarray(cv2.copyTo(image, mask.view(np.uint8)))


def check_metrics(protocol: Protocol) -> None:
    """Refuse, before anything is written, metrics that are not installed or do not take their parameters.

    Raises:
        UsageError: names the column and the parameter.
    """
    for column, use in protocol.metrics.items():
        where = f"Protocol '{protocol.name}', column '{column}': metric '{use.metric}'"
        check_parameters(get_metric(use.metric).function, use.parameters, where)


def check_parameters(function: Callable[..., float], given: Mapping[str, Any], where: str) -> None:
    """Check the parameters of a metric's function against its signature.

    Raises:
        UsageError: one is unknown, missing, or not of the type that the function declares; names ``where`` and it.
    """
    taken = {name: p for name, p in inspect.signature(function).parameters.items() if name not in _OF_FRAMES}
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken.values())
    for name in sorted(given):
        if name in _OF_FRAMES or (name not in taken and not open_ended):
            raise UsageError(f"{where} has no parameter '{name}'.")
    for name, parameter in taken.items():
        if (
            parameter.default is parameter.empty
            and parameter.kind is parameter.KEYWORD_ONLY
            and name not in given
        ):
            raise UsageError(f"{where} needs the parameter '{name}'.")
    check_values(given, function, where)


def is_counted(line: dict[str, Any], protocol: Protocol) -> bool:
    """Whether a protocol's means count the frame of a score line."""
    if any(line[column] is None for column in protocol.metrics):
        return False
    if protocol.skip_empty and line["moving"] == 0:
        return False
    return protocol.exclude is None or line[protocol.exclude.column] < protocol.exclude.at_least
