"""A protocol study as tables: settings as rows, the models side by side; and how far each model's numbers move."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from vpbench.analysis.columns import Column, score_column
from vpbench.scoring.wording import scoring_in_words
from vpbench.study.run import Study
from vpbench.study.settings import SHARPENED
from vpbench.study.sharpening import CHANGES
from vpbench.tables.cells import integer, number, ordinal
from vpbench.tables.formats.data import records
from vpbench.tables.formats.export import Table, export
from vpbench.tables.formats.sheet import Sheet, SheetColumn


def render_study(study: Study, form: str = "text") -> str:
    """Print a study in one of :data:`vpbench.tables.formats.export.FORMATS`; CSV and JSON have the means in full.

    The text has no newline at its end.

    Raises:
        UsageError: unknown format.
    """
    table = Table(
        sheets=lambda: sheets(study), rows=lambda: flat(study), data=lambda: {"rows": records(flat(study))}
    )
    return export(table, form)


def flat(study: Study) -> pd.DataFrame:
    """The means as flat data: one row for each model, setting and predicted frame, with what the setting is."""
    means = study.means()
    settings = [study.settings[number] for number in means["setting"]]
    table = means.assign(
        group=[s.group for s in settings],
        setting=[s.label for s in settings],
        protocol=[s.protocol.name for s in settings],
        protocol_hash=[s.protocol.hash for s in settings],
        prediction=[CHANGES[s.change].summary if s.change else "as it is" for s in settings],
        split=study.split["name"],
    )
    first = ["split", "model", "group", "setting", "frame"]
    return table[[*first, *[name for name in table if name not in first]]]


def sheets(study: Study) -> list[Sheet]:
    """A sheet for each frame that the base predicts, later frames, what sharpening does, and how far numbers move."""
    frames = sorted({int(frame) for frame in study.scores["frame"]})
    targets = study.settings[0].protocol.targets
    shown = range(1, targets + 1) if targets <= 2 else (1, targets)  # of a far horizon, its ends
    found = [_frame_sheet(study, frame) for frame in frames if frame in shown]
    if frames[-1] > targets:
        found.append(_later_sheet(study, targets))
    return [*found, _sharpened_sheet(study), _span_sheet(study)]


def spans(study: Study) -> dict[tuple[str, str], tuple[float, float]]:
    """How far the first frame's means of unchanged predictions move: (model, metric) to lowest and highest."""
    means = _unchanged(study)
    found: dict[tuple[str, str], tuple[float, float]] = {}
    for model in study.models:
        for metric in study.metrics:
            values = means.loc[means["model"] == model, metric].dropna().to_numpy(dtype=float)
            ends = (float(values.min()), float(values.max())) if values.size else (math.nan, math.nan)
            found[model, metric] = ends
    return found


def column_of(study: Study, key: str) -> Column:
    """How a metric is printed, as in the first protocol that has it: PSNR, SSIM, Sharpness."""
    return score_column(
        key, next(s.protocol.metrics[key].metric for s in study.settings if key in s.protocol.metrics)
    )


def caption(study: Study) -> str:
    """What was scored, on what."""
    split, base = study.split, study.settings[0].protocol
    return f"Split {split['name']}, {split['scored']} of {split['total']} clips. Base: {base.name}."


def _unchanged(study: Study) -> pd.DataFrame:
    """The first frame's means of the settings that do not sharpen."""
    kept = [number for number, setting in enumerate(study.settings) if setting.group != SHARPENED]
    means = study.means()
    return means[(means["frame"] == 1) & means["setting"].isin(kept)]


def _frame_sheet(study: Study, frame: int) -> Sheet:
    means = study.means()
    means = means[means["frame"] == frame]
    moving = means.groupby("setting")["moving"].mean()
    numbers = [int(number) for number in moving.index]  # settings that predict this frame
    settings = [study.settings[number] for number in numbers]
    columns: list[SheetColumn] = []
    for model in study.models:
        mine = means[means["model"] == model].set_index("setting").reindex(numbers)
        columns += [_score_column(study, model, metric, mine) for metric in study.metrics]
        counted = [integer(float(value)) for value in mine["frames_counted"]]
        columns.append(SheetColumn("n", counted, group=model))
    columns.append(SheetColumn("area", [number(100 * float(value), 1) for value in moving], "%"))
    nth = {1: "First", 2: "Second"}.get(frame, ordinal(frame))
    return Sheet(
        name=f"study-{study.split['name']}-{frame}",
        caption=f"{nth} predicted frame, one row for each way of scoring the same predictions. {caption(study)}",
        columns=columns,
        labels=[setting.label for setting in settings],
        headings={n: s.group for n, s in enumerate(settings) if n == 0 or settings[n - 1].group != s.group},
        notes=(
            "n: frames counted; area: mean share of the moving area. Below the built-in protocols, each row is "
            f"the base with one thing changed; the base: {scoring_in_words(study.settings[0].protocol, study.flow)}.",
            *study.notes,
        ),
    )


