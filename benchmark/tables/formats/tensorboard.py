"""A run's scores as scalars of TensorBoard."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vpbench.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

Scalars = dict[str, float]


def tensorboard(rows: pd.DataFrame, metrics: list[str], time: float) -> bytes:
    """An event file of a run's rows, as :func:`vpbench.analysis.tidy.load` has them.

    Tags: ``frame/<metric>``, the mean over the counted clips at each predicted frame, and ``frame/counted``, how many
    these are, where the step is the frame; ``clip/<metric>``, the mean over a clip's counted frames, where the step is
    the clip's index. What has no counted frame has no point.

    Args:
        rows: of one run.
        metrics: its columns of scores.
        time: that the points have, in seconds since 1970.

    Raises:
        UsageError: tensorboard is not installed.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise UsageError("TensorBoard's files need tensorboard: pip install 'vpbench[tensorboard]'.")
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    stream = io.BytesIO()
    writer = RecordWriter(stream)
    writer.write(Event(wall_time=time, file_version="brain.Event:2").SerializeToString())
    for step, scalars in _points(rows, metrics):
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
        writer.write(Event(wall_time=time, step=step, summary=Summary(value=values)).SerializeToString())
    return stream.getvalue()


def _points(rows: pd.DataFrame, metrics: list[str]) -> Iterator[tuple[int, Scalars]]:
    """The scalars of each step."""
    counted = rows[rows["counted"]]
    for by in ("frame", "clip"):
        groups = counted.groupby(by)
        means, numbers = groups[metrics].mean(), groups.size().tolist()
        for step, scores, number in zip(
            means.index.tolist(), means.to_numpy().tolist(), numbers, strict=True
        ):
            scalars = {f"{by}/{metric}": score for metric, score in zip(metrics, scores, strict=True)}
            yield step, scalars | ({"frame/counted": number} if by == "frame" else {})
