"""How many files are tried, and what they are made from."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from fuzzing import World, make_world
from hypothesis import HealthCheck, settings

from vpbench.results import published_tables

# How many of each kind, others each time; else 200, the same each time.
WANTED = int(os.environ.get("VPBENCH_FUZZ", "0"))
settings.register_profile(
    "fuzz",
    max_examples=WANTED or 200,
    derandomize=not WANTED,
    print_blob=bool(WANTED),
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("fuzz")


@pytest.fixture(scope="module")  # what it patches must not reach other tests
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = make_world(tmp_path_factory.mktemp("world"))
    read = published_tables.read_published
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(published_tables, "read_published", lambda: read(world.home / "published"))
        patch.setattr(os, "fsync", lambda _: None)  # nothing here outlives the test
        patch.setenv("VPBENCH_CACHE", f"{world.out / 'cache'}")
        yield world
