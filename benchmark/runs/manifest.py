"""The manifest of a run: what was run, on what, where and at what cost. It is not trusted.

It is read and checked here, once, into frozen objects. Of each manifest there are two: one as the file has it, for
what must compare equal (:attr:`vpbench.runs.run.Run.recorded`), and one whose texts are harmless wherever they are
shown (:attr:`vpbench.runs.run.Run.manifest`), from
:func:`vpbench.runs.harmless.harmless`.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from vpbench.errors import UsageError, VpbenchError
from vpbench.escape import plain
from vpbench.predictors.corrupted import CORRUPTED
from vpbench.predictors.samples import SCORED, Drawn, Scored, Seed
from vpbench.predictors.seen import Seen, seen_by
from vpbench.records import in_words, to_record
from vpbench.scoring.protocol import FRAME_FACTS, Protocol, can_name_column
from vpbench.video import flow_files

KIND = "vpbench-run"
# Since schema 2, score lines say what holds of a frame whoever predicts it, and manifests what clips are independent.
SCHEMA = 2
OLDEST_SCHEMA = 1
# What may be a label, which names a folder.
LABEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,=+-]{0,99}")
LABELS = "at most 100 letters, digits and _ . , = + -, the first of them a letter, a digit or _"

LONGEST_CITATION = 20_000  # characters

_MOST_MARKS = 20

Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Measure = Annotated[float, Meta(ge=0)] | Count


class PredictorRecord(Struct, frozen=True, kw_only=True):
    """Which predictor predicted.

    Attributes:
        name: as for ``--model``, without the options; ``frames:FOLDER`` for predictions that were read;
            ``corrupted:KIND=SEVERITY:…`` before the name of one whose inputs were corrupted.
        options: its options.
        sha256: of its file, source or frames, if it is not an installed predictor.
        class_: where an installed predictor's class is, ``module:Class``.
        distribution: name and version of the package that provides it.
        description: what it says about itself (:meth:`vpbench.Predictor.describe`), JSON data.
    """

    name: str
    options: dict[str, Any] = {}
    sha256: str | None = None
    class_: str | None = msgspec.field(name="class", default=None)
    distribution: str | None = None
    description: dict[str, Any] = {}

    def __post_init__(self) -> None:
        marks = self.description.get("marks") or []
        if not isinstance(marks, list):
            raise ValueError("'marks' must be a list of texts")
        if len(marks) > _MOST_MARKS:
            raise ValueError(f"'marks' are {len(marks)}; at most {_MOST_MARKS} may be")
        seen_by(self.description)

    @property
    def corrupted(self) -> bool:
        """Whether its inputs were corrupted (:mod:`vpbench.predictors.corrupted`)."""
        return self.name.startswith(CORRUPTED)

    def identity(self) -> dict[str, Any]:
        """Where the predictor's code comes from, as :meth:`vpbench.predictors.spec.PredictorSpec.identity` has it."""
        facts = {
            "name": self.name,
            "options": self.options,
            "sha256": self.sha256,
            "class": self.class_,
            "distribution": self.distribution,
        }
        return {key: fact for key, fact in facts.items() if fact is not None}


class MetricRecord(Struct, frozen=True, kw_only=True):
    """A column of scores; see :class:`vpbench.MetricUse`."""

    metric: str
    masking: str
    parameters: dict[str, Any] = {}


class MaskRecord(Struct, frozen=True, kw_only=True):
    """How the moving area is found; see :class:`vpbench.MaskRule`."""

    kind: str
    max_motion: float | int | Literal["frame"] | None = None
    tau: float | int | None = None


class ExclusionRecord(Struct, frozen=True, kw_only=True):
    """Which frames are not counted; see :class:`vpbench.Exclusion`."""

    column: str
    at_least: float | int


class ScoredAsRecord(Struct, frozen=True, kw_only=True):
    """What is done to frames before they are compared; see :class:`vpbench.ScoredAs`."""

    rounding: str | None = None
    size: Any = None
    colour: str = "rgb"


