"""A protocol's rule of exclusion in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpbench.analysis.columns import score_columns

if TYPE_CHECKING:
    from vpbench.runs.manifest import Definition


def excluded_frames(definition: Definition) -> str:
    """``whose PSNR is 50 dB or more``; empty if the protocol excludes none."""
    name, limit = _rule(definition)
    return f"whose {name} is {limit} or more" if name else ""


def compared_frames(definition: Definition) -> str:
    """``where a copy of the last frame is below 50 dB, PSNR capped there``; empty if all are compared."""
    name, limit = _rule(definition)
    return f"where a copy of the last frame is below {limit}, {name} capped there" if name else ""


def _rule(definition: Definition) -> tuple[str, str]:
    """The name of the score by which frames are excluded, and from where; empty if none are."""
    rule = definition.exclude
    if rule is None:
        return "", ""
    column = next(
        column for column in score_columns(definition, definition.name) if column.key == rule.column
    )
    return column.label, f"{rule.at_least:g} {column.unit}".strip()
