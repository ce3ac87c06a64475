"""The weights that ship: ``weights/registry.toml`` says what each file is, and its hash is checked on loading.

``python -m vpbench.models.weights.registry MACHINE OUT/weights.safetensors …`` ships the weights of
finished trainings, with a description of the machine they were trained on: it copies them into ``models/weights/`` and
writes their entries.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated

import tomli_w
from msgspec import Meta, Struct, to_builtins

from vpbench.errors import UsageError, VpbenchError, unknown_name
from vpbench.files import write_atomic
from vpbench.models.recipes.files import load_recipe, recipe_names
from vpbench.models.recipes.recipe import Recipe
from vpbench.models.weights.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from vpbench.predictors.seen import Seen
from vpbench.reading import read_toml
from vpbench.records import Name, to_record

FOLDER = Path(__file__).parent
REGISTRY = "registry.toml"
_REMEDY = "Install vpbench again."
_HEAD = """# The weights that ship with vpbench; written by `python -m vpbench.models.weights.registry`.
# psnr_* and ssim_* are validation scores (mathieu2016, moving areas, in luma where predictions are grey; UCF101 groups
# 22-25), first and second frame, over the frames that count for a copy of the last frame, whose scores are copy_*.
"""


class Shipped(Struct, frozen=True):
    """An entry of the registry.

    Attributes:
        name: the row, as in ``--model NAME``.
        seed: of the training; a row may ship trained from several.
        file: in the registry's folder.
        sha256: of the file.
        recipe: ``compact/NAME``.
        width: multiplier of the feature maps, or one for each scale, coarse to fine.
        parameters: number of learnt parameters of G.
        steps: training steps.
        hours: of training, on the machine below.
        machine: what it was trained on.
        training_data: the footage.
        test_clips_seen: whether test clips were trained on, or a choice was made with an eye on them.
        scores: validation scores.
        tuned_on_test_clips: which choice; empty if none was.
    """

    name: str
    seed: Annotated[int, Meta(ge=0)]
    file: Name
    sha256: str
    recipe: str
    width: float | list[float]
    parameters: int
    steps: int
    hours: float
    machine: str
    training_data: str
    test_clips_seen: Seen
    scores: dict[str, float | int]
    tuned_on_test_clips: str = ""


@cache
def read_registry(folder: Path = FOLDER) -> dict[str, Shipped]:
    """All entries; each has the name of its file, without the suffix.

    Raises:
        VpbenchError: the registry is missing or damaged.
    """
    path = folder / REGISTRY
    try:
        table = read_toml(path, f"{path}", error=VpbenchError)
    except VpbenchError as error:
        raise VpbenchError(f"{error} {_REMEDY}") from None
    return to_record(table, dict[str, Shipped], f"{path}", remedy=_REMEDY)


def find_shipped(name: str, seed: int | None = None, folder: Path = FOLDER) -> Shipped:
    """The entry of a row: that of a seed, or of the lowest.

    Raises:
        UsageError: no weights ship for the row, or none of that seed.
        VpbenchError: the registry is missing or damaged.
    """
    entries = read_registry(folder).values()
    of_row = {entry.seed: entry for entry in entries if entry.name == name}
    if not of_row:
        problem = unknown_name("row with weights that ship", name, sorted({entry.name for entry in entries}))
        raise UsageError(f"{problem} With weights of your own: --model {name},weights=FILE.")
    if seed is not None and seed not in of_row:
        seeds = ", ".join(map(str, sorted(of_row)))
        raise UsageError(f"--model {name},seed={seed}: no weights of that seed ship; there are {seeds}.")
    return of_row[min(of_row) if seed is None else seed]


def load_shipped(name: str, seed: int | None = None, folder: Path = FOLDER) -> tuple[Shipped, Checkpoint]:
    """Read the weights that ship for a row: those of a seed, or of the lowest.

    Raises:
        UsageError: none ship for it, or none of that seed.
        VpbenchError: the file is missing, damaged, or has another hash than the registry says.
    """
    entry = find_shipped(name, seed, folder)
    loaded = load_checkpoint(_checked(entry, folder))
    # What is known of how the choices were made may have been written down after the training.
    recipe = replace(loaded.recipe, tuned_on_test_clips=entry.tuned_on_test_clips)
    return entry, replace(loaded, recipe=recipe)


def weights_path(name: str) -> Path:
    """The file of a row's weights that ship, or else the path that ``name`` is.

    Raises:
        VpbenchError: the weights that ship are missing or damaged.
    """
    if Path(name).exists() or name not in {entry.name for entry in read_registry().values()}:
        return Path(name)
    return _checked(find_shipped(name), FOLDER)


def _checked(entry: Shipped, folder: Path) -> Path:
    """The path of an entry's file, which has the hash that the entry says."""
    path = folder / entry.file
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise VpbenchError(
            f"Cannot read the weights {path}: {error.strerror}. Install vpbench again."
        ) from error
    if found != entry.sha256:
        raise VpbenchError(
            f"The weights {path} have the SHA-256 {found[:16]}…, and the registry says {entry.sha256[:16]}…: they are "
            f"damaged or were exchanged. Install vpbench again; weights of your own: --model {entry.name},weights=FILE."
        )
    return path


