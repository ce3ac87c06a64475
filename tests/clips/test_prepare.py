"""``prepare``: what it writes, what it keeps, what it makes anew, and which sources it names as damaged."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from folders import prepare_folder, tree, write_png
from footage import moving_frames, rendered, write_video
from work import asked_to_end

from vpbench.clips.one_clip import ClipJob, prepare_clip
from vpbench.clips.prepare import cache_folder
from vpbench.clips.prepared import file_hash, open_prepared
from vpbench.errors import UsageError, VpbenchError
from vpbench.parallel.processes import make_executor, result, submit
from vpbench.scoring.built_in import get_protocol
from vpbench.scoring.protocol import COLOUR_THRESHOLD, MaskRule, MetricUse, Protocol
from vpbench.splits import get_split
from vpbench.video import flow
from vpbench.video.decoding import decoder, read_frames, read_picture
from vpbench.video.flow_colour import colour_code

ARCHIVE_FILES = {
    *(f"pred_{k}.png" for k in (1, 2, 3, 4)),
    "target_1.png",
    "target_2.png",
    "pred_4_flow.png",
    "target_1_flow.png",
}


def test_the_layout_is_the_archives_with_flow_and_hashes(tmp_path: Path, videos: Path):
    out = tmp_path / "out"
    clips = prepare_folder(videos, out)
    assert sorted(clips.contents) == [1, 2, 3]
    names = {path.name for path in (out / "2").iterdir()}
    assert names == {*ARCHIVE_FILES, "flow_1.npy", "flow_2.npy", "clip.json"}
    assert {path.name for path in out.iterdir() if path.name != ".lock"} == {"1", "2", "3", "manifest.json"}

    frames = read_frames(videos / "clip_1.avi", 0, 6)
    for position, name in enumerate(["pred_1", "pred_2", "pred_3", "pred_4", "target_1", "target_2"]):
        np.testing.assert_array_equal(read_picture(out / "2" / f"{name}.png"), frames[position])
    for k, image in enumerate(["pred_4_flow", "target_1_flow"]):
        vectors = np.load(out / "2" / f"flow_{k + 1}.npy")
        assert vectors.dtype == np.float32
        np.testing.assert_array_equal(vectors, flow.estimate("dis", frames[3 + k], frames[4 + k]))
        picture = read_picture(out / "2" / f"{image}.png")
        np.testing.assert_array_equal(picture, colour_code(vectors, 1.0))
        moving = np.hypot(vectors[..., 0].astype(float), vectors[..., 1].astype(float)) > 0.8
        differ = moving != (picture < COLOUR_THRESHOLD).any(axis=2)
        assert differ.mean() < 0.01  # bytes round

    record = json.loads((out / "2" / "clip.json").read_text())
    for name, digest in record["files"].items():
        assert file_hash((out / "2" / name).read_bytes()) == digest
    assert set(record["files"]) == names - {"clip.json"}
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["clips"]["2"] == record["content"]
    assert manifest["status"] == "complete"
    assert manifest["decoder"] == decoder()
    assert manifest["flow"] == flow.describe("dis")


def test_hashes_are_of_pixels_and_flow(tmp_path: Path, videos: Path):
    clips = prepare_folder(videos, tmp_path / "a")
    shutil.copy(videos / "clip_1.avi", videos / "clip_0.avi")
    other = prepare_folder(videos, tmp_path / "b")
    assert clips.contents[1] != other.contents[1] == clips.contents[2] == other.contents[2]
    assert clips.hash != other.hash
    assert clips.only([2, 3]).hash == other.only([2, 3]).hash


@pytest.mark.slow
def test_one_and_two_workers_write_the_same_bytes(tmp_path: Path, videos: Path):
    prepare_folder(videos, tmp_path / "one", workers=1)
    prepare_folder(videos, tmp_path / "two", workers=2)
    one = tree(tmp_path / "one")
    assert one == tree(tmp_path / "two")
    assert len(one) == 3 * 11 + 1


def times(folder: Path) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("*/clip.json")}


def test_finished_clips_are_kept_and_the_rest_is_done(tmp_path: Path, videos: Path):
    out = tmp_path / "out"
    prepare_folder(videos, out, limit=2)
    before = times(out)
    assert sorted(before) == ["1", "2"]
    (out / "2" / "target_2.png").unlink()
    clips = prepare_folder(videos, out)
    after = times(out)
    assert sorted(clips.contents) == [1, 2, 3]
    assert after["1"] == before["1"]
    assert after["2"] != before["2"]
    assert (out / "2" / "target_2.png").is_file()


def test_nothing_is_written_when_all_is_there(tmp_path: Path, videos: Path):
    out = tmp_path / "out"
    prepare_folder(videos, out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.name != ".lock"}
    prepare_folder(videos, out)
    prepare_folder(videos, out, limit=1)
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.name != ".lock"}


def test_a_changed_source_is_prepared_anew(tmp_path: Path, videos: Path):
    out = tmp_path / "out"
    old = prepare_folder(videos, out)
    before = times(out)
    write_video(videos / "clip_0.avi", moving_frames(8, seed=99))
    new = prepare_folder(videos, out)
    assert old.contents[1] != new.contents[1]
    assert old.contents[2] == new.contents[2]
    assert times(out)["2"] == before["2"]


def test_a_changed_picture_in_a_frame_folder_is_noticed(tmp_path: Path):
    for number, frame in enumerate(moving_frames(6)):
        write_png(tmp_path / "mine" / "a" / f"{number}.png", frame)
    old = prepare_folder(tmp_path / "mine", tmp_path / "out")
    write_png(tmp_path / "mine" / "a" / "3.png", moving_frames(1, seed=5)[0])
    new = prepare_folder(tmp_path / "mine", tmp_path / "out")
    assert old.contents != new.contents


@pytest.mark.parametrize("what", ["protocol", "split", "flow"])
def test_a_folder_prepared_otherwise_is_refused(tmp_path: Path, videos: Path, what: str):
    out = tmp_path / "out"
    prepare_folder(videos, out)
    before = tree(out)
    protocol: str | Protocol = "mathieu2016"
    if what == "protocol":
        protocol = "dvf2017-like"
    elif what == "flow":
        protocol = Protocol("p", 1, "", {"psnr": MetricUse("psnr")}, flow="farneback")
    else:
        write_video(videos / "clip_3.avi", moving_frames(8))
    with pytest.raises(UsageError, match=r"holds clips that were prepared otherwise.*Choose another --out"):
        prepare_folder(videos, out, protocol)
    assert tree(out) == before


def test_protocols_that_need_the_same_clips_share_them(tmp_path: Path, videos: Path):
    out = tmp_path / "out"
    prepare_folder(videos, out, "mathieu2016")
    before = tree(out)
    prepare_folder(videos, out, "full-frame")
    assert tree(out) == before


@pytest.mark.parametrize("name", ["notes.txt", "7"])
def test_a_folder_of_other_things_is_refused(tmp_path: Path, videos: Path, name: str):
    (tmp_path / "out" / name).mkdir(parents=True)
    with pytest.raises(UsageError, match=rf"holds other things \({name}\)"):
        prepare_folder(videos, tmp_path / "out")


def test_clips_whose_manifest_is_gone_are_not_trusted(tmp_path: Path, videos: Path):
    """They may be of another protocol, and would be taken for finished."""
    out = tmp_path / "out"
    prepare_folder(videos, out, "mathieu2016")
    (out / "manifest.json").unlink()
    with pytest.raises(UsageError, match="holds other things"):
        prepare_folder(videos, out, "dvf2017-like")


def test_leftovers_of_a_killed_run_go(tmp_path: Path, videos: Path):
    out = tmp_path / "out"
    (out / ".clip-1-999.tmp").mkdir(parents=True)
    (out / ".clip-1-999.tmp" / "pred_1.png").write_bytes(b"half")
    (out / ".manifest.json.abc.tmp").write_bytes(b"half")
    prepare_folder(videos, out)
    assert not list(out.glob(".*.tmp"))


def damage(videos: Path, kind: str) -> tuple[str, str]:
    """Damage clip_1.avi; returns its name and what the error must say."""
    path = videos / "clip_1.avi"
    if kind == "truncated":
        path.write_bytes(path.read_bytes()[:5000])
        return path.name, "is truncated"
    if kind == "empty":
        path.write_bytes(b"")
        return path.name, "is empty"
    if kind == "no video":
        path.write_bytes(b"a text\n" * 1000)
        return path.name, "is not a video"
    if kind == "too short":
        write_video(path, moving_frames(5))
        return path.name, "has only 5 frames that can be decoded; 6 are needed"
    write_video(path, moving_frames(8, size=(10, 12)))
    return path.name, "at least 16×16 are needed"


@pytest.mark.parametrize("kind", ["truncated", "empty", "no video", "too short", "tiny"])
def test_damaged_sources_are_named_and_the_others_prepared(tmp_path: Path, videos: Path, kind: str):
    good = (videos / "clip_1.avi").read_bytes()
    name, message = damage(videos, kind)
    out = tmp_path / "out"
    with pytest.raises(
        VpbenchError, match="1 of 3 sources cannot be used; the other clips are prepared"
    ) as info:
        prepare_folder(videos, out)
    assert "clip 2: " in str(info.value)
    assert name in str(info.value)
    assert message in str(info.value)
    before = times(out)
    assert sorted(before) == ["1", "3"]
    with pytest.raises(VpbenchError, match="is not complete"):
        open_prepared(out)

    (videos / "clip_1.avi").write_bytes(good)  # repaired: it goes on
    assert sorted(prepare_folder(videos, out).contents) == [1, 2, 3]
    assert {k: v for k, v in times(out).items() if k != "2"} == before


def test_damaged_sources_end_the_command_with_1(cli, tmp_path: Path, videos: Path):
    (videos / "clip_1.avi").write_bytes(b"")
    (videos / "clip_2.avi").write_bytes(b"")
    result = cli("prepare", "--split", videos, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "2 of 3 sources cannot be used" in result.stderr
    assert "clip_1.avi is empty" in result.stderr
    assert "clip_2.avi is empty" in result.stderr


def test_a_video_of_another_size_than_the_splits(tmp_path: Path):
    data = tmp_path / "data"
    write_video(data / "v_ApplyEyeMakeup_g01_c01.avi", moving_frames(6))
    with pytest.raises(VpbenchError, match=r"g01_c01\.avi is 64×48 pixels; this split's videos are 320×240"):
        prepare_folder("ucf101-every10th", tmp_path / "out", data=data)


def test_crop_and_first_frame(tmp_path: Path, videos: Path):
    (videos / "mine.csv").write_text(
        "index,video,first_frame,frames,x,y,width,height\n5,clip_0.avi,2,6,4,8,32,24\n"
    )
    prepare_folder(videos / "mine.csv", tmp_path / "out")
    expected = read_frames(videos / "clip_0.avi", 2, 6)[:, 8:32, 4:36]
    np.testing.assert_array_equal(read_picture(tmp_path / "out" / "5" / "pred_1.png"), expected[0])
    np.testing.assert_array_equal(read_picture(tmp_path / "out" / "5" / "target_2.png"), expected[5])


def test_a_crop_that_leaves_the_frame(tmp_path: Path, videos: Path):
    (videos / "mine.csv").write_text("index,video,x,y,width,height\n5,clip_0.avi,40,8,32,24\n")
    with pytest.raises(VpbenchError, match=r"64×48 pixels; the crop 32×24 at \(40, 8\) leaves it"):
        prepare_folder(videos / "mine.csv", tmp_path / "out")


def test_frames_before_the_first_are_passed_over_and_sizes_kept(tmp_path: Path, videos: Path):
    """dvf2017-like: frames 2 and 3 in, frame 4 out, whole frames resized to 256×256."""
    prepare_folder(videos, tmp_path / "out", "dvf2017-like")
    names = {path.name for path in (tmp_path / "out" / "1").glob("*.png")}
    assert names == {"pred_1.png", "pred_2.png", "target_1.png", "pred_2_flow.png"}
    frame = read_frames(videos / "clip_0.avi", 2, 1)[0]
    expected = cv2.resize(frame, (256, 256), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(read_picture(tmp_path / "out" / "1" / "pred_1.png"), expected)
    assert np.load(tmp_path / "out" / "1" / "flow_1.npy").shape == (256, 256, 2)


def test_synthetic_clips_have_the_exact_flow(tmp_path: Path):
    clips = prepare_folder("synthetic", tmp_path / "out", limit=1)
    assert clips.flow == {"name": "exact"}
    frames, flows = rendered(1, 6)
    for k in (1, 2):
        np.testing.assert_array_equal(np.load(tmp_path / "out" / "1" / f"flow_{k}.npy"), flows[2 + k])
    np.testing.assert_array_equal(read_picture(tmp_path / "out" / "1" / "target_2.png"), frames[5])


def test_exact_flow_is_scaled_with_the_frames(tmp_path: Path):
    half = Protocol(
        "half", 1, "", {"psnr": MetricUse("psnr")}, size=(120, 160), mask=MaskRule("magnitude", tau=1)
    )
    prepare_folder("synthetic", tmp_path / "out", half, limit=1)
    _, flows = rendered(1, 6)  # a pan: the flow is the same everywhere
    scaled = np.load(tmp_path / "out" / "1" / "flow_1.npy")
    np.testing.assert_allclose(scaled, flows[3][:120, :160] / 2, rtol=1e-5)


def test_the_cache_folder_depends_on_what_fixes_the_clips(videos: Path, monkeypatch: pytest.MonkeyPatch):
    base = cache_folder(get_split("demo"), get_protocol("mathieu2016"))
    assert base.is_relative_to(os.environ["VPBENCH_CACHE"])
    assert base == cache_folder(get_split("demo"), get_protocol("full-frame"))
    others = {
        cache_folder(get_split("demo-16"), get_protocol("mathieu2016")),
        cache_folder(get_split("demo"), get_protocol("dvf2017-like")),
        cache_folder(get_split(str(videos)), get_protocol("mathieu2016")),
        cache_folder(get_split("demo"), Protocol("p", 1, "", {"psnr": MetricUse("psnr")}, flow="tvl1")),
    }
    monkeypatch.setattr("vpbench.clips.prepare.decoder", lambda: {"opencv": "another"})
    others.add(cache_folder(get_split("demo"), get_protocol("mathieu2016")))
    assert len(others | {base}) == 6


def test_run_uses_the_cache(cli, tmp_path: Path, videos: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VPBENCH_CACHE", str(tmp_path / "cache"))
    common = ("run", "--model", "last_frame", "--split", videos, "--limit", 2, "--workers", 1)
    assert cli(*common, "--out", tmp_path / "a").exit_code == 0
    (folder,) = (tmp_path / "cache" / "clips").iterdir()
    before = times(folder)
    assert sorted(before) == ["1", "2"]
    assert cli(*common, "--out", tmp_path / "b").exit_code == 0
    assert times(folder) == before


def test_prepare_says_what_it_did(cli, tmp_path: Path, videos: Path):
    result = cli("prepare", "--split", videos, "--out", tmp_path / "out", "--limit", 2, "--workers", 1)
    assert result.exit_code == 0
    assert f"2 clips of split 'videos' are prepared in {tmp_path / 'out'}." in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("where", "seconds"), [("rmtree", 0.0), ("rename", 3.0)])
def test_a_worker_that_is_asked_to_end_finishes_a_clip(tmp_path: Path, where: str, seconds: float):
    """However long its files take, nothing temporary is left of them, and the parent process hears of it."""
    (clip,) = get_split("synthetic").clips[:1]
    job = ClipJob(tmp_path, clip, None, None, get_protocol("mathieu2016"), None)
    with make_executor(2) as executor:
        future = submit(executor, asked_to_end, where, seconds, prepare_clip, job)
        with pytest.raises(VpbenchError, match="A worker process died"):
            result(future)
    assert [path.name for path in tmp_path.iterdir()] == [str(clip.index)]
