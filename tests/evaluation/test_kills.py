"""Commands that are killed, or asked to end, at seeded changes of their folders.

The same command then ends as if nothing had happened, byte for byte.

``VPBENCH_TEST_KILLS`` is the number of points over all commands.
"""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from folders import prepare_folder
from footage import moving_frames, write_footage, write_video
from kills import Done, Forks, leftovers, seeded
from runs import make_run

pytestmark = pytest.mark.slow

POINTS = int(os.environ.get("VPBENCH_TEST_KILLS", "50"))
SEED = 20160502
AGAIN = 3  # one in so many times the command that goes on is killed as well

RECIPE = """
name = "mine"
kind = "own"
summary = "a test"
average = 0.9
[network]
type = "multi_scale"
width = 0.03125
[[phases]]
steps = 3
batch = 2
optimiser = "adam"
rate = 0.01
loss = { l1 = 1.0 }
[[phases]]
steps = 2
batch = 2
optimiser = "adam"
rate = 0.01
rate_d = 0.01
loss = { l2 = 1.0, adv = 0.05 }
"""
SUITE = """
name = "mine"
models = ["last_frame", "optical_flow"]
protocols = ["mathieu2016", "full-frame", "moving-pixels"]
splits = ["videos"]
"""
SAID = ("--citation", "Me", "--training-data", "none", "--test-clips-seen", "no")


@dataclass(frozen=True)
class Case:
    """A command.

    Attributes:
        share: how many of the points are in it.
        arguments: from what was there before and the folder that it writes to.
        again: further arguments after an interruption.
        start: what the folder that it writes to holds at the beginning, in the folder of what was there before.
    """

    share: float
    arguments: Callable[[Path, Path], tuple[object, ...]]
    again: tuple[object, ...] = ()
    start: str = "nothing"


ONE = ("--workers", 1)
TRAINING = ("--device", "cpu", "--precision", "32", "--threads", 1, *ONE, "--validation-clips", 1)
CASES = {
    "prepare": Case(0.2, lambda base, out: ("prepare", "--split", base / "videos", *ONE, "--out", out / "c")),
    "run": Case(
        0.2,
        lambda base, out: (
            *("run", "--model", "last_frame", "--model", "optical_flow", "--save-predictions"),
            *("--data", base / "prepared", *ONE, "--out", out / "runs"),
        ),
    ),
    "train": Case(
        0.16,
        lambda base, out: (
            *("train", "--recipe", base / "mine.toml", "--data", base / "footage", *TRAINING),
            *("--log-every", 1, "--save-every", 0, "--validate-every", 2),
            *("--out", out / "training", "--cache", out / "cache"),
        ),
        again=("--resume",),
    ),
    "submit": Case(
        0.12,
        lambda base, out: (
            *("submit", base / "new", "--method", "New", *SAID, "--force", "--to", out / "runs"),
        ),
        start="submitted",
    ),
    "standings": Case(0.06, lambda base, out: ("standings", out / "runs"), start="submitted"),
    "report": Case(0.08, lambda base, out: ("report", base / "runs", "--out", out / "page")),
    "suite": Case(
        0.12,
        lambda base, out: (
            *("suite", base / "suite.toml", "--split", base / "videos", "--data", base / "prepared", *ONE),
            *("--out", out / "runs"),
        ),
    ),
    "rescore": Case(
        0.06,
        lambda base, out: (
            *("rescore", *(base / "runs" / "videos" / "mathieu2016").iterdir(), "--protocol", "full-frame"),
            *("--split", base / "videos", "--data", base / "prepared", *ONE, "--out", out / "runs"),
        ),
    ),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Path:
    """What the commands start from."""
    base = tmp_path_factory.mktemp("base")
    for number in range(3):
        write_video(base / "videos" / f"clip_{number}.avi", moving_frames(6, (32, 40), seed=number))
    prepare_folder(base / "videos", base / "prepared")
    write_footage(base / "footage")
    (base / "mine.toml").write_text(RECIPE)
    (base / "suite.toml").write_text(SUITE)
    (base / "nothing").mkdir()
    for name, vpbench in (("old", "0.0.9"), ("new", "0.1.0")):
        split, prepared = {"name": "mine"}, {"hash": "a" * 16}
        make_run(base / name, split=split, prepared=prepared, vpbench=vpbench)
    run, submit = CASES["run"].arguments(base, base), ("submit", base / "old", "--method", "Old", *SAID)
    for call in (run, (*submit, "--to", base / "submitted" / "runs")):
        done = forks.call(base, *call)
        assert done.code == 0, done.err
    return base


@pytest.mark.parametrize("name", CASES)
def test_killed_anywhere_a_command_ends_the_same(name: str, base: Path, forks: Forks, tmp_path: Path) -> None:
    case, out = CASES[name], tmp_path / "out"
    arguments = case.arguments(base, out)

    def call(*more: object, at: int = 0, number: signal.Signals = signal.SIGKILL) -> Done:
        return forks.call(out, *arguments, *more, at=at, number=number)

    shutil.copytree(base / case.start, out)
    whole = call()
    assert whole.code == 0, whole.err
    expected = outcome(out)
    chances = random.Random(SEED)
    points = seeded(round(POINTS * case.share), whole.changes, SEED)
    for count, (number, at) in enumerate(points):
        shutil.rmtree(out)
        shutil.copytree(base / case.start, out)
        broken = call(at=at, number=number)
        what = f"{name}, {number.name} before change {at} of {whole.changes}"
        if number == signal.SIGTERM:
            assert broken.code == 1, f"{what}: {broken.err}"
            assert broken.err.startswith("\nInterrupted. "), f"{what}: {broken.err}"
            assert "Traceback" not in broken.err, f"{what}: {broken.err}"
            assert leftovers(out, forks.temporary) == [], what
        else:
            assert broken.code == -number, what
        if count % AGAIN == 0:
            assert call(*case.again, at=chances.randint(1, whole.changes)).code in (-signal.SIGKILL, 0), what
        done = call(*case.again)
        assert done.code == 0, f"{what}: {done.err}"
        found = outcome(out)
        assert found.keys() == expected.keys(), what
        for path, content in expected.items():
            assert found[path] == content, f"{what}: {path}"
        assert leftovers(out, forks.temporary) == [], what
    print(f"{name}: {len(points)} points of {whole.changes} changes")


def outcome(folder: Path) -> dict[str, Any]:
    """All folders and files by their paths, without what says when and how long; the locks are left out."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir():
            found[name] = None
        elif path.name.startswith("events.out.tfevents"):
            continue  # TensorBoard's, one for each start
        elif path.name != ".lock":
            found[name] = timeless(path)
    return found


def timeless(path: Path) -> Any:
    """What a file holds, without times, sizes of memory and speeds."""
    data = path.read_bytes()
    if path.name == "manifest.json":
        manifest = json.loads(data)
        for key in ("started", "finished", "cost"):
            manifest.pop(key, None)
        manifest.get("submission", {}).pop("submitted", None)
        return json.dumps(manifest, ensure_ascii=False, indent=1)
    if path.name == "training.csv":
        rows = list(csv.DictReader(data.decode().splitlines()))
        times = ("seconds", "steps_per_second", "waiting")
        return [{key: value for key, value in row.items() if key not in times} for row in rows]
    if path.suffix == ".safetensors":
        size = int.from_bytes(data[:8], "little")
        head = json.loads(data[8 : 8 + size])
        about = json.loads(head["__metadata__"]["vpbench"])
        del about["info"]["seconds"]
        return {**head, "__metadata__": about}, data[8 + size :]
    return data
