"""Runs changed for the tests of the page: hostile texts, and edited manifests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HOSTILE = (
    """</script><script>window.hacked=1</script><img src=x onerror="window.hacked=1">'"{{7*7}}$\\frac{"""
)


def edit(run: Path, **changes: Any) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    for key, value in changes.items():
        manifest[key] = {**manifest[key], **value} if isinstance(value, dict) else value
    (run / "manifest.json").write_text(json.dumps(manifest))
