"""What imports what: the command line starts quickly, and the core knows nothing of torch and of predictors."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import vpbench

HEAVY = ("torch", "cv2", "pandas", "scipy", "skimage", "numpy", "jinja2")
CORE = sorted(Path(vpbench.__file__).parent.rglob("*.py"))
NOT_CORE = ("baselines", "models", "splits", "results")


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


def test_synthetic_clips_are_rendered_without_importing_scikit_image():
    loaded = loaded_after("from vpbench.splits import synthetic; synthetic.render(1, 1)")
    assert "skimage" not in loaded


def imported(path: Path) -> set[str]:
    """Full names of all that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module or ""}
    return names


def core_files() -> list[Path]:
    top = Path(vpbench.__file__).parent
    return [path for path in CORE if path.relative_to(top).parts[0] not in NOT_CORE]


@pytest.mark.parametrize("path", core_files(), ids=lambda path: path.stem)
def test_the_core_imports_neither_torch_nor_predictors(path: Path):
    for name in imported(path):
        # `vpbench doctor` alone says which torch is there.
        assert name.split(".")[0] != "torch" or path.name == "doctor.py"
        assert not name.startswith(("vpbench.baselines", "vpbench.models"))


def test_the_core_was_found():
    assert {"main", "engine", "run", "ssim"} <= {path.stem for path in core_files()}
    doctor = next(path for path in core_files() if path.name == "doctor.py")
    top_level = {
        alias.name
        for node in ast.parse(doctor.read_text()).body
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert "torch" not in top_level
