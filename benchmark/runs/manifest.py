"""The protocol and the split that a run's manifest names. It may come from a stranger, and is checked."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vpbench.clips.prepared import PreparedClips
from vpbench.errors import UsageError, VpbenchError, with_place
from vpbench.escape import plain
from vpbench.predictors.predictor import Predictor
from vpbench.predictors.samples import SCORED, Samples, Scored
from vpbench.predictors.spec import PredictorSpec
from vpbench.runs.run import KIND, SCHEMA, Run
from vpbench.scoring.built_in import BUILT_IN, from_definition
from vpbench.scoring.protocol import Protocol
from vpbench.splits import BUILT_IN as SPLITS
from vpbench.splits import Split, get_split

if TYPE_CHECKING:
    from vpbench.runs.run import Run


def split_of(manifest: dict[str, Any], given: str | None = None) -> Split:
    """The split that a run was scored on.

    Args:
        manifest: the run's. Its name opens a list that comes with vpbench, never a path.
        given: name, folder or CSV file of the split, which must be the run's; needed where it is none of vpbench's.

    Raises:
        UsageError: the split is not found, or is not the run's.
    """
    name, split_hash = manifest["split"]["name"], manifest["split"]["hash"]
    if given is None and name not in SPLITS:
        raise UsageError(
            f"The run's split '{plain(name)}' is not one of vpbench's; give its folder or CSV file as --split."
        )
    split = get_split(given or name)
    if split.hash != split_hash:
        raise UsageError(
            f"The run's split '{plain(name)}' (hash {plain(split_hash)}) is not this '{split.name}' "
            f"(hash {split.hash}); give the list that was scored as --split."
        )
    return split


def protocol_of(manifest: dict[str, Any]) -> Protocol:
    """The protocol that a run was made under, from its manifest.

    Raises:
        VpbenchError: the definition is damaged, or does not have the hash that the manifest states.
    """
    said = manifest["protocol"]
    known = BUILT_IN.get(said["name"])
    if known is not None and known.hash == said["hash"]:
        return known
    where = f"The protocol in the manifest of run '{plain(manifest['label'])}' is damaged"
    try:
        protocol = from_definition(said["definition"], where)
    except UsageError as error:
        raise VpbenchError(str(error)) from None
    if protocol.hash != said["hash"]:
        raise VpbenchError(
            f"The manifest of run '{plain(manifest['label'])}' is damaged: its protocol's definition has the hash "
            f"{protocol.hash}, not {plain(said['hash'])}."
        )
    return protocol


def method_name(run: Run) -> str:
    """The method that a run is of: as its predictor or its submission says, else the predictor's name."""
    said = _said(run).get("method") or (run.manifest.get("submission") or {}).get("method")
    return plain(said or run.manifest["predictor"]["name"])


def contaminated(run: Run) -> bool:
    """Whether the predictor, or who submitted the run, says that test clips were trained on."""
    seen = (run.manifest.get("submission") or {}).get("test_clips_seen", False)
    return bool(_said(run).get("contaminated", False)) or bool(seen)


def best_of_samples(run: Run) -> bool:
    """Whether its scores are those of the best of several samples, which only the truth can tell."""
    return _samples(run).get("scored") == "best" and _samples(run).get("count") != 1


def _samples(run: Run) -> dict[str, Any]:
    return run.manifest.get("samples") or {}


def _said(run: Run) -> dict[str, Any]:
    said = run.manifest["predictor"].get("description")
    return said if isinstance(said, dict) else {}


def _training_data(run: Run) -> str | None:
    training = (run.manifest.get("submission") or {}).get("training_data") or _said(run).get("training_data")
    return None if training is None else plain(training)


def require_fields(runs: Sequence[Run]) -> None:
    """Check that the manifests have what a table prints.

    Raises:
        VpbenchError: fields are missing or of the wrong type; names the file.
    """
    for run in runs:
        if not _has_fields(run):
            raise VpbenchError(
                f"{run.folder / 'manifest.json'} is damaged: fields that a table prints are missing or of the "
                "wrong type."
            )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and 0 <= value < 2**63


