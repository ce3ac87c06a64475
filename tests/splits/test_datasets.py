"""Splits of data sets, on small stand-ins in the layout in which each is distributed."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import reference_metrics as reference
from click.testing import Result
from datasets import (
    CITYSCAPES_CLIPS,
    KTH_CLIPS,
    grey_frames,
    write_cityscapes,
    write_davis,
    write_kitti,
    write_kth,
    write_moving_mnist,
    write_vimeo,
)
from folders import tree
from numpy.typing import NDArray
from runs import score_lines

import vpbench
from vpbench.clips.opening import ClipRequest
from vpbench.clips.prepared import open_prepared
from vpbench.errors import UsageError, VpbenchError
from vpbench.runs.run import read_run
from vpbench.scoring.built_in import BUILT_IN, get_protocol
from vpbench.splits import DATA_SETS, find_sources, get_split
from vpbench.video.decoding import read_frames

Cli = Callable[..., Result]

# Each data set: what writes its stand-in, how many clips that has.
STAND_INS: dict[str, tuple[Callable[[Path], Path], int]] = {
    "moving-mnist-10to10": (write_moving_mnist, 3),
    "kth-10to20": (write_kth, len(KTH_CLIPS)),
    "cityscapes-dmvfn": (write_cityscapes, len(CITYSCAPES_CLIPS)),
    "kitti-dmvfn": (write_kitti, 2),
    "davis-dmvfn": (write_davis, 2),
    "vimeo-2to1": (write_vimeo, 2),
}
EACH = pytest.mark.parametrize("name", STAND_INS)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the stand-ins, each in a folder of its own."""
    folder = tmp_path_factory.mktemp("data")
    for name, (write, _) in STAND_INS.items():
        write(folder / name)
    return folder


@pytest.fixture(scope="module")
def made(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs of `last_frame` on all stand-ins, made by the command as users write it."""
    from click.testing import CliRunner

    from vpbench.cli.main import main

    out = tmp_path_factory.mktemp("runs")
    for name in STAND_INS:
        line = ["run", "--model", "last_frame", "--split", name, "--data", str(data / name)]
        done = CliRunner().invoke(main, [*line, "--workers", "1", "--out", str(out)], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        (out / f"{name}.txt").write_text(done.stdout, encoding="utf-8")
        (out / f"{name}.err").write_text(done.stderr, encoding="utf-8")
    return out


def test_each_data_set_has_a_stand_in_and_a_protocol_of_its_name() -> None:
    assert set(STAND_INS) == set(DATA_SETS) == set(DATA_SETS) & set(BUILT_IN)


@pytest.mark.slow
@EACH
def test_a_run_needs_no_more_than_the_split_and_the_folder(made: Path, data: Path, name: str) -> None:
    protocol, found = get_protocol(name), STAND_INS[name][1]
    run = read_run(made / name / name / "last_frame")
    assert run.manifest.protocol.name == name
    assert run.manifest.split.total == DATA_SETS[name].whole
    assert run.manifest.split.found == run.manifest.split.scored == found
    lines = score_lines(run.folder)
    assert len(lines) == found * protocol.targets
    assert all(line["counted"] and line["moving"] == 1.0 for line in lines)
    table = (made / f"{name}.txt").read_text(encoding="utf-8")
    assert f"{found} of {DATA_SETS[name].whole} clips" in table
    assert "PSNR" in table
    warning = " ".join((made / f"{name}.err").read_text(encoding="utf-8").split())
    assert f"found {found} of the {DATA_SETS[name].whole} clips of split '{name}'" in warning


@pytest.mark.slow
@EACH
def test_scores_are_those_of_a_slow_path(made: Path, data: Path, name: str) -> None:
    """Of frames that are scaled as the papers' scripts do it, by references that share no code with vpbench."""
    protocol = get_protocol(name)
    split = get_split(name, data / name)
    path = find_sources(split, None).found[split.clips[0].index]
    assert path is not None
    first = split.clips[0].first_frame + protocol.first_frame
    frames = read_frames(path, first, protocol.inputs + protocol.targets)
    lines = score_lines(made / name / name / "last_frame")[: protocol.targets]

    def scored(place: int) -> NDArray[np.float64]:
        frame = frames[place]
        if protocol.size is not None:
            frame = cv2.resize(frame, protocol.size[::-1])
        return reference.in_grey(frame / 255) if protocol.scored_as else frame / 255

    last = scored(protocol.inputs - 1)
    for step in {0} if "ssim-rgb" in protocol.metrics else {0, protocol.targets - 1}:
        target = scored(protocol.inputs + step)
        expected = {
            "psnr": reference.psnr(target, last, 1.0),
            "ssim": reference.ssim(target, last, 1.0, border="valid"),
        }
        if "ssim-rgb" in protocol.metrics:
            expected["ssim-rgb"] = reference.of_channels(reference.ssim, target, last, 1.0, border="valid")
            expected["ms-ssim"] = reference.of_channels(reference.ms_ssim, target, last, 1.0)
        for column, score in expected.items():
            assert lines[step][column] == pytest.approx(score, abs=1e-6), column


@pytest.mark.slow
@EACH
def test_clips_are_prepared_without_flow(cli: Cli, tmp_path: Path, data: Path, made: Path, name: str) -> None:
    done = cli("prepare", "--split", name, "--data", data / name, "--limit", 1, "--out", tmp_path / "clips")
    assert done.exit_code == 0, done.stderr
    assert not [file for file in tree(tmp_path / "clips") if "flow" in file]
    clips = open_prepared(tmp_path / "clips")
    assert clips.flow == {"name": "none"}
    assert clips.split.total == DATA_SETS[name].whole
    assert ClipRequest(None, tmp_path / "clips").protocol == name
    line = ["run", "--model", "last_frame", "--data", tmp_path / "clips", "--workers", 1, "--out", tmp_path]
    for more in ([], ["--split", name]):
        again = cli(*line, *more)
        assert again.exit_code == 0, again.stderr
    run = read_run(tmp_path / name / name / "last_frame")
    lines = score_lines(made / name / name / "last_frame")[: get_protocol(name).targets]
    assert score_lines(run.folder) == lines
    refused = cli(*line, "--split", next(other for other in DATA_SETS if other != name))
    assert refused.exit_code == 2
    assert f"holds clips of split '{name}'" in " ".join(refused.stderr.split())


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in STAND_INS if name != "cityscapes-dmvfn"])
def test_runs_are_verified_from_the_data(cli: Cli, data: Path, made: Path, name: str) -> None:
    done = cli("verify", made / name / name / "last_frame", "--data", data / name)
    assert done.exit_code == 0, done.output


