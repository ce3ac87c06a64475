"""``vpbench probe``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vpbench.cli.options import FOLDER, device_option, format_option
from vpbench.cli.output import progress_bar, say
from vpbench.tables.formats.export import FORMATS, Table

if TYPE_CHECKING:
    from vpbench.models.probe.probe import Probed
    from vpbench.tables.formats.sheet import Sheet


@click.command()
@click.option(
    "--model", required=True, metavar="NAME[,key=value]", help="A trained model, as for `vpbench run`."
)
@click.option(
    "--data",
    required=True,
    type=FOLDER,
    envvar="VPBENCH_DATA",
    show_envvar=True,
    help="Folder of UCF101's videos.",
)
@device_option
@format_option(*(form for form in FORMATS if form != "html"), what="What is printed.")
def probe(model: str, data: Path, device: str, form: str) -> None:
    """How well a linear classifier tells actions by what a trained MODEL computes.

    The classifier is trained on the videos of UCF101's groups 8 to 25 at hand and tested on those of groups 1 to 7, on
    pooled features of the model's last hidden layers; and, to compare, on the pixels, on statistics of
    optical flow, and on the features of the same network with random weights.
    """
    from vpbench.errors import UsageError
    from vpbench.models.predictors import TrainedModel
    from vpbench.models.probe.features import of_flow, of_network, of_pixels, of_untrained
    from vpbench.models.probe.probe import find_videos
    from vpbench.models.probe.probe import probe as run
    from vpbench.predictors.spec import PredictorSpec
    from vpbench.tables.formats.export import export

    spec = PredictorSpec.parse(model)
    predictor = spec.create(device)
    if not isinstance(predictor, TrainedModel):
        raise UsageError(f"--model {model}: a probe needs a trained model (`vpbench list predictors`).")
    if predictor.describe()["test_clips_seen"] == "yes":
        raise UsageError(
            f"--model {model}: these weights were trained on test clips, and cannot be probed on them."
        )
    training, test = find_videos(data)
    features = {
        spec.label: of_network(predictor.network, device),
        "random weights": of_untrained(predictor.recipe, device),
        "flow statistics": of_flow,
        "pixels": of_pixels,
    }
    with progress_bar("Features", len(training) + len(test)) as step:
        done = run(training, test, features, predictor.min_inputs, step)
    say(export(_table(done), form))


def _table(done: Probed) -> Table:
    import pandas as pd

    from vpbench.models.probe.probe import LEVEL

    rows = [
        {
            "features": name,
            "numbers": found.features,
            "accuracy": found.share,
            "low": found.low,
            "high": found.high,
            "penalty": found.penalty,
        }
        for name, found in done.accuracies.items()
    ]
    facts = {"training": done.training, "test": done.test, "classes": done.classes, "groups": done.groups}
    return Table(
        sheets=lambda: [_sheet(done)],
        rows=lambda: pd.DataFrame(rows).assign(**facts),
        data=lambda: {"kind": "vpbench-probe", **facts, "level": LEVEL, "rows": rows},
    )


def _sheet(done: Probed) -> Sheet:
    from vpbench.models.probe.probe import interval
    from vpbench.tables.formats.sheet import MISSING, Sheet, SheetColumn

    found = done.accuracies
    own, *others = found

    def percent(share: float) -> str:
        return f"{100 * share:.1f}"

    def between(low: float, high: float) -> str:
        return MISSING if low != low else f"{percent(low)} to {percent(high)}"

    ahead = [MISSING]
    for name in others:
        gained = found[own].right.astype(float) - found[name].right
        low, high = interval(gained, done.clusters)
        ahead.append(f"{100 * gained.mean():+.1f} ({between(low, high)})".replace("-", "−"))
    return Sheet(
        name="probe",
        caption=(
            f"Share of {done.test} test videos (UCF101 groups 1–7; {done.groups} groups of a class) whose class a "
            f"linear classifier tells, trained on {done.training} videos of {done.classes} classes (groups 8–25). "
            f"Intervals of 95 % are from a bootstrap over groups. Chance is {percent(1 / done.classes)} %."
        ),
        columns=[
            SheetColumn("numbers", [f"{accuracy.features:,}" for accuracy in found.values()]),
            SheetColumn("accuracy", [percent(accuracy.share) for accuracy in found.values()], "%"),
            SheetColumn(
                "interval", [between(accuracy.low, accuracy.high) for accuracy in found.values()], "%"
            ),
            SheetColumn(f"{own} − this", ahead, "%"),
        ],
        labels=list(found),
        corner="features of",
        short_headings=False,
    )
