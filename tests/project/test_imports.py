"""What imports what: one way through the districts, nothing heavy for ``--help``, torch in the models alone."""

from __future__ import annotations

import ast
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

# A module imports from its own district and from those named before it. docs/architecture.md draws this order.
DISTRICTS = (
    *("errors", "escape", "signals", "files", "records", "reading"),
    *("video", "scoring", "splits", "parallel", "clips", "predictors"),
    *("runs", "evaluation", "results", "analysis"),
    *("tables", "figures", "study", "suite", "report", "site", "submission", "cli"),
    *("baselines", "models"),
)
# The same within vpbench.models.
MODELS = (
    *("recipes", "footage", "networks", "weights", "learned_metrics", "predictors"),
    *("training", "probe", "atoms"),
)

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "benchmark": "vpbench",
    **{folder: f"vpbench.{folder}" for folder in ("splits", "results", "baselines", "models")},
}

HEAVY = ("torch", "cv2", "pandas", "scipy", "skimage", "numpy", "jinja2")


def loaded_after(code: str, *arguments: object) -> set[str]:
    """Names of the modules that are loaded at the end of some code run in a process of its own."""
    line = [sys.executable, "-c", f"import sys\n{code}\nprint('loaded:', *sys.modules)", *map(str, arguments)]
    done = subprocess.run(line, capture_output=True, text=True, check=True, timeout=300)
    (last,) = [text for text in done.stdout.splitlines() if text.startswith("loaded: ")]
    return set(last.split()[1:])


COMMAND = """
from vpbench.cli.main import main
try:
    main(sys.argv[1:], prog_name="vpbench")
except SystemExit as end:
    assert end.code == 0, end.code
"""


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]):
    loaded = loaded_after(COMMAND, *arguments)
    assert "vpbench.cli.main" in loaded
    assert not loaded & set(HEAVY)


def test_importing_vpbench_imports_nothing_heavy():
    assert not loaded_after(
        "import vpbench, vpbench.scoring.metrics, vpbench.predictors.predictor, vpbench.scoring.protocol"
    ) & set(HEAVY)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_last_frame_never_imports_torch(tmp_path: Path, workers: int):
    """In the workers neither: one that imports torch would fail, since nothing of that name can be loaded."""
    (tmp_path / "torch.py").write_text("raise SystemExit('torch was imported')")
    code = (
        f"import os; os.environ['PYTHONPATH'] = {str(tmp_path)!r}\nsys.path.insert(0, {str(tmp_path)!r})"
        + COMMAND
    )
    loaded = loaded_after(
        code,
        *("run", "--model", "last_frame", "--split", "synthetic", "--limit", "2", "--workers", workers),
        *("--out", tmp_path / "runs"),
    )
    assert "vpbench.evaluation.engine" in loaded
    assert "torch" not in loaded
    assert (tmp_path / "runs" / "synthetic" / "mathieu2016" / "last_frame" / "scores.jsonl").is_file()


@pytest.mark.slow
def test_weights_are_loaded_without_torchs_compiler():
    """Of all that torch has, it takes longest to import; empty networks that are initialised ask for it."""
    loaded = loaded_after("from vpbench.models.predictors import GdlL1, MotionModel\nGdlL1(), MotionModel()")
    assert "torch" in loaded
    assert not loaded & {"torch._dynamo", "sympy"}


def test_synthetic_clips_are_rendered_without_importing_scikit_image():
    loaded = loaded_after("from vpbench.splits import synthetic; synthetic.render(1, 1)")
    assert "skimage" not in loaded


@cache
def sources() -> dict[str, ast.Module]:
    """The syntax tree of each module of vpbench, by the module's full name."""
    found = {}
    for folder, package in PACKAGES.items():
        for path in (ROOT / folder).rglob("*.py"):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            name = ".".join([package, *parts]).removesuffix(".__init__")
            found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imported(tree: ast.Module) -> Iterator[str]:
    """Full names of all that a module imports, anywhere in it and also for types alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"a relative import: {ast.unparse(node)}"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def graph(trees: Mapping[str, ast.Module]) -> dict[str, set[str]]:
    """Each module to those of the given modules that it imports."""
    return {
        module: {name if name in trees else name.rpartition(".")[0] for name in imported(tree)} & set(trees)
        for module, tree in trees.items()
    }


def place(module: str) -> tuple[int, int]:
    """Where a module stands in the order; what holds no district, `vpbench` and `__main__`, stands last."""
    _, *parts = module.split(".")
    if not parts or parts[0].startswith("__"):
        return len(DISTRICTS), 0
    if parts[0] != "models" or len(parts) == 1:
        return DISTRICTS.index(parts[0]), 0
    return DISTRICTS.index("models"), MODELS.index(parts[1])


def against_the_order(imports: Mapping[str, set[str]]) -> list[str]:
    return sorted(
        f"{module} imports {name}"
        for module, names in imports.items()
        for name in names
        if place(name) > place(module)
    )


def circle(imports: Mapping[str, set[str]]) -> list[str]:
    """The modules of a circle, if there is one."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        modules: list[str] = error.args[1]
        return modules
    return []


