"""Metrics: what one is, and where the installed ones are found.

A metric compares one predicted frame with the true frame. Its function is

    function(target, prediction, *, data_range, mask=None, **parameters) -> float

with ``target`` and ``prediction`` as float64 arrays ``(H, W, 3)`` (RGB) whose values lie in
``[0, data_range]`` and ``mask`` as a boolean array ``(H, W)``. Without a mask the score is that of the
whole frame; with one, the error or similarity map is averaged over the mask's true pixels only, and the
score is NaN if there are none. ``data_range`` has no default: guessing it wrongly is the commonest
way to get incomparable scores.

Metrics, vpbench's own and those of other packages, are found by the entry-point group ``vpbench.metrics``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from vpbench.errors import VpbenchError, unknown_name

GROUP = "vpbench.metrics"


@dataclass(frozen=True)
class Metric:
    """A metric, and what a table needs to know to print it.

    Attributes:
        label: column heading, for example ``PSNR``.
        unit: unit of the score, for example ``dB``; empty for none.
        low: smallest value the score can take.
        high: largest value the score can take.
        higher_is_better: direction.
        source: paper section, equation or script that defines it.
        function: see the module's docstring.
    """

    label: str
    unit: str
    low: float
    high: float
    higher_is_better: bool
    source: str
    function: Callable[..., float]


@cache
def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def metric_names() -> list[str]:
    """Names of all installed metrics, sorted."""
    return sorted(_entries())


@cache
def get_metric(name: str) -> Metric:
    """Return the installed metric ``name``.

    Raises:
        UsageError: no such metric is installed.
        VpbenchError: the package that provides it cannot be imported, or provides something else.
    """
    entry = _entries().get(name)
    if entry is None:
        raise unknown_name("metric", name, metric_names())
    try:
        metric = entry.load()
    except Exception as error:
        raise VpbenchError(f"Metric '{name}' ({entry.value}) cannot be loaded: {error!r}") from error
    if not isinstance(metric, Metric):
        raise VpbenchError(
            f"Metric '{name}' ({entry.value}) is not a vpbench.scoring.metrics.Metric but {metric!r}."
        )
    return metric