@EACH
def test_another_layout_is_refused_with_what_is_expected_and_what_is_there(
    cli: Cli, tmp_path: Path, name: str
) -> None:
    (tmp_path / "a\x1b[2Jb").mkdir()
    (tmp_path / "readme.txt").write_text("none of it")
    for line in (["run", "--model", "last_frame"], ["prepare", "--out", tmp_path / "out"]):
        done = cli(*line, "--split", name, "--data", tmp_path)
        assert done.exit_code == 2
        assert "\x1b" not in done.stderr
        shown = " ".join(done.stderr.split())
        assert f"does not have the layout of {DATA_SETS[name].title}" in shown
        assert " ".join(DATA_SETS[name].layout[0].split()) in shown
        assert "readme.txt" in shown
    assert "--data DIR" in cli("run", "--model", "last_frame", "--split", name).stderr
    missing = cli("run", "--model", "last_frame", "--split", name, "--data", tmp_path / "nowhere")
    assert "nowhere: there is no such folder" in missing.stderr


@EACH
def test_a_folder_that_holds_the_data_sets_will_do(data: Path, name: str) -> None:
    """As does $VPBENCH_DATA: a suite over several data sets names one folder."""
    assert get_split(name, data).hash == get_split(name, data / name).hash
    assert ClipRequest(name, None, default_data=data).folder == data
    assert find_sources(get_split(name, data), data).found


def test_require_all_refuses_a_part(cli: Cli, data: Path) -> None:
    line = ["run", "--model", "last_frame", "--split", "davis-dmvfn", "--data", data, "--require-all"]
    done = cli(*line)
    assert done.exit_code == 1
    assert "--require-all: found 2 of the 30 clips" in " ".join(done.stderr.split())


def test_the_default_protocol_is_that_of_the_split(data: Path, tmp_path: Path) -> None:
    split = get_split("kth-10to20", data)
    assert ClipRequest(split, data).protocol == ClipRequest("kth-10to20", data).protocol == "kth-10to20"
    own = tmp_path / "kth-10to20"  # a folder of the user's that is called the same
    write_kth(own)
    assert (
        ClipRequest(get_split(str(own)), None).protocol
        == ClipRequest(str(own), None).protocol
        == "mathieu2016"
    )
    assert ClipRequest(None, None).protocol == "mathieu2016"


