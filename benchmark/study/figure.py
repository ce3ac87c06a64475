"""A protocol study as a figure: panels by metric, rows by setting, a point for each model. Needs matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vpbench.errors import UsageError
from vpbench.figures.figures import save
from vpbench.study.table import caption, column_of

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

    from vpbench.study.run import Study


# Okabe and Ito's colours, which colour-blind people tell apart, each with a shape of its own for grey prints.
_STYLES = (
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


def write_figure(study: Study, stem: Path) -> list[Path]:
    """Write the figure as ``STEM.pdf`` and ``STEM.png``, and return both paths.

    Raises:
        UsageError: matplotlib is not installed.
        VpbenchError: the disk is full or read-only.
    """
    figure = draw(study)
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

    means = study.means().query("frame == 1")
    metrics = study.metrics
    rows, headings = _rows(study)
    height = _ROW * (max(rows.values()) + 1) + 1.1
    figure = Figure(figsize=(_LABELS + _PANEL * len(metrics), height), layout="constrained")
    axes: Any = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for axis, metric in zip(axes, metrics, strict=True):
        for model, (colour, shape) in zip(study.models, _cycled(len(study.models)), strict=True):
            mine = means[means["model"] == model].set_index("setting")[metric].dropna()
            if 0 in mine.index:
                axis.axvline(mine.loc[0], color=colour, linestyle=":", linewidth=0.8, zorder=1)
            heights = [rows[int(number)] for number in mine.index]
            axis.plot(mine, heights, shape, color=colour, markersize=4.5, alpha=0.9, label=model)
        column = column_of(study, metric)
        axis.set_xlabel(column.label + (f" ({column.unit})" if column.unit else ""), fontsize=8)
        for row in rows.values():
            axis.axhline(row, color="0.9", linewidth=0.6, zorder=0)
        axis.tick_params(labelsize=7, length=2)
        axis.spines[["top", "right"]].set_visible(False)
    ticks = [*rows.items(), *headings.items()]
    axes[0].set_yticks([row for _, row in ticks])
    labels = axes[0].set_yticklabels(
        [study.settings[key].label if isinstance(key, int) else key for key, _ in ticks], fontsize=7
    )
    for text, (key, _) in zip(labels, ticks, strict=True):
        if isinstance(key, str):
            text.set_fontweight("bold")
    axes[0].set_ylim(max(rows.values()) + 0.7, -0.7)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper right", ncols=4, fontsize=7, frameon=False)
    figure.supxlabel(f"First predicted frame. {caption(study)}", fontsize=6, wrap=True)
    return figure


def _rows(study: Study) -> tuple[dict[int, int], dict[str, int]]:
    """The height of each setting, and of each group's heading, from the top."""
    rows: dict[int, int] = {}
    headings: dict[str, int] = {}
    place = 0
    for number, setting in enumerate(study.settings):
        if setting.group not in headings:
            headings[setting.group] = place
            place += 1
        rows[number] = place
        place += 1
    return rows, headings


def _cycled(count: int) -> list[tuple[str, str]]:
    return [_STYLES[n % len(_STYLES)] for n in range(count)]
