"""The leaderboard: a pure function of runs and published rows.

:func:`build` turns runs into a table (pandas) of means, their intervals and ranks, with everything that its reader
must know: protocol, split, how many clips, which rows differ in what. :mod:`vpbench.tables.leaderboard` prints it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from vpbench.analysis.bootstrap import LEAST_CLIPS, LEVEL, RESAMPLES, SEED, Pairs, compare_rows, draw
from vpbench.analysis.columns import ByClip, Column, by_clip, score_columns, select_columns, split_score_name
from vpbench.analysis.comparable import clips_scored, of_common_clips, require_comparable, row_labels
from vpbench.analysis.footnotes import Footnotes, preparations, run_marks
from vpbench.analysis.rows import as_frame, group_by_seed, intervals, measured_row, pooled, published_row
from vpbench.analysis.selection import in_order, select_rows
from vpbench.errors import UsageError
from vpbench.results.published_tables import (
    UNVERIFIED,
    UNVERIFIED_MARK,
    Frame,
    PublishedRow,
    PublishedTable,
    for_runs,
    read_published,
)
from vpbench.scoring.wording import mask_in_words

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from vpbench.runs.manifest import ProtocolRecord, SplitRecord
    from vpbench.runs.run import Run


__all__ = ["Column", "Leaderboard", "Statistics", "build", "mask_in_words"]


@dataclass(frozen=True)
class Statistics:
    """How sure the numbers are, and how that was found.

    Attributes:
        level: of the intervals and of the test behind the ranks.
        resamples: number of bootstrap resamples.
        seed: where they come from.
        column: what is ranked by: the column of scores.
        frame: and the frame.
        least_pairs: the smallest number of clips that two rows have both counted there; 0 for one row.
        most_pairs: the largest.
    """

    level: float
    resamples: int
    seed: int
    column: Column
    frame: Frame
    least_pairs: int
    most_pairs: int


@dataclass(frozen=True)
class Leaderboard:
    """Runs that may be compared, and their means.

    Attributes:
        protocol: under which protocol.
        split: on which split.
        clips: number of clips that every run scored.
        flow: name of the flow that the scored clips have.
        versions: the vpbench versions that made the runs.
        columns: the columns of scores.
        frames: what the means run over, in the order of the table: frame numbers (1-based) and ``"all"``.
        rows: one row a run, or a method of several seeds, then the published ones. Columns: ``rank``, ``label``,
            ``published``, ``verified``, ``source``; ``<column>_<frame>`` the means (NaN if no frame is counted),
            with ``_low`` and ``_high`` their interval and ``_sd`` their standard deviation over seeds;
            ``frames_counted_<frame>``, ``frames_excluded_<frame>`` (by the protocol's rule),
            ``frames_undefined_<frame>`` (no score); ``moving_fraction``; cost; and where the numbers come from.
        statistics: how the intervals and ranks were found.
        published: the published rows, in the order of ``rows``, with the table that each is from.
        marks: for each row of ``rows``, its footnote marks.
        footnotes: mark to text.
        notes: further remarks.
    """

    protocol: ProtocolRecord
    split: SplitRecord
    clips: int
    flow: str
    versions: tuple[str, ...]
    columns: tuple[Column, ...]
    frames: tuple[Frame, ...]
    rows: pd.DataFrame
    statistics: Statistics
    published: tuple[tuple[PublishedTable, PublishedRow], ...]
    marks: tuple[tuple[str, ...], ...]
    footnotes: dict[str, str]
    notes: tuple[str, ...]

    @property
    def measured(self) -> pd.DataFrame:
        """The rows of runs, without the published ones."""
        return self.rows.iloc[: len(self.rows) - len(self.published)]

    @property
    def eligible(self) -> list[bool]:
        """For each row whether it may be ranked or best: measured, by a model that has not seen test clips.

        Neither in training, nor to choose among samples.
        """
        seen = self.measured["contaminated"].astype(bool) | self.measured["best_of_samples"].astype(bool)
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
        """What was scored, on what, and how, in a sentence or two."""
        protocol, definition = self.protocol, self.protocol.definition
        return (
            f"Split {self.split.name}, {self.clips} of {self.split.total} clips; "
            f"protocol {protocol.name}, version {protocol.version} "
            f"({protocol.hash}): {definition.inputs} frames in, {self.steps} out; "
            f"{mask_in_words(definition, self.flow)}. vpbench {', '.join(self.versions)}."
        )


def build(
    runs: Sequence[Run],
    *,
    published: Sequence[PublishedTable] | None = None,
    allow_incomplete: bool = False,
    common: bool = False,
    level: float = LEVEL,
    rank_by: str | None = None,
    group: bool = True,
    only: Sequence[str] = (),
    metrics: Sequence[str] = (),
    sort: str | None = None,
) -> Leaderboard:
    """Make the leaderboard of ``runs``; a folder that is given twice counts once.

    Args:
        runs: at least one.
        published: the published tables that may stand beneath; by default all that come with vpbench.
        allow_incomplete: take runs that have not finished; each gets a footnote.
        common: keep only the clips that all runs scored.
        level: of the intervals and ranks, between 0 and 1.
        rank_by: the score by which runs are ranked, as ``<column>_<frame>``; by default the protocol's first
            column on the first frame.
        group: make one row of the runs of a method that differ in their training seed.
        only: keep the rows whose label fits one of these patterns (``adv*``), published ones too.
        metrics: keep these columns, in this order.
        sort: ``rank``, ``label`` or a column of ``rows``: the measured rows in this order, best first.

    Raises:
        UsageError: no runs, or runs that cannot stand in one table: another protocol, split or set of clips,
            or not complete; or nothing that is to be selected. The message names the runs and the difference.
        VpbenchError: a metric is not installed.
    """
    runs = list({run.folder.resolve(): run for run in runs}.values())
    if not runs:
        raise UsageError("A leaderboard needs at least one run; name the folders of runs.")
    first = runs[0].manifest
    tables = for_runs(
        first.protocol.name,
        first.split.name,
        tuple(read_published() if published is None else published),
    )
    runs, labels, printed = select_rows(
        runs, row_labels(runs), [(table, row) for table in tables for row in table.rows], only
    )
    scored = {clips_scored(run) for run in runs}
    if common:
        runs = of_common_clips(runs, labels)
    require_comparable(runs, labels, allow_incomplete=allow_incomplete)
    first, clips = runs[0].manifest, clips_scored(runs[0])
    columns, steps = score_columns(first.protocol.definition), runs[0].targets
    every: tuple[Frame, ...] = tuple(range(1, steps + 1))
    every = every if steps <= 2 else (*every, "all")
    ranked = split_score_name(rank_by or f"{columns[0].key}_1", columns, every)
    shown = select_columns(columns, metrics)

    members = group_by_seed(runs) if group else [[n] for n in range(len(runs))]
    footnotes = Footnotes()
    prepared = preparations(runs)
    scores = [by_clip(run) for run in runs]
    times = draw(clips)
    with threadpool_limits(
        1, user_api="blas"
    ):  # many small products, for which threads cost more than they give
        ranges = [intervals([scores[n] for n in those], shown, every, times, level) for those in members]
        pairs = _compare(members, scores, *ranked, times, level)
    unfair = [run.contaminated or run.best_of_samples for run in runs]
    seen = np.array([any(unfair[n] for n in those) for those in members])
    rows, marks = [], []
    for number, those in enumerate(members):
        label = labels[those[0]] if len(those) == 1 else _group_label(runs, labels, those)
        own = [mark for n in those for mark in run_marks(runs[n], prepared[n], footnotes)]
        if len(those) > 1:
            own.append(footnotes.add(_seeds([runs[n] for n in those])))
        marks.append(list(dict.fromkeys(own)))
        rows.append(
            {
                "rank": _rank(pairs, number, seen),
                "label": label,
                "published": False,
                "verified": None,
                "source": "",
            }
            | measured_row([runs[n] for n in those], shown, every)
            | ranges[number]
        )
    order = in_order(rows, sort, shown, f"{ranked[0].key}_{ranked[1]}")
    rows, marks = [rows[n] for n in order], [marks[n] for n in order]
    for table, row in printed:
        marks.append(
            [footnotes.add(table.marks[mark], mark) for mark in row.marks]
            + ([] if row.verified else [footnotes.add(UNVERIFIED, UNVERIFIED_MARK)])
        )
        rows.append(published_row(table, row, [column.key for column in shown]))
    for facts, own in zip(rows, marks, strict=True):
        facts["footnotes"] = "; ".join(footnotes.texts[mark] for mark in own)
    return Leaderboard(
        protocol=first.protocol,
        split=first.split,
        clips=clips,
        flow=" or ".join(sorted({_flow(run) for run in runs})),
        versions=tuple(sorted({run.manifest.environment.vpbench for run in runs})),
        columns=shown,
        frames=every if steps <= 2 else ("all", 1, steps),
        rows=as_frame(rows),
        statistics=_statistics(pairs, level, *ranked),
        published=tuple(printed),
        marks=tuple(tuple(row_marks) for row_marks in marks),
        footnotes=footnotes.texts,
        notes=tuple(_notes([table for table, _ in printed], clips, first.split.total, scored, common)),
    )


def _flow(run: Run) -> str:
    return str(run.manifest.prepared.flow.get("name") or run.manifest.protocol.definition.flow)


def _group_label(runs: Sequence[Run], labels: Sequence[str], those: Sequence[int]) -> str:
    """The method's name, with the number of seeds where another row has that name."""
    name = runs[those[0]].method
    taken = {label for n, label in enumerate(labels) if n not in those}
    return f"{name} ({len(those)} seeds)" if name in taken else name


def _seeds(runs: Sequence[Run]) -> str:
    seeds = [str(run.seed) for run in runs]
    return (
        f"mean ± standard deviation of {len(runs)} trainings (seeds {', '.join(seeds)}); n is the smallest; an "
        "interval is that of the mean, over clips and not over seeds"
    )


def _compare(
    members: Sequence[Sequence[int]],
    scores: Sequence[ByClip],
    column: Column,
    frame: Frame,
    times: NDArray[np.float64],
    level: float,
) -> Pairs:
    """Each row against each, by what is ranked."""
    rows = [pooled([scores[n] for n in those], column.key, frame) for those in members]
    values, counted = (np.stack([row[part] for row in rows]) for part in (0, 1))
    return compare_rows(values, counted, times, level, column.higher_is_better)


def _rank(pairs: Pairs, row: int, seen: NDArray[np.bool_]) -> int | None:
    """1 + the number of rows that are significantly better.

    None for a single row, for one of too few clips, and for one that has ``seen`` test clips (in training, or to
    choose among samples), which does not stand above others either.
    """
    if len(seen) < 2 or pairs.clips[row, row] < LEAST_CLIPS or seen[row]:
        return None
    return 1 + int((pairs.better[:, row] & ~seen).sum())


def _statistics(pairs: Pairs, level: float, column: Column, frame: Frame) -> Statistics:
    between = pairs.clips[~np.eye(len(pairs.clips), dtype=bool)]
    least, most = (int(between.min()), int(between.max())) if between.size else (0, 0)
    return Statistics(level, RESAMPLES, SEED, column, frame, least, most)


def _notes(
    tables: Sequence[PublishedTable], clips: int, total: int, scored: set[int], common: bool
) -> Iterator[str]:
    if common and scored != {clips}:
        yield f"Only the {clips} clips that all runs scored are counted; the runs have up to {max(scored)}."
    for table in {table.full_name: table for table in tables}.values():
        yield f"Published rows: {table.citation}."
    if tables and clips < total:
        yield (
            f"The published rows were scored on the whole split ({total} clips), the measured ones on {clips} of "
            "its clips: they are not comparable number by number."
        )
