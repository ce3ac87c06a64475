"""How to read a leaderboard: the sentences beneath it.

What its reader needs is at most three paragraphs, and one of the rows' marks. What else is known is further notes,
which are printed if all are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from vpbench.analysis.bootstrap import LEAST_CLUSTERS
from vpbench.results.published_tables import Frame
from vpbench.tables.cells import count, frame_in_short, frame_in_words
from vpbench.tables.excluded import compared_frames, excluded_frames
from vpbench.tables.scores import difference_cells

if TYPE_CHECKING:
    from vpbench.analysis.leaderboard import Leaderboard

_MOST_NAMED = 8  # rows that a note names


def notes(board: Leaderboard, intervals: bool, columns: Sequence[str] = ()) -> list[str]:
    """What a reader needs: how to read the columns, which frames are not in the means, where published rows are from.

    Args:
        board: the leaderboard.
        intervals: whether they are printed.
        columns: what further columns are, in sentences.
    """
    reading = [*_reading(board, intervals), *columns]
    frames = [*_dropped(board), *board.notes]
    return [" ".join(part) for part in (reading, frames, _published(board)) if part]


def further(board: Leaderboard) -> list[str]:
    """How scores, ranks and intervals were found."""
    excluded = excluded_frames(board.protocol.definition)
    texts = [
        board.scoring + (f" A frame {excluded} counts in no mean." if excluded else ""),
        f"Ranks, bold and differences are over the same frames for all rows, in {ranked_score(board)} "
        f"{compared(board)}."
        if board.ranked or difference_cells(board)
        else "",
        f"Ranks and bold: {method(board)}." if board.ranked else "",
        f"Intervals, each by itself: {_bootstrap(board)}." if has_intervals(board) else "",
        *_dropped(board, every_row=True),
    ]
    return [text for text in texts if text]


def _reading(board: Leaderboard, intervals: bool) -> Iterator[str]:
    s = board.ranking.statistics
    total = f"{board.clips}" if board.steps <= 2 else f"{board.clips} a frame"
    yield f"Means over the n frames that are counted, of {total}; {arrows(board)}."
    if board.ranked:
        which = "higher" if s.column.higher_is_better else "lower"
        yield f"Rank: 1 + the number of rows with a significantly {which} {ranked_score(board)} ({s.level * 100:g} %)."
    if difference_cells(board):
        yield (
            f"Difference: {ranked_score(board)} − that of {board.against}; wins: the share of the clips on which it is "
            "better, ties as half."
        )
    if board.measured["seeds"].gt(1).any():
        yield "±: standard deviation over training seeds."
    if intervals and has_intervals(board):
        yield f"In brackets: {s.level * 100:g} % intervals."
    yield from few_clusters(board, intervals)


def ranked_score(board: Leaderboard) -> str:
    """The score that ranks."""
    s = board.ranking.statistics
    return f"{s.column.label} of {frame_in_words(s.frame, board.steps, article=True)}"


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


BOLD = "not significantly worse than the best of the rows that may have a rank"


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


def _published(board: Leaderboard) -> list[str]:
    """Where the published rows are from, and how the measured ones compare."""
    texts = [table.citation for table in {table.full_name: table for table, _ in board.published}.values()]
    if not texts:
        return []
    found = [f"Published rows: {'; '.join(texts)}."]
    if any(str(name).endswith("_minus_published") for name in board.rows):
        found.append("Beneath a published score: the measured mean of the same method − the published one.")
    if board.clips < board.split.total:
        found.append(
            f"They were scored on the whole split ({board.split.total} clips), the measured ones on {board.clips} of "
            "its clips: they are not comparable number by number."
        )
    return found


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


def _dropped(board: Leaderboard, every_row: bool = False) -> Iterator[str]:
    """Which rows lost frames, and why: rows that lost the same together, or where many differ from what to what.

    Args:
        board: the leaderboard.
        every_row: what each row lost, if that is not said without it.
    """
    frames: Sequence[Frame] = ("all",) if board.steps > 2 else board.frames
    rows, whys = board.measured.to_dict("records"), ("excluded", "undefined")
    lost: dict[str, list[str]] = {}
    for row in rows:
        numbers = {why: [str(row[f"frames_{why}_{frame}"]) for frame in frames] for why in whys}
        lost.setdefault(_losses(numbers), []).append(str(row["label"]))
    *named, (most, others) = sorted(lost.items(), key=lambda item: len(item[1]))
    many = sum(len(labels) for _, labels in named) > _MOST_NAMED
    if (not named and not most) or (every_row and not many):
        return
    if many and not every_row:
        ends = {}
        for why in whys:
            numbers_of = [[int(row[f"frames_{why}_{frame}"]) for row in rows] for frame in frames]
            ends[why] = [f"{min(n)}–{max(n)}" if min(n) < max(n) else str(min(n)) for n in numbers_of]
        said = [_losses(ends)]
    else:
        said = [f"{', '.join(labels)} {losses or 'none'}" for losses, labels in named]
        rest = f"the other {len(others)} rows" if len(others) > 2 else ", ".join(others)
        said += [f"{rest if named else 'each row'} {most}"] if most else []
    which = "of all frames" if board.steps > 2 else " + ".join(map(frame_in_short, frames))
    rule = excluded_frames(board.protocol.definition)
    excluded = f" Excluded are frames {rule}." if rule and "excluded" in "".join(lost) else ""
    yield f"Dropped frames ({which}): {'; '.join(said)}.{excluded}"


def _losses(numbers: dict[str, list[str]]) -> str:
    """``9 + 8 excluded, 0 + 1 undefined``."""
    return ", ".join(f"{' + '.join(n)} {why}" for why, n in numbers.items() if set(n) != {"0"})
