"""How to read a leaderboard: the sentences of its caption and notes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from vpbench.analysis.bootstrap import LEAST_CLUSTERS
from vpbench.results.published_tables import TUNED_MARK, Frame
from vpbench.tables.cells import count, frame_in_words, ordinal
from vpbench.tables.excluded import compared_frames, excluded_frames
from vpbench.tables.scores import difference_cells

if TYPE_CHECKING:
    from vpbench.analysis.leaderboard import Leaderboard


def statistics(board: Leaderboard, intervals: bool) -> Iterator[str]:
    """How ranks and bold rows were found, and intervals where they are shown; for the caption."""
    s = board.ranking.statistics
    if board.ranked:
        score = f"{s.column.label} of {frame_in_words(s.frame, board.steps, article=True)}"
        yield (
            f"Rank: 1 + the number of rows with a significantly {'higher' if s.column.higher_is_better else 'lower'} "
            f"{score}, on {compared(board)}: {method(board)}."
        )
    if intervals and has_intervals(board):
        how = "same bootstrap" if board.ranked else _bootstrap(board)
        yield f"In brackets: intervals, each by itself ({how})."


def statistics_data(board: Leaderboard) -> dict[str, Any]:
    """How intervals and ranks were found, as JSON data."""
    return {
        **asdict(board.ranking.statistics),
        "column": board.ranking.statistics.column.key,
        "method": "studentised bootstrap over clusters",
        "correction": "max-T over all pairs of rows",
    }


def method(board: Leaderboard) -> str:
    """The test of the ranks."""
    return f"{_bootstrap(board)}, max-T over all pairs of rows"


def _bootstrap(board: Leaderboard) -> str:
    s = board.ranking.statistics
    return f"studentised bootstrap over clusters, {s.level * 100:g} %, {s.resamples} resamples from seed {s.seed}"


def bold(board: Leaderboard) -> str:
    """What bold scores are."""
    level = board.ranking.statistics.level
    return (
        "not significantly worse than the best of the rows that may have a rank, on the frames that all are compared "
        f"on (max-T, {level * 100:g} %)"
    )


def compared(board: Leaderboard) -> str:
    """What rows are compared on in the score that ranks."""
    s = board.ranking.statistics
    where = compared_frames(board.protocol.definition)
    clips, clusters = count(s.clips, "clip"), count(s.clusters, "cluster")
    return f"the {clips} ({clusters}){f' {where}' if where else ''}"


def has_intervals(board: Leaderboard) -> bool:
    """Whether any mean has an interval."""
    lows = [f"{column.key}_{frame}_low" for column in board.columns for frame in board.frames]
    return bool(board.measured[lows].notna().any(axis=None))


def notes(board: Leaderboard, intervals: bool) -> Iterator[str]:
    """How to read the columns, and what was left out."""
    total = f"{board.clips}" if "all" not in board.frames else f"{board.clips} a frame"
    yield f"Means over the n frames that are counted, of {total}; {arrows(board)}."
    if which := excluded_frames(board.protocol.definition):
        yield f"A frame {which} counts in no mean (excluded)."
    yield from _dropped(board)
    yield from _differences(board)
    yield from not_best(board)
    yield from few_clusters(board, intervals)
    yield from board.notes
    yield from _published(board)


def costs(board: Leaderboard) -> str:
    """What the columns of costs are."""
    sizes = sorted(board.measured["multiply_adds_frame"].dropna().unique())
    adds = (
        f" MACs: multiply-adds of the networks to predict a frame of {' or '.join(sizes)} pixels."
        if sizes
        else ""
    )
    return (
        f"Param.: learnt parameters.{adds} Time and memory: to predict a frame, and the most that a process took, "
        "on the machine of the run."
    )


def arrows(board: Leaderboard) -> str:
    """What the arrows of the columns mean."""
    up = {column.higher_is_better for column in board.columns}
    return "; ".join(
        text for way, text in ((True, "↑ higher is better"), (False, "↓ lower is better")) if way in up
    )


def not_best(board: Leaderboard) -> Iterator[str]:
    """Which rows have no rank and are not best, and why, in a sentence."""
    unfair = {
        "that have seen test clips (contaminated)": board.measured["test_clips_seen"].eq("yes").any(),
        f"tuned on test clips ({TUNED_MARK})": board.measured["test_clips_seen"].eq("tuned").any(),
        "of the best of several samples": board.measured["best_of_samples"].any(),
    }
    if len(board.measured) > 1 and any(unfair.values()):
        rows = [why for why, any_row in unfair.items() if any_row]
        yield f"Rows {', or '.join(rows)} have no rank, and are not best."


def _differences(board: Leaderboard) -> Iterator[str]:
    """What the columns of differences are."""
    s = board.ranking.statistics
    if difference_cells(board):
        score = f"{s.column.label} of {frame_in_words(s.frame, board.steps, article=True)}"
        where = "those clips" if board.ranked else compared(board)
        yield (
            f"Difference: {score} − that of {board.against}, on {where}; wins: the share of these on which it is "
            "better, ties as half."
        )


def _published(board: Leaderboard) -> Iterator[str]:
    """Where the published rows are from, and how the measured ones compare."""
    for table in {table.full_name: table for table, _ in board.published}.values():
        yield f"Published rows: {table.citation}."
    if any(str(name).endswith("_minus_published") for name in board.rows):
        yield "Beneath a published score: the measured mean of the same method − the published one."
    if board.published and board.clips < board.split.total:
        yield (
            f"The published rows were scored on the whole split ({board.split.total} clips), the measured ones on "
            f"{board.clips} of its clips: they are not comparable number by number."
        )


def few_clusters(board: Leaderboard, intervals: bool = False) -> Iterator[str]:
    """That there is no rank, no bold row and no interval, and why."""
    clusters = board.ranking.statistics.clusters
    if board.clusters is None or clusters >= LEAST_CLUSTERS:
        return
    missing = ["No ranks, and none is marked best"] if len(board.measured) > 1 else []
    missing += ["no intervals"] if intervals and not has_intervals(board) else []
    if missing:
        text = "; ".join(missing)
        here = f"here {'is' if clusters == 1 else 'are'} {clusters}"
        yield f"{text[0].upper()}{text[1:]}: they need {LEAST_CLUSTERS} clusters of clips, and {here}."


def _dropped(board: Leaderboard) -> Iterator[str]:
    """Which rows lost frames, and why, in a sentence."""
    frames: Sequence[Frame] = ("all",) if "all" in board.frames else board.frames
    rows = []
    for row in board.measured.to_dict("records"):
        lost = {
            why: [int(row[f"frames_{why}_{frame}"]) for frame in frames] for why in ("excluded", "undefined")
        }
        parts = [f"{' + '.join(map(str, n))} {why}" for why, n in lost.items() if any(n)]
        if parts:
            rows.append(f"{row['label']} {', '.join(parts)}")
    if rows:
        which = "of all frames" if "all" in frames else " + ".join(ordinal(int(f)) for f in frames)
        yield f"Dropped frames ({which}): {'; '.join(rows)}."
