"""A comparison of two runs as tables, in every format."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from vpbench.analysis.bootstrap import LEAST_CLUSTERS
from vpbench.tables.cells import arrow, decimals, frame_in_words, number, signed, slug
from vpbench.tables.excluded import compared_frames
from vpbench.tables.formats.data import records
from vpbench.tables.formats.export import Table, export
from vpbench.tables.formats.sheet import MISSING, Sheet, SheetColumn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vpbench.analysis.comparison import Comparison, Difference


def render_comparison(
    comparison: Comparison, form: str = "text", precision: int | None = None, all_notes: bool = False
) -> str:
    """Print a comparison in one of :data:`vpbench.tables.formats.export.FORMATS`; the text has no newline at its end.

    CSV has only the differences, one line for each metric and frame; JSON has everything.

    Raises:
        UsageError: unknown format.
    """
    return export(
        Table(
            sheets=lambda: [
                _differences_sheet(comparison, precision, all_notes),
                _clips_sheet(comparison, precision),
            ],
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
        "clusters": comparison.clusters,
        "level": comparison.level,
        "resamples": comparison.resamples,
        "seed": comparison.seed,
        "interval": "studentised bootstrap over clusters",
        "test": "Wilcoxon signed-rank, two-sided, of symmetry about 0 of the clusters' means of the difference",
        "columns": [asdict(c) for c in dict.fromkeys(d.column for d in comparison.differences)],
        "differences": records(comparison.frame),
        "sorted_by": f"{column.key}_{frame}",
        "clips_that_differ_most": records(comparison.differing_clips),
    }


def _differences_sheet(comparison: Comparison, precision: int | None, all_notes: bool) -> Sheet:
    steps = comparison.protocol.definition.targets
    frames = list(dict.fromkeys(d.frame for d in comparison.differences))
    shown = sorted(comparison.differences, key=lambda d: frames.index(d.frame))
    per_frame = len(shown) // len(frames)
    return Sheet(
        name=slug(comparison.protocol.name, comparison.split.name, "comparison"),
        caption=(
            f"A: {comparison.labels[0]}. B: {comparison.labels[1]}. Split {comparison.split.name}, {comparison.clips} "
            f"of {comparison.split.total} clips; protocol {comparison.protocol.name} ({comparison.protocol.hash})."
        ),
        columns=_difference_columns(shown, comparison.level, precision),
        labels=[f"{d.column.label} {arrow(d.column)}" for d in shown],
        headings={n * per_frame: frame_in_words(frame, steps) for n, frame in enumerate(frames)},
        notes=[*_notes(comparison), *(_further(comparison) if all_notes else ())],
        further=not all_notes,
        bold_means="better by the interval, which leaves out 0",
        short_headings=False,
    )


def _difference_columns(
    shown: Sequence[Difference], level: float, precision: int | None
) -> list[SheetColumn]:
    digits = [decimals(d.column, precision) for d in shown]
    pairs = list(zip(shown, digits, strict=True))
    better = {name: [d.better == name for d in shown] for name in "AB"}
    intervals = [
        f"[{signed(d.low, n)}, {signed(d.high, n)}]" if math.isfinite(d.low) else MISSING for d, n in pairs
    ]
    return [
        SheetColumn("n", [str(d.clips) for d in shown]),
        SheetColumn("A", [number(d.mean_a, n) for d, n in pairs], bold=better["A"]),
        SheetColumn("B", [number(d.mean_b, n) for d, n in pairs], bold=better["B"]),
        SheetColumn("A − B", [signed(d.mean, n) for d, n in pairs]),
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
            SheetColumn("A − B", [signed(value, digits) for value in table["difference"]]),
        ],
        labels=[source or "" for source in table["source"]],
        headings=headings,
        notes=() if len(table) else ("No clip differs.",),
        short_headings=False,
    )


def _notes(comparison: Comparison) -> Iterator[str]:
    known = comparison.clusters is not None
    yield (
        f"Means over the n clips {'on which rows are compared' if known else 'that both runs count'}, so not those of "
        "a leaderboard. w/l/t: clips on which A wins, loses, ties."
    )
    texts = [*_certainty(comparison)]
    if len(comparison.differences) > 1:
        texts.append("Each line is judged by itself: with many lines some differ by chance.")
    yield " ".join(texts)
    if comparison.remarks:
        yield " ".join(comparison.remarks)


def _certainty(comparison: Comparison) -> Iterator[str]:
    """What the intervals and p-values are, or why there are none."""
    if comparison.clusters is None:
        yield (
            "No intervals and no p: a run was made by an earlier vpbench, so that it is not known on which frames to "
            "compare. `vpbench migrate RUN` mends that where the clips are at hand."
        )
        return
    if _any_interval(comparison):
        yield "Intervals are of the mean difference; p: Wilcoxon's signed-rank test."
    if min(d.clusters or 0 for d in comparison.differences) < LEAST_CLUSTERS:
        yield f"No intervals and no p where there are fewer than {LEAST_CLUSTERS} clusters."


def _further(comparison: Comparison) -> Iterator[str]:
    """On which frames runs are compared, and how intervals and p-values were found."""
    if comparison.clusters is None:
        return
    where = compared_frames(comparison.protocol.definition)
    compared = f" Compared are the frames {where}." if where else ""
    yield f"The clips are of {comparison.clusters} clusters.{compared}"
    if _any_interval(comparison):
        yield (
            f"Intervals: studentised bootstrap over clusters, {comparison.level * 100:g} %, {comparison.resamples} "
            f"resamples from seed {comparison.seed}. p: two-sided; Wilcoxon's test is whether the clusters' "
            "differences are symmetric about 0, not of their mean."
        )


def _any_interval(comparison: Comparison) -> bool:
    return any(math.isfinite(d.low) for d in comparison.differences)


def _p(p: float) -> str:
    if not math.isfinite(p):
        return MISSING
    return "<0.0001" if p < 1e-4 else f"{p:.4f}"
