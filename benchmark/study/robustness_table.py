"""A study of robustness as tables: scores by corruption and severity, and how far they change from clean inputs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd

from vpbench.analysis.bootstrap import LEAST_CLUSTERS, LEVEL
from vpbench.predictors.corrupted import KINDS, VERSION, Corruption
from vpbench.scoring.wording import scoring_in_words
from vpbench.tables.cells import decimals, frame_in_words, integer, number, signed, slug, unit
from vpbench.tables.formats.data import records
from vpbench.tables.formats.export import Table, export
from vpbench.tables.formats.sheet import Sheet, SheetColumn

if TYPE_CHECKING:
    from vpbench.results.published_tables import Frame
    from vpbench.study.robustness import Robustness


def render_robustness(study: Robustness, form: str = "text") -> str:
    """Print a study in one of :data:`vpbench.tables.formats.export.FORMATS`; CSV and JSON have it in full.

    The text has no newline at its end.

    Raises:
        UsageError: unknown format.
    """
    table = Table(
        sheets=lambda: sheets(study), rows=lambda: flat(study), data=lambda: {"rows": records(flat(study))}
    )
    return export(table, form)


def flat(study: Robustness) -> pd.DataFrame:
    """The scores as flat data, with what the severities mean, and on what they were measured."""
    run = study.runs[0].manifest
    levels = {(one.kind, one.severity): one.in_words for one in study.corruptions}
    table = study.scores.assign(
        level=[
            levels.get((kind, severity), "")
            for kind, severity in zip(study.scores["corruption"], study.scores["severity"], strict=True)
        ],
        corruptions_version=VERSION,
        split=run.split.name,
        protocol=run.protocol.name,
        protocol_hash=run.protocol.hash,
    )
    first = ["split", "protocol", "model", "corruption", "severity", "level", "frame"]
    return table[[*first, *[name for name in table if name not in first]]]


def sheets(study: Robustness) -> list[Sheet]:
    """The changes of the first metric, and a sheet of scores for each frame that is shown."""
    return [_change_sheet(study), *(_frame_sheet(study, frame) for frame in study.shown)]


def caption(study: Robustness) -> str:
    """What was scored, on what."""
    run, protocol = study.runs[0].manifest, study.runs[0].protocol()
    flow = str(run.prepared.flow.get("name") or protocol.flow)
    return (
        f"Split {run.split.name}, {run.split.scored} of {run.split.total} clips; protocol {protocol.name}, version "
        f"{protocol.version} ({scoring_in_words(protocol, flow)}); corruptions of version {VERSION}"
        f"{_seed(study.corruptions[0])}."
    )


def _seed(corruption: Corruption) -> str:
    return f", seed {corruption.seed}" if corruption.seed else ""


def _label(corruption: Corruption) -> str:
    return f"{corruption.severity}: {corruption.in_words}"


def _frame_sheet(study: Robustness, frame: Frame) -> Sheet:
    """The scores of a frame: a row for each condition."""
    scores = study.scores[(study.scores["frame"] == frame) & study.scores["severity"].notna()]
    columns: list[SheetColumn] = []
    for model in study.models:
        mine = scores[scores["model"] == model]
        for column in study.columns:
            cells = [number(float(value), decimals(column)) for value in mine[column.key]]
            columns.append(SheetColumn(column.label, cells, unit(column), model))
        counted = [integer(float(value)) for value in mine["frames_counted"]]
        columns.append(SheetColumn("n", counted, group=model))
    run = study.runs[0]
    named = frame_in_words(frame, run.targets).capitalize()
    return Sheet(
        name=slug("robustness", run.manifest.split.name, str(frame)),
        caption=f"{named}, from clean and from corrupted inputs; targets and masks are clean. {caption(study)}",
        columns=columns,
        labels=["clean", *map(_label, study.corruptions)],
        headings={1 + place: kind for place, kind in _headings(study).items()},
        notes=("n: frames that the protocol counts, which depends on what is predicted.",),
    )


def _headings(study: Robustness) -> dict[int, str]:
    """The first corruption of each kind."""
    kinds = [corruption.kind for corruption in study.corruptions]
    return {kinds.index(kind): kind for kind in study.kinds}


def _change_sheet(study: Robustness) -> Sheet:
    """How far the first metric changes: each severity, their mean, and the mean over all kinds."""
    column, frame, run = study.columns[0], study.shown[0], study.runs[0]
    scores = study.scores[(study.scores["frame"] == frame) & (study.scores["corruption"] != "none")]
    rows: list[tuple[str, int]] = []  # 0 for the mean over the severities
    labels: list[str] = []
    headings: dict[int, str] = {}
    for kind in study.kinds:
        own = [corruption for corruption in study.corruptions if corruption.kind == kind]
        headings[len(rows)] = kind
        rows += [(kind, corruption.severity) for corruption in own] + [(kind, 0)] * (len(own) > 1)
        labels += [*map(_label, own), *["mean"] * (len(own) > 1)]
    if len(study.kinds) > 1:
        headings[len(rows)] = "all corruptions"
        rows.append(("all", 0))
        labels.append("mean")
    columns = []
    for model in study.models:
        mine = scores[scores["model"] == model].fillna({"severity": 0})
        found = {(one["corruption"], one["severity"]): one for one in mine.to_dict("records")}
        cells = [_change(found[row], column.key, decimals(column)) for row in rows]
        columns.append(SheetColumn(model, cells, unit(column)))
    return Sheet(
        name=slug("robustness", run.manifest.split.name, "change"),
        caption=(
            f"Change of {column.label} when the inputs are corrupted, {frame_in_words(frame, run.targets)}; targets "
            f"and masks are clean. {caption(study)}"
        ),
        columns=columns,
        labels=labels,
        headings=headings,
        notes=[*_notes(study), *study.notes],
        short_headings=False,
    )


def _change(row: dict[Any, Any], key: str, digits: int) -> str:
    """A change, and beneath it its interval."""
    change, low, high = (float(row[f"{key}_change{end}"]) for end in ("", "_low", "_high"))
    ends = f"\n[{signed(low, digits)}, {signed(high, digits)}]" if math.isfinite(low) else ""
    return signed(change, digits) + ends


def _notes(study: Robustness) -> list[str]:
    exclude = study.runs[0].protocol().exclude
    same = "the same frames in all rows"
    if exclude is not None:
        same += f", those of which a copy of the last frame is below {exclude.at_least:g} dB, with scores capped there"
    notes = [f"Paired: mean over {same}, of corrupted − clean."]
    if study.clusters >= LEAST_CLUSTERS:
        notes.append(
            f"In brackets: {100 * LEVEL:g} % intervals, each by itself (studentised bootstrap over {study.clusters} "
            "clusters of clips)."
        )
    else:
        notes.append(
            f"No intervals: they need {LEAST_CLUSTERS} clusters of clips, and here are {study.clusters}."
        )
    if {"repeat", "drop"} & set(study.kinds):
        notes.append("repeat, drop: which are shown of four inputs, or of the last four.")
    notes += [f"{kind}: {KINDS[kind].summary}." for kind in study.kinds]
    return notes
