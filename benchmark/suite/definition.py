"""What a suite is of, and the suites that are built in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from vpbench.errors import UsageError, unknown_name
from vpbench.reading import read_toml
from vpbench.records import Name, to_record

_Text = Annotated[str, Meta(min_length=1, max_length=1_000)]
_Texts = Annotated[tuple[_Text, ...], Meta(min_length=1, max_length=1_000)]
_Seed = Annotated[int, Meta(ge=0, lt=2**32)]


@dataclass(frozen=True)
class Suite:
    """Predictors × protocols × splits × seeds.

    Attributes:
        name: for the caption.
        models: predictors, as for ``vpbench run --model``.
        splits: names, folders or CSV files.
        protocols: names, or TOML files; without any, each split is scored under its own.
        seeds: of stochastic predictors, each of which makes a run for each seed.
    """

    name: Name
    models: _Texts
    splits: _Texts
    protocols: _Texts = ()
    seeds: Annotated[tuple[_Seed, ...], Meta(min_length=1, max_length=1_000)] = (0,)


# What the paper compares, under its own protocol, on the moving pixels alone, and on whole frames.
PAPER = Suite(
    name="paper",
    models=(
        *("last_frame", "optical_flow", "single_scale_l2", "l2", "l1", "gdl_l1", "gdl_l1_64"),
        *("adv", "adv_gdl", "adv_gdl_finetuned"),
    ),
    protocols=("mathieu2016", "moving-pixels", "full-frame"),
    splits=("ucf101-every10th",),
)
BUILT_IN = {suite.name: suite for suite in (PAPER,)}


def load_suite(name: str) -> Suite:
    """A built-in suite by name, or one from a TOML file.

    Raises:
        UsageError: there is no such suite or file; it is not TOML; a key is unknown, missing, or its value wrong;
            something is named twice.
    """
    if not name.endswith(".toml"):
        if name not in BUILT_IN:
            raise unknown_name("suite", name, [*BUILT_IN, "FILE.toml"])
        return BUILT_IN[name]
    where = f"Suite {name}"
    suite: Suite = to_record(read_toml(Path(name), where), Suite, where, error=UsageError)
    for key in ("models", "protocols", "splits", "seeds"):
        values = list(getattr(suite, key))
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise UsageError(f"{where}: '{key}' has {twice} twice.")
    return suite
