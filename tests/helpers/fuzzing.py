"""A folder of valid files of every kind, and commands that read them when something in one is wrong."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from datasets import write_kth, write_moving_mnist
from folders import SMALL_PROTOCOL, prepare_folder, write_archive
from footage import moving_frames, write_video
from mutations import ABSOLUTE, Mutant, is_harmless
from runs import edit_manifest

from vpbench.cli.main import main
from vpbench.models.networks.build import make_generator
from vpbench.models.recipes.files import FOLDER as RECIPES
from vpbench.models.recipes.recipe import Network, Phase, Recipe
from vpbench.models.weights.checkpoint import Info, save_checkpoint
from vpbench.scoring.built_in import get_protocol

PUBLISHED = """
[source]
key = "paper"
short = "Paper"
title = "A paper"
url = "https://example.org"
bibtex = "@misc{paper}"

[[table]]
name = "t"
place = "Table 1"
page = 3
summary = "s"
protocol = "full-frame"
split = "demo"
verified = true
frames = [1, 2]
labels = { psnr = "PSNR" }
decimals = { psnr = 1 }
marks = { "*" = "starred" }
rows = [
  { label = "a", group = "g", psnr = [30.0, nan] },
  { label = "b", predictor = "l2", psnr = [31, 29.5], marks = ["*"], verified = false },
]
"""

SIZE = (16, 20)


@dataclass(frozen=True)
class World:
    """Folders of valid files.

    Attributes:
        top: what all else is in, at some depth, so that a path that climbs out of a folder still leads here.
        home: the working folder.
        out: the only folder in which something may be written.
    """

    top: Path

    @property
    def home(self) -> Path:
        return self.top / "a" / "b" / "c" / "home"

    @property
    def out(self) -> Path:
        return self.home / "out"

    def state(self) -> dict[str, tuple[int, int]]:
        """All files and folders but those in `out`, with sizes and times of change."""
        found = {}
        folders = [str(self.top)]
        while folders:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.path == str(self.out) or entry.name == ".lock":
                        continue
                    is_folder = entry.is_dir(follow_symlinks=False)
                    facts = entry.stat(follow_symlinks=False)
                    found[entry.path] = (0, 0) if is_folder else (facts.st_size, facts.st_mtime_ns)
                    folders += [entry.path] * is_folder
        return found


def make_world(top: Path) -> World:
    """Write footage, prepared clips, runs, frames, flows, weights, and files of settings."""
    world = World(top)
    home = world.home
    home.mkdir(parents=True)
    (home / "small.toml").write_text(SMALL_PROTOCOL.replace("inputs = 2", "inputs = 4"))
    frames = moving_frames(5, SIZE)
    write_video(home / "videos" / "one.avi", frames)
    write_video(home / "videos" / "two.avi", moving_frames(5, SIZE, seed=1))
    (home / "list.csv").write_text(
        "video,index,first_frame,frames,x,y,width,height,cluster\n"
        "videos/one.avi,1,0,5,0,0,20,16,first\nvideos/two.avi,11,0,5,,,,,\n"
    )
    protocol = get_protocol(str(home / "small.toml"))
    prepare_folder(home / "videos", home / "prepared", protocol)
    call("run", "--model", "last_frame", "--data", home / "prepared", "--protocol", home / "small.toml",
         "--workers", 1, "--out", home / "runs", "--save-predictions")  # fmt: skip
    run = home / "runs" / "videos" / "small" / "last_frame"
    shutil.copytree(run / "predictions", home / "frames")
    (run / "predictions").rename(home / "kept")
    call("submit", run, "--method", "copy", "--citation", "@misc{a, title = {A}}", "--training-data", "none",
         "--test-clips-seen", "no", "--code-url", "https://a.org/b", "--to", home / "results" / "runs")  # fmt: skip
    shutil.copytree(run, home / "runs" / "other")
    edit_manifest(home / "runs" / "other", label="other")
    for clip in ("1", "2"):
        flow = np.load(home / "prepared" / clip / "flow_1.npy")
        for form in ("npy", "flo"):
            (home / form / clip).mkdir(parents=True)
        np.save(home / "npy" / clip / "4_5.npy", flow)
        head = b"PIEH" + np.array(SIZE[::-1], "<i4").tobytes()
        (home / "flo" / clip / "4_5.flo").write_bytes(head + flow.astype("<f4").tobytes())
        shutil.copytree(home / "prepared" / clip, home / "png" / clip)
        picture = cv2.imread(str(home / "prepared" / clip / "target_1.png"))
        cv2.imwrite(str(home / "png" / clip / "pred_5.png"), picture)
    for number, frame in enumerate(frames):
        (home / "pictures" / "p").mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(home / "pictures" / "p" / f"{number}.png"), frame)
    write_archive(home / "archive")
    write_moving_mnist(home / "mnist", sequences=1)
    (home / "vimeo").mkdir()
    (home / "vimeo" / "tri_testlist.txt").write_text("00001/0001\n00001/0002\n")
    (home / "sequences.csv").write_text("video\nmnist/mnist_test_seq.npy/0\n")
    write_kth(home / "kth", videos=False)
    shutil.copy(RECIPES / "paper" / "adv_gdl_finetuned.toml", home / "recipe.toml")
    (home / "published").mkdir()
    (home / "published" / "paper.toml").write_text(PUBLISHED, encoding="utf-8")
    recipe = Recipe(
        "single_scale_l2",
        "own",
        "a test",
        Network("single_scale", width=1 / 64),
        (Phase(steps=3, loss={"l2": 1.0}),),
    )
    tensors = {f"g.{name}": tensor for name, tensor in make_generator(recipe.network).state_dict().items()}
    info = Info(
        training_data="noise", contaminated=False, seconds=1.0, validation={"psnr_1": 30.0, "step": 3}
    )
    save_checkpoint(home / "w.safetensors", tensors, recipe, 3, info)
    return world


def call(*arguments: object) -> str:
    """Run a command that must succeed; gives what it prints."""
    done = CliRunner().invoke(main, [f"{argument}" for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@contextlib.contextmanager
def little_time(seconds: int = 60) -> Iterator[None]:
    """Fail if the block takes longer, as one that waits for a pipe would."""

    def fail(*_: object) -> None:
        pytest.fail(f"it took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def little_memory(more: int = 2**30) -> Iterator[None]:
    """Within the block the process may take so many more bytes of addresses."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def read_mutant(world: World, file: Path, mutant: Mutant, command: list[str]) -> Result:
    """Run a command while a mutant stands in the place of a file (:func:`run_checked`)."""
    valid = file.read_bytes()
    file.write_bytes(mutant.data)
    try:
        return run_checked(world, command)
    finally:
        file.write_bytes(valid)


def run_checked(world: World, command: list[str]) -> Result:
    """Run a command and check what must hold whatever it reads.

    No exception, an exit code of 0, 1 or 2, a message of moderate length if it fails, nothing printed that a terminal
    obeys, no file written but in :attr:`World.out`, and memory bounded.
    """
    before = world.state()
    world.out.mkdir()
    try:
        with contextlib.chdir(world.home), little_memory(), little_time():
            done = CliRunner().invoke(main, command, catch_exceptions=False)
        assert world.state() == before
        assert not ABSOLUTE.exists()
    finally:
        shutil.rmtree(world.out, ignore_errors=True)
    assert done.exit_code in (0, 1, 2), done.output
    assert is_harmless(done.output), done.output
    if done.exit_code:
        assert "Memory ran out" not in done.stderr
        assert 0 < len(done.stderr) < 2_500, done.stderr
    return done
