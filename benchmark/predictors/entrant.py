"""An entrant: a predictor with its label, its specification, and what is drawn from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vpbench.predictors.predictor import Predictor, check_fits, misfit
from vpbench.predictors.samples import Samples, check_samples
from vpbench.predictors.spec import FRAMES, PredictorSpec
from vpbench.scoring.protocol import Protocol


@dataclass(frozen=True)
class Entrant:
    """A predictor that is scored.

    Attributes:
        label: its label in tables, which names the folder of its run.
        spec: its name and options, from which workers make it anew.
        predictor: the predictor itself.
        samples: what is drawn from a stochastic predictor; ``None`` for a deterministic one.
    """

    label: str
    spec: PredictorSpec
    predictor: Predictor
    samples: Samples | None = None

    @classmethod
    def enter(
        cls,
        label: str,
        spec: PredictorSpec,
        predictor: Predictor,
        count: int | None = None,
        seed: int | None = None,
    ) -> Entrant:
        """Enter a predictor.

        Args:
            label: its label.
            spec: its name and options.
            predictor: the predictor.
            count: samples to draw of each clip; by default one if it is stochastic.
            seed: where their randomness comes from; by default 0.

        Raises:
            UsageError: samples or a seed for a deterministic predictor; or a number out of range.
        """
        return cls(label, spec, predictor, check_samples(predictor, spec.name, count, seed))

    @classmethod
    def of_frames(cls, label: str, folder: Path) -> Entrant:
        """What looks frames up that are saved in a folder (:mod:`vpbench.predictors.frames_folder`)."""
        spec = PredictorSpec(f"{FRAMES}{folder}")
        return cls(label, spec, spec.create())

    def misfit(self, protocol: Protocol) -> str:
        """Why the predictor cannot work under a protocol, or nothing; see :func:`.predictor.misfit`."""
        return misfit(self.predictor, self.spec.name, protocol)

    def check_fits(self, protocol: Protocol) -> None:
        """Refuse a protocol under which the predictor cannot work; see :func:`.predictor.check_fits`."""
        check_fits(self.predictor, self.spec.name, protocol)

    def runs_in_parent(self, batch_size: int = 1) -> bool:
        """Whether it predicts in the parent process: it says so, gets batches or a device, or cannot be made again."""
        predictor = self.predictor
        return (
            predictor.runs_in == "parent"
            or batch_size > 1
            or predictor.device != "cpu"
            or not self.spec.remade
        )
