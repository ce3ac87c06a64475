"""`vpbench migrate`: runs of schema 1 get what comparisons need, from their clips; no score changes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from folders import SmallClips, make_clips, tree
from runs import edit_manifest, score_lines

import vpbench
from vpbench.runs.run import read_run
from vpbench.scoring.protocol import FRAME_FACTS


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> SmallClips:
    return make_clips(tmp_path_factory.mktemp("migrate"))


@pytest.fixture
def now(clips: SmallClips, tmp_path: Path) -> Path:
    """A run of the present schema."""
    return vpbench.evaluate("optical_flow", data=clips.prepared, out=tmp_path).folder


def as_of_schema_1(run: Path, to: Path) -> Path:
    """A copy of a run without what schema 2 added."""
    shutil.copytree(run, to)
    manifest = json.loads((to / "manifest.json").read_text())
    manifest["schema"] = 1
    del manifest["split"]["clusters"]
    (to / "manifest.json").write_text(json.dumps(manifest))
    lines = [{k: v for k, v in line.items() if k not in FRAME_FACTS} for line in score_lines(run)]
    (to / "scores.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return to


@pytest.fixture
def old(now: Path, tmp_path: Path) -> Path:
    return as_of_schema_1(now, tmp_path / "old" / "optical_flow")


@pytest.fixture
def migrate(cli: Callable[..., Result], clips: SmallClips) -> Callable[..., Result]:
    def call(*arguments: str | Path, data: Path | None = None) -> Result:
        return cli("migrate", "--data", data or clips.prepared, "--workers", "1", *arguments)

    return call


def json_of(run: Path) -> Any:
    return json.loads((run / "manifest.json").read_text())


def test_a_migrated_run_is_the_run_that_would_be_made_now(
    now: Path, old: Path, migrate: Callable[..., Result]
) -> None:
    assert not read_run(old).has_frame_facts
    done = migrate(old)
    assert done.exit_code == 0, done.stderr
    assert done.output == f"Migrated {old}.\n"
    assert (old / "scores.jsonl").read_bytes() == (now / "scores.jsonl").read_bytes()
    assert json_of(old) == json_of(now)
    assert json_of(old)["split"]["clusters"] == {str(n): f"clip_{n - 1}.avi" for n in (1, 2, 3)}
    assert migrate(old).output == "1 of 1 runs needed nothing.\n"


def test_runs_of_the_same_clips_are_described_once(
    now: Path, old: Path, tmp_path: Path, migrate: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    import vpbench.evaluation.migration as module

    described: list[int] = []
    once = module.frame_facts
    monkeypatch.setattr(
        module,
        "frame_facts",
        lambda clip, protocol: [described.append(clip.index), *once(clip, protocol)][1:],
    )
    as_of_schema_1(now, tmp_path / "old" / "another")
    done = migrate(tmp_path / "old")
    assert done.exit_code == 0, done.stderr
    assert done.output.count("Migrated") == 2
    assert sorted(described) == [1, 2, 3]


def test_a_migration_that_was_cut_off_leaves_a_readable_run_and_is_finished(
    now: Path, old: Path, migrate: Callable[..., Result]
) -> None:
    shutil.copy(now / "scores.jsonl", old / "scores.jsonl")  # the manifest is written after the scores
    assert not read_run(old).has_frame_facts
    assert "copy" not in read_run(old).scores
    assert migrate(old).exit_code == 0
    assert json_of(old) == json_of(now)


def test_what_was_submitted_stays(old: Path, migrate: Callable[..., Result]) -> None:
    submission = {"method": "M", "citation": "c", "training_data": "none", "test_clips_seen": False}
    edit_manifest(old, submission=submission)
    assert migrate(old).exit_code == 0
    assert json_of(old)["submission"] == submission


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"prepared": {"clips": {"1": "0" * 32, "2": "1" * 32, "3": "2" * 32}}},
            "clip 1 here differs in pixels or flow",
        ),
        ({"split": {"hash": "0" * 16}}, "holds clips of split 'small'"),
        ({"protocol": {"hash": "0" * 16}}, "is not 'mathieu2016'"),
        ({"prepared": {"clips": {"9": "0" * 32}}}, "has scores of 0 of the 1 clips"),
    ],
)
def test_other_clips_splits_and_protocols_are_refused(
    old: Path, migrate: Callable[..., Result], change: dict[str, Any], said: str
) -> None:
    edit_manifest(old, **change)
    before = tree(old)
    done = migrate(old)
    assert done.exit_code in (1, 2)
    assert said in done.stderr
    assert tree(old) == before


def test_the_clips_must_be_at_hand(old: Path, migrate: Callable[..., Result], tmp_path: Path) -> None:
    before = tree(old)
    done = migrate(old, data=tmp_path / "nowhere")
    assert done.exit_code == 2
    assert "give its folder or CSV file as --split" in done.stderr
    assert tree(old) == before


def test_a_run_of_schema_1_is_not_resumed_but_migrated(
    cli: Callable[..., Result], clips: SmallClips, now: Path, tmp_path: Path, migrate: Callable[..., Result]
) -> None:
    kept = as_of_schema_1(now, tmp_path / "kept")
    shutil.rmtree(now)
    kept.rename(now)
    again = ("run", "--model", "optical_flow", "--data", clips.prepared, "--out", tmp_path, "--workers", "1")
    done = cli(*again)
    assert done.exit_code == 2
    assert "schema was 1, now 2. Bring it up to date with `vpbench migrate`" in done.stderr
    assert migrate(now).exit_code == 0
    assert cli(*again).exit_code == 0


def test_a_second_predictor_does_not_describe_the_clips_again(
    cli: Callable[..., Result], clips: SmallClips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import vpbench.evaluation.engine as module

    described: list[int] = []
    once = module.frame_facts
    monkeypatch.setattr(
        module, "frame_facts", lambda clip, *rest: [described.append(clip.index), *once(clip, *rest)][1:]
    )
    two = ("--model", "optical_flow", "--model", "last_frame")
    done = cli("run", *two, "--data", clips.prepared, "--out", tmp_path, "--workers", "1")
    assert done.exit_code == 0, done.stderr
    assert described == [1, 2, 3]
    first, second = (
        score_lines(tmp_path / "small" / "mathieu2016" / name) for name in ("optical_flow", "last_frame")
    )
    assert [[a[fact] for fact in FRAME_FACTS] for a in first] == [
        [b[fact] for fact in FRAME_FACTS] for b in second
    ]
    assert [line["copy"] for line in second] == [line["psnr"] for line in second]


def test_a_list_may_name_clusters_after_the_scoring(
    cli: Callable[..., Result], clips: SmallClips, tmp_path: Path
) -> None:
    listed = clips.videos.parent / "listed.csv"
    listed.write_text("video\n" + "".join(f"small/clip_{n}.avi\n" for n in range(3)))
    done = cli("run", "--model", "last_frame", "--split", listed, "--out", tmp_path, "--workers", "1")
    assert done.exit_code == 0, done.stderr
    run = tmp_path / "listed" / "mathieu2016" / "last_frame"
    scores = (run / "scores.jsonl").read_bytes()
    assert [*json_of(run)["split"]["clusters"].values()] == [f"small/clip_{n}.avi" for n in range(3)]
    listed.write_text("video,cluster\n" + "".join(f"small/clip_{n}.avi,{'aab'[n]}\n" for n in range(3)))
    assert cli("migrate", run, "--split", listed).output == f"Migrated {run}.\n"
    assert [*json_of(run)["split"]["clusters"].values()] == ["a", "a", "b"]
    assert cli("migrate", run, "--split", listed).output == "1 of 1 runs needed nothing.\n"
    assert (run / "scores.jsonl").read_bytes() == scores
    (listed.parent / "other.csv").write_text("video\nsmall/clip_1.avi\n")
    refused = cli("migrate", run, "--split", listed.parent / "other.csv")
    assert refused.exit_code == 2
    assert "give the list that was scored as --split" in refused.stderr


def test_prepared_clips_that_do_not_name_clusters_are_of_their_sources(
    clips: SmallClips, tmp_path: Path
) -> None:
    shutil.copytree(clips.prepared, tmp_path / "prepared")
    edit_manifest(tmp_path / "prepared", split={"clusters": {}})
    run = vpbench.evaluate("last_frame", data=tmp_path / "prepared", out=tmp_path)
    assert run.clusters == {n: f"clip_{n - 1}.avi" for n in (1, 2, 3)}


def test_a_protocol_of_ones_own_is_named(
    cli: Callable[..., Result], clips: SmallClips, tmp_path: Path, migrate: Callable[..., Result]
) -> None:
    """A run cannot bring a protocol, whose parameters could name files."""
    mine = tmp_path / "mine.toml"
    mine.write_text('extends = "mathieu2016"\nname = "mine"\nexclude = {column = "psnr", at_least = 40}\n')
    made = cli(
        *("run", "--model", "last_frame", "--data", clips.prepared, "--protocol", mine),
        *("--out", tmp_path, "--workers", "1"),
    )
    assert made.exit_code == 0, made.stderr
    run = tmp_path / "small" / "mine" / "last_frame"
    old = as_of_schema_1(run, tmp_path / "old" / "last_frame")
    refused = migrate(old)
    assert refused.exit_code == 2
    assert "give it as --protocol FILE.toml" in refused.stderr
    assert migrate(old, "--protocol", mine).exit_code == 0
    assert json_of(old) == json_of(run)