class Definition(Struct, frozen=True, kw_only=True):
    """The definition of a protocol, which may be of another version of vpbench; see :class:`vpbench.Protocol`."""

    name: str
    version: int
    metrics: dict[str, MetricRecord]
    inputs: int
    targets: Annotated[int, Meta(ge=1, lt=2**31)]
    first_frame: int = 0
    size: Any = None
    flow: str
    mask: MaskRecord
    exclude: ExclusionRecord | None = None
    skip_empty: bool = False
    scored_as: ScoredAsRecord | None = None

    def __post_init__(self) -> None:
        for column in self.metrics:
            if not can_name_column(column):
                raise ValueError(f"'metrics': '{plain(column)[:50]}' cannot be a column's name")


class ProtocolRecord(Struct, frozen=True, kw_only=True):
    """Under which protocol.

    Attributes:
        name: the protocol's.
        version: the protocol's.
        hash: its identity, 16 hex digits.
        definition: everything that fixes a score.
    """

    name: str
    version: Count
    hash: str
    definition: Definition


class SplitRecord(Struct, frozen=True, kw_only=True):
    """On which split.

    Attributes:
        name: the split's.
        hash: its identity, 16 hex digits.
        total: number of its clips.
        found: number of its clips whose sources were there.
        scored: number of clips that the run scores.
        clusters: clip index → name of its cluster (:attr:`vpbench.splits.SplitClip.cluster`); ``None`` in runs of
            schema 1.
    """

    name: str
    hash: str
    total: Count
    found: Count
    scored: Count
    clusters: dict[int, str] | None = None


class PreparedRecord(Struct, frozen=True, kw_only=True):
    """On which prepared clips.

    Attributes:
        hash: identity of them all, 16 hex digits.
        flow: estimator, parameters and version of their flow.
        decoder: what decoded the videos.
        clips: clip index → hash of its pixels and flow.
    """

    hash: str
    flow: dict[str, Any] = {}
    decoder: dict[str, Any] = {}
    clips: dict[int, str]


class Environment(Struct, frozen=True, kw_only=True):
    """Where: versions, platform and device; ``None`` where the run does not say."""

    vpbench: str
    commit: str | None = None
    python: str | None = None
    numpy: str | None = None
    opencv: str | None = None
    scipy: str | None = None
    platform: str | None = None
    device: str | None = None
    torch: str | None = None


class Cost(Struct, frozen=True, kw_only=True):
    """At what cost.

    Attributes:
        ms_per_frame: milliseconds to predict a frame, the median; ``None`` where it was not measured.
        frames_timed: over how many frames.
        peak_memory_mib: the largest resident set of a process, MiB.
        parameters: number of learnt parameters.
        multiply_adds: multiply-adds to predict a frame of this size, the mean over the predicted frames, as the
            predictor says (:meth:`vpbench.Predictor.multiply_adds`); ``None`` where it does not.
        frame_size: height and width of the frames for which they were counted.
    """

    ms_per_frame: Measure | None = None
    frames_timed: Count = 0
    peak_memory_mib: Measure | None = None
    parameters: Count | None = None
    multiply_adds: Count | None = None
    frame_size: tuple[Count, Count] | None = None

    def __post_init__(self) -> None:
        for key in ("ms_per_frame", "peak_memory_mib"):
            if not math.isfinite(getattr(self, key) or 0):
                raise ValueError(f"'{key}' must be a finite number")


class SamplesRecord(Struct, frozen=True, kw_only=True):
    """What was drawn from a stochastic predictor: how many samples, from which seed, and how they were scored."""

    count: Drawn
    seed: Seed
    scored: Scored


class Submission(Struct, frozen=True):
    """What the person who submits a run says about it.

    Attributes:
        method: the method's name.
        citation: BibTeX entry or plain text.
        training_data: what the model was trained on; ``none`` if nothing.
        test_clips_seen: whether clips of the split, or other parts of their videos, were trained or tuned on
            (:data:`vpbench.predictors.seen.SEEN`); true or false in runs of earlier versions.
        code_url: where the code is.
        partial: whether the run scored a part of the split only.
        submitted: date, ISO 8601.
    """

    method: str
    citation: str
    training_data: str
    test_clips_seen: bool | Seen
    code_url: str | None = None
    partial: bool = False
    submitted: str = ""