def _number_or_none(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and math.isfinite(value) and abs(value) < 2**63)


def _has_fields(run: Run) -> bool:
    """Whether the manifest has what a table prints."""
    manifest = run.manifest
    try:
        definition = manifest["protocol"]["definition"]
        return (
            _is_count(manifest["protocol"]["version"])
            and _is_count(manifest["split"]["total"])
            and all(isinstance(definition[key], int) for key in ("inputs", "targets"))
            and all(isinstance(use["masking"], str) for use in definition["metrics"].values())
            and all(isinstance(text, str) for text in (definition["mask"]["kind"], definition["flow"]))
            and all(
                isinstance(text, str)
                for text in (
                    manifest["prepared"]["hash"],
                    manifest["predictor"]["name"],
                    manifest["environment"]["vpbench"],
                )
            )
            and isinstance(manifest["predictor"].get("description", {}).get("marks", []), list)
            and all(isinstance(manifest.get(key) or {}, dict) for key in ("cost", "submission", "samples"))
            and isinstance(manifest["predictor"].get("options") or {}, dict)
            and all(
                _number_or_none((manifest.get("cost") or {}).get(key))
                for key in ("ms_per_frame", "peak_memory_mib")
            )
            and _is_count((manifest.get("cost") or {}).get("parameters") or 0)
        )
    except (KeyError, TypeError, AttributeError, OverflowError):
        return False


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat(timespec="seconds")


def _description(predictor: Predictor, name: str) -> dict[str, Any]:
    """What the predictor says of itself, as it will be read back from the manifest."""
    try:
        description: dict[str, Any] = json.loads(json.dumps(predictor.describe(), allow_nan=False))
    except VpbenchError:
        raise
    except Exception as error:
        raise VpbenchError(
            f"Predictor '{name}': describe() must return JSON data, but: {with_place(error)}."
        ) from error
    return description


def _manifests(
    predictor: Predictor,
    spec: PredictorSpec,
    label: str,
    clips: PreparedClips,
    protocol: Protocol,
    samples: Samples | None,
) -> list[dict[str, Any]]:
    """The manifests of the runs that will be made: one, or for several samples one for each way to score them."""
    manifest = _manifest(predictor, spec, label, clips, protocol)
    if samples is None:
        return [manifest]

    def of(scored: Scored) -> dict[str, Any]:
        said = manifest["predictor"]["description"]
        marks = [*(said.get("marks") or ()), samples.mark(scored, protocol)]
        return {
            **manifest,
            "label": samples.run_label(label, scored),
            "predictor": {**manifest["predictor"], "description": {**said, "marks": marks}},
            "samples": {"count": samples.count, "seed": samples.seed, "scored": scored},
        }

    return [of(scored) for scored in SCORED[: 1 if samples.count == 1 else None]]


def _manifest(
    predictor: Predictor,
    spec: PredictorSpec,
    label: str,
    clips: PreparedClips,
    protocol: Protocol,
) -> dict[str, Any]:
    from vpbench.runs.environment import environment

    split = clips.split
    return {
        "kind": KIND,
        "schema": SCHEMA,
        "label": label,
        "predictor": {**spec.identity(), "description": _description(predictor, spec.name)},
        "protocol": {
            "name": protocol.name,
            "version": protocol.version,
            "hash": protocol.hash,
            "definition": protocol.definition(),
        },
        "split": {
            "name": split["name"],
            "hash": split["hash"],
            "total": split["total"],
            "found": split["total"] - len(split["missing"]),
            "scored": len(clips.contents),
        },
        "prepared": {
            "hash": clips.hash,
            "flow": clips.flow,
            "decoder": clips.decoder,
            "clips": {str(index): content for index, content in clips.contents.items()},
        },
        "environment": environment(predictor.device, torch=predictor.runs_in == "parent"),
        "started": _now(),
        "finished": None,
        "cost": None,
    }