def _later_sheet(study: Study, after: int) -> Sheet:
    """The frames beyond those that the base predicts, under the settings that score them."""
    means = study.means()
    means = means[means["frame"] > after].set_index(["setting", "frame"])
    places = sorted(set(means.index))
    metrics = [metric for metric in study.metrics if means[metric].notna().any()]
    columns = []
    for model in study.models:
        mine = means[means["model"] == model].reindex(places)
        columns += [_score_column(study, model, metric, mine) for metric in metrics]
        columns.append(SheetColumn("n", [integer(float(n)) for n in mine["frames_counted"]], group=model))
    return Sheet(
        name=f"study-{study.split['name']}-later",
        caption=f"Frames after the {ordinal(after)}, where a protocol has them. {caption(study)}",
        columns=columns,
        labels=[f"{study.settings[int(n)].label}, {ordinal(int(frame))}" for n, frame in places],
    )


def _score_column(study: Study, model: str, metric: str, means: pd.DataFrame) -> SheetColumn:
    """A model's means of one metric."""
    column = column_of(study, metric)
    cells = [number(float(value), column.decimals) for value in means[metric]]
    return SheetColumn(column.label, cells, column.unit, model)


def _sharpened_sheet(study: Study) -> Sheet:
    """The base beside the sharpened predictions under the base, with how sharp the pictures are."""
    rows = [0, *(n for n, setting in enumerate(study.settings) if setting.group == SHARPENED)]
    means = study.means()
    columns: list[SheetColumn] = []
    for model in study.models:
        mine = means[(means["model"] == model) & (means["frame"] == 1)].set_index("setting").loc[rows]
        gradient = [number(100 * float(value), 1) for value in mine["gradient"]]
        columns.append(SheetColumn("gradient", gradient, "%", model))
        columns += [
            _score_column(study, model, metric, mine) for metric in study.settings[0].protocol.metrics
        ]
    changes = [CHANGES[s.change].summary for s in study.settings if s.group == SHARPENED and s.change]
    return Sheet(
        name=f"study-{study.split['name']}-sharpened",
        caption=f"What sharpening the predictions does to the first frame. {caption(study)}",
        columns=columns,
        labels=["as predicted", *(study.settings[row].label for row in rows[1:])],
        notes=(
            "gradient: mean difference between neighbouring pixels, in % of the truth's; whole frames, wherever "
            "the edges are.",
            f"Sharpened: {'; '.join(changes)}.",
        ),
    )


def _span_sheet(study: Study) -> Sheet:
    moved = spans(study)
    columns: list[SheetColumn] = []
    for metric in study.metrics:
        column = column_of(study, metric)
        ends = [moved[model, metric] for model in study.models]
        numbers = {
            "low": [low for low, _ in ends],
            "high": [high for _, high in ends],
            "range": [high - low for low, high in ends],
        }
        columns += [
            SheetColumn(
                heading,
                [number(value, column.decimals) for value in values],
                column.unit if heading == "range" else "",
                column.label,
            )
            for heading, values in numbers.items()
        ]
    return Sheet(
        name=f"study-{study.split['name']}-range",
        caption="How far the first frame's numbers move while the predictions stay as they are.",
        columns=columns,
        labels=study.models,
        notes=_order_notes(study),
    )


def _order_notes(study: Study) -> Sequence[str]:
    """Which model comes first under how many settings, by each metric."""
    if len(study.models) < 2:
        return []
    notes = []
    means = _unchanged(study)
    for metric in study.metrics:
        column = column_of(study, metric)
        table = means.pivot(index="setting", columns="model", values=metric).dropna()
        best = table.idxmax(axis=1) if column.higher_is_better else table.idxmin(axis=1)
        counts = ", ".join(f"{model} under {count}" for model, count in best.value_counts().items())
        notes.append(f"Best {column.label} of {len(table)} settings: {counts}.")
    return notes
