"""``vpbench check``: the self-test of a predictor."""

from __future__ import annotations

import click

from vpbench.cli.options import device_option
from vpbench.cli.output import say, say_findings
from vpbench.errors import VpbenchError


@click.command()
@click.argument("model", metavar="MODEL")
@device_option
def check(model: str, device: str) -> None:
    """Try whether a predictor keeps its contract.

    MODEL is named as for `vpbench run --model`, for example mine.py:Mean. It predicts frames of the split `synthetic`:
    are they of the right shape and range, the same when it is asked again, made again, or given a batch; do
    they depend on what follows the inputs; are other sizes predicted too; what do they cost?
    """
    from vpbench.evaluation.self_test import self_test
    from vpbench.predictors.spec import PredictorSpec

    findings = self_test(PredictorSpec.parse(model), device)
    say_findings([(found.state, found.what, found.detail) for found in findings])
    faults = sum(found.state == "fault" for found in findings)
    if faults:
        raise VpbenchError(
            f"{model} does not keep the contract: {faults} of {len(findings)} tests found a fault."
        )
    say(f"{model} keeps the contract.")
