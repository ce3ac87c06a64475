"""A run's manifest fit to be shown: it is not trusted, and its texts reach terminals and pages."""

from __future__ import annotations

from typing import Any

import msgspec

from vpbench.escape import plain
from vpbench.runs.manifest import LONGEST_CITATION, Manifest

_DEEPEST = 64
_SHORT = 200  # characters of a name that need not be cut


def harmless(manifest: Manifest) -> Manifest:
    """The manifest with each text fit to be shown: on one line, visible, and cut (:func:`vpbench.escape.plain`).

    Raises:
        RecursionError: it is nested too deeply.
    """
    data = msgspec.to_builtins(manifest)
    clips, clusters = data["prepared"].pop("clips"), data["split"].pop("clusters")
    shown: dict[str, Any] = _harmless(data)
    shown["label"] = plain(manifest.label)
    if manifest.submission is not None:
        shown["submission"]["citation"] = plain(manifest.submission.citation, LONGEST_CITATION)
    shown["prepared"]["clips"] = _harmless_names(clips)
    shown["split"]["clusters"] = clusters and _harmless_names(clusters)
    return msgspec.convert(shown, Manifest)


def _harmless_names(names: dict[int, str]) -> dict[int, str]:
    """The names of clips, many of which are equal, or all are of one form."""
    joined = "".join(names.values())
    if joined.isascii() and joined.isprintable() and len(max(names.values(), key=len, default="")) <= _SHORT:
        return names
    return {key: plain(name) for key, name in names.items()}


def _harmless(value: Any, depth: int = 0) -> Any:
    if depth > _DEEPEST:
        raise RecursionError
    if isinstance(value, str):
        return plain(value) if value else value
    if isinstance(value, dict):
        return {_harmless(key): _harmless(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_harmless(inner, depth + 1) for inner in value]
    return value
