"""A protocol study as tables: a row a setting, the models side by side; and how far each model's numbers move."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from vpbench import escape
from vpbench.analysis.leaderboard import mask_in_words
from vpbench.errors import unknown_name
from vpbench.escape import plain
from vpbench.scoring.metrics import get_metric
from vpbench.study.run import Study
from vpbench.study.settings import SHARPENED
from vpbench.study.sharpening import CHANGES
from vpbench.tables.formats.latex import latex
from vpbench.tables.formats.markdown import markdown
from vpbench.tables.formats.sheet import Sheet
from vpbench.tables.formats.text import text

FORMATS = ("text", "markdown", "latex", "csv")
MISSING = "–"
_LAYOUTS = {"text": text, "markdown": markdown, "latex": latex}


def render_study(study: Study, form: str = "text") -> str:
    """Print a study in one of :data:`FORMATS`; CSV has the means in full precision, one line each.

    The text has no newline at its end.

    Raises:
        UsageError: unknown format.
    """
    if form not in FORMATS:
        raise unknown_name("table format", form, list(FORMATS))
    if form == "csv":
        return str(flat(study).to_csv(index=False, lineterminator="\n")).rstrip("\n")
    return "\n".join(_LAYOUTS[form](sheet) for sheet in sheets(study)).rstrip("\n")


def flat(study: Study) -> pd.DataFrame:
    """The means as flat data: one row a model, setting and predicted frame, with what the setting is."""
    means = study.means()
    settings = [study.settings[number] for number in means["setting"]]
    table = means.assign(
        model=[escape.csv(plain(label)) for label in means["model"]],
        group=[s.group for s in settings],
        setting=[s.label for s in settings],
        protocol=[s.protocol.name for s in settings],
        protocol_hash=[s.protocol.hash for s in settings],
        prediction=[CHANGES[s.change].summary if s.change else "as it is" for s in settings],
        split=escape.csv(plain(study.split["name"])),
    )
    first = ["split", "model", "group", "setting", "frame"]
    return table[[*first, *[name for name in table if name not in first]]]


def sheets(study: Study) -> list[Sheet]:
    """A sheet for each predicted frame, what sharpening does, and how far the first frame's numbers move."""
    frames = sorted({int(frame) for frame in study.scores["frame"]})
    return [*(_frame_sheet(study, frame) for frame in frames), _sharpened_sheet(study), _span_sheet(study)]


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


def decimals(study: Study, metric: str) -> int:
    """Digits after the point to print of a metric's means."""
    return 2 if get_metric(_use(study, metric)).unit == "dB" else 3


def label_of(study: Study, metric: str) -> str:
    """A metric's name without what tells its variants apart: PSNR, SSIM, Sharpness."""
    return get_metric(_use(study, metric)).label.partition(" (")[0]


def unit_of(study: Study, metric: str) -> str:
    """A metric's unit, empty for none."""
    return get_metric(_use(study, metric)).unit


def caption(study: Study) -> str:
    """What was scored, on what."""
    base = study.settings[0].protocol
    return (
        f"Split {plain(study.split['name'])}, {study.split['scored']} of {study.split['total']} clips. Base: "
        f"{base.name} ({mask_in_words(base, study.flow)})."
    )


def _unchanged(study: Study) -> pd.DataFrame:
    """The first frame's means of the settings that do not sharpen."""
    kept = [number for number, setting in enumerate(study.settings) if setting.group != SHARPENED]
    means = study.means()
    return means[(means["frame"] == 1) & means["setting"].isin(kept)]


def _use(study: Study, metric: str) -> str:
    return next(s.protocol.metrics[metric].metric for s in study.settings if metric in s.protocol.metrics)


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else MISSING