@EACH
def test_the_list_is_the_same_wherever_the_data_is(tmp_path: Path, data: Path, name: str) -> None:
    STAND_INS[name][0](tmp_path / "elsewhere")
    assert get_split(name, tmp_path / "elsewhere").hash == get_split(name, data / name).hash


def test_data_sets_are_listed_with_their_protocols(cli: Cli) -> None:
    splits = cli("list", "splits").stdout
    protocols = cli("list", "protocols").stdout
    for name, data_set in DATA_SETS.items():
        (line,) = [line for line in splits.splitlines() if line.split()[:1] == [name]]
        assert line.split()[1] == str(data_set.whole)
        assert f'name = "{name}"' in protocols
    assert "mathieu2016; from moving-mnist-10to10 on, the one of the split's name" in splits


@pytest.mark.slow
def test_a_suite_over_several_data_sets(cli: Cli, tmp_path: Path, data: Path) -> None:
    """Each split under its own protocol, all from one folder."""
    names = ["moving-mnist-10to10", "vimeo-2to1"]
    (tmp_path / "mine.toml").write_text(
        f'name = "mine"\nmodels = ["last_frame", "optical_flow"]\nsplits = {names}\n'
    )
    done = cli(
        *("suite", tmp_path / "mine.toml", "--data", data, "--workers", 1, "--out", tmp_path / "runs"),
        *("--limit", 1),
    )
    assert done.exit_code == 0, done.output
    for name in names:
        assert (tmp_path / "runs" / name / name / "optical_flow" / "manifest.json").is_file()
        assert name in done.stdout


def test_from_python(data: Path) -> None:
    with pytest.warns(UserWarning, match="found 3 of the 10000 clips"):
        run = vpbench.evaluate("last_frame", "moving-mnist-10to10", data=data, limit=1)
    assert run.manifest.protocol.name == "moving-mnist-10to10"
    assert len(run.scores["psnr"]) == 10


# Moving MNIST


def test_moving_mnist_frames_are_those_of_the_array(data: Path) -> None:
    split = get_split("moving-mnist-10to10", data)
    assert len(split.clips) == 10_000
    assert split.clips[2].source == "mnist_test_seq.npy/2"
    assert split.clips[2].index == 3
    assert split.hash == "571ae56d22a24afd"
    sources = find_sources(split, None)
    assert sorted(sources.found) == [1, 2, 3]
    path = sources.found[3]
    assert path is not None
    frames = read_frames(path, 5, 4)
    assert frames.shape == (4, 64, 64, 3)
    expected = grey_frames(20, (64, 64), seed=2)[5:9]
    assert all(np.array_equal(frames[..., channel], expected) for channel in range(3))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((20, 3, 64, 64), np.float32), "are uint8 (frames, sequences, height, width), not float32"),
        (np.zeros((20, 64, 64), np.uint8), "not uint8 (20, 64, 64)"),
        (np.zeros((20, 0, 64, 64), np.uint8), "not uint8 (20, 0, 64, 64)"),
        (
            np.asfortranarray(np.zeros((20, 3, 64, 64), np.uint8)),
            "are uint8 (frames, sequences, height, width)",
        ),
        (np.array([{"a": 1}]), "objects are not read"),
    ],
)
def test_another_array_is_refused(cli: Cli, tmp_path: Path, array: np.ndarray, message: str) -> None:
    np.save(tmp_path / "mnist_test_seq.npy", array, allow_pickle=True)
    done = cli("run", "--model", "last_frame", "--split", "moving-mnist-10to10", "--data", tmp_path)
    assert done.exit_code == 2
    shown = " ".join(done.stderr.split())
    assert "mnist_test_seq.npy" in shown
    assert message in shown


def test_a_cut_off_array_is_refused(cli: Cli, tmp_path: Path) -> None:
    write_moving_mnist(tmp_path)
    path = tmp_path / "mnist_test_seq.npy"
    path.write_bytes(path.read_bytes()[:-1])
    done = cli("run", "--model", "last_frame", "--split", "moving-mnist-10to10", "--data", tmp_path)
    assert done.exit_code == 2
    assert "its header promises" in " ".join(done.stderr.split())