def test_every_district_has_its_place_in_the_order():
    below = [module.split(".")[1:] for module in sources() if "." in module]
    assert {parts[0] for parts in below if not parts[0].startswith("__")} == set(DISTRICTS)
    assert {parts[1] for parts in below if parts[0] == "models" and len(parts) > 1} == set(MODELS)


def test_the_documentation_draws_this_order():
    pictures = ROOT / "docs" / "pictures"
    drawn = runpy.run_path(str(pictures / "districts.py"))
    assert tuple(name for row in (*drawn["ROWS"], drawn["BESIDE"]) for name, _ in row) == DISTRICTS
    assert tuple(name for name, _ in reversed(drawn["IN_MODELS"])) == MODELS
    assert (pictures / "districts.svg").read_text(encoding="utf-8") == drawn["drawing"]()
    table = re.findall(r"^\| (`.*?) \|", (ROOT / "docs" / "architecture.md").read_text("utf-8"), re.MULTILINE)
    assert re.findall(r"\w+", " ".join(table)) == list(DISTRICTS)


def test_imports_run_one_way_through_the_districts():
    assert not against_the_order(graph(sources()))


def test_no_modules_import_each_other_in_a_circle():
    assert not circle(graph(sources()))


@pytest.mark.parametrize(
    "line",
    [
        "import vpbench.runs.run",
        "from vpbench.runs import run",
        "from vpbench.runs.run import Run",
        "def function():\n    from vpbench.runs.run import Run",
        "if TYPE_CHECKING:\n    from vpbench.runs.run import Run",
    ],
)
def test_an_import_against_the_order_is_found(line: str):
    trees = {"vpbench.video.flow": ast.parse(line), "vpbench.runs": ast.parse("")}
    trees["vpbench.runs.run"] = ast.parse("from vpbench.video import flow")
    trees["vpbench.video"] = ast.parse("")
    assert against_the_order(graph(trees)) == ["vpbench.video.flow imports vpbench.runs.run"]
    assert set(circle(graph(trees))) == {"vpbench.video.flow", "vpbench.runs.run"}


def test_the_core_does_not_import_torch():
    for module, tree in sources().items():
        if not module.startswith("vpbench.models"):
            torch = [name for name in imported(tree) if name.split(".")[0] == "torch"]
            # `vpbench doctor` alone says which torch is there, and imports it when it is called.
            assert not torch or module == "vpbench.cli.doctor"
    top_level = [node for node in sources()["vpbench.cli.doctor"].body if isinstance(node, ast.Import)]
    assert "torch" not in {alias.name for node in top_level for alias in node.names}


TESTS = {path: ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "tests").rglob("*.py")}


def test_tests_import_no_other_tests():
    """What tests share is in tests/helpers."""
    own = {path.stem for path in TESTS if path.parent.name not in ("helpers", "speed")}
    for path, tree in TESTS.items():
        names = {name.split(".")[0] for name in imported(tree)}
        assert not names & (own | {"tests", "conftest"}), path


def test_tests_use_no_private_name_of_the_package():
    for path, tree in TESTS.items():
        modules = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vpbench"):
                modules |= {alias.asname or alias.name for alias in node.names}
        used = {name.rpartition(".")[2] for name in imported(tree) if name.startswith("vpbench.")}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in modules:
                used.add(node.attr)
            if isinstance(node, ast.Constant) and str(node.value).startswith(
                "vpbench."
            ):  # monkeypatch.setattr
                used |= set(str(node.value).split("."))
        private = [name for name in used if name.startswith("_") and not name.startswith("__")]
        assert not private, f"{path} uses {private}"
