"""The manifests of the runs that an evaluation makes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec

from vpbench.clips.prepared import PreparedClips
from vpbench.errors import VpbenchError, with_place
from vpbench.predictors.entrant import Entrant
from vpbench.predictors.predictor import Predictor
from vpbench.predictors.samples import SCORED, Scored
from vpbench.predictors.seen import seen_by
from vpbench.runs.environment import environment
from vpbench.runs.manifest import (
    KIND,
    SCHEMA,
    Manifest,
    PredictorRecord,
    PreparedRecord,
    ProtocolRecord,
    SamplesRecord,
    SplitRecord,
    definition_of,
)
from vpbench.scoring.protocol import Protocol


def now() -> str:
    """The time, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def new_manifests(
    entrant: Entrant, clips: PreparedClips, protocol: Protocol, predicted_by: Manifest | None = None
) -> list[Manifest]:
    """The manifests of the runs that will be made: one, or for several samples one for each way to score them.

    Args:
        entrant: what predicts.
        clips: the clips.
        protocol: the protocol.
        predicted_by: the manifest of the run whose frames the entrant only looks up; the new run is of its predictor.

    Raises:
        VpbenchError: what the predictor says about itself is not JSON data, or could not be printed in a table.
    """
    manifest, samples = _manifest(entrant, clips, protocol), entrant.samples
    if predicted_by is not None:
        made, there = predicted_by, predicted_by.environment
        where = msgspec.structs.replace(manifest.environment, device=there.device, torch=there.torch)
        return [
            msgspec.structs.replace(
                manifest, predictor=made.predictor, samples=made.samples, environment=where
            )
        ]
    if samples is None:
        return [manifest]

    def of(scored: Scored) -> Manifest:
        described = manifest.predictor.description
        marks = [*(described.get("marks") or ()), samples.mark(scored, protocol)]
        return msgspec.structs.replace(
            manifest,
            label=samples.run_label(entrant.label, scored),
            predictor=msgspec.structs.replace(manifest.predictor, description={**described, "marks": marks}),
            samples=SamplesRecord(count=samples.count, seed=samples.seed, scored=scored),
        )

    return [of(scored) for scored in SCORED[: 1 if samples.count == 1 else None]]


def _manifest(entrant: Entrant, clips: PreparedClips, protocol: Protocol) -> Manifest:
    identity, predictor, split = entrant.spec.identity(), entrant.predictor, clips.split
    return Manifest(
        kind=KIND,
        schema=SCHEMA,
        label=entrant.label,
        predictor=PredictorRecord(
            name=identity["name"],
            options=identity["options"],
            sha256=identity.get("sha256"),
            class_=identity.get("class"),
            distribution=identity.get("distribution"),
            description=description_of(predictor, entrant.spec.name),
        ),
        protocol=ProtocolRecord(
            name=protocol.name,
            version=protocol.version,
            hash=protocol.hash,
            definition=definition_of(protocol),
        ),
        split=SplitRecord(
            name=split.name,
            hash=split.hash,
            total=split.total,
            found=split.total - len(split.missing),
            scored=len(clips.contents),
            clusters=clips.clusters,
        ),
        prepared=PreparedRecord(
            hash=clips.hash, flow=clips.flow, decoder=clips.decoder, clips=clips.contents
        ),
        environment=environment(predictor.device, torch=predictor.runs_in == "parent"),
        started=now(),
        status="running",
    )


def description_of(predictor: Predictor, name: str) -> dict[str, Any]:
    """What a predictor says about itself, as it will be read back from the manifest.

    Raises:
        VpbenchError: it is no JSON data, or a table could not print it; names the predictor.
    """
    where = f"Predictor '{name}': describe() must return"
    try:
        described = json.loads(json.dumps(predictor.describe(), allow_nan=False))
    except VpbenchError:
        raise
    except Exception as error:
        raise VpbenchError(f"{where} JSON data, but: {with_place(error)}.") from error
    if not isinstance(described, dict):
        raise VpbenchError(f"{where} a dict, not {described!r}.")
    marks, parameters = described.get("marks") or [], described.get("parameters")
    if not (isinstance(marks, list) and all(isinstance(mark, str) for mark in marks)):
        raise VpbenchError(f"{where} as 'marks' a list of texts, not {marks!r}.")
    try:
        seen_by(described)
    except ValueError as error:
        raise VpbenchError(f"{where} a dict: {error}, not {described['test_clips_seen']!r}.") from None
    if parameters is not None and not (type(parameters) is int and 0 <= parameters < 2**63):
        raise VpbenchError(f"{where} as 'parameters' a whole number, not {parameters!r}.")
    return described
