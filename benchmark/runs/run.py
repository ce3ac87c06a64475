"""Runs on disk: the folder ``<split>/<protocol>/<label>/`` with ``manifest.json`` and ``scores.jsonl``."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vpbench.errors import UsageError, VpbenchError
from vpbench.escape import plain
from vpbench.files import is_file, is_folder
from vpbench.predictors.seen import Seen, most_seen, seen_by, seen_of
from vpbench.reading import read_json
from vpbench.runs.harmless import harmless
from vpbench.runs.manifest import KIND, OLDEST_SCHEMA, Manifest, check_manifest
from vpbench.runs.scores import read_scores
from vpbench.scoring.built_in import find_built_in, from_definition
from vpbench.scoring.protocol import FRAME_FACTS, Protocol
from vpbench.splits import BUILT_IN as SPLITS
from vpbench.splits import DATA_SETS, Split, get_split


@dataclass(frozen=True)
class Run:
    """A run read from disk.

    Attributes:
        folder: where it is.
        manifest: what it is of; each text is harmless wherever it is shown.
        scores: columns of equal length: ``clip`` and ``frame`` (int64, frame 1-based), one float64 column for
            each metric (NaN where undefined), ``moving`` (float64, fraction), ``counted`` (bool), and, unless the run
            is of schema 1, ``copy``, ``copy_ssim`` and ``motion``, float64, NaN for none
            (:mod:`vpbench.scoring.frame_facts`).
        recorded: the manifest with its texts as the file has them: to be compared, and never to be shown.
        data: the JSON data of the file.
    """

    folder: Path
    manifest: Manifest
    scores: dict[str, Any]
    recorded: Manifest = field(repr=False)
    data: dict[str, Any] = field(repr=False)

    @property
    def label(self) -> str:
        """What it is called."""
        return self.manifest.label

    @property
    def metrics(self) -> list[str]:
        """Names of the metric columns, in the protocol's order."""
        return list(self.manifest.protocol.definition.metrics)

    @property
    def targets(self) -> int:
        """Number of frames that are predicted of each clip."""
        return self.manifest.protocol.definition.targets

    @property
    def clips(self) -> dict[int, str]:
        """The prepared clips that it scores, each with the hash of its pixels and flow."""
        return self.manifest.prepared.clips

    @property
    def clusters(self) -> dict[int, str] | None:
        """The clusters of these clips (:attr:`vpbench.splits.SplitClip.cluster`); ``None`` for a run of schema 1."""
        return self.recorded.split.clusters

    @property
    def has_frame_facts(self) -> bool:
        """Whether it says what holds of clips and frames whoever predicts them; a run of schema 1 does not."""
        return self.recorded.schema > OLDEST_SCHEMA

    @property
    def method(self) -> str:
        """The method: as its predictor or its submission says, else the predictor's name."""
        given = self._described("method") or (self.manifest.submission and self.manifest.submission.method)
        return plain(given or self.manifest.predictor.name)

    @property
    def training_data(self) -> str | None:
        """What was trained on, as its submission or its predictor says."""
        submission = self.manifest.submission
        given = (submission and submission.training_data) or self._described("training_data")
        return None if given is None else plain(given)

    @property
    def test_clips_seen(self) -> Seen:
        """What part test clips had in making the model: the most that its predictor or its submission says."""
        submission = self.manifest.submission
        said = seen_by(self.manifest.predictor.description)
        return said if submission is None else most_seen(said, seen_of(submission.test_clips_seen))

    @property
    def best_of_samples(self) -> bool:
        """Whether its scores are those of the best of several samples, which takes the truth to know."""
        samples = self.manifest.samples
        return samples is not None and samples.scored == "best" and samples.count != 1

    @property
    def seed(self) -> int | str | None:
        """The seed of the training, as the predictor says."""
        given = self._described("seed")
        return given if isinstance(given, int | str) else None

    @property
    def recipe(self) -> tuple[str, str]:
        """How it was trained, as the predictor says: the recipe, and the number of steps."""
        return str(self._described("recipe")), str(self._described("steps"))

    @property
    def marks(self) -> list[str]:
        """What each table must say about the predictor."""
        return [plain(mark) for mark in self._described("marks") or ()]

    @property
    def parameters(self) -> int | None:
        """Number of learnt parameters."""
        return self.manifest.cost.parameters if self.manifest.cost else None

    def _described(self, key: str) -> Any:
        return self.manifest.predictor.description.get(key)

    def protocol(self) -> Protocol:
        """The protocol that it was made under.

        Raises:
            VpbenchError: the definition is damaged, or does not have the hash that the manifest states.
        """
        recorded = self.recorded.protocol
        known = find_built_in(recorded.name)
        if known is not None and known.hash == recorded.hash:
            return known
        where = f"The protocol in the manifest of run '{self.label}' is damaged"
        try:
            protocol = from_definition(self.data["protocol"]["definition"], where)
        except UsageError as error:
            raise VpbenchError(str(error)) from None
        if protocol.hash != recorded.hash:
            raise VpbenchError(
                f"The manifest of run '{self.label}' is damaged: its protocol's definition has the hash "
                f"{protocol.hash}, not {self.manifest.protocol.hash}."
            )
        return protocol

    def split(self, given: str | None = None, data: Path | None = None) -> Split:
        """The split that it was scored on. Its name opens a list that vpbench ships, never a path.

        Args:
            given: name, folder or CSV file of the split, which must be the run's; needed if it is not one of
                vpbench's.
            data: the folder of the data set, for the split of one.

        Raises:
            UsageError: the split is not found, or is not the run's.
        """
        shown, recorded = self.manifest.split, self.recorded.split
        if given is None and recorded.name not in SPLITS and recorded.name not in DATA_SETS:
            raise UsageError(
                f"The run's split '{shown.name}' is not one of vpbench's; give its folder or CSV file as --split."
            )
        split = get_split(given or recorded.name, data)
        if split.hash != recorded.hash:
            raise UsageError(
                f"The run's split '{shown.name}' (hash {shown.hash}) is not this '{split.name}' "
                f"(hash {split.hash}); give the list that was scored as --split."
            )
        return split

    def of_clips(self, clips: Collection[int]) -> Run:
        """The run as if it had scored and prepared these of its clips only."""
        kept = np.isin(self.scores["clip"], list(clips))
        if kept.all():
            return self
        return replace(
            self,
            manifest=_of_clips(self.manifest, clips),
            scores={key: values[kept] for key, values in self.scores.items()},
        )


