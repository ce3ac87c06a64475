"""How many files are tried, and what they are made from."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from fuzzing import World, make_world
from hypothesis import HealthCheck, settings

from vpbench.results import published_tables

settings.register_profile(
    "quick",
    max_examples=200,
    derandomize=True,  # the same ones each time
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile(
    "short", settings.get_profile("quick"), max_examples=int(os.environ.get("VPBENCH_N", 10))
)
settings.register_profile(
    "long", settings.get_profile("quick"), max_examples=2_000, derandomize=False, print_blob=True
)
settings.load_profile(os.environ.get("VPBENCH_FUZZ", "quick"))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = make_world(tmp_path_factory.mktemp("world"))
    read = published_tables.read_published
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(published_tables, "read_published", lambda: read(world.home / "published"))
        patch.setenv("VPBENCH_CACHE", f"{world.out / 'cache'}")
        yield world
