"""The trainer: data, networks, then one loop over the recipe's phases and steps."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from vpbench.errors import VpbenchError
from vpbench.files import lock_folder, make_folder
from vpbench.models.footage.flows import cache_flows
from vpbench.models.footage.patches import Batch, PatchSource, Selection, prefetched
from vpbench.models.footage.videos import Footage, Segments, cache_segments, find_footage
from vpbench.models.networks.build import margin_of, outputs_of
from vpbench.models.networks.generator import active_share, watch
from vpbench.models.recipes.recipe import Phase, Recipe
from vpbench.models.training.logs import Log
from vpbench.models.training.settings import Settings, make_fabric
from vpbench.models.training.state import State, find_checkpoint
from vpbench.models.training.steps import discriminator_loss, generator_loss, task_of
from vpbench.models.training.validation import Validation

CHECKPOINT, WEIGHTS = "checkpoint.safetensors", "weights.safetensors"


def train(recipe: Recipe, settings: Settings) -> Path:
    """Train a recipe, or go on with it; returns the path of the weights.

    Raises:
        UsageError: the data, the recipe and the options do not fit.
        VpbenchError: a loss is not finite; the videos do not move; the disk is full; the checkpoint is damaged.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    fabric = make_fabric(settings)
    fabric.launch()
    make_folder(settings.out)
    if not fabric.is_global_zero:
        return _train(recipe, replace(settings, report=lambda _: None), fabric)
    with lock_folder(settings.out, wait=False):
        return _train(recipe, settings, fabric)


def _train(recipe: Recipe, settings: Settings, fabric: Fabric) -> Path:
    own = settings.out / CHECKPOINT
    loaded = find_checkpoint(recipe, own, settings.resume, settings.start_from)
    footage = find_footage(settings.data, settings.include_test)
    segments = _decode(recipe, footage, settings)
    state = State(recipe, fabric, loaded)
    info = {
        "training_data": footage.describe(),
        "contaminated": footage.contaminated or bool(loaded and loaded.info["contaminated"]),
        "precision": str(fabric._precision.precision),
    }
    total = min(recipe.steps, settings.steps or recipe.steps)
    log = Log(settings.out, state.step, settings.report) if fabric.is_global_zero else None
    validation: Validation | None = None
    saved = time.perf_counter()
    try:
        for first, first_batch, phase in recipe.timeline():
            last = min(first + phase.steps, total)
            if state.step >= last:
                continue
            state.start_phase(phase, within=state.step > first)
            each = phase.batches_per_step
            numbers = range(first_batch + (state.step - first) * each, first_batch + (last - first) * each)
            source = _source(recipe, phase, segments, settings)
            batches = prefetched(source, numbers, phase.batch, (fabric.global_rank, fabric.world_size))
            meter = _Meter()
            while state.step < last:
                began = time.perf_counter()
                drawn = [next(batches) for _ in range(each)]
                waited = time.perf_counter() - began
                index = state.step - first
                show = (state.step + 1) % settings.log_every == 0
                values = _step(state, fabric, phase, index, drawn, show, own)
                state.step += 1
                seconds = time.perf_counter() - began
                state.seconds += seconds
                meter.add(values, seconds, waited)
                if show and log:
                    line: dict[str, float | str] = {"step": state.step, "phase": phase.name}
                    line |= {"seconds": state.seconds}
                    log.training(line | meter.means(), (total - state.step) * meter.seconds_per_step)
                    meter = _Meter()
                every = settings.validate_every
                if log and footage.validation and (state.step == last or (every and state.step % every == 0)):
                    validation = validation or _validation(recipe, footage, settings, fabric)
                    state.validated = validation.scores(state.generator, state.step)
                    log.validation(state.validated)
                    validation.picture(state.generator, settings.out / "samples" / f"{state.step:07d}.png")
                if log and (state.step == last or time.perf_counter() - saved > settings.save_every):
                    state.save(own, info)
                    saved = time.perf_counter()
            fabric.barrier()
    except KeyboardInterrupt:
        if log:
            settings.report(
                f"Interrupted after step {state.step}; --resume goes on from the last checkpoint, {own}."
            )
        raise
    finally:
        if log:
            log.close()
    if log:
        state.save_weights(settings.out / WEIGHTS, info)
    fabric.barrier()
    return settings.out / WEIGHTS


