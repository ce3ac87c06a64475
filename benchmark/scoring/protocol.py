"""Protocols: everything that fixes a score.

A protocol is data. The built-in ones are in :mod:`vpbench.scoring.built_in`; ``docs/protocols.md`` gives the evidence
for each number. Users write their own as TOML files with the same fields (``load_protocol``).
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal, get_args

from msgspec import Meta

from vpbench.errors import UsageError, unknown_name
from vpbench.escape import plain
from vpbench.records import check_fields

Masking = Literal["black", "inside", "none"]
MaskKind = Literal["colour", "magnitude", "none", "as-printed", "archive"]
Rounding = Literal["nearest", "down"]
Colour = Literal["rgb", "luma", "bgr"]

# The columns of a score file that are not those of metrics: of every run, and what a line says of its frame whoever
# predicts it (:mod:`vpbench.scoring.frame_facts`).
FIXED_COLUMNS = ("clip", "frame", "moving", "counted")
FRAME_FACTS = ("copy", "copy_ssim", "motion")

# Colour-coded flow images in prepared clips are normalised by this motion (pixels), whatever the protocol,
# so that the images alone, with "any channel < 0.2", give the mask of `mathieu2016` to everybody's scripts.
FLOW_IMAGE_MAX_MOTION = 1.0
# "lower than 0.2 (image color range between 0 and 1)", paper, footnote 2: bytes below 0.2 · 255 = 51.
COLOUR_THRESHOLD = 51

# What a protocol without moving areas may state as its flow: none is estimated, and none is kept beside the clips.
NO_FLOW = "none"

# Far above what anybody predicts; they bound the memory that a protocol of a stranger's can ask for.
MOST_FRAMES = 1_000
MOST_SKIPPED = 1_000_000
MOST_METRICS = 50
LONGEST_SIDE = 8_192  # pixels

Frames = Annotated[int, Meta(ge=1, le=MOST_FRAMES)]
Skipped = Annotated[int, Meta(ge=0, le=MOST_SKIPPED)]
Side = Annotated[int, Meta(ge=16, le=LONGEST_SIDE)]
_Length = Annotated[float, Meta(ge=0, le=1e6)]  # pixels
_Text = Annotated[str, Meta(max_length=200)]


def _set_number(owner: object, key: str) -> None:
    """Make a field of a frozen dataclass a float, so that 1 and 1.0 are one definition; ``None`` may stay.

    Raises:
        UsageError: it is not a finite number.
    """
    value = getattr(owner, key)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"{key} must be a number, not {value!r}.")
    object.__setattr__(owner, key, float(value))


def can_name_column(name: str) -> bool:
    """Whether a column of scores can have the name: it is shown as it is, and is a key of score lines."""
    return plain(name) == name and not {*name} & {'"', "\\"} and name not in FIXED_COLUMNS


@dataclass(frozen=True)
class MaskRule:
    """How the moving area of a frame is found.

    Attributes:
        kind: ``colour``: a pixel moves iff any channel of its Middlebury flow colour is below 0.2;
            ``magnitude``: iff |flow| > ``tau``; ``none``: no mask, the whole frame counts;
            ``as-printed``: the paper's footnote 2 taken literally, so the pixels that ``colour`` drops are
            kept; ``archive``: like ``colour``, from the flow images that came with the clips.
        max_motion: for ``colour`` and ``as-printed``, the motion in pixels that has full colour saturation,
            or ``"frame"`` for each frame's own largest motion.
        tau: for ``magnitude``, in pixels.
    """

    kind: MaskKind = "none"
    max_motion: _Length | Literal["frame"] | None = None
    tau: _Length | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(MaskKind):
            raise unknown_name("mask rule", str(self.kind), list(get_args(MaskKind)))
        if self.max_motion != "frame":
            _set_number(self, "max_motion")
        _set_number(self, "tau")
        for key, kinds in (("max_motion", ("colour", "as-printed")), ("tau", ("magnitude",))):
            if self.kind in kinds and getattr(self, key) is None:
                raise UsageError(f"Mask rule of the kind '{self.kind}': it needs {key}.")
            if self.kind not in kinds and getattr(self, key) is not None:
                default = ", as it is where no kind is given" if self.kind == "none" else ""
                raise UsageError(
                    f"Mask rule: {key} needs the kind {' or '.join(map(repr, kinds))}; 'kind' is '{self.kind}'"
                    f"{default}."
                )
        if isinstance(self.max_motion, float) and not self.max_motion > 0:
            raise UsageError(f"Mask rule of the kind '{self.kind}': max_motion must be above 0 or \"frame\".")

    @property
    def needs_vectors(self) -> bool:
        """Whether flow vectors are needed, not just flow images."""
        return self.kind in ("colour", "magnitude", "as-printed")


@dataclass(frozen=True)
class MetricUse:
    """One column of scores: a metric and how the protocol applies it.

    Attributes:
        metric: name of an installed metric.
        masking: ``black``: pixels outside the moving area are set to 0 in target and prediction, and the
            whole frame is scored; ``inside``: the metric averages over the moving area only; ``none``: the
            mask is not used.
        parameters: further keyword arguments of the metric's function.
    """

    metric: _Text
    masking: Masking = "none"
    parameters: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.masking not in get_args(Masking):
            raise unknown_name(
                f"masking of metric '{self.metric}'", str(self.masking), list(get_args(Masking))
            )


@dataclass(frozen=True)
class Exclusion:
    """A frame whose score in ``column`` is ``at_least`` this or more is not counted in any column's mean."""

    column: _Text
    at_least: float

    def __post_init__(self) -> None:
        _set_number(self, "at_least")


