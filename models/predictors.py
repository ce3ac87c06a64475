"""The predictors made from the networks: one class for each row, found by entry points."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch

from vpbench.errors import UsageError
from vpbench.models.networks.build import make_generator
from vpbench.models.networks.forecast import forecast_batch, multiply_adds
from vpbench.models.networks.generator import parameter_count
from vpbench.models.weights.checkpoint import Checkpoint, load_checkpoint, load_weights
from vpbench.models.weights.registry import load_shipped
from vpbench.predictors.predictor import Predictor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vpbench.models.networks.build import AnyGenerator
    from vpbench.models.recipes.recipe import NetworkType, Recipe


class TrainedModel(Predictor):
    """A network with learnt weights.

    Args:
        weights: a checkpoint or ``weights.safetensors`` of the user's own training of the same row; by default
            the weights that ship.
        seed: of the training whose weights ship, where there are several; by default the lowest.

    Raises:
        UsageError: the weights are of another row, or of a network with other inputs or targets; none ship of that
            seed; or both options are given.
        VpbenchError: the weights are missing or damaged, or their hash is wrong.
    """

    row: ClassVar[str]
    targets_at_once: ClassVar[int] = 1
    # What networks its weights may be of, what kinds of recipes it has, and what is to be known of every row of its.
    networks: ClassVar[tuple[NetworkType, ...]] = ("multi_scale", "single_scale")
    recipes: ClassVar[tuple[str, ...]] = ("paper", "compact")
    remark: ClassVar[str] = ""
    min_inputs: ClassVar[int] = 4
    runs_in: ClassVar[Literal["worker", "parent"]] = "parent"
    trained: ClassVar[bool] = True

    def __init__(self, weights: str | None = None, seed: int | None = None) -> None:
        if weights is not None and seed is not None:
            raise UsageError(
                f"--model {self.row}: weights of your own have their own seed; leave out seed={seed}."
            )
        if weights is None:
            shipped, loaded = load_shipped(self.row, seed)
            self._machine: str | None = shipped.machine
        else:
            self._machine = None
            loaded = load_checkpoint(Path(weights))
        self._check(loaded)
        self._loaded = loaded
        with torch.device("meta"):  # without memory: a small file may claim to be of a network of gigabytes
            network = make_generator(loaded.recipe.network)
        load_weights(network, loaded.part("g"), str(loaded.path))
        network.eval().requires_grad_(False)
        self.network: AnyGenerator = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._at = "cpu"

    @property
    def recipe(self) -> Recipe:
        """How it was trained."""
        return self._loaded.recipe

    def _check(self, loaded: Checkpoint) -> None:
        recipe, where = loaded.recipe, f"The weights {loaded.path}"
        known = {cls.row for cls in ROWS}
        if recipe.name != self.row and recipe.name in known:
            raise UsageError(
                f"{where} are of recipe '{recipe.name}', not '{self.row}': --model {recipe.name},weights={loaded.path}."
            )
        if recipe.network.type not in self.networks:
            raise UsageError(f"{where} are of a {recipe.network.type} network, which '{self.row}' is not.")
        wanted = self.min_inputs, self.targets_at_once
        if (recipe.network.inputs, recipe.network.targets) != wanted:
            raise UsageError(
                f"{where} are of a network with {recipe.network.inputs} inputs and {recipe.network.targets} targets; "
                f"'{self.row}' has {wanted[0]} and {wanted[1]}."
            )

    def predict(self, inputs: NDArray[np.float32], targets: int) -> NDArray[np.float32]:
        """Predict ``targets`` frames of one clip: float32 ``(targets, H, W, 3)`` in [0, 1]."""
        return self.predict_batch([inputs], targets)[0]

    def predict_batch(
        self, inputs: Sequence[NDArray[np.float32]], targets: int
    ) -> Sequence[NDArray[np.float32]]:
        """Predict for several clips of one size, in one pass of the network."""
        return forecast_batch(self._there(), list(inputs), targets, self.device)

    def multiply_adds(self, shape: tuple[int, int, int, int], targets: int) -> int:
        """Those of the network: of its convolutions and matrix products, not of the flow that guides one."""
        return multiply_adds(self._there(), shape, targets, self.device)

    def _there(self) -> AnyGenerator:
        """The network, on the predictor's device."""
        if self._at != self.device:
            self.network.to(self.device)
            self._at = self.device
        return self.network

    def describe(self) -> dict[str, Any]:
        """The weights, what they were trained on and for how long, and the marks of the row."""
        loaded, recipe, info = self._loaded, self._loaded.recipe, self._loaded.info
        network = recipe.network
        marks = [f"{recipe.kind} recipe: {network.width_in_words}, {loaded.step} steps, {info.training_data}"]
        if recipe.last_seed != recipe.seed:
            marks.append(f"the first steps are shared with other seeds, from seed {recipe.seed}")
        if network.starts_as_copy:
            marks.append("the output starts as a copy of the last frame")
        if self.remark:
            marks.append(self.remark)
        if loaded.test_clips_seen == "yes":
            marks.append("trained on test clips")
        if recipe.tuned_on_test_clips:
            marks.append(f"tuned on test clips: {recipe.tuned_on_test_clips}")
        return {
            "parameters": parameter_count(self.network),
            "weights": loaded.sha256,
            "training_data": info.training_data,
            "test_clips_seen": loaded.test_clips_seen,
            "seed": recipe.last_seed,
            "recipe": f"{recipe.kind}/{recipe.name}",
            "width": list(network.widths) or network.width,
            "steps": loaded.step,
            "hours": round(info.seconds / 3600, 2),
            "machine": self._machine,
            "marks": marks,
        }


