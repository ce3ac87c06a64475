"""Hostile and damaged files of every kind, read by the command line: each is refused by one message that names it."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import shutil
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import mutations
import pytest
from fuzzing import World, read_mutant, run_checked
from hypothesis import event, given
from hypothesis import strategies as st
from mutations import Mutant

Mutants = st.SearchStrategy[Mutant]


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        file: one of them, below the home of the world.
        commands: commands that read it.
        mutants: mutants of the valid bytes.
        otherwise: of errors that need name neither the file nor the field: a pattern.
    """

    file: str
    commands: tuple[str, ...]
    mutants: Callable[[bytes], Mutants]
    otherwise: str = "(?!)"


def fields_or_bytes(
    form: str, write: Callable[..., bytes], read: Callable[[bytes], Any], valid: bytes
) -> Mutants:
    """Mutants by field, and by byte."""
    return st.one_of(mutations.by_field(read(valid), form, write), mutations.by_byte(valid))


def submissions(valid: bytes) -> Mutants:
    """Mutants of a manifest in what was said when it was submitted."""
    manifest = json.loads(valid)
    said = {key: manifest[key] for key in ("submission", "label", "status")}
    return mutations.by_field(
        said, "json", lambda data, marks: mutations.write_json({**manifest, **data}, marks)
    )


def pngs(valid: bytes) -> Mutants:
    header = [(16, ">I"), (20, ">I"), (24, ">B"), (25, ">B"), (26, ">B"), (27, ">B"), (28, ">B")]
    return st.one_of(
        mutations.by_number(valid, header, mutations.with_checksum), mutations.by_byte(valid, head=60)
    )


JSON = partial(fields_or_bytes, "json", mutations.write_json, json.loads)
LINES = partial(
    fields_or_bytes, "json", mutations.write_lines, lambda valid: [*map(json.loads, valid.splitlines())]
)
TOML = partial(fields_or_bytes, "toml", mutations.write_toml, lambda valid: tomllib.loads(valid.decode()))
CSV = partial(
    fields_or_bytes, "csv", mutations.write_csv, lambda valid: [*csv.reader(valid.decode().splitlines())]
)

RUN = "runs/videos/small/last_frame"
SCORE = "run --workers 1 --out out --protocol small.toml"
COPY = f"{SCORE} --model last_frame"
TABLES = (
    f"leaderboard {RUN}",
    f"leaderboard {RUN} --format csv --facts --ci",
    f"compare runs/other {RUN}",
    f"site {RUN} --out out/site --saved-only",
    f"submit {RUN} --method m --citation c --training-data none --test-clips-seen no --to out",
)
KINDS = {
    "manifest of a run": Kind(f"{RUN}/manifest.json", TABLES, JSON),
    "scores": Kind(f"{RUN}/scores.jsonl", TABLES, LINES, r"has scores of \d of the 2 clips"),
    "submission": Kind(
        "results/runs/videos/small/last_frame/manifest.json",
        ("standings results/runs --out out/page.md",),
        submissions,
    ),
    "manifest of clips": Kind("prepared/manifest.json", (f"{COPY} --data prepared",), JSON),
    "record of a clip": Kind(
        "prepared/1/clip.json",
        (f"{COPY} --data prepared",),
        JSON,
        "was changed or damaged since|does not belong to",
    ),
    "protocol": Kind("small.toml", (f"{COPY} --data prepared",), TOML, "cannot serve protocol"),
    "recipe": Kind(
        "recipe.toml", ("train --recipe recipe.toml --data nowhere --out out",), TOML, "--data nowhere"
    ),
    "published tables": Kind("published/paper.toml", ("list published",), TOML),
    "split": Kind(
        "list.csv",
        ("prepare --split list.csv --protocol small.toml --workers 1 --out out",),
        CSV,
        "a list has the columns|lists no clips|sources cannot be used|sources of split 'list'",
    ),
    "weights": Kind(
        "w.safetensors",
        (f"{SCORE} --data prepared --model single_scale_l2,weights=w.safetensors",),
        lambda valid: st.one_of(mutations.by_safetensors_header(valid), mutations.by_byte(valid, head=2_000)),
    ),
    "flow, .flo": Kind(
        "flo/1/4_5.flo",
        (f"{COPY} --split videos --flow files:flo",),
        lambda valid: st.one_of(
            mutations.by_number(valid, [(4, "<i"), (8, "<i"), (12, "<i")]), mutations.by_byte(valid, head=20)
        ),
    ),
    "flow, .npy": Kind(
        "npy/1/4_5.npy",
        (f"{COPY} --split videos --flow files:npy",),
        lambda valid: st.one_of(mutations.by_npy_header(valid), mutations.by_byte(valid, head=130)),
    ),
    "frame, .npy": Kind(
        "frames/1/pred_5.npy",
        (f"{SCORE} --data prepared --model frames:frames",),
        lambda valid: st.one_of(mutations.by_npy_header(valid), mutations.by_byte(valid, head=130)),
        "'frames:frames', clip 1: (predicted frame 1 contains NaN|values must lie in)",
    ),
    "frame, .png": Kind("png/1/pred_5.png", (f"{SCORE} --data prepared --model frames:png",), pngs),
    "array of sequences": Kind(
        "mnist/mnist_test_seq.npy",
        (f"{COPY} --split sequences.csv",),
        lambda valid: st.one_of(mutations.by_npy_header(valid), mutations.by_byte(valid, head=130)),
    ),
    "list of KTH": Kind(
        "kth/00sequences.txt",
        ("prepare --workers 1 --out out --split kth-10to20 --data kth --protocol small.toml",),
        partial(mutations.by_byte, head=2_000),
        "sources of split 'kth-10to20'",
    ),
    "list of Vimeo": Kind(
        "vimeo/tri_testlist.txt",
        ("prepare --workers 1 --out out --split vimeo-2to1 --data vimeo --protocol small.toml",),
        mutations.by_byte,
        "sources of split 'vimeo-2to1'",
    ),
    "picture": Kind("pictures/p/2.png", (f"{COPY} --split pictures",), pngs),
    "video": Kind("videos/one.avi", (f"{COPY} --split videos",), partial(mutations.by_byte, head=4_000)),
}


