"""Footage and patches: what may be trained on, what moves, and that it depends on the seed alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from footage import drifting, write_footage, write_video

from vpbench.errors import UsageError, VpbenchError
from vpbench.models.footage.frame_errors import cache_copy_errors, copy_errors, moving_error
from vpbench.models.footage.guide_cache import cache_guides
from vpbench.models.footage.patches import PatchSource, Selection, WindowFiles, movement, prefetched
from vpbench.models.footage.videos import (
    Segments,
    cache_segments,
    decode_segments,
    find_footage,
    windows_of,
)


def cached(folder: Path, speed: int = 2) -> Segments:
    footage = find_footage(write_footage(folder / "videos", speed=speed))
    return cache_segments(footage.training, folder / "cache", count=2, length=6)


def test_ucf101s_groups_are_divided(tmp_path: Path) -> None:
    for group in (1, 7, 8, 21, 22, 25):
        (tmp_path / "Class").mkdir(exist_ok=True)
        (tmp_path / "Class" / f"v_Class_g{group:02d}_c01.avi").write_bytes(b"x")
    found = find_footage(tmp_path)
    assert [path.stem[-6:-4] for path in found.training] == ["08", "21"]
    assert [path.stem[-6:-4] for path in found.validation] == ["22", "25"]
    assert (found.contaminated, found.left_out) == (False, 2)
    forced = find_footage(tmp_path, include_test=True)
    assert [path.stem[-6:-4] for path in forced.training] == ["08", "21", "01", "07"]
    assert forced.contaminated
    assert "test groups" in forced.describe()


def test_the_test_list_alone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "v_Class_g03_c01.avi").write_bytes(b"x")
    with pytest.raises(UsageError, match="test groups 1–7"):
        find_footage(tmp_path)


def test_real_ucf101(ucf101: Path) -> None:
    found = find_footage(ucf101)
    groups = {int(path.stem[-6:-4]) for path in found.training}
    assert groups <= set(range(8, 22))
    assert {int(path.stem[-6:-4]) for path in found.validation} <= set(range(22, 26))


def test_other_footage_keeps_some_for_validation(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / f"clip{number}.mp4").write_bytes(b"x")
    found = find_footage(tmp_path)
    assert len(found.training) + len(found.validation) == 100
    assert 1 <= len(found.validation) <= 12
    assert found == find_footage(tmp_path)


def test_no_videos(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(UsageError, match="no videos in it"):
        find_footage(tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        find_footage(tmp_path / "missing")


def test_segments_are_the_videos_frames(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.avi", drifting(3, 12))
    whole = decode_segments(video, 1, 12)[0]
    segments = decode_segments(video, 3, 4)
    assert segments.shape == (3, 4, 64, 80, 3)
    for segment, start in zip(segments, (0, 4, 8), strict=True):
        np.testing.assert_array_equal(segment, whole[start : start + 4])
    assert decode_segments(video, 3, 13).shape[0] == 0


def test_unreadable_videos_are_left_out(tmp_path: Path) -> None:
    folder = write_footage(tmp_path / "videos")
    (folder / "v_Bad_g09_c01.avi").write_bytes(b"not a video")
    footage = find_footage(folder)
    segments = cache_segments(footage.training, tmp_path / "cache", 2, 6)
    assert len(footage.training) == 4
    assert len(segments.files) == 3
    with pytest.raises(VpbenchError, match="20 frames that can be decoded"):
        cache_segments(footage.training, tmp_path / "cache", 2, 20)


def test_the_cache_is_reused_and_goes_on(tmp_path: Path) -> None:
    footage = find_footage(write_footage(tmp_path / "videos"))
    seen: list[int] = []
    segments = cache_segments(
        footage.training, tmp_path / "cache", 2, 6, progress=lambda done, _: seen.append(done)
    )
    assert seen == [1, 2, 3]
    before = [file.stat().st_mtime_ns for file in segments.files]
    segments.files[1].unlink()
    seen.clear()
    again = cache_segments(
        footage.training, tmp_path / "cache", 2, 6, progress=lambda done, _: seen.append(done)
    )
    assert seen == [3]
    after = [file.stat().st_mtime_ns for file in again.files]
    assert (before[0], before[2]) == (after[0], after[2])


@pytest.mark.slow
def test_decoding_in_parallel_is_the_same(tmp_path: Path) -> None:
    footage = find_footage(write_footage(tmp_path / "videos"))
    one = cache_segments(footage.training, tmp_path / "one", 2, 6)
    two = cache_segments(footage.training, tmp_path / "two", 2, 6, workers=2)
    for index in range(len(one.files)):
        np.testing.assert_array_equal(one.open(index), two.open(index))


def test_a_batch_depends_on_seed_and_number_alone(tmp_path: Path) -> None:
    segments = cached(tmp_path)
    selection = Selection(frames=5, patch=32, movement=0.001)
    source, again = PatchSource(segments, selection, 1), PatchSource(segments, selection, 1)
    again.batch(4, 2)
    assert torch.equal(source.batch(7, 4).frames, again.batch(7, 4).frames)
    assert not torch.equal(source.batch(7, 4).frames, source.batch(8, 4).frames)
    assert not torch.equal(source.batch(7, 4).frames, PatchSource(segments, selection, 2).batch(7, 4).frames)


def test_batches_are_normalised_patches(tmp_path: Path) -> None:
    batch = PatchSource(cached(tmp_path), Selection(frames=5, patch=32), 1).batch(0, 3)
    assert batch.frames.shape == (3, 15, 32, 32)
    assert batch.frames.dtype == torch.float32
    assert -1 <= float(batch.frames.min()) < float(batch.frames.max()) <= 1
    # The footage drifts by 2 pixels a frame, up to what the codec loses.
    drift = (batch.frames[:, 3:6, :, 2:] - batch.frames[:, 0:3, :, :-2]).abs().mean()
    assert float(drift) < 0.25 * float((batch.frames[:, 3:6] - batch.frames[:, 0:3]).abs().mean())


def test_every_patch_moves_enough(tmp_path: Path) -> None:
    segments = cached(tmp_path)
    for least in (0.001, 0.02):
        batch = PatchSource(segments, Selection(frames=5, patch=32, movement=least), 1).batch(0, 8)
        frames = ((batch.frames + 1) * 127.5).round().reshape(8, 5, 3, 32, 32).permute(0, 1, 3, 4, 2)
        assert min(movement(patch.numpy().astype(np.uint8)) for patch in frames) >= least


def test_movement_by_hand() -> None:
    frames = np.zeros((3, 2, 2, 3), np.uint8)
    frames[1:] = 51
    assert movement(frames) == pytest.approx((51 / 127.5) ** 2 / 2)


def test_movement_of_every_pair() -> None:
    frames = np.zeros((3, 2, 2, 3), np.uint8)
    frames[1:] = 51  # the last frame repeats the one before
    assert movement(frames, "every_pair") == 0
    frames[2] = 102
    assert movement(frames, "every_pair") == pytest.approx((51 / 127.5) ** 2)


def test_videos_that_do_not_move_are_refused(tmp_path: Path) -> None:
    segments = cached(tmp_path, speed=0)
    source = PatchSource(segments, Selection(frames=5, patch=32, movement=0.001), 1)
    with pytest.raises(VpbenchError, match="do not move"):
        source.batch(0, 1)
    still = Selection(frames=5, patch=32, movement=0.001, still=1.0)
    assert PatchSource(segments, still, 1).batch(0, 1).frames.shape == (1, 15, 32, 32)


def test_videos_smaller_than_the_patch_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VpbenchError, match="at least 96×96"):
        PatchSource(cached(tmp_path), Selection(frames=5, patch=96), 1)


def test_processes_share_a_global_batch(tmp_path: Path) -> None:
    source = PatchSource(cached(tmp_path), Selection(frames=5, patch=32), 1)
    whole = source.batch(3, 4).frames
    halves = [next(prefetched(source, [3], 4, (rank, 2))).frames for rank in (0, 1)]
    assert torch.equal(torch.cat(halves), whole)


def test_prefetched_keeps_the_order(tmp_path: Path) -> None:
    source = PatchSource(cached(tmp_path), Selection(frames=5, patch=32), 1)
    for number, batch in zip(range(5, 15), prefetched(source, range(5, 15), 2), strict=True):
        assert torch.equal(batch.frames, source.batch(number, 2).frames)


def test_the_last_pair_decides_whatever_the_inputs_repeat() -> None:
    frames = np.zeros((4, 2, 2, 3), np.uint8)
    frames[3] = 51  # the inputs stand still, the target does not
    assert movement(frames, "last_pair") == pytest.approx((51 / 127.5) ** 2)
    assert movement(frames[::-1], "last_pair") == 0
    # With two targets the pair is the last input and the first of them.
    assert movement(frames, "last_pair", targets=2) == 0


def test_inputs_that_repeat_a_frame_are_drawn(tmp_path: Path) -> None:
    frames = np.repeat(drifting(5, 6, speed=4), 2, axis=0)  # every frame twice
    for group in (8, 22):
        write_video(tmp_path / "videos" / f"v_Twice_g{group:02d}_c01.avi", frames)
    segments = cache_segments(find_footage(tmp_path / "videos").training, tmp_path / "cache", 1, 12)
    drawn = PatchSource(segments, Selection(5, 32, movement=0.01, moves="last_pair"), 1).batch(0, 4)
    last, before, target = (drawn.frames[:, at : at + 3] for at in (9, 6, 12))
    assert float((last - before).square().mean((1, 2, 3)).max()) < 0.001
    assert float((target - last).square().mean((1, 2, 3)).min()) > 0.009
    with pytest.raises(VpbenchError, match="do not move"):
        PatchSource(segments, Selection(5, 32, movement=0.01, moves="every_pair"), 1).batch(0, 1)


def test_every_start_is_drawn(tmp_path: Path) -> None:
    footage = find_footage(write_footage(tmp_path / "videos", videos=1, frames=30))
    segments = cache_segments(footage.training, tmp_path / "cache", 1, 28)
    array = segments.open(0)
    assert len(windows_of(array, 5)) == 24
    source = PatchSource(segments, Selection(5, 64), 1)
    firsts = ((source.batch(0, 150).frames[:, :3] + 1) * 127.5).round().permute(0, 2, 3, 1).numpy()
    nearest = {int(np.abs(array[0, :, :, :64] - first).mean((1, 2, 3)).argmin()) for first in firsts}
    assert len(nearest) > 15


def facing(tmp_path: Path, **varied: bool) -> tuple[Segments, PatchSource, PatchSource]:
    """Segments, a source of patches as they are, and one of patches that are varied."""
    segments = cached(tmp_path)
    files = WindowFiles(cache_copy_errors(segments, 4, 5), cache_guides(segments))
    plain, other = (Selection(5, 32, margin=8, **chosen) for chosen in ({}, varied))
    return segments, PatchSource(segments, plain, 1, files), PatchSource(segments, other, 1, files)


@pytest.mark.parametrize(("key", "axis", "component"), [("mirror", -1, 0), ("upside_down", -2, 1)])
def test_flips_turn_the_flows_too(tmp_path: Path, key: str, axis: int, component: int) -> None:
    _, plain, other = facing(tmp_path, **{key: True})
    one, two = plain.batch(0, 12), other.batch(0, 12)
    assert one.flows is not None
    assert two.flows is not None
    flipped = 0
    for index in range(12):
        if torch.equal(one.frames[index], two.frames[index]):
            torch.testing.assert_close(one.flows[index], two.flows[index])
            continue
        flipped += 1
        assert torch.equal(one.frames[index].flip(axis), two.frames[index])
        expected = one.flows[index].flip(axis)
        expected[component::2] *= -1
        torch.testing.assert_close(expected, two.flows[index])
    assert 2 <= flipped <= 10


def test_time_runs_backwards_in_half_of_the_patches(tmp_path: Path) -> None:
    segments, plain, other = facing(tmp_path, reverse=True)
    one, two = plain.batch(0, 12), other.batch(0, 12)
    errors = np.concatenate([copy_errors(segments.open(index), 4, 5) for index in range(3)])
    turned = 0
    for index in range(12):
        before, after = (batch.frames[index].reshape(5, 3, 48, 48) for batch in (one, two))
        reverse = not torch.equal(before, after)
        turned += reverse
        assert torch.equal(before.flip(0) if reverse else before, after)
        assert two.errors is not None
        assert float(two.errors[index]) in errors[:, int(reverse)]
    assert 2 <= turned <= 10


def test_what_is_known_of_a_window_comes_with_its_patches(tmp_path: Path) -> None:
    _, plain, _ = facing(tmp_path)
    batch = plain.batch(0, 8)
    assert batch.errors is not None
    assert batch.errors.shape == (8, 1)


def test_moving_error_against_loops() -> None:
    random = np.random.default_rng(3)
    frame = random.integers(0, 256, (40, 50, 3)).astype(np.uint8)
    other = frame.copy()
    other[:, 25:] = random.integers(0, 256, (40, 25, 3))
    padded = np.pad(np.abs(frame.astype(float) - other).mean(2), 7, mode="reflect")
    total = count = 0.0
    for row in range(40):
        for column in range(50):
            if padded[row : row + 15, column : column + 15].mean() > 2:
                count += 1
                total += float(
                    np.mean(((frame[row, column].astype(float) - other[row, column]) / 127.5) ** 2)
                )
    assert count < 40 * 50
    assert moving_error(frame, other) == pytest.approx(total / count, rel=1e-5)
    assert moving_error(frame, frame) == 0


def test_copy_errors_are_of_the_last_input_and_the_targets() -> None:
    frames = np.stack([np.full((20, 20, 3), value, np.uint8) for value in (0, 10, 30, 60, 100, 150)])
    errors = copy_errors(frames[None], 4, 5)
    assert errors.shape == (2, 2)
    np.testing.assert_allclose(errors * 127.5**2, [[40**2, 10**2], [50**2, 20**2]], rtol=1e-5)
    both = copy_errors(frames[None], 4, 6) * 127.5**2
    np.testing.assert_allclose(both, [[(40**2 + 90**2) / 2, (20**2 + 30**2) / 2]], rtol=1e-5)
