"""A comparison of two runs as tables, in every format."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from vpbench.analysis.bootstrap import LEAST_CLIPS
from vpbench.tables.cells import arrow, decimals, frame_in_words, number, slug
from vpbench.tables.formats.data import records
from vpbench.tables.formats.export import Table, export
from vpbench.tables.formats.sheet import BEST, MISSING, Sheet, SheetColumn
from vpbench.tables.notes import FEW_CLIPS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vpbench.analysis.comparison import Comparison, Difference


def render_comparison(comparison: Comparison, form: str = "text", precision: int | None = None) -> str:
    """Print a comparison in one of :data:`vpbench.tables.formats.export.FORMATS`; the text has no newline at its end.

    CSV has only the differences, one line for each metric and frame; JSON has everything.

    Raises:
        UsageError: unknown format.
    """
    return export(
        Table(
            sheets=lambda: [_differences_sheet(comparison, precision), _clips_sheet(comparison, precision)],
            rows=lambda: comparison.frame,
            data=lambda: comparison_data(comparison),
        ),
        form,
    )


def comparison_data(comparison: Comparison) -> dict[str, Any]:
    """A comparison as JSON data, ``None`` where there is no number."""
    column, frame = comparison.by
    return {
        "kind": "vpbench-comparison",
        "schema": 1,
        "a": comparison.labels[0],
        "b": comparison.labels[1],
        "protocol": to_builtins(comparison.protocol),
        "split": to_builtins(comparison.split),
        "clips": comparison.clips,
        "level": comparison.level,
        "resamples": comparison.resamples,
        "seed": comparison.seed,
        "interval": "percentile bootstrap over clips",
        "test": "Wilcoxon signed-rank, two-sided, on clips",
        "columns": [asdict(c) for c in dict.fromkeys(d.column for d in comparison.differences)],
        "differences": records(comparison.frame),
        "sorted_by": f"{column.key}_{frame}",
        "clips_that_differ_most": records(comparison.differing_clips),
    }


def _differences_sheet(comparison: Comparison, precision: int | None) -> Sheet:
    steps = comparison.protocol.definition.targets
    frames = list(dict.fromkeys(d.frame for d in comparison.differences))
    shown = sorted(comparison.differences, key=lambda d: frames.index(d.frame))
    per_frame = len(shown) // len(frames)
    return Sheet(
        name=slug(comparison.protocol.name, comparison.split.name, "comparison"),
        caption=_caption(comparison),
        columns=_difference_columns(shown, comparison.level, precision),
        labels=[f"{d.column.label} {arrow(d.column)}" for d in shown],
        headings={n * per_frame: frame_in_words(frame, steps) for n, frame in enumerate(frames)},
        notes=list(_notes(comparison)),
        meaning={BEST: "better"},
        among="by the interval, which leaves out 0",
        short_headings=False,
    )


def _caption(comparison: Comparison) -> str:
    return (
        f"A: {comparison.labels[0]}. B: {comparison.labels[1]}. Split {comparison.split.name}, "
        f"{comparison.clips} clips; protocol {comparison.protocol.name} "
        f"({comparison.protocol.hash}). Means over the n clips that both runs count, so not those of a "
        f"leaderboard. Interval of the mean difference: percentile bootstrap over clips, "
        f"{comparison.level * 100:g} %, {comparison.resamples} resamples from seed {comparison.seed}. p: Wilcoxon "
        "signed-rank test on the clips, two-sided. w/l/t: clips on which A wins, loses, ties."
    )


def _difference_columns(
    shown: Sequence[Difference], level: float, precision: int | None
) -> list[SheetColumn]:
    digits = [decimals(d.column, precision) for d in shown]
    pairs = list(zip(shown, digits, strict=True))
    better = {name: [BEST if d.better == name else 0 for d in shown] for name in "AB"}
    intervals = [
        f"[{_signed(d.low, n)}, {_signed(d.high, n)}]" if math.isfinite(d.low) else MISSING for d, n in pairs
    ]
    return [
        SheetColumn("n", [str(d.clips) for d in shown]),
        SheetColumn("A", [number(d.mean_a, n) for d, n in pairs], places=better["A"]),
        SheetColumn("B", [number(d.mean_b, n) for d, n in pairs], places=better["B"]),
        SheetColumn("A − B", [_signed(d.mean, n) for d, n in pairs]),
        SheetColumn(f"{level * 100:g} % interval", intervals),
        SheetColumn("p", [_p(d.p) for d in shown]),
        SheetColumn("w/l/t", [f"{d.wins}/{d.losses}/{d.ties}" for d in shown]),
    ]


def _clips_sheet(comparison: Comparison, precision: int | None) -> Sheet:
    column, frame = comparison.by
    table = comparison.differing_clips
    digits = decimals(column, precision)
    wins = [(value > 0) == column.higher_is_better for value in table["difference"]]
    headings = {0: "A is better"} if any(wins) else {}
    if not all(wins):
        headings[wins.index(False)] = "B is better"
    frame_name = frame_in_words(frame, comparison.protocol.definition.targets, article=True)
    return Sheet(
        name=slug(comparison.protocol.name, comparison.split.name, "clips"),
        caption=f"The clips that differ most in {column.label} of {frame_name}.",
        columns=[
            SheetColumn("clip", [str(clip) for clip in table["clip"]]),
            SheetColumn("A", [number(value, digits) for value in table["a"]]),
            SheetColumn("B", [number(value, digits) for value in table["b"]]),
            SheetColumn("A − B", [_signed(value, digits) for value in table["difference"]]),
        ],
        labels=[source or "" for source in table["source"]],
        headings=headings,
        notes=() if len(table) else ("No clip differs.",),
        short_headings=False,
    )


def _notes(comparison: Comparison) -> Iterator[str]:
    least = min(d.clips for d in comparison.differences)
    if least < LEAST_CLIPS:
        yield f"No intervals where fewer than {LEAST_CLIPS} clips are paired."
    elif least < FEW_CLIPS:
        yield f"With fewer than {FEW_CLIPS} clips the intervals are too narrow; trust p."
    if len(comparison.differences) > 1:
        yield "Each line is judged by itself: with many lines some differ by chance."


def _signed(value: float, digits: int) -> str:
    if not math.isfinite(value):
        return MISSING
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def _p(p: float) -> str:
    if not math.isfinite(p):
        return MISSING
    return "<0.0001" if p < 1e-4 else f"{p:.4f}"
