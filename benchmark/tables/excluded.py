"""A protocol's rule of exclusion in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vpbench.analysis.columns import Column
    from vpbench.runs.manifest import Definition


def excluded_frames(definition: Definition, columns: Sequence[Column]) -> str:
    """``whose PSNR is 50 dB or more``; empty if the protocol excludes none."""
    name, limit = _rule(definition, columns)
    return f"whose {name} is {limit} or more" if name else ""


def compared_frames(definition: Definition, columns: Sequence[Column]) -> str:
    """``where a copy of the last frame is below 50 dB, PSNR capped there``; empty if all are compared."""
    name, limit = _rule(definition, columns)
    return f"where a copy of the last frame is below {limit}, {name} capped there" if name else ""


def _rule(definition: Definition, columns: Sequence[Column]) -> tuple[str, str]:
    """The name of the score by which frames are excluded, and from where; empty if none are."""
    rule = definition.exclude
    if rule is None:
        return "", ""
    column = next((column for column in columns if column.key == rule.column), None)
    unit = f" {column.unit}" if column and column.unit else ""
    return column.label if column else rule.column, f"{rule.at_least:g}{unit}"