def ship(weights: Path, machine: str, folder: Path = FOLDER) -> Shipped:
    """Copy a training's weights into the registry's folder, and write its entry.

    The copy has half precision (float16), so that all rows together stay small, and the texts of the recipe's file.

    Args:
        weights: ``weights.safetensors`` of a finished training.
        machine: what it was trained on, in words.
        folder: the registry's.

    Raises:
        VpbenchError: the file does not hold such weights, or not all of the recipe's steps are done.
    """
    from vpbench.models.networks.build import make_generator
    from vpbench.models.networks.generator import parameter_count

    loaded = load_checkpoint(weights)
    loaded = replace(loaded, recipe=_as_known_today(loaded.recipe))
    recipe = loaded.recipe
    if loaded.step != recipe.steps:
        raise VpbenchError(
            f"{weights} has {loaded.step} of the {recipe.steps} steps of its recipe; finish it first."
        )
    seed = recipe.last_seed
    file = f"{recipe.name}{f'-seed{seed}' if seed != 1 else ''}.safetensors"
    halved = {name: tensor.half() for name, tensor in loaded.tensors.items()}
    sha256 = save_checkpoint(folder / file, halved, recipe, loaded.step, loaded.info)
    entry = Shipped(
        name=recipe.name,
        seed=seed,
        file=file,
        sha256=sha256,
        recipe=f"{recipe.kind}/{recipe.name}",
        width=list(recipe.network.widths) or recipe.network.width,
        parameters=parameter_count(make_generator(recipe.network)),
        steps=loaded.step,
        hours=round(loaded.info.seconds / 3600, 2),
        machine=machine,
        training_data=loaded.info.training_data,
        test_clips_seen=loaded.test_clips_seen,
        tuned_on_test_clips=recipe.tuned_on_test_clips,
        scores={key: round(value, 4) for key, value in loaded.info.validation.items() if key != "step"},
    )
    entries = {
        **(read_registry(folder) if (folder / REGISTRY).exists() else {}),
        Path(entry.file).stem: entry,
    }
    table = {stem: to_builtins(entries[stem]) for stem in sorted(entries)}
    for values in table.values():
        if not values["tuned_on_test_clips"]:
            del values["tuned_on_test_clips"]
    write_atomic(folder / REGISTRY, f"{_HEAD}\n{tomli_w.dumps(table)}".encode())
    read_registry.cache_clear()
    return entry


def _as_known_today(recipe: Recipe) -> Recipe:
    """The recipe with the texts of its file, which may have been written after the training: what to expect of it."""
    name = f"{recipe.kind}/{recipe.name}"
    known = load_recipe(name) if name in recipe_names() else recipe
    if not recipe.with_seed(known.seed).same_until(known, max(recipe.steps, known.steps)):
        return recipe
    return replace(
        recipe,
        summary=known.summary,
        deviations=known.deviations,
        tuned_on_test_clips=known.tuned_on_test_clips,
        expect=known.expect,
    )


def _main(arguments: list[str]) -> None:
    machine = arguments[0]
    for name in arguments[1:]:
        entry = ship(Path(name), machine)
        print(f"{entry.name}, seed {entry.seed}: {entry.steps} steps, {entry.hours} h, {entry.sha256}")


if __name__ == "__main__":
    _main(sys.argv[1:])
