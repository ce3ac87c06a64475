"""Prepared folders and archives as ``--data``: what they serve, and how damage in them is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from folders import prepare_folder, tree, write_archive, write_png
from footage import moving_frames
from runs import score_lines

from vpbench.clips.prepared import StoredClip, is_archive, open_archive, open_prepared
from vpbench.errors import UsageError, VpbenchError
from vpbench.scoring.built_in import get_protocol
from vpbench.scoring.protocol import MaskRule, MetricUse, Protocol
from vpbench.splits import get_split
from vpbench.video.decoding import read_frames


@pytest.fixture
def folder(tmp_path: Path, videos: Path) -> Path:
    """Two prepared clips."""
    prepare_folder(videos, tmp_path / "prepared", limit=2)
    return tmp_path / "prepared"


def run(cli, data: Path, out: Path, *more: str):
    return cli("run", "--model", "last_frame", "--data", data, "--out", out, "--workers", 1, *more)


def test_a_clip_is_what_was_prepared(folder: Path, videos: Path):
    clips = open_prepared(folder)
    clip = clips.load(1, get_protocol("mathieu2016"))
    frames = read_frames(videos / "clip_0.avi", 0, 6)
    np.testing.assert_array_equal(clip.inputs, frames[:4])
    np.testing.assert_array_equal(clip.targets, frames[4:])
    assert clip.flows is not None
    assert len(clip.flows) == 2
    assert clip.flow_images is None
    inputs = next(iter(clips)).load(get_protocol("mathieu2016"), inputs_only=True)
    np.testing.assert_array_equal(inputs.inputs, frames[:4])
    assert inputs.targets.shape == (0, 48, 64, 3)
    full = clips.load(1, get_protocol("full-frame"))
    assert full.flows is None  # nothing is read that is not needed


def test_prepared_clips_serve_as_data(cli, folder: Path, videos: Path, tmp_path: Path):
    before = tree(folder)
    result = run(cli, folder, tmp_path / "a")
    assert result.exit_code == 0, result.stderr
    direct = cli(
        *("run", "--model", "last_frame", "--split", videos, "--limit", 2, "--out", tmp_path / "b"),
        *("--workers", 1),
    )
    assert direct.exit_code == 0
    name = Path("videos") / "mathieu2016" / "last_frame"
    assert score_lines(tmp_path / "a" / name) == score_lines(tmp_path / "b" / name)
    assert tree(folder) == before


def test_another_split_than_the_folder_holds_is_refused(cli, folder: Path, tmp_path: Path):
    result = run(cli, folder, tmp_path / "a", "--split", "demo")
    assert result.exit_code == 2
    assert "holds clips of split 'videos', not 'demo'" in result.stderr


def test_a_protocol_that_the_clips_cannot_serve_is_refused(cli, folder: Path, tmp_path: Path):
    result = run(cli, folder, tmp_path / "a", "--protocol", "dvf2017-like")
    assert result.exit_code == 2
    assert "cannot serve protocol 'dvf2017-like'" in result.stderr
    assert "inputs is 4, not 2" in result.stderr
    assert "vpbench prepare --protocol" in result.stderr


@pytest.mark.parametrize("rule", [MaskRule("colour", 1.0), MaskRule("archive")])
def test_another_flow_is_refused_where_the_mask_needs_it(folder: Path, rule: MaskRule):
    clips = open_prepared(folder)
    other = Protocol("other", 1, "", {"psnr": MetricUse("psnr")}, flow="farneback", mask=rule)
    with pytest.raises(UsageError, match="have flow of 'dis'; protocol 'other' needs 'farneback'"):
        clips.check_serves(other)
    clips.check_serves(Protocol("other", 1, "", {"psnr": MetricUse("psnr")}, flow="farneback"))


@pytest.mark.parametrize(
    ("name", "change", "workers"),
    [
        ("pred_1.png", "cut", 1),
        ("target_2.png", "cut", 1),
        ("pred_4.png", "byte", 2),  # errors come back from workers
        ("flow_1.npy", "cut", 1),
        ("flow_2.npy", "byte", 1),
        ("flow_2.npy", "gone", 1),
        ("target_1.png", "gone", 1),
    ],
)
def test_damage_in_a_prepared_folder_is_named(
    cli, folder: Path, tmp_path: Path, name: str, change: str, workers: int
):
    path = folder / "2" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    if change == "gone":
        path.unlink()
    else:
        path.write_bytes(bytes(data) if change == "byte" else bytes(data[: len(data) // 2]))
    result = run(cli, folder, tmp_path / "a", "--workers", str(workers))
    assert result.exit_code == 1
    assert str(path) in result.stderr
    assert ("No such file" if change == "gone" else "was changed or damaged") in result.stderr
    if workers == 1:  # what went before is kept
        assert [line["clip"] for line in score_lines(tmp_path / "a/videos/mathieu2016/last_frame")] == [1, 1]


def test_a_damaged_flow_image_is_named(cli, folder: Path, tmp_path: Path):
    path = folder / "2" / "target_1_flow.png"
    path.write_bytes(path.read_bytes()[:-30])
    assert run(cli, folder, tmp_path / "a").exit_code == 0  # the vectors are used, not the images
    result = run(cli, folder, tmp_path / "a", "--protocol", "mathieu2016-archive")
    assert result.exit_code == 1
    assert f"{path} was changed or damaged" in result.stderr


def test_a_clip_of_another_folder_is_noticed(cli, folder: Path, tmp_path: Path):
    (folder / "1").rename(folder / "x")
    (folder / "2").rename(folder / "1")
    (folder / "x").rename(folder / "2")
    result = run(cli, folder, tmp_path / "a")
    assert result.exit_code == 1
    assert "does not belong to" in result.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is damaged"),
        ("[]", "holds no JSON object"),
        ('{"kind": "vpbench-prepared", "schema": 1, "kind": 2}', "the key 'kind' is there twice"),
        ('{"kind": "vpbench-run"}', "is not a vpbench-prepared manifest"),
        ('{"kind": "vpbench-prepared", "schema": 99}', "schema 99; this vpbench reads 1"),
        ('{"kind": "vpbench-prepared", "schema": 1, "status": "running"}', "is not complete"),
        ('{"kind": "vpbench-prepared", "schema": 1, "status": "complete"}', "is damaged"),
        ('{"kind": "vpbench-prepared", "schema": 1, "status": "complete", "clips": 3}', "is damaged"),
    ],
)
def test_a_damaged_manifest_is_named(folder: Path, text: str, message: str):
    (folder / "manifest.json").write_text(text)
    with pytest.raises(VpbenchError, match=rf"(?s)prepared.*{message}"):
        open_prepared(folder)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("split.name", "../up", "split: 'name' cannot be that of a split"),
        ("split.name", "..", "split: 'name' cannot be that of a split"),
        ("split.total", "3", "split: 'total' must be a whole number, not a text"),
        ("geometry.size", [1, 2, 3], "geometry: 'size' must be"),
        ("geometry.targets", 150_000_000, "geometry: 'targets' must be a whole number of at most 1000"),
        ("geometry.inputs", 0, "geometry: 'inputs' must be a whole number of at least 1"),
        ("status", "done", "'status' cannot be"),
        ("split.total", -1, "split: 'total' must be a whole number of at least 0"),
        ("clips", {str(2**31): "x"}, "'clips' has a key of the wrong form"),
        ("flow", {"version": "1"}, "'flow' has no name"),
        ("clips", {"one": "x"}, "'clips' has a key of the wrong form"),
    ],
)
def test_a_wrong_field_of_a_manifest_is_named(folder: Path, field: str, value: object, message: str):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    *parents, last = field.split(".")
    table = manifest
    for key in parents:
        table = table[key]
    table[last] = value
    path.write_text(json.dumps(manifest))
    with pytest.raises(
        VpbenchError, match=rf"manifest\.json is damaged: {message}.* Prepare the clips again"
    ):
        open_prepared(folder)


@pytest.mark.parametrize(
    "name", ["a\\u001b[31mb", "b\\u202ec", "..", "../up", "/tmp/up", ".hidden", "x" * 101, ""]
)
def test_a_split_of_a_hostile_name_is_refused(cli, folder: Path, tmp_path: Path, name: str):
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"name": "videos"', f'"name": "{name}"'))
    before = {*tmp_path.rglob("*")}
    result = run(cli, folder, tmp_path / "deep" / "runs")
    assert result.exit_code == 1
    assert f"{path} is damaged: split: 'name' cannot be that of a split" in result.stderr
    assert {*tmp_path.rglob("*")} == before, "nothing is written"


# The authors' archive


def test_an_archive_serves_the_rule_archive(cli, tmp_path: Path):
    archive = write_archive(tmp_path / "UCF101frm10p")
    before = tree(archive)
    assert is_archive(archive)
    assert open_archive(archive, get_split("ucf101-every10th")).clusters == {
        1: "ApplyEyeMakeup_g01",
        11: "ApplyEyeMakeup_g03",
    }
    result = run(cli, archive, tmp_path / "runs", "--protocol", "mathieu2016-archive")
    assert result.exit_code == 0, result.stderr
    assert "found 2 of the 379 clips" in result.stderr
    lines = score_lines(tmp_path / "runs" / "ucf101-every10th" / "mathieu2016-archive" / "last_frame")
    assert [(line["clip"], line["frame"]) for line in lines] == [(1, 1), (1, 2), (11, 1), (11, 2)]
    assert all(line["moving"] == 0.5 for line in lines)  # bytes up to 50 move, 51 does not
    assert tree(archive) == before  # used as it is

    frames = moving_frames(6, seed=1)[:, :, :32].astype(float)  # the left half
    error = 128**2 * np.sum((2 / 255 * (frames[3] - frames[4])) ** 2) / (3 * 48 * 64)
    assert lines[0]["psnr"] == pytest.approx(10 * np.log10(255**2 / error), abs=1e-6)


def test_an_archive_serves_protocols_without_a_mask(cli, tmp_path: Path):
    archive = write_archive(tmp_path / "UCF101frm10p")
    result = run(cli, archive, tmp_path / "runs", "--protocol", "full-frame")
    assert result.exit_code == 0, result.stderr


@pytest.mark.parametrize("protocol", ["mathieu2016", "mathieu2016-framemax", "moving-pixels"])
def test_rules_that_need_vectors_are_refused_by_name(cli, tmp_path: Path, protocol: str):
    archive = write_archive(tmp_path / "UCF101frm10p")
    result = run(cli, archive, tmp_path / "runs", "--protocol", protocol)
    assert result.exit_code == 2
    assert f"The mask rule 'colour' of protocol '{protocol}' needs flow vectors" in result.stderr
    assert "mathieu2016-archive" in result.stderr


def test_an_archive_has_four_inputs(cli, tmp_path: Path):
    archive = write_archive(tmp_path / "UCF101frm10p")
    result = run(cli, archive, tmp_path / "runs", "--protocol", "ucf101-8to8")
    assert result.exit_code == 2
    assert "inputs is 4, not 8" in result.stderr


@pytest.mark.parametrize("name", ["pred_2.png", "target_1.png", "target_1_flow.png"])
@pytest.mark.parametrize("change", ["cut", "text", "empty", "gone"])
def test_damage_in_an_archive_is_named(cli, tmp_path: Path, name: str, change: str):
    archive = write_archive(tmp_path / "UCF101frm10p")
    path = archive / "11" / name
    if change == "gone":
        path.unlink()
    else:
        path.write_bytes({"cut": path.read_bytes()[:-40], "text": b"no picture", "empty": b""}[change])
    result = run(cli, archive, tmp_path / "runs", "--protocol", "mathieu2016-archive")
    assert result.exit_code == 1
    assert str(path) in result.stderr
    assert ("Cannot read" if change == "gone" else "is damaged or is not a picture") in result.stderr


def test_a_flow_image_of_another_size_is_named(cli, tmp_path: Path):
    archive = write_archive(tmp_path / "UCF101frm10p")
    write_png(archive / "11" / "pred_4_flow.png", moving_frames(1, size=(40, 64))[0])
    result = run(cli, archive, tmp_path / "runs", "--protocol", "mathieu2016-archive")
    assert result.exit_code == 1
    assert "pred_4_flow.png is 64×40 pixels, but pred_1.png beside it 64×48" in result.stderr


def test_a_clip_that_the_split_does_not_have_is_refused(cli, tmp_path: Path):
    archive = write_archive(tmp_path / "UCF101frm10p", (1, 12))
    result = run(cli, archive, tmp_path / "runs", "--protocol", "mathieu2016-archive")
    assert result.exit_code == 2
    assert "has a clip 12, which split 'ucf101-every10th' does not have" in result.stderr


def test_an_archive_with_one_target_serves_one(tmp_path: Path):
    archive = write_archive(tmp_path / "a", (1,))
    for name in ("target_2.png", "target_1_flow.png"):
        (archive / "1" / name).unlink()
    split = get_split("ucf101-every10th")
    clips = open_archive(archive, split)
    with pytest.raises(UsageError, match="targets is 1, not 2"):
        clips.check_serves(get_protocol("mathieu2016-archive"))
    one = Protocol("one", 1, "", {"psnr": MetricUse("psnr")}, targets=1, mask=MaskRule("archive"))
    clips.check_serves(one)
    assert StoredClip(archive, 1).load(one).targets.shape == (1, 48, 64, 3)


def test_other_pixels_are_another_hash(tmp_path: Path):
    split = get_split("ucf101-every10th")

    def opened() -> str:
        return open_archive(tmp_path / "a", split).hash

    write_archive(tmp_path / "a")
    first = opened()
    write_png(tmp_path / "a" / "1" / "pred_1.png", moving_frames(1, seed=9)[0])
    assert opened() != first


def test_what_prepare_writes_is_an_archive_to_others(tmp_path: Path, videos: Path):
    """Without our manifest it is read as anybody's archive, and the images give the same moving area."""
    prepare_folder(videos, tmp_path / "p", limit=1)
    protocol = get_protocol("mathieu2016-archive")
    ours = StoredClip(tmp_path / "p", 1).load(get_protocol("mathieu2016"))
    (tmp_path / "p" / "manifest.json").unlink()
    assert is_archive(tmp_path / "p")
    theirs = StoredClip(tmp_path / "p", 1).load(protocol)
    for k in range(2):
        np.testing.assert_array_equal(
            ours.moving_area(k, get_protocol("mathieu2016").mask), theirs.moving_area(k, protocol.mask)
        )


def test_flow_of_the_wrong_kind_is_named(folder: Path):
    np.save(folder / "1" / "flow_1.npy", np.zeros((48, 64, 2)))
    with pytest.raises(VpbenchError, match=r"flow_1\.npy is not flow: float32 .* not float64"):
        StoredClip(folder, 1).load(get_protocol("mathieu2016"))
    (folder / "1" / "flow_1.npy").write_bytes(b"no array")
    with pytest.raises(VpbenchError, match=r"flow_1\.npy is damaged"):
        StoredClip(folder, 1).load(get_protocol("mathieu2016"))


def test_a_damaged_record_is_named(folder: Path):
    path = folder / "1" / "clip.json"
    record = json.loads(path.read_text())
    del record["content"]
    path.write_text(json.dumps(record))
    with pytest.raises(VpbenchError, match=r"1.clip\.json is damaged: 'content' is missing"):
        open_prepared(folder).load(1, get_protocol("mathieu2016"))
