"""A study of robustness as tables: scores by corruption and severity, and how far they change from clean inputs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd

from vpbench.analysis.bootstrap import LEAST_CLUSTERS, LEVEL
from vpbench.analysis.footnotes import row_warnings
from vpbench.predictors.corrupted import KINDS, VERSION, Corruption
from vpbench.scoring.wording import scoring_in_words
from vpbench.tables.cells import decimals, frame_in_words, integer, number, signed, slug, unit
from vpbench.tables.excluded import compared_frames
from vpbench.tables.formats.data import records
from vpbench.tables.formats.export import Table, export
from vpbench.tables.formats.sheet import Sheet, SheetColumn

if TYPE_CHECKING:
    from vpbench.results.published_tables import Frame
    from vpbench.study.robustness import Robustness


def render_robustness(study: Robustness, form: str = "text", all_notes: bool = False) -> str:
    """Print a study in one of :data:`vpbench.tables.formats.export.FORMATS`; CSV and JSON have it in full.

    The text has no newline at its end.

    Args:
        study: the study.
        form: the format.
        all_notes: print all notes: also how frames were scored, and what the corruptions are.

    Raises:
        UsageError: unknown format.
    """
    table = Table(
        sheets=lambda: sheets(study, all_notes),
        rows=lambda: flat(study),
        data=lambda: {"rows": records(flat(study)), "notes": [*_notes(study), *_further(study)]},
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


def sheets(study: Robustness, all_notes: bool = False) -> list[Sheet]:
    """The changes of the first metric, and a sheet of scores for each frame that is shown."""
    return [_change_sheet(study, all_notes), *(_frame_sheet(study, frame) for frame in study.shown)]


def caption(study: Robustness) -> str:
    """What was scored, on what, in a sentence."""
    run, protocol = study.runs[0].manifest, study.runs[0].protocol()
    return (
        f"Split {run.split.name}, {run.split.scored} of {run.split.total} clips; protocol {protocol.name}, version "
        f"{protocol.version}."
    )


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
        caption=f"{named}, from clean and from corrupted inputs. {caption(study)}",
        columns=columns,
        labels=["clean", *map(_label, study.corruptions)],
        headings={1 + place: kind for place, kind in _headings(study).items()},
        notes=("n: frames that the protocol counts, which depends on what is predicted.",),
    )


def _headings(study: Robustness) -> dict[int, str]:
    """The first corruption of each kind."""
    kinds = [corruption.kind for corruption in study.corruptions]
    return {kinds.index(kind): kind for kind in study.kinds}


def _change_sheet(study: Robustness, all_notes: bool) -> Sheet:
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
            f"Change of {column.label}, {frame_in_words(frame, run.targets)}, from clean to corrupted inputs. "
            f"{caption(study)}"
        ),
        columns=columns,
        labels=labels,
        headings=headings,
        notes=[*_notes(study), *(_further(study) if all_notes else ())],
        further=not all_notes,
        short_headings=False,
    )


def _change(row: dict[Any, Any], key: str, digits: int) -> str:
    """A change, and beneath it its interval."""
    change, low, high = (float(row[f"{key}_change{end}"]) for end in ("", "_low", "_high"))
    ends = f"\n[{signed(low, digits)}, {signed(high, digits)}]" if math.isfinite(low) else ""
    return signed(change, digits) + ends


def _notes(study: Robustness) -> list[str]:
    """What a reader needs."""
    rule = compared_frames(study.runs[0].recorded.protocol.definition)
    change = (
        f"Change: mean of corrupted − clean, over the same frames in all rows{f', {rule}' if rule else ''}; targets "
        "and masks are clean."
    )
    if study.clusters >= LEAST_CLUSTERS:
        certain = f"In brackets: {100 * LEVEL:g} % intervals, each by itself."
    else:
        here = f"here {'is' if study.clusters == 1 else 'are'} {study.clusters}"
        certain = f"No intervals: they need {LEAST_CLUSTERS} clusters of clips, and {here}."
    frames = (
        ["Of repeat and drop: which of four inputs, or of the last four, are shown."]
        if {"repeat", "drop"} & set(study.kinds)
        else []
    )
    unfair: dict[str, list[str]] = {}
    for run in study.runs:
        for text in row_warnings([run]) if run.label in study.models else ():
            unfair.setdefault(text, []).append(run.label)
    warnings = [f"{', '.join(models)}: {text}." for text, models in unfair.items()]
    return [f"{change} {certain}", *frames, *(" ".join(part) for part in (study.notes, warnings) if part)]


def _further(study: Robustness) -> list[str]:
    """How frames were scored and intervals found, and what the corruptions are."""
    run, protocol = study.runs[0].manifest, study.runs[0].protocol()
    flow = str(run.prepared.flow.get("name") or protocol.flow)
    seed = study.corruptions[0].seed
    return [
        f"Scored ({protocol.hash}): {scoring_in_words(protocol, flow)}.",
        f"Intervals: studentised bootstrap over {study.clusters} clusters of clips.",
        f"Corruptions of version {VERSION}, seed {seed}. "
        + " ".join(f"{kind}: {KINDS[kind].summary}." for kind in study.kinds),
    ]