def test_sequences_beyond_the_array_and_frames_beyond_its_end(data: Path) -> None:
    array = data / "moving-mnist-10to10" / "mnist_test_seq.npy"
    with pytest.raises(VpbenchError, match="has 3 sequences; there is no number 3"):
        read_frames(array / "3", 0, 1)
    with pytest.raises(VpbenchError, match="sequences of 20 frames; 21 are needed"):
        read_frames(array / "0", 11, 10)


# KTH


def test_the_list_of_kth_is_read_with_all_its_oddities(data: Path) -> None:
    split = get_split("kth-10to20", data)
    assert [(clip.source, clip.first_frame) for clip in split.clips] == KTH_CLIPS
    assert [clip.index for clip in split.clips] == [1, 2, 3, 4, 5]
    assert {clip.frames for clip in split.clips} == {30}
    assert set(split.clusters.values()) == {"person17", "person25"}


def test_videos_of_kth_are_found_in_any_folder(tmp_path: Path) -> None:
    write_kth(tmp_path / "kth")
    for path in sorted((tmp_path / "kth").rglob("*.avi")):
        path.rename(tmp_path / "kth" / path.name.upper())
    assert len(find_sources(get_split("kth-10to20", tmp_path), None).found) == len(KTH_CLIPS)
    (tmp_path / "kth" / "PERSON17_WALKING_D4_UNCOMP.AVI").unlink()
    sources = find_sources(get_split("kth-10to20", tmp_path), None)
    assert sorted(sources.found) == [1, 2, 4, 5]
    assert sources.missing[0] == "walking/person17_walking_d4_uncomp.avi"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("person17_boxing_d9 frames 1-40", "line 1: expected `person17_boxing_d1 frames"),
        ("person17_../../etc_d1 frames 1-40", "line 1: expected"),
        ("person17_boxing_d1 1-40", "line 1: expected"),
        ("person17_boxing_d1 frames 1-40, x", "line 1: expected"),
        ("person17_boxing_d1 frames 1-40000000", "line 1: expected"),
        ("person17_boxing_d1 frames 0-40", "counted from 1, not 0"),
        (
            "person17_boxing_d1 frames 1-40\nperson17_boxing_d1 frames 1-40",
            "line 2: person17_boxing_d1 is there twice",
        ),
        ("person01_boxing_d1 frames 1-40", "has no clips of it"),
        ("", "has no clips of it"),
        ("\udcff", "is not a list of names"),
    ],
)
def test_a_wrong_list_of_kth_is_refused_by_line(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "00sequences.txt").write_bytes(line.encode(errors="surrogateescape"))
    with pytest.raises(UsageError) as info:
        get_split("kth-10to20", tmp_path)
    assert message in str(info.value)
    assert f"{tmp_path}" in str(info.value)


def test_longer_horizons_than_the_clips_are_refused(cli: Cli, tmp_path: Path, data: Path) -> None:
    (tmp_path / "far.toml").write_text('extends = "kth-10to20"\nname = "far"\ntargets = 40\n')
    done = cli(
        "run",
        "--model",
        "last_frame",
        "--split",
        "kth-10to20",
        "--data",
        data,
        "--protocol",
        tmp_path / "far.toml",
    )
    assert done.exit_code == 2
    assert "needs clips of 50 frames" in done.stderr


# Numbered pictures and sequences, in lists of one's own


def test_lists_of_ones_own_name_numbered_pictures_and_sequences(cli: Cli, tmp_path: Path, data: Path) -> None:
    (tmp_path / "mine.csv").write_text(
        "video,first_frame,frames\n"
        "vimeo-2to1/sequences/00001/0389/im%d.png,1,3\n"
        "vimeo-2to1/sequences/00001/0389/im%d.png,2,3\n"
        "vimeo-2to1/sequences/00001/0389/im%d.png,1,2147483647\n"
        "vimeo-2to1/sequences/00001/0389/%s%d.png,1,3\n"
        "vimeo-2to1/sequences/00001/0389/im%099999d.png,1,3\n"
        "vimeo-2to1/sequences/00001/0389/im%d.npy,1,3\n"
        "moving-mnist-10to10/mnist_test_seq.npy/2,5,3\n"
        "moving-mnist-10to10/mnist_test_seq.npy/3,5,3\n"
        "moving-mnist-10to10/nothing.npy/0,5,3\n"
    )
    sources = find_sources(get_split(str(tmp_path / "mine.csv")), data)
    assert sorted(sources.found) == [1, 7]
    for index, (path, first) in {1: ("vimeo-2to1/sequences/00001/0389", 0)}.items():
        found = sources.found[index]
        assert found is not None
        assert np.array_equal(read_frames(found, 1, 3), read_frames(data / path, first, 3))


