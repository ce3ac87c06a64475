"""Where optical flow comes from, by name: an estimator of :mod:`vpbench.video.flow`, or files of the user's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpbench.errors import UsageError
from vpbench.video import flow, flow_files

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


FILES = f"{flow_files.NAME}:"
# What a protocol may state as its flow.
FLOW_NAMES = (*flow.ESTIMATORS, flow_files.NAME)


@dataclass(frozen=True)
class EstimatedFlow:
    """Flow by an estimator.

    Attributes:
        name: a key of :data:`vpbench.video.flow.ESTIMATORS`.

    Raises:
        UsageError: there is no such estimator.
    """

    name: str

    def __post_init__(self) -> None:
        flow.find_estimator(self.name)

    def between(
        self, frames: NDArray[np.uint8], before: int, after: int, clip: int | None
    ) -> NDArray[np.float32]:
        """:func:`vpbench.video.flow.estimate` from one of the frames ``(T, H, W, 3)`` to another, by position."""
        return flow.estimate(self.name, frames[before], frames[after])

    def describe(self) -> dict[str, Any]:
        """:func:`vpbench.video.flow.describe`."""
        return flow.describe(self.name)


FlowSource = EstimatedFlow | flow_files.FlowFiles


def flow_source(text: str) -> FlowSource:
    """Return the source that ``text`` names: an estimator, or ``files:DIR``.

    Raises:
        UsageError: there is no such estimator or folder, or the folder has no flows.
    """
    if text == flow_files.NAME or text == FILES:
        raise UsageError(f"Flow '{text}': name the folder too, as {FILES}DIR.")
    if text.startswith(FILES):
        folder = Path(text.removeprefix(FILES)).absolute()  # workers may have another working folder
        return flow_files.FlowFiles(folder)
    return EstimatedFlow(text)
