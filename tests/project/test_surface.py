"""The public surface: few names, each of which loads, and stands in the reference."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import vpbench

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "python.md"


def test_few_names_and_each_loads_whatever_was_imported() -> None:
    """A module of the same name would take the place of a function once it is imported."""
    for module in ("evaluation.api", "evaluation", "cli", "clips.opening", "analysis.leaderboard"):
        importlib.import_module(f"vpbench.{module}")
    assert len(vpbench.__all__) <= 27
    assert dir(vpbench) == vpbench.__all__
    for name in vpbench.__all__:
        assert callable(getattr(vpbench, name))
    with pytest.raises(AttributeError, match="nothing"):
        _ = vpbench.nothing


@pytest.mark.parametrize("name", vpbench.__all__)
def test_the_reference_has_each_name(name: str) -> None:
    assert f":: vpbench.{name}\n" in REFERENCE.read_text(encoding="utf-8")
