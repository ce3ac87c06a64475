"""``vpbench train``."""

from __future__ import annotations

from pathlib import Path

import click

from vpbench.cli.options import ANY_PATH, COUNT, PROCESSES, Number
from vpbench.cli.output import say


@click.command()
@click.option(
    "--recipe", "name", required=True, metavar="NAME", help="compact/NAME, paper/NAME or a TOML file."
)
@click.option("--data", required=True, type=ANY_PATH, help="Folder of videos, at any depth.")
@click.option("--out", required=True, type=ANY_PATH, help="Folder of this training.")
@click.option("--steps", type=COUNT, help="Stop after this many steps in all.")
@click.option("--width", type=Number(0, 4, min_open=True), help="Another width multiplier than the recipe's.")
@click.option(
    "--seed",
    type=click.IntRange(1, 2**31 - 1),
    help="Another seed than the recipe's; with --start-from, of the steps that follow.",
)
@click.option("--resume", is_flag=True, help="Resume from the checkpoint in --out, if there is one.")
@click.option(
    "--start-from",
    metavar="PATH|NAME",
    help="Start from the checkpoint of another recipe that begins with the same steps; or from weights, of yours or "
    "of a row that ships, where a phase says 'restart'.",
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--devices", type=PROCESSES, default=1, show_default=True, help="Processes a machine.")
@click.option("--nodes", type=PROCESSES, default=1, show_default=True, help="Machines.")
@click.option("--precision", type=click.Choice(["auto", "32", "bf16"]), default="auto", show_default=True)
@click.option(
    "--include-test-groups", is_flag=True, help="Train on UCF101's test groups too; marks the results."
)
@click.option("--workers", type=PROCESSES, default=2, show_default=True, help="Decoding processes.")
@click.option(
    "--threads", type=click.IntRange(0, 1024), default=0, help="Threads of torch; 0 leaves its choice."
)
@click.option("--cache", type=ANY_PATH, help="Parent of the decoded cache.")
@click.option("--log-every", type=COUNT, default=100, show_default=True, metavar="STEPS")
@click.option(
    "--validate-every", type=click.IntRange(0, 10**9), default=1000, show_default=True, metavar="STEPS"
)
@click.option(
    "--validation-clips",
    type=COUNT,
    default=40,
    show_default=True,
    help="About how many clips, two a video; at the end of a recipe it is all.",
)
@click.option("--save-every", type=Number(min=0), default=60.0, show_default=True, metavar="SECONDS")
def train(
    name: str,
    data: Path,
    out: Path,
    steps: int | None,
    width: float | None,
    seed: int | None,
    resume: bool,
    start_from: str | None,
    device: str,
    devices: int,
    nodes: int,
    precision: str,
    include_test_groups: bool,
    workers: int,
    threads: int,
    cache: Path | None,
    log_every: int,
    validate_every: int,
    validation_clips: int,
    save_every: float,
) -> None:
    """Train a model by a recipe.

    OUT gets checkpoint.safetensors (for --resume), weights.safetensors (for
    `vpbench run --model NAME,weights=FILE`), training.csv, validation.csv, TensorBoard events and samples/.
    """
    import dataclasses

    from vpbench.models.recipes.files import load_recipe, recipe_from
    from vpbench.models.training.settings import Settings
    from vpbench.models.training.trainer import train as train_recipe
    from vpbench.models.weights.registry import weights_path

    recipe = load_recipe(name)
    if width is not None and recipe.network.scale_widths != (width,) * recipe.network.scales:
        definition = recipe.definition()
        definition["network"] |= {"width": width, "widths": ()}
        definition["kind"] = "own"
        definition["deviations"] = (
            *recipe.deviations,
            f"width {width:g} instead of {recipe.network.width_in_words.split(' ', 1)[1]}",
        )
        recipe = recipe_from(definition, f"--width {width:g}")
    settings = Settings(
        data=data,
        out=out,
        steps=steps,
        seed=seed,
        resume=resume,
        start_from=None if start_from is None else weights_path(start_from),
        include_test=include_test_groups,
        device=device,
        devices=devices,
        nodes=nodes,
        precision=precision,
        workers=workers,
        threads=threads,
        log_every=log_every,
        validate_every=validate_every,
        validation_clips=validation_clips,
        save_every=save_every,
        report=say,
    )
    if cache is not None:
        settings = dataclasses.replace(settings, cache=cache)
    weights = train_recipe(recipe, settings)
    say(f"Trained. Weights: {weights}. Try: vpbench run --model {recipe.name},weights={weights}")
