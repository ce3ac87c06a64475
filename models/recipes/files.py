"""Recipes are read from TOML files, and checked.

Three kinds ship with vpbench: ``paper/NAME`` has the paper's widths, optimiser, rates and batches; ``compact/NAME`` is
what was trained on a CPU for the weights that ship, with every deviation and its reason in the file; ``own/NAME`` is
for models beyond the paper.
"""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from vpbench.errors import UsageError, unknown_name
from vpbench.models.recipes.recipe import (
    INITS,
    LOSSES,
    MOVES,
    NETWORKS,
    SCHEDULES,
    WEIGHINGS,
    Data,
    Network,
    Phase,
    Recipe,
)

FOLDER = Path(__file__).parent


def recipe_names() -> list[str]:
    """Names of the recipes that ship, as ``kind/name``, sorted."""
    return sorted(f"{path.parent.name}/{path.stem}" for path in FOLDER.glob("*/*.toml"))


def load_recipe(name: str) -> Recipe:
    """Read a recipe.

    Args:
        name: ``paper/NAME``, ``compact/NAME``, ``NAME`` for ``compact/NAME``, or the path of a TOML file.

    Raises:
        UsageError: there is no such recipe or file; it is not TOML; a key is unknown, missing, or its value wrong.
    """
    path = (
        Path(name)
        if name.endswith(".toml")
        else FOLDER / f"{name if '/' in name else f'compact/{name}'}.toml"
    )
    if not path.is_file():
        if name.endswith(".toml"):
            raise UsageError(f"--recipe {name}: there is no such file.")
        raise unknown_name("recipe", name, recipe_names())
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"Recipe {path} is not TOML: {error}.") from None
    return recipe_from(table, f"Recipe {path}")


def recipe_from(table: dict[str, Any], where: str) -> Recipe:
    """Build a recipe from plain data; ``where`` names its source in errors.

    Raises:
        UsageError: a key is unknown or missing, or a value is wrong.
    """
    table = dict(table)
    network = _network(table.pop("network", None), f"{where}, [network]")
    data = _build(Data, table.pop("data", {}), f"{where}, [data]")
    listed = table.pop("phases", [])
    if not isinstance(listed, list | tuple) or not listed:
        raise UsageError(f"{where}: it needs at least one [[phases]].")
    phases = tuple(_phase(phase, f"{where}, phase {number}") for number, phase in enumerate(listed, 1))
    table["deviations"] = tuple(table.get("deviations", ()))
    recipe: Recipe = _build(Recipe, {**table, "network": network, "phases": phases, "data": data}, where)
    _check(recipe, where)
    return recipe


def _network(table: Any, where: str) -> Network:
    if isinstance(table, dict) and isinstance(table.get("widths"), list):
        table = {**table, "widths": tuple(table["widths"])}
    network: Network = _build(Network, table, where)
    return network


def _phase(table: Any, where: str) -> Phase:
    if isinstance(table, dict):
        table = {**table, **{key: _rates(table[key], where) for key in ("rate", "rate_d") if key in table}}
    phase: Phase = _build(Phase, table, where)
    if not isinstance(phase.loss, dict) or not phase.loss:
        raise UsageError(f"{where}: loss must be a table of weights.")
    for name in phase.loss:
        if name not in LOSSES:
            raise UsageError(f"{where}: {unknown_name('loss', name, list(LOSSES))}")
    for kind, name, known in (
        ("optimiser", phase.optimiser, ("sgd", "adam")),
        ("rule for moves", phase.moves, MOVES),
        ("schedule", phase.schedule, SCHEDULES),
        ("way to weigh", phase.weigh, WEIGHINGS),
    ):
        if name not in known:
            raise UsageError(f"{where}: {unknown_name(kind, name, list(known))}")
    if phase.frozen_g and not phase.adversarial:
        raise UsageError(f"{where}: frozen_g is for adversarial phases: D alone learns.")
    if min(phase.steps, phase.batch) < 1:
        raise UsageError(f"{where}: steps and batch must be at least 1.")
    if phase.patch < 32 or phase.patch % 8:
        raise UsageError(f"{where}: patch must be a multiple of 8 and at least 32.")
    return phase


def _rates(value: Any, where: str) -> tuple[float, float]:
    pair = value if isinstance(value, list | tuple) else [value, value]
    if len(pair) != 2 or not all(isinstance(rate, int | float) and rate > 0 for rate in pair):
        raise UsageError(f"{where}: a rate is a number above 0, or two of them, for the start and the end.")
    return float(pair[0]), float(pair[1])


def _build(cls: type[Any], table: Any, where: str) -> Any:
    if not isinstance(table, dict):
        raise UsageError(f"{where}: missing, or not a table.")
    known = [entry.name for entry in fields(cls)]
    for key in table:
        if key not in known:
            raise UsageError(f"{where}: {unknown_name('key', key, known)}")
    try:
        return cls(**table)
    except TypeError as error:
        raise UsageError(f"{where}: {error}.") from None


def _check(recipe: Recipe, where: str) -> None:
    network = recipe.network
    if network.type not in NETWORKS:
        raise UsageError(f"{where}: {unknown_name('network type', network.type, list(NETWORKS))}")
    if network.init not in INITS:
        raise UsageError(f"{where}: {unknown_name('init', network.init, list(INITS))}")
    if not all(0 < width <= 4 for width in (network.width, *network.widths)):
        raise UsageError(f"{where}: width must be above 0 and at most 4.")
    if network.widths and len(network.widths) != network.scales:
        raise UsageError(f"{where}: widths must be {network.scales}, one for each scale, coarse to fine.")
    if not 0 <= network.leak < 1:
        raise UsageError(f"{where}: leak must be at least 0 and below 1.")
    _check_motion(recipe, where)
    if not 0 <= recipe.average < 1:
        raise UsageError(f"{where}: average must be at least 0 and below 1.")
    if recipe.data.length < network.inputs + network.targets:
        raise UsageError(
            f"{where}: segments of {recipe.data.length} frames are shorter than {network.inputs} inputs and "
            f"{network.targets} targets."
        )


def _check_motion(recipe: Recipe, where: str) -> None:
    """What is for networks of type ``motion`` alone, and what is not for them."""
    motion = recipe.network.type == "motion"
    if motion and recipe.data.reverse:
        raise UsageError(
            f"{where}: reverse is not for networks of type 'motion': flows are known forwards only."
        )
    for phase in recipe.phases:
        if not 0 <= phase.further <= (1 if motion and not phase.adversarial else 0):
            raise UsageError(
                f"{where}: further is a share, 0 to 1, for networks of type 'motion' in phases without 'adv'."
            )
        if phase.weigh == "refined" and not motion:
            raise UsageError(f"{where}: weigh = 'refined' is for networks of type 'motion'; take 'frame'.")
