"""A protocol study as a figure: panels by metric, rows by setting, a point for each model. Needs matplotlib."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

from vpbench.errors import UsageError
from vpbench.figures.figures import save
from vpbench.study.table import caption, column_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from matplotlib.figure import Figure

    from vpbench.study.run import Study


# Okabe and Ito's colours, which colour-blind people tell apart, each with a shape of its own for grey prints.
STYLES = (
    ("#0072B2", "o"),
    ("#D55E00", "s"),
    ("#009E73", "^"),
    ("#CC79A7", "D"),
    ("#E69F00", "v"),
    ("#56B4E9", "P"),
    ("#000000", "X"),
)
_ROW, _PANEL, _LABELS = 0.21, 2.1, 2.2  # inches
_DPI = 200  # of the PNG


def write_figure(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as ``STEM.pdf`` and ``STEM.png``, and return both paths.

    Raises:
        VpbenchError: the disk is full or read-only.
    """
    paths = [stem.with_name(stem.name + suffix) for suffix in (".pdf", ".png")]
    for path in paths:
        save(figure, path, _DPI)
    return paths


def require_matplotlib() -> None:
    """Check, before any work is done, that figures can be drawn.

    Raises:
        UsageError: matplotlib is not installed.
    """
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        raise UsageError("Figures need matplotlib: pip install 'vpbench[figures]'. Or leave out --out.")


def draw(study: Study) -> Figure:
    """Draw the means of the first predicted frame; a dotted line marks each model's score under the base."""
    require_matplotlib()
    from matplotlib.figure import Figure

    metrics = study.metrics
    rows, headings = _rows(study)
    height = _ROW * (max(rows.values()) + 1) + 1.1
    figure = Figure(figsize=(_LABELS + _PANEL * len(metrics), height), layout="constrained")
    axes: Any = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for axis, metric in zip(axes, metrics, strict=True):
        _draw_panel(axis, study, metric, rows)
    _label_rows(axes[0], study, rows, headings)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper right", ncols=4, fontsize=7, frameon=False)
    figure.supxlabel(f"First predicted frame. {caption(study)}", fontsize=6, wrap=True)
    return figure


def _draw_panel(axis: Any, study: Study, metric: str, rows: Mapping[int, int]) -> None:
    """One metric: a point for each model and setting."""
    means = study.means().query("frame == 1")
    for model, (colour, shape) in zip(study.models, cycle(STYLES), strict=False):
        scores = means[means["model"] == model].set_index("setting")[metric].dropna()
        if 0 in scores.index:
            axis.axvline(scores.loc[0], color=colour, linestyle=":", linewidth=0.8, zorder=1)
        heights = [rows[int(number)] for number in scores.index]
        axis.plot(scores, heights, shape, color=colour, markersize=4.5, alpha=0.9, label=model)
    column = column_of(study, metric)
    axis.set_xlabel(column.label + (f" ({column.unit})" if column.unit else ""), fontsize=8)
    for row in rows.values():
        axis.axhline(row, color="0.9", linewidth=0.6, zorder=0)
    axis.tick_params(labelsize=7, length=2)
    axis.spines[["top", "right"]].set_visible(False)


def _label_rows(axis: Any, study: Study, rows: Mapping[int, int], headings: Mapping[str, int]) -> None:
    """The settings' labels, and in bold their groups' headings."""
    axis.set_yticks([*rows.values(), *headings.values()])
    names = [*(study.settings[number].label for number in rows), *headings]
    labels = axis.set_yticklabels(names, fontsize=7)
    for text in labels[len(rows) :]:
        text.set_fontweight("bold")
    axis.set_ylim(max(rows.values()) + 0.7, -0.7)


def _rows(study: Study) -> tuple[dict[int, int], dict[str, int]]:
    """The height of each setting, and of each group's heading, from the top."""
    rows: dict[int, int] = {}
    headings: dict[str, int] = {}
    for number, setting in enumerate(study.settings):
        if setting.group not in headings:
            headings[setting.group] = len(rows) + len(headings)
        rows[number] = len(rows) + len(headings)
    return rows, headings
