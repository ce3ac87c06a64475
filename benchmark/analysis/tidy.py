"""Scores as a data frame of pandas: a row for each clip and predicted frame of each run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from msgspec import to_builtins

from vpbench.analysis.comparable import row_labels
from vpbench.errors import UsageError
from vpbench.runs.run import Run, find_runs, read_run
from vpbench.scoring.protocol import FRAME_FACTS

_OF_RUN = ("split", "protocol", "run")


def load(path: str | Path) -> pd.DataFrame:
    """The scores of a run, or of all runs in a folder, as a tidy data frame.

    Args:
        path: a run's folder, or one that holds some, of any protocols and splits.

    Returns:
        A row for each clip and predicted frame, in the order of runs, clips and frames. Columns: ``split``,
        ``protocol`` and ``run``, the run's label, with a part of its folder where two of the same split and protocol
        have one; ``clip``, its index; ``frame``, from 1; ``cluster``, which names the clips that it is not independent
        of; a float column for each metric (NaN where undefined or not in the protocol); ``moving``, the moving area's
        share of the frame, in [0, 1]; ``counted``, whether the protocol's means have the frame; and ``copy``,
        ``copy_ssim`` and ``motion``, which hold of a frame whoever predicts it (:mod:`vpbench.scoring.frame_facts`),
        NaN for none.

        ``attrs["runs"]`` is a list with the ``run``, ``folder``, ``protocol``, ``predictor``, ``split``, ``status``,
        ``environment`` and ``test_clips_seen`` of each, as JSON data; those of a single run are in ``attrs`` too, such
        as ``attrs["protocol"]["hash"]``.

    Raises:
        UsageError: there is no run, or one has a metric with the name of another column.
        VpbenchError: a run is damaged.
    """
    return load_runs([read_run(folder) for folder in find_runs(Path(path))])


def load_runs(runs: Sequence[Run]) -> pd.DataFrame:
    """The same of runs that were read; one that is given twice counts once.

    Raises:
        UsageError: a run's metric has the name of another column.
    """
    runs = list({run.folder.resolve(): run for run in runs}.values())
    labels = _labels(runs)
    metrics = dict.fromkeys(metric for run in runs for metric in run.metrics)
    columns = (*_OF_RUN, "clip", "frame", "cluster", *metrics, "moving", "counted", *FRAME_FACTS)
    tables = [_of_run(run, label) for run, label in zip(runs, labels, strict=True)]
    table = pd.concat(tables, ignore_index=True).reindex(columns=list(columns))
    facts = [_facts(run, label) for run, label in zip(runs, labels, strict=True)]
    table.attrs["runs"] = facts
    if len(facts) == 1:
        table.attrs.update(facts[0])
    return table


def _labels(runs: Sequence[Run]) -> list[str]:
    """The runs' labels, told apart within their split and protocol."""
    groups: dict[tuple[str, str], list[int]] = {}
    for n, run in enumerate(runs):
        groups.setdefault((run.manifest.split.name, run.manifest.protocol.name), []).append(n)
    found: dict[int, str] = {}
    for members in groups.values():
        found |= dict(zip(members, row_labels([runs[n] for n in members]), strict=True))
    return [found[n] for n in range(len(runs))]


def _of_run(run: Run, label: str) -> pd.DataFrame:
    if taken := {*_OF_RUN, "cluster"} & set(run.metrics):
        raise UsageError(
            f"Run '{label}' ({run.folder}) has a metric '{min(taken)}', the name of another column."
        )
    order = np.lexsort((run.scores["frame"], run.scores["clip"]))
    scores = {key: values[order] for key, values in run.scores.items()}
    clusters = run.manifest.split.clusters
    known = None if clusters is None else [clusters[clip] for clip in scores["clip"].tolist()]
    names = dict(zip(_OF_RUN, (run.manifest.split.name, run.manifest.protocol.name, label), strict=True))
    table = pd.DataFrame({**names, **scores}, index=range(len(order)))
    return table.assign(cluster=pd.Series(known, table.index, dtype="str"))


def _facts(run: Run, label: str) -> dict[str, Any]:
    manifest = run.manifest
    split = to_builtins(manifest.split)
    split.pop("clusters", None)  # a column
    return {
        "run": label,
        "folder": str(run.folder),
        "protocol": to_builtins(manifest.protocol),
        "predictor": to_builtins(manifest.predictor),
        "split": split,
        "status": manifest.status,
        "environment": to_builtins(manifest.environment),
        "test_clips_seen": run.test_clips_seen,
    }
