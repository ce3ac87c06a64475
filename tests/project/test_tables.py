"""The tables that docs/tables writes into README and documentation are in step with what they are made of."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vpbench.models.weights.registry import read_registry
from vpbench.results.published_tables import read_published
from vpbench.runs.run import read_run

ROOT = Path(__file__).parents[2]
RUNS = ROOT / "results" / "runs" / "ucf101-every10th" / "mathieu2016"


@pytest.fixture(scope="module")
def tables() -> dict[str, Any]:
    """The names of docs/tables."""
    return runpy.run_path(str(ROOT / "docs" / "tables"))


def block(page: str, name: str) -> str:
    text = (ROOT / page).read_text(encoding="utf-8")
    (found,) = re.findall(rf"<!-- table: {name} -->\n(.*?)\n<!-- end of table -->", text, re.DOTALL)
    return str(found)


def cells(table: str, row: str) -> list[str]:
    """The cells of a row of a table, without its name."""
    (line,) = [line for line in table.splitlines() if line.startswith(f"| `{row}`")]
    return [cell.strip() for cell in line.strip("|").split("|")[1:]]


@pytest.mark.slow
def test_the_pages_are_in_step(tables: dict[str, Any]) -> None:
    for path, text in tables["made"]().items():
        assert path.read_text(encoding="utf-8") == text, "run `python docs/tables`"


def test_every_block_in_the_pages_is_made(tables: dict[str, Any]) -> None:
    made = [(page, name) for page, name, _ in tables["TABLES"]]
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    found = [
        (path.relative_to(ROOT).as_posix(), name)
        for path in pages
        for name in re.findall(r"^<!-- table: (\S+) -->$", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert found == made


def test_the_readme_has_the_papers_numbers_and_those_of_the_runs() -> None:
    """Against the files themselves, without the code that makes the table."""
    table = block("README.md", "paper")
    (paper,) = [table for table in read_published() if table.full_name == "mathieu2016/table2"]
    for label, name in (("Last input", "last_frame"), ("Adv+GDL fine-tuned", "adv_gdl_finetuned")):
        (row,) = [row for row in paper.rows if row.label == label]
        run = read_run(RUNS / name)
        for frame, (here, there) in zip((1, 2), np.reshape(cells(table, name)[:4], (2, 2)), strict=True):
            counted = run.scores["counted"] & (run.scores["frame"] == frame)
            for column, digits, ours, theirs in zip(
                ("psnr", "ssim", "sharpness"), (1, 2, 1), here.split("/"), there.split("/"), strict=True
            ):
                assert ours == f"{run.scores[column][counted].mean():.{digits}f}"
                assert float(theirs) == row.scores[column][frame]
    names = re.findall(r"^\| `(\w+)`", table, re.MULTILINE)
    assert sorted(names) == sorted(path.name for path in RUNS.iterdir() if "seed=" not in path.name)
    assert f"the {len(run.clips)} of the paper's {run.manifest.split.total} test clips" in table
    assert run.manifest.protocol.hash in table


def test_trainings_from_several_seeds_are_one_row_of_a_table(
    tables: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed, shift in ((1, 0.0), (2, 0.3), (3, -0.3)):
        label = f"l1,seed={seed}" if seed > 1 else "l1"
        folder = tmp_path / "mathieu2016" / label
        shutil.copytree(RUNS / "l1", folder)
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        manifest["predictor"]["description"]["seed"] = seed
        manifest["label"] = label
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        lines = [json.loads(line) for line in (folder / "scores.jsonl").read_text().splitlines()]
        moved = [json.dumps({**line, "psnr": line["psnr"] + shift * line["counted"]}) for line in lines]
        (folder / "scores.jsonl").write_text("\n".join(moved) + "\n")
    shutil.copytree(RUNS / "last_frame", tmp_path / "mathieu2016" / "last_frame")
    measured = sys.modules["measured"]
    with monkeypatch.context() as patch:
        patch.setattr(measured, "RUNS", tmp_path)
        measured.board.cache_clear()
        (line,) = [line for line in tables["means_table"]().splitlines() if "l1" in line]
    measured.board.cache_clear()
    (once,) = [line for line in block("docs/training.md", "means").splitlines() if line.startswith("| `l1`")]
    assert line.startswith("| `l1` ×3")
    assert f"{once.split('|')[2].split('/')[0].strip()} ± 0.30 /" in line


def test_marks_stay_as_long_as_they_must() -> None:
    table = block("README.md", "paper")
    (paper,) = [table for table in read_published() if table.full_name == "mathieu2016/table2"]
    assert ("the paper †" in table) == (not all(row.verified for row in paper.rows))
    for entry in read_registry().values():
        if (RUNS / entry.name).exists():
            assert (f"`{entry.name}` ‡" in table) == (entry.test_clips_seen == "tuned"), entry.name


def test_every_row_that_ships_is_in_the_tables() -> None:
    entries = read_registry().values()
    for name in {entry.name for entry in entries}:
        lines = re.findall(rf"^\| `{name}`", block("docs/training.md", "weights"), re.MULTILINE)
        assert len(lines) == sum(entry.name == name for entry in entries)
        compared = [block("docs/training.md", table) for table in ("grey", "against-1", "against-2", "8to8")]
        assert f"`{name}`" in "".join(compared)
