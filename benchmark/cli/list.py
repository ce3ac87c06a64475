"""The texts of ``vpbench list``."""

from __future__ import annotations

import inspect
import math
from typing import Any

import click
from tabulate import tabulate

from vpbench.cli.output import say
from vpbench.errors import VpbenchError


def predictors() -> str:
    """Installed predictors with what they need and which options they take."""
    from vpbench.predictors.spec import PredictorSpec, predictor_names

    rows: list[list[Any]] = []
    for name in predictor_names():
        try:
            cls = PredictorSpec(name).load_class()
        except VpbenchError as error:
            rows.append([name, "", "", str(error)])
            continue
        options = [
            str(parameter).replace("'", "")
            for parameter in list(inspect.signature(cls.__init__).parameters.values())[1:]
            if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        ]
        summary = (inspect.getdoc(cls) or "").split("\n\n")[0].replace("\n", " ")
        rows.append([name, cls.min_inputs, ", ".join(options), summary])
    return _table(rows, ["predictor", "inputs ≥", "options", ""], [None, None, 28, 40])


def metrics() -> str:
    """Installed metrics with unit, range, direction and source."""
    from vpbench.scoring.metrics import get_metric, metric_names

    rows = []
    for name in metric_names():
        metric = get_metric(name)
        low, high = (f"{bound:g}" if math.isfinite(bound) else "∞" for bound in (metric.low, metric.high))
        low = "-∞" if low == "∞" else low
        better = "higher" if metric.higher_is_better else "lower"
        rows.append([name, metric.unit, f"{low} … {high}", better, metric.source])
    return _table(rows, ["metric", "unit", "range", "better", "source"], [None, None, None, None, 50])


def splits() -> str:
    """Built-in splits."""
    from vpbench.splits import BUILT_IN, DATA_SETS, get_split

    rows = [
        [name, len(split.clips), split.hash, len(set(split.clusters.values())), summary]
        for name, (summary, *_) in BUILT_IN.items()
        for split in [get_split(name)]
    ]
    rows += [[name, one.whole, "", "", one.summary] for name, one in DATA_SETS.items()]
    rows.append(["FOLDER", "", "", "", "each video, or folder of pictures, below it is a clip"])
    rows.append(
        [
            *("FILE.csv", "", "", ""),
            "columns video and, if wanted, index, first_frame, frames, x, y, width, height, cluster",
        ]
    )
    table = _table(rows, ["split", "clips", "hash", "clusters", ""], [None, None, None, None, 40])
    first, *_ = DATA_SETS
    return f"{table}\n\nProtocol by default: mathieu2016; from {first} on, the one of the split's name."


def flows() -> str:
    """Flow estimators with their parameters."""
    from vpbench.video.flow import ESTIMATORS

    rows = [
        [name, ", ".join(f"{k}={v}" for k, v in estimator.parameters.items()), estimator.summary]
        for name, estimator in ESTIMATORS.items()
    ]
    rows.append(
        [
            "files:DIR",
            "",
            "flows of your own: that of clip 11 from frame 4 to frame 5 is DIR/11/4_5.flo or .npy",
        ]
    )
    return _table(rows, ["flow", "parameters", ""], [None, 40, 40])


def corruptions() -> str:
    """Corruptions of inputs, with what each severity means."""
    from vpbench.predictors.corrupted import KINDS, SEVERITIES, VERSION

    rows = [[name, *kind.words, kind.summary] for name, kind in KINDS.items()]
    table = _table(rows, [f"version {VERSION}", *map(str, SEVERITIES), ""], [*[None] * 6, 40])
    return f"{table}\n\nrepeat, drop: which are shown of four inputs, and of the last four of more."


def published() -> str:
    """The published tables."""
    from vpbench.results.published_tables import read_published
    from vpbench.tables.published import render_published

    return "\n\n".join(render_published(table) for table in read_published())


def protocols() -> str:
    """The definitions of the built-in protocols, in the TOML form in which users write their own."""
    from vpbench.scoring.built_in import BUILT_IN
    from vpbench.scoring.wording import as_toml

    parts = []
    for protocol in BUILT_IN.values():
        head = f"# {protocol.name}, version {protocol.version}, hash {protocol.hash}\n# {protocol.summary}\n"
        parts.append(head + as_toml(protocol.definition()))
    return "\n\n".join(parts)


def _table(rows: list[list[Any]], headers: list[str], widths: list[int | None]) -> str:
    return tabulate(rows, headers, tablefmt="simple", maxcolwidths=widths, disable_numparse=True)


_TEXTS = {
    text.__name__: text for text in (predictors, corruptions, protocols, splits, metrics, flows, published)
}


@click.command("list")
@click.argument("what", type=click.Choice(list(_TEXTS)))
def list_(what: str) -> None:
    """Print what there is, with its definition."""
    say(_TEXTS[what]())
