"""Settings in other people's code that move numbers without being named in papers. No built-in protocol has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from vpbench.scoring.protocol import MetricUse, Protocol, ScoredAs


def quirks(base: Protocol) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is changed of a protocol, each with a label.

    - OpenCV's frames as they are, in which red and blue have changed places (DMVFN, MCnet): luma and learned metrics
      see it.
    - scikit-image's SSIM with its default window (OpenSTL), and the same without a data range, where versions up to
      0.19.3 took frames in [0, 1] for frames in [−1, 1].
    - Squared and absolute errors of grey frames beside the scores, as means, and as OpenSTL prints them, summed over a
      frame.

    Args:
        base: the protocol.
    """
    if base.scored_as is None:
        yield "red for blue", {"scored_as": ScoredAs(colour="bgr")}
    if "ssim" in base.metrics:
        use = base.metrics["ssim"]
        for label, taken in (("SSIM of scikit-image", 1.0), ("SSIM, no data_range", 2.0)):
            other = replace(use, metric="ssim-scikit-image", parameters={"taken_range": taken})
            yield label, {"metrics": {**base.metrics, "ssim": other}}
    if base.mask.kind == "none" and base.scored_as is not None and base.scored_as.colour == "luma":
        for label, parameters in (("errors, means", {}), ("errors, sums", {"summed": True})):
            errors = {name: MetricUse(name, "none", parameters) for name in ("mse", "mae")}
            yield label, {"metrics": {**base.metrics, **errors}}