class SingleScaleL2(TrainedModel):
    """Table 2, "single sc. ℓ2"."""

    row = "single_scale_l2"


class L2(TrainedModel):
    """Table 2, "ℓ2"."""

    row = "l2"


class L1(TrainedModel):
    """Table 2, "ℓ1"."""

    row = "l1"


class GdlL1(TrainedModel):
    """Table 2, "GDL ℓ1"."""

    row = "gdl_l1"


class GdlL2(TrainedModel):
    """The text's GDL-ℓ2 model."""

    row = "gdl_l2"


class GdlL164(TrainedModel):
    """Table 2, "GDL ℓ1 *": with 64×64 patches."""

    row = "gdl_l1_64"


class Adv(TrainedModel):
    """Table 2, "Adv *"."""

    row = "adv"


class AdvGdl(TrainedModel):
    """Table 2, "Adv+GDL *"."""

    row = "adv_gdl"


class AdvGdlFinetuned(TrainedModel):
    """Table 2, "Adv+GDL fine-tuned *"."""

    row = "adv_gdl_finetuned"


class AdvGdlContinued(TrainedModel):
    """The control of ``adv_gdl_finetuned``: ``adv_gdl``, continued unchanged for as many steps."""

    row = "adv_gdl_continued"


class MotionModel(TrainedModel):
    """Beyond the paper: rules of motion, mixed and corrected by a network that optical flow guides."""

    row = "motion"
    networks = ("motion",)
    recipes = ("own",)
    remark = "guided by optical flow: beyond the paper"


class Ranzato2014(TrainedModel):
    """The system that the paper's Figure 5 compares itself with: a recurrent network over quantised patches."""

    row = "ranzato2014"
    networks = ("patch_words",)
    recipes = ("compact",)
    remark = "predictions are grey"


class Srivastava2015(TrainedModel):
    """The other recurrent network that the paper names: an LSTM that predicts patches."""

    row = "srivastava2015"
    networks = ("patch_lstm",)
    recipes = ("compact",)


class MultiFrame(TrainedModel):
    """The paper's second configuration: eight frames in, eight out at once."""

    row = "multi_frame"
    min_inputs = 8
    targets_at_once = 8
    max_targets = 8


ROWS: tuple[type[TrainedModel], ...] = (
    SingleScaleL2,
    L2,
    L1,
    GdlL1,
    GdlL2,
    GdlL164,
    Adv,
    AdvGdl,
    AdvGdlFinetuned,
    AdvGdlContinued,
    MotionModel,
    Ranzato2014,
    Srivastava2015,
    MultiFrame,
)
