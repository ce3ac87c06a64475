"""What the page of a run says of it: its scores, strata, where it comes from, and how to cite it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, get_args

from vpbench.analysis.strata import By, build_strata
from vpbench.errors import UsageError
from vpbench.predictors.seen import Seen
from vpbench.report.table import cost_columns
from vpbench.tables import notes
from vpbench.tables.bibtex import entry_of
from vpbench.tables.cells import frame_in_words, integer, unit, values_of
from vpbench.tables.formats.sheet import MISSING
from vpbench.tables.scores import difference_cells, score_cells
from vpbench.tables.strata import heading

if TYPE_CHECKING:
    from vpbench.analysis.leaderboard import Leaderboard
    from vpbench.runs.run import Run
    from vpbench.site.pages import BoardPage, RunPage

SEEN: dict[Seen, str] = {
    "no": "not seen",
    "tuned": "a choice was made with an eye on them",
    "yes": "seen in training",
}
_PARTS = {"motion": "By motion", "difficulty": "By difficulty", "class": "By class"}


class Number(NamedTuple):
    """A cell: a number, and its interval."""

    text: str
    interval: str = ""


@dataclass(frozen=True)
class Numbers:
    """A small table.

    Attributes:
        title: what it is of.
        corner: heading of the rows' labels.
        columns: names and units.
        rows: label, what is small beside it, and cells.
    """

    title: str
    corner: str
    columns: list[tuple[str, str]]
    rows: list[tuple[str, str, list[Number]]]


class Fact(NamedTuple):
    """Something that a page states, and where a link from it leads."""

    name: str
    value: str
    href: str = ""


def scores_of(board: Leaderboard) -> list[Numbers]:
    """For each run its scores frame by frame."""
    columns = [*((column.label, unit(column)) for column in board.columns), ("n", "")]
    found = [Numbers("Scores", "frame", columns, []) for _ in range(len(board.measured))]
    for frame in board.frames:
        name = frame_in_words(frame, board.steps)
        scores = [score_cells(board, column, frame) for column in board.columns]
        counted = values_of(board.rows, f"frames_counted_{frame}")
        for row, table in enumerate(found):
            cells = [Number(one.means[row], one.intervals[row]) for one in scores]
            table.rows.append((name, "", [*cells, Number(integer(counted[row]))]))
    return found


def strata_of(board: Leaderboard) -> list[list[Numbers]]:
    """For each row the tables by strata that the runs have, in the score that ranks and the others of its frame."""
    found: list[list[Numbers]] = [[] for _ in range(len(board.measured))]
    frame = board.ranking.statistics.frame
    for by in get_args(By):
        try:
            strata = build_strata(board, by)
        except UsageError:  # the runs do not say it of their frames, or the clips have no classes
            continue
        columns = [(column.label, unit(column)) for column in board.columns]
        if board.against is not None:
            columns.append((f"− {board.against}", columns[0][1]))
        parts = [stratum for stratum in strata.strata if stratum.total]
        scores = [[score_cells(part.board, column, frame) for column in board.columns] for part in parts]
        differences = [difference_cells(part.board) if board.against is not None else None for part in parts]
        for row, tables in enumerate(found):
            rows = []
            for part, cells, difference in zip(parts, scores, differences, strict=True):
                numbers = [Number(one.means[row], one.intervals[row]) for one in cells]
                if difference is not None:
                    numbers.append(Number(difference.means[row], difference.intervals[row]))
                elif board.against is not None:
                    numbers.append(Number(MISSING))
                name, _, counts = heading(part).partition(": ")
                rows.append((name, counts, numbers))
            tables.append(Numbers(_PARTS[by], frame_in_words(frame, board.steps), columns, rows))
    return found


def costs_of(board: Leaderboard) -> list[list[Fact]]:
    """For each run what a prediction costs; a dash where it does not say."""
    columns = cost_columns(board)
    return [
        [_cost(column.name, column.cells[row].text, size) for column in columns]
        for row, size in enumerate(board.measured["multiply_adds_frame"].tolist())
    ]


def _cost(name: str, text: str, size: object) -> Fact:
    says, unit = {
        "parameters": ("Learnt parameters", ""),
        "MACs": (f"Multiply-adds a frame{f' of {size}' if isinstance(size, str) else ''}", ""),
        "ms/frame": ("Time a frame", " ms"),
        "memory": ("Memory", " MiB"),
    }[name]
    return Fact(says, text if text == MISSING else text + unit)


def summary_of(page: BoardPage, run: RunPage) -> list[Fact]:
    """What a reader looks for first."""
    rank = page.alone.rows["rank"].tolist()[run.row]
    ranked = [Fact("Rank", f"{int(rank)} of {len(page.alone.measured)}")] if isinstance(rank, int) else []
    return [
        *ranked,
        Fact("Method", run.run.method),
        Fact("Training data", run.run.training_data or "none"),
        Fact("Test clips", SEEN[run.run.test_clips_seen]),
    ]


def provenance_of(run: Run) -> list[Fact]:
    """Where the run comes from: its predictor, clips, versions and machine."""
    return [fact for fact in _provenance(run) if fact.value]


def _provenance(run: Run) -> Iterator[Fact]:
    manifest = run.manifest
    predictor, split, prepared = manifest.predictor, manifest.split, manifest.prepared
    there, samples, submission = manifest.environment, manifest.samples, manifest.submission
    yield Fact("Predictor", _with_options(predictor.name, predictor.options))
    yield Fact("Class", predictor.class_ or "")
    yield Fact("Package", predictor.distribution or "")
    yield Fact("SHA-256", predictor.sha256 or "")
    for key in ("recipe", "steps", "seed", "weights", "machine"):
        said = predictor.description.get(key)
        yield Fact(key.capitalize(), f"{said}" if isinstance(said, str | int | float) else "")
    if samples is not None:
        yield Fact("Samples", f"{samples.count} from seed {samples.seed}, scored: {samples.scored}")
    if submission is not None:
        yield _link("Code", submission.code_url or "")
        yield Fact("Submitted", submission.submitted)
    yield Fact("Split", f"{split.name} ({split.hash}), {split.scored} of {split.total} clips")
    yield Fact("Prepared clips", prepared.hash)
    yield Fact("Flow", _facts_of(prepared.flow))
    yield Fact("Decoder", _facts_of(prepared.decoder))
    yield Fact("Device", there.device or "")
    versions = ("vpbench", "commit", "python", "numpy", "opencv", "scipy", "torch")
    yield Fact(
        "Versions", ", ".join(f"{key} {getattr(there, key)}" for key in versions if getattr(there, key))
    )
    yield Fact("Platform", there.platform or "")
    yield Fact("Made", f"{manifest.started} to {manifest.finished}")


def _link(name: str, address: str) -> Fact:
    """An address of a submission, which is a link only if it is one of the web."""
    web = re.fullmatch(r"https?://[^\s\"'<>]+", address)
    return Fact(name, address, address if web else "")


def _with_options(name: str, options: dict[str, object]) -> str:
    return ",".join([name, *(f"{key}={value}" for key, value in options.items())])


def _facts_of(table: dict[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in table.items() if isinstance(value, str | int | float))


def marks_of(board: Leaderboard, row: int) -> list[tuple[str, str]]:
    """The footnotes of a run's row: mark and text."""
    return [(mark, board.footnotes[mark]) for mark in board.marks[row]]


def reading_of(board: Leaderboard) -> str:
    """How to read the table of a run's scores."""
    text = f"Means over the n frames that are counted; {notes.arrows(board)}."
    level = board.ranking.statistics.level
    return f"{text} In brackets: {level * 100:g} % intervals." if notes.has_intervals(board) else text


def citation_of(run: Run) -> str:
    """The BibTeX entry to cite a run's method by; empty if nothing is known."""
    submission = run.manifest.submission
    return entry_of(run.method, submission.citation) if submission and submission.citation else ""


def training_of(said: object) -> str:
    """What a row was trained on, as a filter has it: ``none`` for a method that is not trained, or does not say."""
    return said if isinstance(said, str) and said.lower() != "none" else "none"