# Cityscapes


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cityscapes-dmvfn", "kitti-dmvfn"])
def test_single_steps_and_the_cumulative_means_that_papers_print(cli: Cli, made: Path, name: str) -> None:
    folder = made / name / name / "last_frame"
    done = cli("leaderboard", folder, "--steps", "1,3,5,1-3,1-5", "--format", "csv", "--metrics", "psnr")
    assert done.exit_code == 0, done.stderr
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    lines = score_lines(folder)
    for key, steps in {"1": {1}, "3": {3}, "5": {5}, "1-3": {1, 2, 3}, "1-5": {1, 2, 3, 4, 5}}.items():
        expected = np.mean([line["psnr"] for line in lines if line["frame"] in steps])
        assert float(row[f"psnr_{key}"]) == pytest.approx(expected, abs=1e-9)


def test_snippets_of_cityscapes_are_whole(data: Path) -> None:
    split = get_split("cityscapes-dmvfn", data)
    found = [(clip.source.split("/")[-1].split("_%")[0], clip.first_frame) for clip in split.clips]
    assert found == CITYSCAPES_CLIPS
    assert {clip.frames for clip in split.clips} == {30}
    assert len(set(split.clusters.values())) == 3
    path = find_sources(split, None).found[3]
    assert path is not None
    assert path.name == "lindau_000003_%06d_leftImg8bit.png"
    frames = read_frames(path, 4, 2)
    expected = read_frames(path.parent, 4, 2)  # the pictures of the folder in their order
    assert np.array_equal(frames, expected)
    with pytest.raises(VpbenchError, match=r"lindau_000003_000030_leftImg8bit\.png"):
        read_frames(path, 29, 2)


def test_a_snippet_without_a_frame_is_no_clip(tmp_path: Path) -> None:
    write_cityscapes(tmp_path)
    folder = tmp_path / "leftImg8bit_sequence" / "val"
    (
        folder / "frankfurt" / "frankfurt_000000_000334_leftImg8bit.png"
    ).unlink()  # the last of two: which is cut is open
    split = get_split("cityscapes-dmvfn", tmp_path)
    assert [clip.source.split("/")[2] for clip in split.clips] == ["lindau"]
    for path in folder.rglob("*.png"):
        path.unlink()
    with pytest.raises(UsageError, match=r"has no clips of it\. Expected there"):
        get_split("cityscapes-dmvfn", tmp_path)


# KITTI


def test_windows_of_kitti(data: Path) -> None:
    split = get_split("kitti-dmvfn", data)
    assert len(split.clips) == DATA_SETS["kitti-dmvfn"].whole == 1337
    assert split.hash == "787e089341ff03cc"
    assert len(set(split.clusters.values())) == 4
    sources = find_sources(split, None)
    assert sorted(sources.found) == [1, 2]
    assert sources.missing[0] == "2011_09_26/2011_09_26_drive_0060_sync/image_02/data/%010d.png from 2"


# DAVIS and Vimeo


@pytest.mark.parametrize(
    ("name", "file"), [("davis-dmvfn", "ImageSets/2017/val.txt"), ("vimeo-2to1", "tri_testlist.txt")]
)
@pytest.mark.parametrize(
    "line", ["../../etc/passwd", "/etc", "00001/../../x", "a\\b", "00001/0001 00001/0002"]
)
def test_paths_out_of_the_folder_are_refused_by_line(tmp_path: Path, name: str, file: str, line: str) -> None:
    STAND_INS[name][0](tmp_path)
    good = (tmp_path / file).read_text().splitlines()[0]
    (tmp_path / file).write_text(f"{good}\n{line}\n")
    with pytest.raises(UsageError) as info:
        get_split(name, tmp_path)
    assert f"{tmp_path / file}, line 2: expected a name like" in str(info.value)
    (tmp_path / file).write_text(f"{good}\n{good}\n")
    with pytest.raises(UsageError, match=r"line 2: .* is there twice"):
        get_split(name, tmp_path)


def test_lists_of_names(data: Path) -> None:
    assert [clip.source for clip in get_split("davis-dmvfn", data).clips] == [
        "JPEGImages/480p/bike-packing",
        "JPEGImages/480p/blackswan",
    ]
    assert [clip.source for clip in get_split("vimeo-2to1", data).clips] == [
        "sequences/00001/0389",
        "sequences/00002/0001",
    ]
