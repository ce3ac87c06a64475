"""Writes folders of runs with chosen scores, reads their scores back, and edits their manifests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vpbench.scoring.built_in import get_protocol
from vpbench.scoring.protocol import Protocol

Score = float | None


def make_run(
    folder: Path,
    *,
    label: str = "last_frame",
    protocol: str | Protocol = "mathieu2016",
    scores: Mapping[int, Sequence[Mapping[str, Any]]] | None = None,
    split: Mapping[str, Any] | None = None,
    status: str = "complete",
    description: Mapping[str, Any] | None = None,
    prepared: Mapping[str, Any] | None = None,
    vpbench: str = "0.1.0",
    schema: int = 2,
) -> Path:
    """Write ``folder`` as a run and return it.

    Args:
        scores: clip to one mapping a frame of column to value; ``counted`` defaults to whether all are defined,
            ``moving`` to 0.25, ``copy`` (under a rule of exclusion), ``copy_ssim`` and ``motion`` to what
            no rule leaves out. By default clips 1, 11 and 21 with made-up scores.
        split: fields of the manifest's table; by default each clip is a cluster.
        schema: 1 leaves out what runs of schema 1 do not say.
    """
    rules = get_protocol(protocol) if isinstance(protocol, str) else protocol
    if scores is None:
        scores = {
            clip: [
                {key: (0.9 if key == "ssim" else 30.0 + clip / 10) - 0.01 * frame for key in rules.metrics}
                for frame in range(rules.targets)
            ]
            for clip in (1, 11, 21)
        }
    lines = []
    for clip, by_frame in scores.items():
        for number, given in enumerate(by_frame, start=1):
            counted = all(given[key] is not None for key in rules.metrics)
            facts = {"copy": 28.0 if rules.exclude else None, "copy_ssim": 0.8, "motion": 2.0}
            described = {"moving": 0.25, "counted": counted, **({} if schema == 1 else facts)}
            lines.append({"clip": clip, "frame": number, **described, **given})
    clips = {"clips": {str(clip): f"{clip:016x}" for clip in scores}, **(prepared or {})}["clips"]
    clusters = {} if schema == 1 else {"clusters": {clip: f"{clip}.avi" for clip in clips}}
    manifest = {
        "kind": "vpbench-run",
        "schema": schema,
        "label": label,
        "status": status,
        "predictor": {
            "name": label,
            "options": {},
            "class": "a:B",
            "distribution": "vpbench 0.1.0",
            "description": dict(description or {}),
        },
        "protocol": {
            "name": rules.name,
            "version": rules.version,
            "hash": rules.hash,
            "definition": rules.definition(),
        },
        "split": {
            "name": "demo",
            "hash": "d" * 16,
            "total": len(scores),
            "found": len(scores),
            "scored": len(scores),
            **clusters,
            **(split or {}),
        },
        "prepared": {
            "hash": "p" * 16,
            "flow": {"name": "dis", "opencv": "4.12.0"},
            "decoder": {"name": "opencv", "version": "4.12.0"},
            **(prepared or {}),
            "clips": clips,
        },
        "environment": {
            "vpbench": vpbench,
            "python": "3.12",
            "numpy": "2.0",
            "opencv": "4.12.0",
            "device": "cpu",
        },
        "started": "2025-01-01T00:00:00+00:00",
        "finished": "2025-01-01T00:01:00+00:00",
        "cost": {"ms_per_frame": 1.5, "frames_timed": 4, "peak_memory_mib": 100.0, "parameters": None},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (folder / "scores.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return folder


def by_column(**columns: Sequence[Score | bool]) -> list[dict[str, Any]]:
    """One mapping a frame, from one sequence a column."""
    length = len(next(iter(columns.values())))
    return [{key: values[n] for key, values in columns.items()} for n in range(length)]


def score_lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "scores.jsonl").read_text(encoding="utf-8").splitlines()]


def edit_manifest(run: Path, **changes: Any) -> None:
    """Replace fields of a manifest; those of a table are merged into it."""
    path = run / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    for key, value in changes.items():
        manifest[key] = {**manifest.get(key, {}), **value} if isinstance(value, dict) else value
    path.write_text(json.dumps(manifest), encoding="utf-8")
