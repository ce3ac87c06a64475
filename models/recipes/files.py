"""Recipes are read from TOML files, and checked.

Three kinds ship with vpbench: ``paper/NAME`` has the paper's widths, optimiser, rates and batches; ``compact/NAME`` is
what was trained on a CPU for the weights that ship, with every deviation and its reason in the file; ``own/NAME`` is
for models beyond the paper.

A file with ``continues = "compact/NAME"`` begins with all of that recipe: its network, data, seed and phases, after
which its own phases follow.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vpbench.errors import UsageError, unknown_name
from vpbench.models.recipes.recipe import NetworkType, Phase, Recipe
from vpbench.reading import read_toml
from vpbench.records import to_record

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
    if name.endswith(".toml"):
        path = Path(name)
    else:
        named = name if "/" in name else f"compact/{name}"
        if named not in recipe_names():
            raise unknown_name("recipe", name, recipe_names())
        path = FOLDER / f"{named}.toml"
    where = f"Recipe {path}"
    table = read_toml(path, where)
    if "continues" in table:
        table = _continued(table, where)
    elif "network" not in table:
        raise UsageError(f"{where}: 'network' is missing, or 'continues', the recipe that it begins with.")
    return recipe_from(table, where)


def _continued(table: dict[str, Any], where: str) -> dict[str, Any]:
    """A recipe that continues another, in full."""
    own, name = dict(table), table["continues"]
    del own["continues"]
    # Only recipes that ship can be continued: they end, and so does a chain of them.
    if name not in recipe_names():
        raise UsageError(f"{where}: 'continues': {unknown_name('recipe', str(name), recipe_names())}")
    begun = load_recipe(name).definition()
    for key in ("network", "data", "seed", "average"):
        if key in own:
            raise UsageError(f"{where}: '{key}' is that of {name}, which it continues; leave it out.")
    for key in ("phases", "deviations"):
        if isinstance(own.get(key, []), list):
            own[key] = [*begun[key], *own.get(key, [])]
    return {**begun, "expect": "", **own}


def recipe_from(table: dict[str, Any], where: str) -> Recipe:
    """Build a recipe from plain data; ``where`` names its source in errors.

    Raises:
        UsageError: a key is unknown or missing, or a value is wrong.
    """
    phases = table.get("phases")
    if isinstance(phases, list | tuple):
        table = {**table, "phases": [_with_pairs(phase) for phase in phases]}
    recipe = to_record(table, Recipe, where, error=UsageError)
    problem = next(_problems(recipe), None)
    if problem is not None:
        raise UsageError(f"{where}: {problem}.")
    return recipe


def _with_pairs(phase: Any) -> Any:
    """A phase in which rates that do not change are pairs too."""
    if not isinstance(phase, dict):
        return phase
    rates = {key: phase[key] for key in ("rate", "rate_d") if isinstance(phase.get(key), int | float)}
    return {**phase, **{key: [rate, rate] for key, rate in rates.items()}}


def _problems(recipe: Recipe) -> Iterator[str]:
    """What fields that are right in themselves do not make together."""
    network, data = recipe.network, recipe.data
    if not recipe.phases:
        yield "it needs at least one [[phases]]"
    if network.widths and len(network.widths) != network.scales:
        yield f"network: 'widths' must be {network.scales}, one for each scale, coarse to fine"
    if (network.type == "patch_words") != (network.words > 0):
        yield "network: 'words' must be given for type 'patch_words', and for no other"
    if data.length < network.inputs + network.targets:
        yield (
            f"segments of {data.length} frames are shorter than {network.inputs} inputs and {network.targets} targets"
        )
    if network.type == "motion" and data.reverse:
        yield "data: 'reverse' is not for networks of type 'motion': flows are known forwards only"
    for number, phase in enumerate(recipe.phases, 1):
        yield from (f"phase {number}: {problem}" for problem in _problems_of_phase(phase, network.type))


def _problems_of_phase(phase: Phase, network: NetworkType) -> Iterator[str]:
    if phase.frozen_g and not phase.adversarial:
        yield "'frozen_g' is for adversarial phases: D alone learns"
    if phase.further and (phase.adversarial or network not in ("motion", "patch_lstm")):
        yield "'further' is for networks of types 'motion' and 'patch_lstm' in phases without 'adv'"
    if phase.adversarial and network.startswith("patch"):
        yield f"'adv' is not for networks of type '{network}'"
    if network == "patch_lstm" and phase.patch != 32:
        yield "'patch' is 32 for networks of type 'patch_lstm'"
    if (network == "patch_words") != (set(phase.loss) == {"words"}):
        yield "the loss 'words' stands alone, and is the only one for networks of type 'patch_words'"
    if phase.weigh == "refined" and network != "motion":
        yield "'weigh' = 'refined' is for networks of type 'motion'; take 'frame'"