@dataclass(frozen=True)
class ScoredAs:
    """What is done to frames after they are predicted and before they are compared, in this order.

    Attributes:
        rounding: to which of 256 levels predictions are rounded: the ``nearest``, as pictures are usually written, or
            ``down`` to the next, as a bare cast to bytes does; ``None`` scores them as they are.
        size: (height, width) to which prediction and truth are scaled (bilinearly), and the moving area with them (to
            the nearest pixel): it is found at the size of the clip; ``None`` leaves them.
        colour: ``rgb``, or ``luma``: 0.299 R + 0.587 G + 0.114 B of prediction and truth, not rounded, as all three
            channels; ``bgr`` takes red for blue, as programs do that hand OpenCV's frames on as they are.
    """

    rounding: Rounding | None = None
    size: tuple[Side, Side] | None = None
    colour: Colour = "rgb"


@dataclass(frozen=True)
class Protocol:
    """Everything that fixes a score.

    Attributes:
        name: what it is called on the command line.
        version: raised whenever a change of vpbench changes its scores.
        summary: a one-line description; not part of the identity.
        inputs: number of input frames.
        targets: number of frames to predict.
        first_frame: 0-based index, within the clip's frames, of the first input.
        size: (height, width) to which whole frames are resized (bilinearly) before they are predicted from; ``None``
            keeps the native size.
        flow: estimator of the flow from the frame before each target to that target; ``files`` for the user's own; or
            ``none`` without a moving area: clips are then prepared without flow, in a fraction of the space.
        mask: how the moving area is found from that flow.
        metrics: column name to metric, in the order of the columns.
        exclude: which frames are not counted, in addition to those with an undefined score.
        skip_empty: do not count frames whose moving area is empty, even where the scores are defined.
        scored_as: what is done to frames before they are compared; ``None`` for nothing.
    """

    name: _Text
    version: Annotated[int, Meta(ge=1, lt=2**31)]
    summary: Annotated[str, Meta(max_length=1_000)]
    metrics: Annotated[dict[_Text, MetricUse], Meta(min_length=1, max_length=MOST_METRICS)]
    inputs: Frames = 4
    targets: Frames = 2
    first_frame: Skipped = 0
    size: tuple[Side, Side] | None = None
    flow: _Text = "dis"
    mask: MaskRule = MaskRule()
    exclude: Exclusion | None = None
    skip_empty: bool = False
    scored_as: ScoredAs | None = None

    def __post_init__(self) -> None:
        if self.scored_as == ScoredAs():
            object.__setattr__(self, "scored_as", None)  # the same scores, so the same definition
        check_fields(self, f"Protocol '{self.name}'")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}", self.name):
            raise UsageError(
                f"Protocol {self.name!r}: the name becomes a folder's; letters, digits and _ . + - only."
            )
        taken = next((key for key in self.metrics if key in FRAME_FACTS or not can_name_column(key)), None)
        if taken is not None:
            raise UsageError(f"Protocol '{self.name}': {taken[:50]!r} cannot be a metric's column name.")
        if self.flow == NO_FLOW and self.mask.needs_vectors:
            raise UsageError(
                f"Protocol '{self.name}': the mask rule '{self.mask.kind}' needs flow; it cannot be '{NO_FLOW}'."
            )
        if self.exclude and self.exclude.column not in self.metrics:
            raise UsageError(
                f"Protocol '{self.name}': exclude names column '{self.exclude.column}', which is no metric."
            )

    @property
    def frames(self) -> int:
        """Frames a clip must have, from its first."""
        return self.first_frame + self.inputs + self.targets

    def definition(self) -> dict[str, Any]:
        """The protocol as plain data, without the summary; equal definitions give equal scores.

        It has ``scored_as`` only where something is done to frames, so that older definitions stand as they are.
        """
        data = asdict(self)
        del data["summary"]
        data["size"] = list(self.size) if self.size else None
        if self.scored_as is None:
            del data["scored_as"]
        else:
            data["scored_as"]["size"] = list(self.scored_as.size) if self.scored_as.size else None
        return data

    @property
    def hash(self) -> str:
        """Identity: the first 16 hex digits of the SHA-256 of the canonical JSON of the definition."""
        text = json.dumps(_canonical(self.definition()), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _canonical(data: Any) -> Any:
    """Plain data with whole numbers as integers, since TOML's ``100`` and ``100.0`` mean the same here."""
    if isinstance(data, dict):
        return {key: _canonical(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_canonical(value) for value in data]
    return int(data) if isinstance(data, float) and data.is_integer() else data