def _step(
    state: State,
    fabric: Fabric,
    phase: Phase,
    index: int,
    batches: list[Batch],
    show: bool,
    checkpoint: Path,
) -> dict[str, float]:
    """One step of D, where it takes part, then one of G, each on its own batch (Algorithm 1).

    Args:
        state: what is changed.
        fabric: on what.
        phase: the phase.
        index: step within the phase.
        batches: one a network.
        show: look at the hidden units too.
        checkpoint: for the message if a loss is not finite.

    Returns:
        Values for the log.
    """
    network, scales, device = state.recipe.network, state.generator.scales, fabric.device
    values: dict[str, float] = {}

    def descend(
        loss: torch.Tensor, which: str, module: torch.nn.Module, optimiser: Any, rate: float
    ) -> float:
        value = float(loss.detach())
        if not math.isfinite(value):
            raise VpbenchError(
                f"The loss of {which} is {value} at step {state.step + 1}. The last good checkpoint is {checkpoint}; "
                "lower the rates or set `clip` in the recipe, and train again."
            )
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad()
        fabric.backward(loss)
        if phase.clip:
            torch.nn.utils.clip_grad_norm_(module.parameters(), phase.clip)
        optimiser.step()
        return value

    if phase.adversarial:
        task = task_of(batches[0], network, scales, device)
        loss = discriminator_loss(state.wrapped_d, state.wrapped_g, network, task)
        rate = phase.rate_at(index, phase.rate_d)
        values["loss_d"] = descend(loss, "D", state.discriminator, state.optimiser_d, rate)

    task = task_of(batches[-1], network, scales, device)
    watch(state.generator, show)
    outputs = outputs_of(state.wrapped_g, network, task.given, task.flows)
    with fabric.autocast():
        judge = state.discriminator if phase.adversarial else None
        loss = generator_loss(phase.loss, outputs, task, judge, phase.balanced)
    values["rate"] = phase.rate_at(index, phase.rate)
    values["loss_g"] = descend(loss, "G", state.generator, state.optimiser_g, values["rate"])
    with torch.no_grad():
        truth = task.targets[-1]
        copy = task.inputs[-1][:, -3:].repeat(1, network.targets, 1, 1)
        values["error"] = float((outputs[-1] - truth).square().mean())
        values["error_of_copy"] = float((copy - truth).square().mean())
    if show and (shares := active_share(state.generator)):
        values["active"] = min(shares)
    return values


class _Meter:
    """Means of a log interval."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = defaultdict(list)
        self._seconds = self._waited = 0.0
        self._steps = 0

    def add(self, values: dict[str, float], seconds: float, waited: float) -> None:
        for key, value in values.items():
            self._values[key].append(value)
        self._seconds += seconds
        self._waited += waited
        self._steps += 1

    @property
    def seconds_per_step(self) -> float:
        return self._seconds / self._steps

    def means(self) -> dict[str, float]:
        means = {key: sum(values) / len(values) for key, values in self._values.items()}
        speed = {"steps_per_second": 1 / self.seconds_per_step, "waiting": self._waited / self._seconds}
        return means | speed


def _decode(recipe: Recipe, footage: Footage, settings: Settings) -> Segments:
    settings.report(f"Training on {footage.describe()}; decoded pieces in {settings.cache}.")

    def progress(done: int, total: int) -> None:
        if done % max(1, total // 10) == 0:
            settings.report(f"  decoded {done} of {total} videos")

    data = recipe.data
    return cache_segments(
        footage.training, settings.cache, data.segments, data.length, settings.workers, progress
    )


def _source(recipe: Recipe, phase: Phase, segments: Segments, settings: Settings) -> PatchSource:
    network = recipe.network
    flows = None
    if network.type == "flow_guided":
        flows = cache_flows(segments, network.inputs, settings.workers)
    selection = Selection(
        frames=network.inputs + network.targets,
        patch=phase.patch,
        movement=phase.movement,
        still=phase.still,
        every_pair=phase.every_pair,
        margin=margin_of(network),
    )
    return PatchSource(segments, selection, recipe.seed, flows)


def _validation(recipe: Recipe, footage: Footage, settings: Settings, fabric: Fabric) -> Validation:
    return Validation(
        footage.validation, recipe.network, settings.cache, settings.validation_clips, fabric.device
    )
