"""A study of robustness as a figure: scores against severity, by metric and corruption. Needs matplotlib."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

from vpbench.predictors.corrupted import Corruption
from vpbench.study.figure import STYLES, require_matplotlib
from vpbench.study.robustness_table import caption
from vpbench.tables.cells import frame_in_words, unit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vpbench.analysis.columns import Column
    from vpbench.study.robustness import Robustness

_WIDTH, _HEIGHT = 1.6, 1.5  # of a panel, inches


def draw_robustness(study: Robustness) -> Figure:
    """Draw the means of the first frame, or over all frames; severity 0 are clean inputs."""
    require_matplotlib()
    from matplotlib.figure import Figure

    kinds, columns = study.kinds, study.columns
    size = (_WIDTH * len(kinds) + 0.7, _HEIGHT * len(columns) + 1.1)
    figure = Figure(figsize=size, layout="constrained")
    axes: Any = figure.subplots(len(columns), len(kinds), sharex="col", sharey="row", squeeze=False)
    for row, column in zip(axes, columns, strict=True):
        for axis, kind in zip(row, kinds, strict=True):
            _draw_panel(axis, study, column, kind)
        row[0].set_ylabel(f"{column.label} ({unit(column)})", fontsize=8)
    for axis, kind in zip(axes[0], kinds, strict=True):
        axis.set_title(kind, fontsize=8)
    handles, names = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper right", ncols=4, fontsize=7, frameon=False)
    shown = frame_in_words(study.shown[0], study.runs[0].targets).capitalize()
    text = f"{shown}, from clean (0) and corrupted inputs (1 … 5). {caption(study)}"
    figure.supxlabel(text, fontsize=6, wrap=True)
    return figure


def _draw_panel(axis: Any, study: Robustness, column: Column, kind: str) -> None:
    """One metric under one kind of corruption: a line for each model."""
    severities = [one.severity for one in study.corruptions if one.kind == kind]
    scores = study.scores[(study.scores["frame"] == study.shown[0]) & study.scores["severity"].notna()]
    scores = scores[scores["corruption"].isin(["none", kind])]
    for model, (colour, shape) in zip(study.models, cycle(STYLES), strict=False):
        mine = scores[scores["model"] == model].set_index("severity")[column.key]
        axis.plot(mine, marker=shape, color=colour, markersize=3.5, linewidth=1, alpha=0.9, label=model)
    axis.set_xticks([0, *severities])
    words = [f"{severity}: {Corruption(kind, severity).in_words}" for severity in severities]
    axis.set_xticklabels(["0: clean", *words], rotation=60, ha="right", rotation_mode="anchor")
    axis.tick_params(labelsize=6, length=2)
    axis.grid(color="0.9", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
