"""The page that ``vpbench report`` writes: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from markupsafe import Markup

from vpbench.analysis.strata import By, build_strata
from vpbench.errors import UsageError, VpbenchError
from vpbench.escape import plain
from vpbench.evaluation.replay import Replay
from vpbench.figures.choose import check_clips, check_frame, choose_clips
from vpbench.figures.scene import one_row_a_run
from vpbench.report.costs import cost_charts
from vpbench.report.predictions import clips_in_words, predictions_of
from vpbench.report.steps import step_charts
from vpbench.report.strips import LEVELS, Level, Strips, make_strips
from vpbench.report.table import page_table
from vpbench.report.web import environment, resource
from vpbench.tables import notes
from vpbench.tables.formats.html import fragment
from vpbench.tables.leaderboard import PrintOptions
from vpbench.tables.strata import strata_sheet

if TYPE_CHECKING:
    from vpbench.analysis.leaderboard import Leaderboard
    from vpbench.runs.run import Run

    Labelled = Sequence[tuple[str, Run]]


@dataclass(frozen=True)
class PageOptions:
    """What the page shows.

    Attributes:
        clips: which clips to show; empty: chosen by their scores.
        frames: which predicted frames to show, 1-based; empty: both of two, or the first and the last.
        title: the page's title; ``None``: names the split.
        replay: where the clips are, and what may be run again.
    """

    clips: tuple[int, ...] = ()
    frames: tuple[int, ...] = ()
    title: str | None = None
    replay: Replay = field(default_factory=Replay)


@dataclass(frozen=True)
class Page:
    """The finished page.

    Attributes:
        html: the text.
        clips: which clips it shows frames of.
        remarks: what a reader should know about the frames; they are in the page too.
    """

    html: str
    clips: tuple[int, ...]
    remarks: tuple[str, ...]


def make_page(runs: Sequence[Run], options: PageOptions) -> Page:
    """Make the page of runs that may share a table.

    Raises:
        UsageError: the runs cannot share a table, or a clip or frame that was asked for does not exist.
    """
    runs, board = one_row_a_run(runs)
    labelled = list(zip(map(str, board.measured["label"]), runs, strict=True))
    section = _clip_section(board, labelled, options)
    html = _render(board, labelled, section, options.title)
    return Page(html, section.loaded, tuple(section.remarks))


@dataclass(frozen=True)
class _ClipSection:
    """The part of the page that shows frames.

    Attributes:
        frames: which predicted frames it shows, 1-based.
        loaded: which clips were found.
        strips: what is shown of each chosen clip.
        level: how the pictures are encoded.
        remarks: what a reader should know about the frames.
    """

    frames: Sequence[int]
    loaded: tuple[int, ...] = ()
    strips: Sequence[Strips] = ()
    level: Level = LEVELS[0]
    remarks: Sequence[str] = ()


def _clip_section(board: Leaderboard, runs: Labelled, options: PageOptions) -> _ClipSection:
    """Choose clips, load them, and lay out what the runs predicted; without clips it says why there are none."""
    labels, own = [label for label, _ in runs], [run for _, run in runs]
    protocol = own[0].protocol()
    frames = options.frames or tuple(sorted({1, protocol.targets}))
    for frame in frames:
        check_frame(frame, protocol)
    check_clips(options.clips, own)
    chosen: dict[int, list[str]] = {clip: [] for clip in options.clips}
    chosen = chosen or choose_clips(own, labels, board.columns[0], frames[0])
    try:
        clips, different = options.replay.load_clips(own[0], chosen)
    except VpbenchError as error:
        return _ClipSection(frames, remarks=[f"No frames are shown: {error}"])
    remarks = []
    if different:
        remarks.append(
            f"The pixels or the flow of {clips_in_words(different)} as prepared here differ from those that were "
            "scored (another decoder, version or file)."
        )
    shown, further = predictions_of(runs, clips, options.replay)
    strips, level = make_strips(board, shown, clips, chosen, frames)
    return _ClipSection(frames, tuple(clips), strips, level, [*remarks, *further])


def _render(board: Leaderboard, runs: Labelled, section: _ClipSection, title: str | None) -> str:
    style, script = resource("page.css"), resource("table.js") + resource("page.js")
    return (
        environment()
        .get_template("page.html")
        .render(
            title=plain(title) if title else f"{board.split.name}, {board.protocol.name}",
            # Only this style and this script may act in the page, whatever a name might smuggle in.
            policy=(
                f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
                "base-uri 'none'; form-action 'none'"
            ),
            style=Markup(style),  # noqa: S704 -- our own file
            script=Markup(script),  # noqa: S704 -- our own file
            board=board,
            facts=_facts(board, runs),
            table=page_table(board),
            strata=_strata(board),
            steps=step_charts(board),
            charts=cost_charts(board),
            notes=notes.notes(board, intervals=True),
            further=notes.further(board),
            frames=section.frames,
            strips=section.strips,
            level=section.level,
            remarks=section.remarks,
            data=_plot_data(board, runs),
        )
    )


def _strata(board: Leaderboard) -> list[tuple[str, Markup]]:
    """The tables by strata that the runs have, each with what they are by."""
    tables = []
    for by in get_args(By):
        try:
            strata = build_strata(board, by)
        except UsageError:  # the runs do not say it of their frames, or the clips have no classes
            continue
        sheet = strata_sheet(strata, PrintOptions(intervals=by != "class"))
        tables.append((by, Markup(fragment(sheet))))  # noqa: S704 -- escaped there
    return tables


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"


def _facts(board: Leaderboard, runs: Labelled) -> list[tuple[str, str]]:
    protocol, split = board.protocol, board.split
    return [
        (f"Protocol {protocol.name}", protocol.hash),
        (f"Split {split.name}", split.hash),
        ("Prepared clips", ", ".join(sorted({run.manifest.prepared.hash for _, run in runs}))),
    ]


def _plot_data(board: Leaderboard, runs: Labelled) -> dict[str, Any]:
    """What the page draws its plots from: for each run its scores in the order of (frame, clip)."""
    orders = [np.lexsort((run.scores["clip"], run.scores["frame"])) for _, run in runs]
    first = runs[0][1].scores
    return {
        "metrics": [
            {
                "key": c.key,
                "label": c.label,
                "unit": c.unit,
                "higher": c.higher_is_better,
                "decimals": c.decimals,
            }
            for c in board.columns
        ],
        "steps": board.steps,
        "clips": np.unique(first["clip"]).tolist(),
        "moving": _rounded(first["moving"][orders[0]]),
        "runs": [
            {
                "label": label,
                "scores": {c.key: _rounded(run.scores[c.key][order]) for c in board.columns},
                "counted": "".join("01"[counted] for counted in run.scores["counted"][order].tolist()),
            }
            for (label, run), order in zip(runs, orders, strict=True)
        ],
    }


def _rounded(values: Any) -> list[float | None]:
    return [None if not math.isfinite(value) else round(value, 4) for value in values.tolist()]