def read_run(folder: Path) -> Run:
    """Read a run's folder.

    Raises:
        VpbenchError: there is no run, or it is of a later version, damaged, or has a clip twice; names the
            file, and the field or the line.
    """
    path = folder / "manifest.json"
    if not is_file(path):
        raise VpbenchError(f"{folder} is not a run: it has no manifest.json.")
    data = read_json(path, KIND)
    recorded = check_manifest(data, f"{path}")
    try:
        shown = harmless(recorded)
    except RecursionError:
        raise VpbenchError(f"{path} is damaged: it is nested too deeply.") from None
    definition = recorded.protocol.definition
    scores = read_scores(folder / "scores.jsonl", list(definition.metrics), definition.targets)
    if recorded.complete:
        if scores.torn:
            raise VpbenchError(
                f"{folder / 'scores.jsonl'}, line {len(scores.lines) + 1}: the file is cut off."
            )
        _check_complete(recorded, set(scores.columns["clip"].tolist()), folder)
    return Run(folder, shown, _of_schema(recorded.schema, scores.columns, folder), recorded, data)


def _of_schema(schema: int, columns: dict[str, NDArray[Any]], folder: Path) -> dict[str, NDArray[Any]]:
    """The columns that a run of the schema has; one whose migration was cut off may already have the others too."""
    if schema == OLDEST_SCHEMA:
        return {key: values for key, values in columns.items() if key not in FRAME_FACTS}
    if len(columns["clip"]) and not columns.keys() >= set(FRAME_FACTS):
        raise VpbenchError(
            f"{folder / 'scores.jsonl'}, line 1: '{FRAME_FACTS[0]}' and others that describe the frame are missing."
        )
    return columns | {fact: columns.get(fact, np.empty(0)) for fact in FRAME_FACTS}


def _of_clips(manifest: Manifest, clips: Collection[int]) -> Manifest:
    contents = {index: content for index, content in manifest.prepared.clips.items() if index in clips}
    clusters = manifest.split.clusters
    kept = None if clusters is None else {index: clusters[index] for index in contents}
    return msgspec.structs.replace(
        manifest,
        prepared=msgspec.structs.replace(manifest.prepared, clips=contents),
        split=msgspec.structs.replace(manifest.split, clusters=kept),
    )


def find_runs(path: Path) -> list[Path]:
    """The folders of runs at or below ``path``, sorted; folders below it whose names begin with a dot are left out.

    Raises:
        UsageError: there is none.
    """
    if is_file(path / "manifest.json"):
        return [path]
    scores = path.rglob("scores.jsonl") if is_folder(path) else ()
    found = sorted(
        file.parent
        for file in scores
        if not any(part[0] == "." for part in file.relative_to(path).parts)
        and is_file(file.parent / "manifest.json")
    )
    if not found:
        raise UsageError(f"There is no run in {path}: no folder with manifest.json and scores.jsonl.")
    return found


def _check_complete(manifest: Manifest, there: set[int], folder: Path) -> None:
    wanted = set(manifest.prepared.clips)
    if wanted != there:
        raise VpbenchError(
            f"{folder / 'scores.jsonl'} has scores of {len(there & wanted)} of the {len(wanted)} clips that "
            f"{folder / 'manifest.json'} lists, and of {len(there - wanted)} others. Run it again."
        )


def score_lines(run: Run) -> Iterator[dict[str, Any]]:
    """The lines of a run's ``scores.jsonl``, from its columns."""
    columns = {name: values.tolist() for name, values in run.scores.items()}
    for row in range(len(columns["clip"])):
        line: dict[str, Any] = {"clip": columns["clip"][row], "frame": columns["frame"][row]}
        for metric in run.metrics:
            score = columns[metric][row]
            line[metric] = None if math.isnan(score) else score
        line |= {"moving": columns["moving"][row], "counted": columns["counted"][row]}
        if run.has_frame_facts:
            line |= frame_facts_of(columns, row)
        yield line


def frame_facts_of(columns: Mapping[str, Sequence[Any]], row: int) -> dict[str, float | None]:
    """What one line says about its frame, whoever predicts it (:mod:`vpbench.scoring.frame_facts`)."""
    return {fact: None if math.isnan(columns[fact][row]) else columns[fact][row] for fact in FRAME_FACTS}
