"""Which clips a request means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from folders import prepare_folder, write_archive

from vpbench.clips.opening import ClipRequest, open_clips
from vpbench.errors import VpbenchError
from vpbench.parallel.execution import Workers
from vpbench.scoring.built_in import get_protocol
from vpbench.splits import get_split

ELSEWHERE = Path("elsewhere")


@pytest.mark.parametrize("split", [None, "ucf101-every10th", "list.csv", get_split("ucf101-every10th")])
def test_the_default_folder_is_for_ucf101_and_for_lists(split: str | None) -> None:
    assert ClipRequest(split, default_data=ELSEWHERE).folder == ELSEWHERE
    assert ClipRequest(split, Path("given"), default_data=ELSEWHERE).folder == Path("given")


@pytest.mark.parametrize("split", ["demo", "synthetic", "my/videos", get_split("demo")])
def test_other_splits_have_their_own_place(split: str) -> None:
    assert ClipRequest(split, default_data=ELSEWHERE).folder is None
    assert ClipRequest(split, Path("given"), default_data=ELSEWHERE).folder == Path("given")


def test_what_a_folder_holds(videos: Path, tmp_path: Path) -> None:
    prepare_folder(videos, tmp_path / "prepared", limit=1)
    write_archive(tmp_path / "archive")
    kinds = {name: ClipRequest(data=tmp_path / name).kind for name in ("prepared", "archive", "videos", "no")}
    assert kinds == {"prepared": "prepared", "archive": "archive", "videos": "videos", "no": "videos"}


@pytest.mark.parametrize("prepared", [False, True])
def test_named_clips_must_all_be_found_and_no_others_are_prepared(
    videos: Path, tmp_path: Path, prepared: bool
) -> None:
    protocol, warnings = get_protocol("mathieu2016"), list[str]()
    if prepared:
        prepare_folder(videos, tmp_path / "prepared")
    place = {"data": tmp_path / "prepared"} if prepared else {"split": str(videos)}
    with open_clips(ClipRequest(**place, only=(3, 1)), protocol, Workers(1), warn=warnings.append) as opened:
        assert list(opened.clips.contents) == [1, 3]
        if not prepared:
            assert not (opened.clips.folder / "2").exists()
    with (
        pytest.raises(VpbenchError, match=r"2 of 3 clips are not found in .*: 4, 9"),
        open_clips(ClipRequest(**place, only=(1, 4, 9)), protocol, Workers(1)),
    ):
        pass
    assert not warnings


def test_the_variable_is_not_for_the_runs_of_another_split(
    cli: Callable[..., Result], videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands that show or check runs take it as `run` does: for UCF101 and lists, and for nothing else."""
    options = ("--split", videos, "--workers", "1", "--out", tmp_path / "runs", "--save-predictions")
    assert cli("run", "--model", "last_frame", *options).exit_code == 0
    run = tmp_path / "runs" / "videos" / "mathieu2016" / "last_frame"
    (tmp_path / "ucf").mkdir()
    monkeypatch.setenv("VPBENCH_DATA", str(tmp_path / "ucf"))
    monkeypatch.setenv("VPBENCH_CACHE", str(tmp_path / "empty"))
    page = cli("report", run, "--split", videos, "--out", tmp_path / "page")
    assert "frames of the clips" in page.stdout, page.stderr
    figure = cli("figure", "animation", run, "--split", videos, "--out", tmp_path / "animation.gif")
    assert figure.exit_code == 0, figure.stderr
    verified = cli("verify", run, "--split", videos, "--workers", "1")
    assert verified.exit_code == 0, verified.stderr
