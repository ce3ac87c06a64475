"""The trainer: data, networks, then one loop over the recipe's phases and steps."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vpbench.files import lock_folder, make_folder, remove_leftovers
from vpbench.models.footage.frame_errors import cache_copy_errors
from vpbench.models.footage.guide_cache import cache_guides
from vpbench.models.footage.patches import PatchSource, Selection, WindowFiles, prefetched
from vpbench.models.footage.videos import Footage, Segments, cache_segments, find_footage
from vpbench.models.footage.words import cache_words
from vpbench.models.networks.build import margin_of
from vpbench.models.recipes.recipe import Phase, Recipe
from vpbench.models.training.logs import Log
from vpbench.models.training.settings import Settings, make_fabric
from vpbench.models.training.state import State, find_checkpoint
from vpbench.models.training.steps import train_step
from vpbench.models.training.validation import Validation
from vpbench.signals import unbroken, watched

if TYPE_CHECKING:
    from lightning_fabric import Fabric

CHECKPOINT, WEIGHTS = "checkpoint.safetensors", "weights.safetensors"
SAMPLES = "samples"  # a folder


def train(recipe: Recipe, settings: Settings) -> Path:
    """Train a recipe, or resume its training; returns the path of the weights.

    Interrupted by Ctrl-C or SIGTERM, it saves a checkpoint first.

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
        for folder in (settings.out, settings.out / SAMPLES):
            remove_leftovers(folder)
        return _train(recipe, settings, fabric)


def _train(recipe: Recipe, settings: Settings, fabric: Fabric) -> Path:
    own = settings.out / CHECKPOINT
    recipe, loaded = find_checkpoint(recipe, own, settings)
    footage = find_footage(settings.data, settings.include_test)
    segments = _decode(recipe, footage, settings)
    state = State(recipe, fabric, own, loaded)
    if recipe.network.words and loaded is None:
        state.learn_words(np.load(cache_words(segments, recipe.network.words, recipe.seed)))
    info = {
        "training_data": footage.describe(),
        "contaminated": footage.contaminated or bool(loaded and loaded.info.contaminated),
        "precision": str(fabric._precision.precision),
    }
    log = Log(settings.out, state.step, settings.report) if fabric.is_global_zero else None
    session = _Session(recipe, settings, fabric, footage, segments, state, info, log)
    try:
        with watched():
            session.run()
            if log:
                state.save_weights(settings.out / WEIGHTS, info)
    except KeyboardInterrupt:
        if log:
            state.save(info)
        raise KeyboardInterrupt(
            f"Step {state.step} is saved: --resume continues from there ({own})."
        ) from None
    finally:
        if log:
            log.close()
    fabric.barrier()
    return settings.out / WEIGHTS


@dataclass
class _Session:
    """One run of the trainer: from the state's step to the recipe's last, or to ``settings.steps``.

    Only the first process has a log; it alone validates and saves.
    """

    recipe: Recipe
    settings: Settings
    fabric: Fabric
    footage: Footage
    segments: Segments
    state: State
    info: dict[str, Any]
    log: Log | None
    saved: float = field(default_factory=time.perf_counter)
    validation: Validation | None = None

    @property
    def total(self) -> int:
        return min(self.recipe.steps, self.settings.steps or self.recipe.steps)

    def run(self) -> None:
        """Run the phases that are not done."""
        if self.log and self.settings.resume:
            self._catch_up(self.log)
        for first, first_batch, phase in self.recipe.timeline():
            if self.state.step < min(first + phase.steps, self.total):
                self._phase(phase, first, first_batch)
                self.fabric.barrier()

    def _catch_up(self, log: Log) -> None:
        """Validate the step that the checkpoint is of, if an interruption broke that off."""
        before = self.state.validated
        ends = {first + phase.steps for first, _, phase in self.recipe.timeline()} | {self.total}
        if self.state.step:
            self._validate_if_due(log, self.state.step in ends)
        if self.state.validated is not before:
            self._save_if_due(True)

    def _phase(self, phase: Phase, first: int, first_batch: int) -> None:
        state, each = self.state, phase.batches_per_step
        last = min(first + phase.steps, self.total)
        numbers = range(first_batch + (state.step - first) * each, first_batch + (last - first) * each)
        source = _source(self.recipe, phase, self.segments, self.settings)
        share = self.fabric.global_rank, self.fabric.world_size
        batches = prefetched(source, numbers, phase.batch, share)
        state.start_phase(phase, begins=state.step == first)
        meter = _Meter()
        while state.step < last:
            began = time.perf_counter()
            drawn = [next(batches) for _ in range(each)]
            waited = time.perf_counter() - began
            show = (state.step + 1) % self.settings.log_every == 0
            with unbroken():  # what is saved then is the state after a step, with its line in the log
                values = train_step(state, self.fabric, phase, state.step - first, drawn, show)
                seconds = time.perf_counter() - began
                state.seconds += seconds
                meter.add(values, seconds, waited)
                if self.log and show:
                    self._log_step(self.log, phase, meter)
                    meter = _Meter()
            if self.log:
                self._validate_if_due(self.log, state.step == last)
                self._save_if_due(state.step == last)

    def _log_step(self, log: Log, phase: Phase, meter: _Meter) -> None:
        line: dict[str, float | str] = {"step": self.state.step, "phase": phase.name}
        line |= {"seconds": self.state.seconds}
        log.training(line | meter.means(), (self.total - self.state.step) * meter.seconds_per_step)

    def _validate_if_due(self, log: Log, phase_ends: bool) -> None:
        step, every = self.state.step, self.settings.validate_every
        due = phase_ends or (every and step % every == 0)
        if not self.footage.validation or not due or self.state.validated.get("step") == step:
            return
        ends = step == self.recipe.steps
        if self.validation is None or (ends and not self.validation.whole):
            # Scores that ship are of all clips.
            clips = None if ends else self.settings.validation_clips
            self.validation = Validation(
                self.footage.validation, self.recipe.network, self.settings.cache, clips, self.fabric.device
            )
        scores = self.validation.scores(self.state.averaged, step)
        self.validation.picture(self.state.averaged, self.settings.out / SAMPLES / f"{step:07d}.png")
        with unbroken():
            self.state.validated = scores
            log.validation(scores)

    def _save_if_due(self, phase_ends: bool) -> None:
        if phase_ends or time.perf_counter() - self.saved > self.settings.save_every:
            self.state.save(self.info)
            self.saved = time.perf_counter()


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
    network, data = recipe.network, recipe.data

    def progress(done: int, total: int) -> None:
        if done % max(1, total // 10) == 0:
            settings.report(f"  estimated the flows of {done} of {total} videos")

    targets = network.targets + (1 if phase.further else 0)
    frames, workers = network.inputs + targets, settings.workers
    weighed = phase.weigh == "frame"
    beside = WindowFiles(
        errors=cache_copy_errors(segments, network.inputs, frames, workers) if weighed else None,
        guides=cache_guides(segments, workers, progress) if network.type == "motion" else None,
    )
    selection = Selection(
        frames=frames,
        patch=phase.patch,
        targets=targets,
        movement=phase.movement,
        still=phase.still,
        moves=phase.moves,
        margin=margin_of(network),
        mirror=data.mirror,
        upside_down=data.upside_down,
        reverse=data.reverse,
    )
    return PatchSource(segments, selection, phase.seed or recipe.seed, beside)
