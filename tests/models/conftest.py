"""Footage and settings for the tests that train."""

from __future__ import annotations

from pathlib import Path

import pytest
from footage import write_footage
from trainings import make_settings

from vpbench.models.training.settings import Settings


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_footage(tmp_path_factory.mktemp("footage"))


@pytest.fixture
def settings(tmp_path: Path, footage: Path) -> Settings:
    return make_settings(tmp_path, footage)