class Manifest(Struct, frozen=True, kw_only=True):
    """What a run is of.

    Attributes:
        kind: ``vpbench-run``.
        schema: version of this format.
        label: the run's label, which names its folder.
        predictor: which predictor predicted.
        protocol: under which protocol.
        split: on which split.
        prepared: on which prepared clips.
        environment: with which versions and where.
        started: when, ISO 8601.
        finished: when; ``None`` if the run has not finished.
        cost: at what cost; ``None`` if the run has not finished.
        samples: what was drawn from a stochastic predictor; ``None`` for another.
        status: ``running`` or ``complete``.
        submission: what was said when it was submitted; ``None`` if it was not.
    """

    kind: str
    schema: int
    label: str
    predictor: PredictorRecord
    protocol: ProtocolRecord
    split: SplitRecord
    prepared: PreparedRecord
    environment: Environment
    started: str
    finished: str | None = None
    cost: Cost | None = None
    samples: SamplesRecord | None = None
    status: Literal["running", "complete"]
    submission: Submission | None = None

    def __post_init__(self) -> None:
        if self.schema == OLDEST_SCHEMA:
            return
        if self.split.clusters is None or self.split.clusters.keys() != self.prepared.clips.keys():
            raise ValueError("'split' must have the clusters of the prepared clips")
        if taken := self.protocol.definition.metrics.keys() & set(FRAME_FACTS):
            raise ValueError(
                f"'protocol' has a metric in the column '{min(taken)}', which says what a frame is like"
            )

    @property
    def complete(self) -> bool:
        """Whether the run has finished."""
        return self.status == "complete"

    @property
    def flow_files(self) -> str:
        """SHA-256 of the user's flows that the moving areas come from; empty where an estimator made the flow."""
        from_files = self.protocol.definition.flow == flow_files.NAME
        return str(self.prepared.flow.get("sha256")) if from_files else ""


def check_manifest(data: dict[str, Any], where: str) -> Manifest:
    """The manifest in JSON data, with its texts as they are. Other fields are ignored.

    Raises:
        VpbenchError: a field is missing or of the wrong type; names ``where`` and the field.
    """
    if data.get("schema") not in (OLDEST_SCHEMA, SCHEMA):
        found = plain(f"{data.get('schema')}")[:100]
        raise VpbenchError(
            f"{where} has schema {found}; this vpbench reads {OLDEST_SCHEMA} and {SCHEMA}. "
            "Install the vpbench that wrote it, or run again."
        )
    samples = f"'samples' must have count, seed and scored ({' or '.join(SCORED)})"
    return to_record(data, Manifest, where, tables={"samples": samples})


def definition_of(protocol: Protocol) -> Definition:
    """A protocol's definition, for the manifest of a run under it.

    Raises:
        UsageError: a column has a name that could not be shown as it is.
    """
    try:
        return msgspec.convert(protocol.definition(), Definition)
    except msgspec.ValidationError as error:
        raise UsageError(f"Protocol '{protocol.name}': {in_words(str(error), {})}.") from None


def manifest_data(manifest: Manifest) -> dict[str, Any]:
    """The manifest as JSON data, in the order of its fields; fields that only some runs have are left out of others."""
    data: dict[str, Any] = msgspec.to_builtins(manifest, str_keys=True)
    for table, keys in (
        (data, ("samples", "submission")),
        (data["split"], ("clusters",)),
        (data["protocol"]["definition"], ("scored_as",)),
        (data["predictor"], ("sha256", "class", "distribution")),
        (data["environment"], ("torch",)),
        (data["cost"] or {}, ("multiply_adds", "frame_size")),
    ):
        for key in keys:
            if table.get(key, "") is None:
                del table[key]
    return data