@cache
def mutants(world: World, name: str) -> Mutants:
    return KINDS[name].mutants((world.home / KINDS[name].file).read_bytes())


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
@given(data=st.data())
def test_a_damaged_file_is_refused_by_name(world: World, name: str, data: st.DataObject):
    kind = KINDS[name]
    file, mutant = world.home / kind.file, data.draw(mutants(world, name))
    done = read_mutant(world, file, mutant, data.draw(st.sampled_from(kind.commands)).split())
    event(f"exit code {done.exit_code}")
    if done.exit_code and not re.search(kind.otherwise, done.stderr):
        shown = "".join(done.stderr.split())
        folder = f"{Path(kind.file).parent}"
        assert file.name in shown or (folder != "." and folder in shown), done.stderr
        words = ["".join(word.split()) for word in mutant.named]
        # Where the format is broken, a line is named instead, or what no field has.
        broken = r"line\d|endofdocument|nestedtoodeeply|theretwice|akeythat|,akey:"
        assert not words or re.search(broken, shown) or any(word in shown for word in words), done.stderr


NAMES = (
    *(
        "²",
        "1²",
        "01",
        "00",
        "1" * 30,
        "1" * 255,
        "-1",
        "+1",
        "1.",
        " 1",
        "1\n",
        "2147483648",
        "٣",
        "1_0",
        "2",
        ".1",
        "..x",
    ),
    *(
        "\x1b[2J",
        "a\u202eb",
        "\udcff",
        "x" * 255,
        "..avi",
        "1²3.avi",
        "\udcff.avi",
        ".avi",
        "A.AVI",
        "pipe.mp4",
        "5.png",
    ),
    *(
        "pred_5.npy",
        "pred_5.png",
        "pred_²5.npy",
        "pred_05.npy",
        "pred_99999.npy",
        "4_5.flo",
        "4_²5.npy",
        "4_5.npy",
    ),
    *("manifest.json", "scores.jsonl", "clip.json", "predictions", "target_2.png", "pred_4_flow.png"),
)
FOLDERS = {
    "frames": f"{SCORE} --data prepared --model frames:odd",
    "archive": "run --model last_frame --protocol mathieu2016-archive --workers 1 --out out --data odd",
    "videos": f"{COPY} --split odd",
    "pictures": f"{COPY} --split odd",
    "npy": f"{COPY} --split videos --flow files:odd",
    "kth": "prepare --workers 1 --out out --split kth-10to20 --data odd --protocol small.toml",
    "runs": "leaderboard odd",
    "prepared": f"{COPY} --data odd",
    "results/runs": "standings odd --out out/page.md",
}


def put(place: Path, what: str) -> None:
    """Put something into a folder in the place of what may be there."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    if what == "pipe":
        os.mkfifo(place)
    elif what == "folder":
        place.mkdir()
    elif what in ("file", "empty"):
        place.write_bytes(b"a file\n" * (what == "file"))
    else:
        place.symlink_to({"link": "/etc", "dangling": "/vpbench-nowhere", "circle": place.name}[what])


@pytest.mark.slow
@given(
    base=st.sampled_from([*FOLDERS]),
    put_in=st.lists(
        st.tuples(
            st.integers(0, 20),
            st.sampled_from(NAMES),
            st.sampled_from(["file", "empty", "folder", "pipe", "link", "dangling", "circle"]),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_odd_names_in_a_folder(world: World, base: str, put_in: list[tuple[int, str, str]]):
    """Names that are no names, and pipes, links and folders in the place of files."""
    odd = world.home / "odd"
    shutil.copytree(world.home / base, odd)
    try:
        for number, name, what in put_in:
            folders = [
                odd,
                *sorted(path for path in odd.rglob("*") if path.is_dir() and not path.is_symlink()),
            ]
            with contextlib.suppress(OSError):  # of a name that is too long for the system
                put(folders[number % len(folders)] / name, what)
        done = run_checked(world, FOLDERS[base].split())
    finally:
        shutil.rmtree(odd)
    assert done.exit_code == 0 or "odd" in done.stderr