def _frame_sheet(study: Study, frame: int) -> Sheet:
    means = study.means()
    means = means[means["frame"] == frame]
    moving = means.groupby("setting")["moving"].mean()
    numbers = [int(number) for number in moving.index]  # settings that predict so many frames
    settings = [study.settings[number] for number in numbers]
    columns: list[tuple[tuple[str, str, str], list[str]]] = []
    for model in study.models:
        mine = means[means["model"] == model].set_index("setting").reindex(numbers)
        for metric in study.metrics:
            digits = decimals(study, metric)
            cells = [_number(float(value), digits) for value in mine[metric]]
            columns.append(((plain(model), label_of(study, metric), unit_of(study, metric)), cells))
        counted = [_number(float(value), 0) for value in mine["frames_counted"]]
        columns.append(((plain(model), "n", ""), counted))
    columns.append((("", "area", "%"), [_number(100 * float(value), 1) for value in moving]))
    ordinal = {1: "First", 2: "Second"}.get(frame, f"{frame}th")
    table = _cells(columns)
    return Sheet(
        name=f"study-{plain(study.split['name'])}-{frame}",
        caption=f"{ordinal} predicted frame, one row for each way of scoring the same predictions. {caption(study)}",
        cells=table,
        places=table.map(lambda _: 0),
        labels=tuple(setting.label for setting in settings),
        marks=((),) * len(settings),
        headings={n: s.group for n, s in enumerate(settings) if n == 0 or settings[n - 1].group != s.group},
        notes=(
            "n: frames counted; area: mean share of the moving area. Below the built-in protocols, each row is "
            "the base with one thing changed.",
            *study.notes,
        ),
    )


def _sharpened_sheet(study: Study) -> Sheet:
    """The base beside the sharpened predictions under the base, with how sharp the pictures are."""
    rows = [0, *(n for n, setting in enumerate(study.settings) if setting.group == SHARPENED)]
    means = study.means()
    columns: list[tuple[tuple[str, str, str], list[str]]] = []
    for model in study.models:
        mine = means[(means["model"] == model) & (means["frame"] == 1)].set_index("setting").loc[rows]
        gradient = [_number(100 * float(value), 1) for value in mine["gradient"]]
        columns.append(((plain(model), "gradient", "%"), gradient))
        for metric in study.settings[0].protocol.metrics:
            cells = [_number(float(value), decimals(study, metric)) for value in mine[metric]]
            columns.append(((plain(model), label_of(study, metric), unit_of(study, metric)), cells))
    table = _cells(columns)
    changes = [CHANGES[s.change].summary for s in study.settings if s.group == SHARPENED and s.change]
    return Sheet(
        name=f"study-{plain(study.split['name'])}-sharpened",
        caption=f"What sharpening the predictions does to the first frame. {caption(study)}",
        cells=table,
        places=table.map(lambda _: 0),
        labels=("as predicted", *(study.settings[number].label for number in rows[1:])),
        marks=((),) * len(rows),
        notes=(
            "gradient: mean difference between neighbouring pixels, in % of the truth's; whole frames, wherever "
            "the edges are.",
            f"Sharpened: {'; '.join(changes)}.",
        ),
    )


def _span_sheet(study: Study) -> Sheet:
    moved = spans(study)
    columns: list[tuple[tuple[str, str, str], list[str]]] = []
    for metric in study.metrics:
        digits = decimals(study, metric)
        ends = [moved[model, metric] for model in study.models]
        for n, heading in enumerate(("low", "high")):
            cells = [_number(end[n], digits) for end in ends]
            columns.append(((label_of(study, metric), heading, ""), cells))
        ranges = [_number(high - low, digits) for low, high in ends]
        columns.append(((label_of(study, metric), "range", unit_of(study, metric)), ranges))
    table = _cells(columns)
    return Sheet(
        name=f"study-{plain(study.split['name'])}-range",
        caption="How far the first frame's numbers move while the predictions stay as they are.",
        cells=table,
        places=table.map(lambda _: 0),
        labels=tuple(plain(model) for model in study.models),
        marks=((),) * len(study.models),
        notes=tuple(_order_notes(study)),
    )


def _order_notes(study: Study) -> list[str]:
    """Which model comes first under how many settings, by each metric."""
    if len(study.models) < 2:
        return []
    notes = []
    means = _unchanged(study)
    for metric in study.metrics:
        table = means.pivot(index="setting", columns="model", values=metric).dropna()
        higher = get_metric(_use(study, metric)).higher_is_better
        first = (table.idxmax(axis=1) if higher else table.idxmin(axis=1)).value_counts()
        said = ", ".join(f"{plain(model)} under {count}" for model, count in first.items())
        notes.append(f"Best {label_of(study, metric)} of {len(table)} settings: {said}.")
    return notes


def _cells(columns: Sequence[tuple[tuple[str, str, str], Sequence[str]]]) -> pd.DataFrame:
    names = pd.MultiIndex.from_tuples([key for key, _ in columns], names=["group", "heading", "unit"])
    frame = pd.DataFrame({n: cells for n, (_, cells) in enumerate(columns)}, dtype=object)
    return frame.set_axis(names, axis=1)
