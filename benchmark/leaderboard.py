"""The leaderboard: a pure function of runs and published rows.

:func:`build` turns runs into a table of means (pandas) with everything that its reader must know: protocol,
split, how many clips, which rows differ in what. :mod:`vpbench.tables` prints it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from vpbench.comparable import clips_scored, require_comparable, require_fields, row_labels
from vpbench.errors import UsageError
from vpbench.escape import plain
from vpbench.footnotes import Footnotes, preparations, run_marks
from vpbench.metrics import get_metric
from vpbench.protocol import COLOUR_THRESHOLD
from vpbench.published import (
    UNVERIFIED,
    UNVERIFIED_MARK,
    Frame,
    PublishedRow,
    PublishedTable,
    for_runs,
    read_published,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vpbench.runs import Run


@dataclass(frozen=True)
class Column:
    """A column of scores: its key in the runs, and how its metric is printed.

    Attributes:
        key: column name of the protocol.
        label: heading.
        unit: unit, empty for none.
        higher_is_better: direction.
        decimals: digits after the point that are printed for measured rows.
    """

    key: str
    label: str
    unit: str
    higher_is_better: bool
    decimals: int


@dataclass(frozen=True)
class Leaderboard:
    """Runs that may be compared, and their means.

    Attributes:
        protocol: ``name``, ``version``, ``hash`` and ``definition``, from the manifests.
        split: ``name``, ``hash`` and ``total``, from the manifests.
        clips: number of clips that every run scored.
        flow: name of the flow that the scored clips have.
        versions: the vpbench versions that made the runs.
        columns: the columns of scores.
        frames: what the means run over, in the order of the table: frame numbers (1-based) and ``"all"``.
        rows: one row a run, in the order given, then the published ones. Columns: ``label``, ``published``,
            ``verified``, ``source``; ``<column>_<frame>`` the means (NaN if no frame is counted);
            ``frames_counted_<frame>``, ``frames_excluded_<frame>`` (by the protocol's rule),
            ``frames_undefined_<frame>`` (no score); ``moving_fraction``; cost; and where the numbers come from.
        published: the published rows, in the order of ``rows``, with the table that each is from.
        marks: for each row of ``rows``, its footnote marks.
        footnotes: mark to text.
        notes: further remarks.
    """

    protocol: dict[str, Any]
    split: dict[str, Any]
    clips: int
    flow: str
    versions: tuple[str, ...]
    columns: tuple[Column, ...]
    frames: tuple[Frame, ...]
    rows: pd.DataFrame
    published: tuple[tuple[PublishedTable, PublishedRow], ...]
    marks: tuple[tuple[str, ...], ...]
    footnotes: dict[str, str]
    notes: tuple[str, ...]

    @property
    def measured(self) -> pd.DataFrame:
        """The rows of runs, without the published ones."""
        return self.rows.iloc[: len(self.rows) - len(self.published)]

    @property
    def steps(self) -> int:
        """Number of frames that the protocol predicts."""
        return int(self.protocol["definition"]["targets"])

    @property
    def caption(self) -> str:
        """What was scored, on what, and how, in a sentence or two."""
        definition = self.protocol["definition"]
        return (
            f"Split {plain(self.split['name'])}, {self.clips} of {self.split['total']} clips; "
            f"protocol {plain(self.protocol['name'])}, version {self.protocol['version']} "
            f"({plain(self.protocol['hash'])}): {definition['inputs']} frames in, {self.steps} out; "
            f"{mask_in_words(definition, self.flow)}. vpbench {', '.join(self.versions)}."
        )


def build(
    runs: Sequence[Run],
    *,
    published: Sequence[PublishedTable] | None = None,
    allow_incomplete: bool = False,
) -> Leaderboard:
    """Make the leaderboard of ``runs``; a folder that is given twice counts once.

    Args:
        runs: at least one.
        published: the published tables that may stand beneath; by default all that come with vpbench.
        allow_incomplete: take runs that have not finished; each gets a footnote.

    Raises:
        UsageError: no runs, or runs that cannot stand in one table: another protocol, split or set of clips,
            or not complete. The message names the runs and the difference.
        VpbenchError: a manifest lacks what a table prints, or a metric is not installed.
    """
    runs = list({run.folder.resolve(): run for run in runs}.values())
    if not runs:
        raise UsageError("A leaderboard needs at least one run; name the folders of runs.")
    require_fields(runs)
    labels = row_labels(runs)
    require_comparable(runs, labels, allow_incomplete=allow_incomplete)
    first = runs[0].manifest
    definition = first["protocol"]["definition"]
    columns, steps = _columns(definition), int(definition["targets"])
    frames: tuple[Frame, ...] = tuple(range(1, steps + 1))

    footnotes = Footnotes()
    marks = [run_marks(run, base, footnotes) for run, base in zip(runs, preparations(runs), strict=True)]
    rows = [
        {"label": label, "published": False, "verified": None, "source": str(run.folder)}
        | _means(run, columns, frames if steps <= 2 else (*frames, "all"))
        | _facts(run)
        for run, label in zip(runs, labels, strict=True)
    ]
    tables = for_runs(
        first["protocol"]["name"],
        first["split"]["name"],
        tuple(read_published() if published is None else published),
    )
    printed = tuple((table, row) for table in tables for row in table.rows)
    for table, row in printed:
        marks.append(
            [footnotes.add(table.marks[mark], mark) for mark in row.marks]
            + ([] if row.verified else [footnotes.add(UNVERIFIED, UNVERIFIED_MARK)])
        )
        rows.append(_published(table, row, [column.key for column in columns]))
    for facts, own in zip(rows, marks, strict=True):
        facts["footnotes"] = "; ".join(footnotes.texts[mark] for mark in own)
    return Leaderboard(
        protocol=first["protocol"],
        split=first["split"],
        clips=clips_scored(runs[0]),
        flow=" or ".join(sorted({_flow(run) for run in runs})),
        versions=tuple(sorted({plain(run.manifest["environment"]["vpbench"]) for run in runs})),
        columns=columns,
        frames=frames if steps <= 2 else ("all", 1, steps),
        rows=_typed(rows),
        published=printed,
        marks=tuple(tuple(row_marks) for row_marks in marks),
        footnotes=footnotes.texts,
        notes=tuple(_notes(tables, clips_scored(runs[0]), first["split"]["total"])),
    )


def mask_in_words(definition: dict[str, Any], flow: str | None = None) -> str:
    """The moving area of a protocol's definition, and what each metric does with it, in words.

    Args:
        definition: of the protocol.
        flow: the flow that the clips really have (``exact`` for synthetic ones); by default the protocol's.
    """
    mask, uses = definition["mask"], definition["metrics"]
    saturated = 1 - COLOUR_THRESHOLD / 255
    motion = mask.get("max_motion")
    if mask["kind"] == "none" or all(use["masking"] == "none" for use in uses.values()):
        return "whole frames"
    limit = (
        f"{saturated:g} of the frame's largest"
        if motion == "frame"
        else f"{saturated * float(motion or 1):g} px"
    )
    flow = plain(flow or definition["flow"])
    area = {
        "colour": f"moving area where the {flow} flow exceeds {limit}",
        "as-printed": f"area where the {flow} flow does not exceed {limit} (the paper's footnote 2 "
        "taken literally)",
        "magnitude": f"moving area where the {flow} flow exceeds {plain(mask.get('tau'))} px",
        "archive": "moving area from the flow images that came with the clips",
    }.get(mask["kind"], f"mask {plain(mask['kind'])}")
    keys = {
        way: [key for key, use in uses.items() if use["masking"] == way]
        for way in ("inside", "black", "none")
    }
    named = {way: " and ".join(map(plain, those)) for way, those in keys.items() if those}
    if len(named) == 1:
        return f"{area}, {'all else set to black' if 'black' in named else 'scores averaged inside it'}"
    ways = {"inside": "averaged inside it", "black": "with all else set to black", "none": "of whole frames"}
    return ", ".join([area, *(f"{what} {ways[way]}" for way, what in named.items())])


def _flow(run: Run) -> str:
    flow = run.manifest["prepared"].get("flow")
    return plain(
        (flow.get("name") if isinstance(flow, dict) else None)
        or run.manifest["protocol"]["definition"]["flow"]
    )


def _columns(definition: dict[str, Any]) -> tuple[Column, ...]:
    metrics = {key: get_metric(use["metric"]) for key, use in definition["metrics"].items()}
    # "PSNR (mathieu2016)" is headed "PSNR" unless the protocol has another PSNR; the caption names the protocol
    short = {key: metric.label.split(" (")[0] for key, metric in metrics.items()}
    times = Counter(short.values())
    return tuple(
        Column(
            key=key,
            label=plain(short[key] if times[short[key]] == 1 else key),
            unit=plain(metric.unit) if metric.unit else "",
            higher_is_better=metric.higher_is_better,
            decimals=3 if metric.high <= 1 else 2,
        )
        for key, metric in metrics.items()
    )


def _means(run: Run, columns: Sequence[Column], frames: Sequence[Frame]) -> dict[str, Any]:
    scores = run.scores
    counted = scores["counted"]
    undefined = ~counted & np.any([~np.isfinite(scores[column.key]) for column in columns], axis=0)
    means: dict[str, Any] = {}
    for frame in frames:
        here = np.full(counted.shape, True) if frame == "all" else scores["frame"] == frame
        for column in columns:
            means[f"{column.key}_{frame}"] = _mean(scores[column.key][here & counted])
        means[f"frames_counted_{frame}"] = int((here & counted).sum())
        means[f"frames_excluded_{frame}"] = int((here & ~counted & ~undefined).sum())
        means[f"frames_undefined_{frame}"] = int((here & undefined).sum())
    moving = scores["moving"]
    means["moving_fraction"] = _mean(moving[np.isfinite(moving)])
    return means


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else float("nan")


def _facts(run: Run) -> dict[str, Any]:
    manifest = run.manifest
    cost, said = manifest.get("cost") or {}, manifest["predictor"].get("description") or {}
    training = said.get("training_data")
    return {
        "parameters": cost.get("parameters"),
        "ms_per_frame": cost.get("ms_per_frame"),
        "peak_memory_mib": cost.get("peak_memory_mib"),
        "training_data": None if training is None else plain(training),
        "contaminated": bool(said.get("contaminated", False)),
        "predictor": plain(manifest["predictor"]["name"]),
        "protocol": plain(manifest["protocol"]["name"]),
        "protocol_version": manifest["protocol"]["version"],
        "protocol_hash": plain(manifest["protocol"]["hash"]),
        "split": plain(manifest["split"]["name"]),
        "clips_scored": clips_scored(run),
        "clips_total": manifest["split"]["total"],
        "prepared_hash": plain(manifest["prepared"]["hash"]),
        "vpbench": plain(manifest["environment"]["vpbench"]),
    }


def _published(table: PublishedTable, row: PublishedRow, keys: Sequence[str]) -> dict[str, Any]:
    scores = {f"{key}_{frame}": value for key in keys for frame, value in row.scores.get(key, {}).items()}
    return {
        "label": row.label,
        "published": True,
        "verified": row.verified,
        "source": table.citation,
        **scores,
        "protocol": table.protocol,
        "split": table.split,
    }


def _typed(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """The rows as a frame, counts as whole numbers although published rows have none."""
    frame = pd.DataFrame(rows)
    counts = [name for name in frame if str(name).startswith("frames_")]
    counts += ["parameters", "protocol_version", "clips_scored", "clips_total"]
    return frame.astype(dict.fromkeys(counts, "Int64"))


def _notes(tables: Sequence[PublishedTable], clips: int, total: int) -> Iterator[str]:
    for table in tables:
        yield f"Published rows: {table.citation}."
    if tables and clips < total:
        yield (
            f"The published rows were scored on the whole split ({total} clips), the measured ones on {clips} of "
            "its clips: they are not comparable number by number."
        )
