"""The page that ``vpbench report`` writes: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from vpbench.analysis.leaderboard import LeaderboardOptions, build_leaderboard
from vpbench.errors import UsageError, VpbenchError
from vpbench.escape import plain
from vpbench.evaluation.replay import Replay, RunFrames
from vpbench.figures.choose import check_clips, choose_clips
from vpbench.figures.labels import parts
from vpbench.report.strips import LEVELS, Level, Strips, make_strips
from vpbench.report.table import page_table
from vpbench.tables import notes

if TYPE_CHECKING:
    from vpbench.analysis.leaderboard import Leaderboard
    from vpbench.report.strips import Predicted
    from vpbench.runs.run import Run
    from vpbench.scoring.clip import Clip


@dataclass(frozen=True)
class PageOptions:
    """What the page shall show.

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
        remarks: what a reader should know about the frames; they stand in the page too.
    """

    html: str
    clips: tuple[int, ...]
    remarks: tuple[str, ...]


def make_page(runs: Sequence[Run], options: PageOptions) -> Page:
    """Make the page of runs that may stand in one table.

    Raises:
        UsageError: the runs cannot stand in one table, or a clip or frame that was asked for does not exist.
    """
    runs = list({run.folder.resolve(): run for run in runs}.values())
    board = build_leaderboard(runs, LeaderboardOptions(group=False))  # a row a run, in the order given
    labels = [str(label) for label in board.measured["label"]]
    protocol = runs[0].protocol()
    frames = options.frames or tuple(sorted({1, protocol.targets}))
    for frame in frames:
        if not 1 <= frame <= protocol.targets:
            raise UsageError(
                f"--frame {frame}: protocol '{protocol.name}' predicts frames 1 to {protocol.targets}."
            )
    check_clips(options.clips, runs)
    first = board.columns[0]
    chosen = (
        {clip: [] for clip in options.clips}
        if options.clips
        else choose_clips(runs, labels, first.key, frames[0], first.higher_is_better)
    )
    remarks: list[str] = []
    strips: list[Strips] = []
    level = LEVELS[0]
    clips: dict[int, Clip] = {}
    try:
        clips, other = options.replay.load_clips(runs[0], chosen)
    except VpbenchError as error:
        remarks.append(f"No frames are shown: {error}")
    else:
        if other:
            remarks.append(
                f"The pixels or the flow of {_clips(other)} as prepared here differ from those that were scored "
                "(another decoder, version or file)."
            )
    if clips:
        predicted = _predictions(runs, labels, clips, options, remarks)
        strips, level = make_strips(board, runs, labels, clips, predicted, chosen, frames)
    html = _render(board, runs, labels, options, frames, strips, remarks, level)
    return Page(html, tuple(clips), tuple(remarks))


def _clips(indices: Sequence[int]) -> str:
    return f"clip{'s' if len(indices) > 1 else ''} {', '.join(map(str, indices))}"


def _predictions(
    runs: Sequence[Run],
    labels: Sequence[str],
    clips: dict[int, Clip],
    options: PageOptions,
    remarks: list[str],
) -> list[dict[int, Predicted]]:
    """For each run the frames of each clip, or why there are none; what is to be remarked is added."""
    found: list[dict[int, Predicted]] = []
    reported: dict[str, list[str]] = {}
    for run, label in zip(runs, labels, strict=True):
        source = RunFrames(run, options.replay)
        mine: dict[int, Predicted] = {}
        reasons: dict[str, list[int]] = {}
        for index, clip in clips.items():
            try:
                predictions, where = source.get(clip)
            except VpbenchError as error:
                mine[index] = str(error)
                reasons.setdefault(str(error), []).append(index)
                continue
            mine[index] = predictions
            if where == "again":
                reasons.setdefault("no frames were saved; the predictor was run again for this page", [])
            different = source.check(clip, predictions)
            if different:
                reasons.setdefault(f"the frames are not those that were scored: {different}", [])
        for reason, indices in reasons.items():
            where_ = f", {_clips(indices)}" if indices and len(indices) < len(clips) else ""
            reported.setdefault(reason.rstrip("."), []).append(f"{label}{where_}")
        found.append(mine)
    remarks += [f"{'; '.join(concerned)}: {reason}." for reason, concerned in reported.items()]
    return found


def _render(
    board: Leaderboard,
    runs: Sequence[Run],
    labels: Sequence[str],
    options: PageOptions,
    frames: Sequence[int],
    strips: Sequence[Strips],
    remarks: Sequence[str],
    level: Level,
) -> str:
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    def text(name: str) -> str:
        return files("vpbench.report").joinpath(name).read_text(encoding="utf-8")

    style, script = text("page.css"), text("page.js")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(text("page.html")).render(
        title=plain(options.title or f"{board.split.name}, {board.protocol.name}"),
        # Only this style and this script may act in the page, whatever a name might smuggle in.
        policy=(
            f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
            "base-uri 'none'; form-action 'none'"
        ),
        style=Markup(style),  # noqa: S704 -- our own file
        script=Markup(script),  # noqa: S704 -- our own file
        board=board,
        facts=_facts(board, runs),
        parts=parts,
        table=page_table(board),
        notes=[*notes.statistics(board, intervals=True), *notes.notes(board, intervals=True)],
        labels=labels,
        strips=strips,
        remarks=remarks,
        level=level,
        data=_data(board, runs, labels),
        frames=frames,
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"


def _facts(board: Leaderboard, runs: Sequence[Run]) -> list[tuple[str, str]]:
    protocol, split = board.protocol, board.split
    return [
        (f"Protocol {protocol.name}", protocol.hash),
        (f"Split {split.name}", split.hash),
        ("Prepared clips", ", ".join(sorted({run.manifest.prepared.hash for run in runs}))),
    ]


def _data(board: Leaderboard, runs: Sequence[Run], labels: Sequence[str]) -> dict[str, Any]:
    """What the page draws its plots from: for each run its scores in the order of (frame, clip)."""
    orders = [np.lexsort((run.scores["clip"], run.scores["frame"])) for run in runs]
    first = runs[0].scores
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
                "scores": {column.key: _rounded(run.scores[column.key][order]) for column in board.columns},
                "counted": "".join("1" if counted else "0" for counted in run.scores["counted"][order]),
            }
            for run, label, order in zip(runs, labels, orders, strict=True)
        ],
    }


def _rounded(values: Any) -> list[float | None]:
    return [None if not math.isfinite(value) else round(value, 4) for value in values.tolist()]
