"""Nothing is written outside the folder that the user names, whatever splits, labels and links say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from folders import SMALL_PROTOCOL

import vpbench
from vpbench.errors import UsageError
from vpbench.files import below
from vpbench.splits import get_split


def everything_below(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if "cache" not in path.parts}


@pytest.mark.parametrize("name", ["..", "../../up", "/tmp/up", ".hidden", "a\0b", "a\nb", "x" * 300])
def test_a_split_made_in_python_cannot_lead_out(videos: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "small.toml").write_text(SMALL_PROTOCOL)
    split = replace(get_split(str(videos)), name=name)
    before = everything_below(tmp_path)
    with pytest.raises(UsageError, match="cannot hold a folder of the name"):
        vpbench.evaluate(
            "last_frame", split, str(tmp_path / "small.toml"), out=tmp_path / "deep" / "runs", limit=1
        )
    assert everything_below(tmp_path) == before


def test_a_link_in_the_folder_of_runs_cannot_lead_out(cli, videos: Path, tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SMALL_PROTOCOL)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "videos").symlink_to(tmp_path / "elsewhere")
    done = cli(
        *("run", "--model", "last_frame", "--split", videos, "--protocol", tmp_path / "small.toml"),
        *("--limit", 1, "--out", tmp_path / "runs"),
    )
    assert done.exit_code == 2
    assert "is behind a symbolic link that leads out of" in done.stderr
    assert not [*(tmp_path / "elsewhere").iterdir()]


def test_the_folder_of_runs_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "large-disk").mkdir()
    (tmp_path / "runs").symlink_to(tmp_path / "large-disk")
    assert below(tmp_path / "runs", "a", "b") == tmp_path / "runs" / "a" / "b"
    (tmp_path / "runs" / "a").symlink_to("a")
    with pytest.raises(Exception, match="Cannot use the folder"):
        below(tmp_path / "runs", "a", "b")
