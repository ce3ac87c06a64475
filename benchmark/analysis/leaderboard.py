"""The leaderboard: a pure function of runs and published rows.

:func:`build_leaderboard` turns runs into a table (pandas) of means, their intervals and ranks, with everything that its
reader must know: protocol, split, how many clips, which rows differ in what. :mod:`vpbench.tables.leaderboard` prints
it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from vpbench.analysis.bootstrap import LEVEL
from vpbench.analysis.columns import (
    Column,
    overall,
    parse_steps,
    printed_steps,
    score_columns,
    select_columns,
    split_score_name,
)
from vpbench.analysis.common import common_frames
from vpbench.analysis.comparable import clips_scored, of_common_clips, require_comparable, row_labels
from vpbench.analysis.footnotes import Footnotes, entry_marks, preparation_differences, published_marks
from vpbench.analysis.intervals import differences, mean_intervals
from vpbench.analysis.ranking import Ranking, best_rows, rank
from vpbench.analysis.rows import Entry, as_frame, make_entries, measured_row, published_row
from vpbench.analysis.selection import find_baseline, select_rows, sort_rows
from vpbench.errors import UsageError
from vpbench.results.published_tables import Frame, PublishedRow, PublishedTable, for_runs, read_published
from vpbench.scoring.built_in import find_built_in
from vpbench.scoring.wording import scoring_in_words
from vpbench.splits import BUILT_IN as SPLITS
from vpbench.splits import get_split

if TYPE_CHECKING:
    import pandas as pd

    from vpbench.runs.manifest import ProtocolRecord, SplitRecord
    from vpbench.runs.run import Run


@dataclass(frozen=True)
class LeaderboardOptions:
    """Which runs may be in a leaderboard, which of its rows and columns are shown, and how rows are ranked.

    Attributes:
        only: keep the rows whose label fits one of these patterns (``adv*``), published ones too.
        metrics: keep these columns, in this order.
        sort: ``rank``, ``label`` or a column of the rows: the measured rows in this order, best first.
        group: make one row of the runs of a method that differ in their training seed.
        rank_by: the score by which runs are ranked, as ``<column>_<frame>``; by default the protocol's first
            column on the first frame.
        level: of the intervals and tests, between 0 and 1.
        against: label of the row that the others are compared with; by default that of `last_frame`, if it is there.
        common: keep only the clips that all runs scored.
        steps: the frames that are printed: ``3``, ``1-3`` for the mean over frames 1 to 3, ``all``.
        allow_incomplete: take runs that have not finished; each gets a footnote.
    """

    only: Sequence[str] = ()
    metrics: Sequence[str] = ()
    sort: str | None = None
    group: bool = True
    rank_by: str | None = None
    level: float = LEVEL
    against: str | None = None
    common: bool = False
    steps: Sequence[str] = ()
    allow_incomplete: bool = False


@dataclass(frozen=True)
class Leaderboard:
    """Runs that may be compared, and their means.

    Attributes:
        protocol: under which protocol.
        split: on which split.
        clips: number of clips that every run scored.
        clusters: of how many clusters they are; ``None`` if no run says.
        flow: name of the flow that the scored clips have.
        versions: the vpbench versions that made the runs.
        columns: the columns of scores.
        frames: what the means run over, in the order of the table: frame numbers (1-based), ``"1-3"`` for the mean
            over frames 1 to 3, and ``"all"``.
        horizon: the same of the tables of single metrics, which a protocol of more than two frames has.
        rows: one for each run, or for a method of several seeds, then the published ones. Columns: ``rank``, ``label``,
            ``published``, ``verified``, ``source``; ``<column>_<frame>`` the means (NaN if no frame is counted),
            with ``_low`` and ``_high`` their interval and ``_sd`` their standard deviation over seeds, ``_best``
            whether it is among the best (:func:`vpbench.analysis.ranking.best_rows`), ``_difference`` and
            ``_win_rate`` against the baseline (:func:`vpbench.analysis.intervals.differences`), and of published rows
            ``_minus_published``, the measured mean of the same method − the published one;
            ``frames_counted_<frame>``, ``frames_excluded_<frame>`` (by the protocol's rule),
            ``frames_undefined_<frame>`` (no score); ``moving_fraction``; cost; and where the numbers come from.
        ranking: the pairs behind the ranks, in the order of the measured rows, and how they were compared.
        against: label of the baseline of the differences; ``None`` without one.
        published: the published rows, in the order of ``rows``, with the table that each is from.
        marks: for each row of ``rows``, its footnote marks.
        footnotes: mark to text.
        notes: further remarks.
        entries: the runs and scores that the measured rows are made of.
    """

    protocol: ProtocolRecord
    split: SplitRecord
    clips: int
    clusters: int | None
    flow: str
    versions: tuple[str, ...]
    columns: tuple[Column, ...]
    frames: tuple[Frame, ...]
    horizon: tuple[Frame, ...]
    rows: pd.DataFrame
    ranking: Ranking
    against: str | None
    published: tuple[tuple[PublishedTable, PublishedRow], ...]
    marks: tuple[tuple[str, ...], ...]
    footnotes: dict[str, str]
    notes: tuple[str, ...]
    entries: tuple[Entry, ...]

    @property
    def measured(self) -> pd.DataFrame:
        """The rows of runs, without the published ones."""
        return self.rows.iloc[: len(self.rows) - len(self.published)]

    @property
    def eligible(self) -> list[bool]:
        """For each row whether it may be ranked or best: measured, by a model that has not seen test clips.

        Neither in training, nor in a choice, nor to choose among samples.
        """
        seen = self.measured["test_clips_seen"].ne("no") | self.measured["best_of_samples"].astype(bool)
        return [*(~seen), *[False] * len(self.published)]

    @property
    def ranked(self) -> bool:
        """Whether any row has a rank."""
        return bool(self.rows["rank"].notna().any())

    @property
    def steps(self) -> int:
        """Number of frames that the protocol predicts."""
        return self.protocol.definition.targets

    @property
    def caption(self) -> str:
        """What was scored, on what, in a sentence of two printed lines."""
        protocol = self.protocol
        return (
            f"Split {self.split.name}, {self.clips} of {self.split.total} clips; protocol {protocol.name}, version "
            f"{protocol.version} ({protocol.hash}), {protocol.definition.inputs} frames in, {self.steps} out."
        )

    @property
    def scoring(self) -> str:
        """How it was scored, and by what, in a sentence or two."""
        clusters = "" if self.clusters is None else f"The clips are of {self.clusters} clusters. "
        scoring = scoring_in_words(self.protocol.definition, self.flow)
        return f"{clusters}Scored: {scoring}. vpbench {', '.join(self.versions)}."


def build_leaderboard(
    runs: Sequence[Run],
    options: LeaderboardOptions = LeaderboardOptions(),
    published: Sequence[PublishedTable] | None = None,
) -> Leaderboard:
    """Make the leaderboard of ``runs``; a folder that is given twice counts once.

    Args:
        runs: at least one.
        options: what is shown of them, and how they are ranked.
        published: the published tables that may be printed below; by default all that vpbench ships.

    Raises:
        UsageError: no runs, or runs that cannot share a table: another protocol, split or set of clips,
            or not complete; or nothing that is to be selected. The message names the runs and the difference.
        VpbenchError: a metric is not installed.
    """
    runs = list({run.folder.resolve(): run for run in runs}.values())
    if not runs:
        raise UsageError("A leaderboard needs at least one run; name the folders of runs.")
    runs, labels, printed = select_rows(
        runs, row_labels(runs), _published_rows(runs[0], published), options.only
    )
    most_clips = max(map(clips_scored, runs))
    if options.common:
        runs = of_common_clips(runs, labels)
    require_comparable(runs, labels, allow_incomplete=options.allow_incomplete)

    manifest, clips, steps = runs[0].manifest, clips_scored(runs[0]), runs[0].targets
    chosen = parse_steps(options.steps, steps)
    frames: tuple[Frame, ...] = tuple(dict.fromkeys([*range(1, steps + 1), *overall(steps), *chosen]))
    columns = score_columns(manifest.protocol.definition, f"{runs[0].folder / 'manifest.json'}")
    ranked_by = split_score_name(options.rank_by or f"{columns[0].key}_1", columns, frames)
    columns = select_columns(columns, options.metrics)

    footnotes = Footnotes()
    entries = make_entries(runs, labels, options.group)
    baseline = find_baseline(entries, options.against)
    rows, ranking = _measured_rows(entries, columns, frames, ranked_by, options.level, baseline)
    prepared = preparation_differences(runs)
    marks = [entry_marks(entry.runs, prepared, footnotes) for entry in entries]
    order = sort_rows(rows, options.sort, columns, f"{ranked_by[0].key}_{ranked_by[1]}")
    rows, marks = [rows[n] for n in order], [marks[n] for n in order]
    same = rows if _as_published(runs[0], clips) else []
    rows += [published_row(table, row, [column.key for column in columns], same) for table, row in printed]
    marks += [published_marks(table, row, footnotes) for table, row in printed]
    for row, own in zip(rows, marks, strict=True):
        row["footnotes"] = "; ".join(footnotes.texts[mark] for mark in own)
    return Leaderboard(
        protocol=manifest.protocol,
        split=manifest.split,
        clips=clips,
        clusters=_clusters(entries),
        flow=" or ".join(sorted({_flow(run) for run in runs})),
        versions=tuple(sorted({run.manifest.environment.vpbench for run in runs})),
        columns=columns,
        frames=chosen or (*overall(steps), *sorted({1, steps})),
        horizon=(chosen or printed_steps(steps)) if steps > 2 else (),
        rows=as_frame(rows),
        ranking=ranking.ordered(order),
        against=None if baseline is None else entries[baseline].label,
        published=tuple(printed),
        marks=tuple(map(tuple, marks)),
        footnotes=footnotes.texts,
        notes=(
            *_common_clips_note(clips, most_clips),
            *_old_runs_note(entries),
        ),
        entries=tuple(entries[n] for n in order),
    )


def _published_rows(
    run: Run, published: Sequence[PublishedTable] | None
) -> list[tuple[PublishedTable, PublishedRow]]:
    """The published rows of the run's protocol and split, each with its table."""
    tables = tuple(read_published() if published is None else published)
    protocol, split = run.manifest.protocol.name, run.manifest.split.name
    return [(table, row) for table in for_runs(protocol, split, tables) for row in table.rows]


def _as_published(run: Run, clips: int) -> bool:
    """Whether runs are of a whole split of vpbench's under a protocol of vpbench's, which published rows name."""
    protocol, split = run.manifest.protocol, run.manifest.split
    known = find_built_in(protocol.name)
    return (
        clips == split.total
        and known is not None
        and known.hash == protocol.hash
        and split.name in SPLITS
        and get_split(split.name).hash == split.hash
    )


def _measured_rows(
    entries: Sequence[Entry],
    columns: Sequence[Column],
    frames: Sequence[Frame],
    ranked_by: tuple[Column, Frame],
    level: float,
    baseline: int | None,
) -> tuple[list[dict[str, Any]], Ranking]:
    """The rows of runs: rank, label, means, facts, intervals, which are best, and differences to the baseline."""
    common = common_frames(entries)
    with threadpool_limits(1, user_api="blas"):  # the products are small: threads cost more than they give
        ranking = rank(common, len(entries), ranked_by, level)
        found: dict[str, Any] = {
            **mean_intervals(common, len(entries), columns, frames, level),
            **best_rows(common, columns, frames, ranking),
            **({} if baseline is None else differences(common, baseline, columns, frames, level)),
        }
    rows = [
        {"rank": place, "label": entry.label, "published": False, "verified": None, "source": ""}
        | measured_row(entry, columns, frames)
        | {key: values[n] for key, values in found.items()}
        for n, (entry, place) in enumerate(zip(entries, ranking.ranks, strict=True))
    ]
    return rows, ranking


def _clusters(entries: Sequence[Entry]) -> int | None:
    """Of how many clusters the clips are, as the first run that says it."""
    known = (scores.clusters for entry in entries for scores in entry.scores if scores.clusters is not None)
    clusters = next(known, None)
    return None if clusters is None else len(np.unique(clusters))


def _flow(run: Run) -> str:
    return str(run.manifest.prepared.flow.get("name") or run.manifest.protocol.definition.flow)


def _common_clips_note(clips: int, most: int) -> Iterator[str]:
    if clips < most:
        yield f"Only the {clips} clips that all runs scored are counted; the runs have up to {most}."


def _old_runs_note(entries: Sequence[Entry]) -> Iterator[str]:
    old = [entry.label for entry in entries if not entry.comparable]
    if old:
        yield (
            f"{', '.join(old)}: made by an earlier vpbench, so that it is not known on which frames to compare: no "
            "interval, no rank, not best. `vpbench migrate RUN` mends that where the clips are at hand."
        )
