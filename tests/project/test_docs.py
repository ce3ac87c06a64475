"""The documentation: its examples run as they stand, and what it links to and names is there."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

from vpbench.cli.main import main

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.rglob("*.md")), *sorted(ROOT.glob("*.md"))]
# <!-- tested --> before a block: it is run. <!-- tested: FILE --> before one: it is written to FILE.
# <!-- tested: FILE SOURCE -->: docs/SOURCE is copied to FILE.
EXAMPLE = re.compile(
    r"^[ ]*<!-- tested(?:: (?P<file>\S+)(?: (?P<source>\S+))?)? -->\n"
    r"(?:(?P<indent>[ ]*)```(?P<language>\w+)\n(?P<body>.*?)\n[ ]*```$)?",
    re.MULTILINE | re.DOTALL,
)
TESTED = [page for page in PAGES if EXAMPLE.search(page.read_text(encoding="utf-8"))]


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.slow
@pytest.mark.parametrize("page", TESTED, ids=named)
def test_examples_run_as_they_stand(page: Path, tmp_path: Path) -> None:
    """All marked examples of a page, in their order, in one folder."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONWARNINGS": "error"}
    for example in EXAMPLE.finditer(page.read_text(encoding="utf-8")):
        if example["source"]:
            shutil.copy(DOCS / example["source"], tmp_path / example["file"])
            continue
        indent = example["indent"] or ""
        body = "\n".join(line.removeprefix(indent) for line in example["body"].split("\n")) + "\n"
        if example["file"]:
            (tmp_path / example["file"]).write_text(body, encoding="utf-8")
            continue
        command = {"sh": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}
        done = subprocess.run(
            [*command[example["language"]], body],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{body}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_and_options_in_the_pages_exist(page: Path) -> None:
    """Also in examples that are not run: `vpbench COMMAND` is a command, and each --option one of its own."""
    context = click.Context(main)
    commands = {name: main.get_command(context, name) for name in main.list_commands(context)}
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"^[ ]*```sh\n(.*?)^[ ]*```$", text, re.MULTILINE | re.DOTALL)
    for line in "\n".join(blocks).splitlines():
        for call in re.findall(r"(?:^|\s)vpbench ([^#|&]*)", line):
            name, *rest = call.split()
            command = commands.get(name)
            assert command is not None, f"{line}: no such command"
            known = {option for parameter in command.params for option in parameter.opts}
            if isinstance(command, click.Group):
                known |= {
                    o for sub in command.commands.values() for parameter in sub.params for o in parameter.opts
                }
            used = {word.partition("=")[0] for word in rest if word.startswith("--")}
            assert used <= known | {"--help"}, f"{line}: {used - known}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{named(page)} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_files_of_the_checkout_that_are_named_are_there(page: Path) -> None:
    text = re.sub(r"^ *```.*?```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    folders = "benchmark|baselines|models|splits|results|tests|docs"
    for name in re.findall(rf"`((?:{folders})/[\w./-]+)`", text):
        if "NAME" not in name:
            assert (ROOT / name).exists(), f"{named(page)} names {name}"


@pytest.mark.slow
def test_the_picture_of_an_occlusion_is_made_by_the_commands_beside_it(tmp_path: Path) -> None:
    """It shows a row with learnt weights: when these are replaced, it is made anew."""
    drawn = runpy.run_path(str(DOCS / "pictures" / "occlusion.py"))
    pictures = (drawn["draw"](tmp_path), drawn["PICTURE"])
    made, committed = (np.asarray(Image.open(picture).convert("L"), float) for picture in pictures)
    assert made.shape == committed.shape
    # By blocks: another version of the encoder is no difference, and another score below a frame is.
    height, width = (size - size % 8 for size in made.shape)
    blocks = np.abs(made - committed)[:height, :width].reshape(height // 8, 8, width // 8, 8).mean((1, 3))
    assert blocks.max() < 8, "run `python docs/pictures/occlusion.py`"
    assert drawn["PICTURE"].stat().st_size < 150_000
