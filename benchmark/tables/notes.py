"""How to read a leaderboard: the sentences of its caption and notes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from vpbench.analysis.bootstrap import LEAST_CLIPS
from vpbench.results.published_tables import TUNED_MARK, Frame
from vpbench.tables.cells import frame_in_words, ordinal

if TYPE_CHECKING:
    from vpbench.analysis.leaderboard import Leaderboard


FEW_CLIPS = 20


def statistics(board: Leaderboard, intervals: bool) -> Iterator[str]:
    """Method and level of the ranks, and of the intervals where they are shown; for the caption."""
    s = board.statistics
    method = (
        f"percentile bootstrap over clips, {s.level * 100:g} %, {s.resamples} resamples from seed {s.seed}, the same "
        "for all rows"
    )
    if board.ranked:
        pairs = f"{s.least_pairs}" if s.least_pairs == s.most_pairs else f"{s.least_pairs} to {s.most_pairs}"
        score = f"{s.column.label} of {frame_in_words(s.frame, board.steps, article=True)}"
        yield (
            f"Rank: 1 + the number of rows with a significantly {'higher' if s.column.higher_is_better else 'lower'} "
            f"{score}, in pairs on the {pairs} clips that both count "
            f"({method}; not corrected for the number of pairs)."
        )
    if intervals and has_intervals(board):
        yield f"In brackets: intervals ({'same method' if board.ranked else method})."


def has_intervals(board: Leaderboard) -> bool:
    """Whether any mean has an interval."""
    lows = [f"{column.key}_{frame}_low" for column in board.columns for frame in board.frames]
    return bool(board.measured[lows].notna().any(axis=None))


def notes(board: Leaderboard, intervals: bool) -> Iterator[str]:
    """How to read the columns, and what was left out."""
    up = {column.higher_is_better for column in board.columns}
    arrows = "; ".join(
        text for way, text in ((True, "↑ higher is better"), (False, "↓ lower is better")) if way in up
    )
    total = f"{board.clips}" if "all" not in board.frames else f"{board.clips} a frame"
    yield f"Means over the n frames that are counted, of {total}; {arrows}."
    if rule := board.protocol.definition.exclude:
        column = next((column for column in board.columns if column.key == rule.column), None)
        limit = f"{rule.at_least:g}{f' {column.unit}' if column and column.unit else ''}"
        yield (
            f"A frame whose {column.label if column else rule.column} is {limit} or more counts in no mean "
            "(excluded)."
        )
    yield from _dropped(board)
    unfair = {
        "that have seen test clips (contaminated)": board.measured["test_clips_seen"].eq("yes").any(),
        f"tuned on test clips ({TUNED_MARK})": board.measured["test_clips_seen"].eq("tuned").any(),
        "of the best of several samples": board.measured["best_of_samples"].any(),
    }
    if len(board.measured) > 1 and any(unfair.values()):
        which = [why for why, any_row in unfair.items() if any_row]
        yield f"Rows {', or '.join(which)} have no rank, and are not best."
    elif len(board.measured) > 1 and not board.ranked:
        yield f"No ranks: they need {LEAST_CLIPS} clips that are counted."
    if intervals and not has_intervals(board):
        yield f"No intervals: they need {LEAST_CLIPS} clips that are counted."
    elif board.clips < FEW_CLIPS and (board.ranked or intervals):
        yield f"With fewer than {FEW_CLIPS} clips such intervals are too narrow, and ranks too easily told apart."
    yield from board.notes


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
