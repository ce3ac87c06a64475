"""Draws docs/pictures/occlusion.webp anew, by the commands that stand beside the picture in docs/training.md."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PICTURE = Path(__file__).with_suffix(".webp")
PAGE = Path(__file__).parents[1] / "training.md"


def draw(folder: Path) -> Path:
    """Run the commands in a folder; returns the picture that they make there."""
    (commands,) = re.findall(r"^```sh\n([^`]*occlusion\.webp)\n```$", PAGE.read_text("utf-8"), re.MULTILINE)
    made = folder / "docs" / "pictures" / PICTURE.name
    made.parent.mkdir(parents=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["bash", "-euc", commands], cwd=folder, env={**os.environ, "PATH": path}, check=True)
    return made


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        shutil.copy(draw(Path(name)), PICTURE)
