"""Where, how and with what processors a recipe is trained; only precision and seed change what is computed."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from vpbench.errors import UsageError

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class Settings:
    """Where and how a recipe is trained.

    Attributes:
        data: folder of videos.
        out: folder of the training: checkpoint, weights, logs, sample pictures.
        steps: stop after this many steps in all; ``None`` for the recipe's.
        resume: continue from the checkpoint in ``out``, if there is one.
        start_from: continue from another training's checkpoint, whose steps so far are this recipe's too.
        seed: of weights and patches; ``None`` for the recipe's, or for that of the training that is resumed.
        include_test: train on UCF101's test groups too, and mark the results.
        device: ``auto``, ``cpu`` or ``cuda``.
        devices: processes on each machine.
        nodes: machines.
        precision: ``auto`` (bf16 where the processor is made for it), ``32`` or ``bf16``.
        workers: processes that decode.
        cache: parent folder of the decoded cache.
        threads: threads of torch in this process; 0 for its own choice.
        log_every: steps between log lines.
        validate_every: steps between validations; 0 for the end of each phase only.
        validation_clips: most clips of a validation.
        save_every: seconds between checkpoints.
        report: prints a line.
    """

    data: Path
    out: Path
    steps: int | None = None
    resume: bool = False
    start_from: Path | None = None
    seed: int | None = None
    include_test: bool = False
    device: str = "auto"
    devices: int = 1
    nodes: int = 1
    precision: str = "auto"
    workers: int = 2
    cache: Path = field(default_factory=lambda: default_cache())
    threads: int = 0
    log_every: int = 100
    validate_every: int = 0
    validation_clips: int = 12
    save_every: float = 60.0
    report: Callable[[str], None] = print


def default_cache() -> Path:
    """Where decoded footage is kept by default: ``$VPBENCH_CACHE``, or the user's cache."""
    from platformdirs import user_cache_path

    root = os.environ.get("VPBENCH_CACHE")
    return (Path(root) if root else user_cache_path("vpbench")) / "training"


def make_fabric(settings: Settings) -> Fabric:
    """The Fabric that runs on the chosen processors, also under ``torchrun``.

    Raises:
        UsageError: there is no such device.
    """
    from lightning_fabric import Fabric  # takes longer to import than torch

    device = settings.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            "--device cuda: torch finds no CUDA device here (`vpbench doctor` says what it finds)."
        )
    precision: Any = {"32": "32-true", "bf16": "bf16-mixed"}.get(settings.precision)
    if precision is None:
        precision = "bf16-mixed" if has_fast_bf16(device) else "32-true"
    parallel = settings.devices * settings.nodes > 1
    return Fabric(
        accelerator=device,
        devices=settings.devices,
        num_nodes=settings.nodes,
        strategy="ddp" if parallel else "auto",
        precision=precision,
    )


def has_fast_bf16(device: str) -> bool:
    """Whether bf16 is faster than fp32: on GPUs that have it, and on processors with AVX512_BF16 or AMX."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))
