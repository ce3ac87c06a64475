"""Submitting a run: what is asked for, what is checked, where it goes; and runs that mean harm."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace
from runs import edit_manifest, make_run, score_lines

from vpbench.cli.main import main
from vpbench.errors import UsageError, VpbenchError
from vpbench.runs.manifest import Submission
from vpbench.runs.run import read_run
from vpbench.runs.untrusted import check_run, read_untrusted
from vpbench.scoring.built_in import get_protocol
from vpbench.submission.page import page
from vpbench.submission.submit import check_committed, check_submission, submit

BIBTEX = "@inproceedings{me2026, title = {A {Nested} Title}, year = 2026}"
OPTIONS = ("--method", "Mine", "--citation", BIBTEX, "--training-data", "none", "--test-clips-seen", "no")
SAID = Submission("Mine", BIBTEX, "none", test_clips_seen="no", submitted="2026-01-01")


def good_run(folder: Path, **changes: Any) -> Path:
    """A run that may be submitted."""
    changes.setdefault("split", {"name": "mine"})
    changes.setdefault("prepared", {"hash": "a" * 16})
    return make_run(folder, **changes)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return good_run(tmp_path / "run")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "results" / "runs"


def edit_field(run: Path, path: str, value: Any) -> None:
    """Set a field of the manifest, given as ``split.name``."""
    manifest = json.loads((run / "manifest.json").read_text())
    *parents, last = path.split(".")
    table = manifest
    for key in parents:
        table = table[key]
    table[last] = value
    (run / "manifest.json").write_text(json.dumps(manifest))


def edit_line(run: Path, number: int, text: str | None = None, **changes: Any) -> None:
    path = run / "scores.jsonl"
    lines = path.read_text().splitlines()
    lines[number - 1] = text if text is not None else json.dumps({**json.loads(lines[number - 1]), **changes})
    path.write_text("\n".join(lines) + "\n")


def everything_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


# What it is for ------------------------------------------------------------------------------------


def test_manifest_and_scores_are_copied_and_nothing_else(
    cli: Callable[..., Result], run: Path, root: Path
) -> None:
    (run / "predictions" / "1").mkdir(parents=True)
    (run / "predictions" / "1" / "pred_5.npy").write_bytes(b"large")
    done = cli("submit", run, *OPTIONS, "--code-url", "https://example.org/code", "--to", root)
    assert done.exit_code == 0, done.output
    target = root / "mine" / "mathieu2016" / "last_frame"
    assert sorted(path.name for path in target.iterdir()) == ["manifest.json", "scores.jsonl"]
    assert score_lines(target) == score_lines(run)
    copied = json.loads((target / "manifest.json").read_text())
    table = copied.pop("submission")
    assert copied == json.loads((run / "manifest.json").read_text())
    assert table.pop("submitted").count("-") == 2
    assert table == {
        "method": "Mine",
        "citation": BIBTEX,
        "training_data": "none",
        "test_clips_seen": "no",
        "code_url": "https://example.org/code",
        "partial": False,
    }
    assert check_committed(target, root).label == "last_frame"


def test_runs_by_different_files_of_flow_have_tables_of_their_own(tmp_path: Path, root: Path) -> None:
    protocol = get_protocol("mathieu2016+flow-files")
    for label, digest in (("one", "a" * 64), ("two", "a" * 64), ("other", "b" * 64)):
        prepared = {"hash": digest[:16], "flow": {"name": "files", "sha256": digest}}
        run = good_run(tmp_path / label, label=label, protocol=protocol, prepared=prepared)
        submit(read_untrusted(run), SAID, root)
    assert page(root).count("### mine, mathieu2016+flow-files") == 2


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_folder_of_runs_at_another_depth_is_not_an_empty_page(
    run: Path, tmp_path: Path, depth: int
) -> None:
    root = run.parents[depth - 1] if depth else run
    if depth == 2:
        root = tmp_path / "up"
        (root / "down").mkdir(parents=True)
        run.rename(root / "down" / "run")
    result = CliRunner().invoke(main, ["standings", str(root)], catch_exceptions=False)
    assert result.exit_code == 2
    assert "run is a run, and submitted ones are at RUNS/SPLIT/PROTOCOL/LABEL" in result.stderr
    assert not (root.parent / "LEADERBOARD.md").exists()


def test_a_bibtex_file_is_read(cli: Callable[..., Result], run: Path, root: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.bib").write_text(BIBTEX.replace(", ", ",\n  ") + "\n")
    options = (*OPTIONS[:3], tmp_path / "mine.bib", *OPTIONS[4:])
    assert cli("submit", run, *options, "--to", root).exit_code == 0
    table = read_run(root / "mine" / "mathieu2016" / "last_frame").recorded.submission
    assert table.citation.startswith("@inproceedings{me2026,\n")


def test_without_a_terminal_what_is_missing_is_named(
    cli: Callable[..., Result], run: Path, root: Path
) -> None:
    done = cli("submit", run, "--method", "Mine", "--test-clips-seen", "no", "--to", root)
    assert done.exit_code == 2
    assert "--citation, --training-data" in done.output
    assert "--method" not in done.output
    assert not root.exists()


def test_on_a_terminal_it_asks(run: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vpbench.cli.submit.sys", _Terminal)
    answers = "\n".join(["Mine", "Me, 2026", "UCF101 train", "perhaps", "yes"]) + "\n"
    done = CliRunner().invoke(main, ["submit", str(run), "--to", str(root)], input=answers)
    assert done.exit_code == 0, done.output
    table = read_run(root / "mine" / "mathieu2016" / "last_frame").manifest.submission
    assert (table.citation, table.training_data, table.test_clips_seen) == (
        "Me, 2026",
        "UCF101 train",
        "yes",
    )


class _Terminal:
    class stdin:
        @staticmethod
        def isatty() -> bool:
            return True


def test_what_the_predictor_says_of_its_training_is_not_asked_again(
    cli: Callable[..., Result], tmp_path: Path, root: Path
) -> None:
    run = good_run(
        tmp_path / "seen", description={"training_data": "UCF101, all of it", "contaminated": True}
    )
    options = ("--method", "Mine", "--citation", "Me")
    assert cli("submit", run, *options, "--to", root).exit_code == 0
    table = read_run(root / "mine" / "mathieu2016" / "last_frame").manifest.submission
    assert (table.training_data, table.test_clips_seen) == ("UCF101, all of it", "yes")
    denied = cli("submit", run, *options, "--test-clips-seen", "no", "--to", root, "--force")
    assert denied.exit_code == 2
    assert "the run's manifest says" in denied.output


def test_a_choice_made_with_an_eye_on_test_clips_is_neither_yes_nor_no(
    cli: Callable[..., Result], tmp_path: Path, root: Path
) -> None:
    options = ("--method", "Mine", "--citation", "Me", "--training-data", "UCF101", "--to", root, "--force")
    run = good_run(tmp_path / "tuned", description={"test_clips_seen": "tuned"})
    target = root / "mine" / "mathieu2016" / "last_frame"
    for given, recorded in (
        ((), "tuned"),
        (("--test-clips-seen", "tuned"), "tuned"),
        (("--test-clips-seen", "yes"), "yes"),
    ):
        done = cli("submit", run, *options, *given)
        assert done.exit_code == 0, done.output
        assert check_committed(target, root).manifest.submission.test_clips_seen == recorded
    denied = cli("submit", run, *options, "--test-clips-seen", "no")
    assert denied.exit_code == 2
    assert "--test-clips-seen no: the run's manifest says 'tuned'" in denied.output


@pytest.mark.parametrize(("old", "word"), [(True, "yes"), (False, "no")])
def test_answers_of_earlier_versions_are_understood(run: Path, root: Path, old: bool, word: str) -> None:
    target = submit(read_untrusted(run), replace(SAID, test_clips_seen=old), root)
    assert json.loads((target / "manifest.json").read_text())["submission"]["test_clips_seen"] is old
    assert check_committed(target, root).test_clips_seen == word


def test_an_entry_that_is_there_stays_without_force(
    cli: Callable[..., Result], run: Path, root: Path
) -> None:
    assert cli("submit", run, *OPTIONS, "--to", root).exit_code == 0
    target = root / "mine" / "mathieu2016" / "last_frame"
    before = (target / "manifest.json").read_bytes()
    again = cli("submit", run, "--method", "Other", *OPTIONS[2:], "--to", root)
    assert again.exit_code == 2
    assert "--force" in again.output
    assert (target / "manifest.json").read_bytes() == before
    assert cli("submit", run, "--method", "Other", *OPTIONS[2:], "--to", root, "--force").exit_code == 0
    assert read_run(target).manifest.submission.method == "Other"
    assert [p.name for p in target.parent.iterdir()] == ["last_frame"], "nothing is left beside it"


def test_a_failing_disk_leaves_the_old_entry(run: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = submit(read_untrusted(run), SAID, root)
    before = (target / "manifest.json").read_bytes()
    rename = Path.rename

    def fail(self: Path, other: Path) -> Path:
        if self.name == ".last_frame.tmp":
            raise OSError(28, "No space left on device")
        return rename(self, other)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(VpbenchError, match="No space left"):
        submit(read_untrusted(run), SAID, root, force=True)
    assert (target / "manifest.json").read_bytes() == before
    assert [p.name for p in target.parent.iterdir()] == ["last_frame"]


def test_runs_that_are_not_complete_are_refused(
    cli: Callable[..., Result], tmp_path: Path, root: Path
) -> None:
    run = good_run(tmp_path / "half", status="running")
    done = cli("submit", run, *OPTIONS, "--partial", "--to", root)
    assert done.exit_code == 2
    assert "not complete" in done.output


def test_runs_of_a_part_are_refused_unless_that_is_said(
    cli: Callable[..., Result], tmp_path: Path, root: Path
) -> None:
    run = good_run(tmp_path / "part", split={"name": "mine", "total": 5})
    done = cli("submit", run, *OPTIONS, "--to", root)
    assert done.exit_code == 2
    assert "3 of the 5 clips" in done.output
    assert "--partial" in done.output
    assert cli("submit", run, *OPTIONS, "--partial", "--to", root).exit_code == 0
    table = read_run(root / "mine" / "mathieu2016" / "last_frame").manifest.submission
    assert table.partial is True


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"method": " "}, "method is empty"),
        ({"citation": "@article{x, title={a}"}, "BibTeX"),
        ({"code_url": "javascript:alert(1)"}, "https://"),
        ({"code_url": "https://a b"}, "https://"),
        ({"method": "a\x1b[31mb"}, r"U\+001B"),
        ({"method": "a\nb"}, r"U\+000A"),
        ({"citation": "a\x00b"}, r"U\+0000"),
        ({"citation": "a\u202eb"}, r"U\+202E"),
        ({"citation": "x" * 30_000}, "30000 characters"),
        ({"training_data": "x" * 3_000}, "3000 characters"),
        ({"test_clips_seen": "perhaps"}, "one of no, tuned, yes"),
        ({"partial": "no"}, "true or false"),
    ],
)
def test_what_is_said_of_it_is_checked(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(VpbenchError, match=said):
        check_submission(replace(SAID, **changes))


@pytest.mark.parametrize(
    "wrong",
    [
        "@misc{}",
        "@misc{a}",
        "@misc{a,} @misc{b,}",
        "@misc{a,}}",
        "@misc{a,",
        "@misc{a,} more",
        "@misc{a, note = {50\\} and \\{}}",  # BibTeX counts escaped braces too
    ],
)
def test_what_begins_like_bibtex_is_one_whole_entry(wrong: str) -> None:
    with pytest.raises(UsageError, match="BibTeX"):
        check_submission(replace(SAID, citation=wrong))


# Runs that mean harm, or are damaged ---------------------------------------------------------------


@pytest.mark.parametrize("field", ["label", "split.name", "protocol.name"])
@pytest.mark.parametrize(
    "name",
    ["../../up", "..", ".", "/etc", "a/b", "a\\b", ".git", "-rf", "", "a\n", "a\0b", "x" * 101, "CON:", "~"],
)
def test_names_cannot_lead_out_of_the_results(
    run: Path, root: Path, tmp_path: Path, field: str, name: str
) -> None:
    edit_field(run, field, name)
    if field == "protocol.name":
        edit_field(run, "protocol.definition.name", name)
    before = everything_below(tmp_path)
    with pytest.raises(VpbenchError, match=r"manifest\.json|Protocol"):
        submit(read_untrusted(run), SAID, root)
    assert everything_below(tmp_path) == before


@pytest.mark.parametrize("place", ["mine", "mine/mathieu2016", "mine/mathieu2016/last_frame"])
def test_links_below_the_results_are_not_followed(run: Path, root: Path, tmp_path: Path, place: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    (root / place).symlink_to(elsewhere)
    with pytest.raises(VpbenchError, match="symbolic link"):
        submit(read_untrusted(run), SAID, root, force=True)
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize("name", ["manifest.json", "scores.jsonl"])
def test_links_in_the_run_are_not_copied(run: Path, tmp_path: Path, name: str) -> None:
    (run / name).rename(tmp_path / "secret")
    (run / name).symlink_to(tmp_path / "secret")
    with pytest.raises(VpbenchError, match=f"{name} is not an ordinary file"):
        read_untrusted(run)


@pytest.mark.parametrize("name", ["manifest.json", "scores.jsonl"])
def test_endless_files_are_not_read(run: Path, name: str) -> None:
    os.truncate(run / name, 2**33)
    with pytest.raises(VpbenchError, match=f"{name} has over"):
        read_untrusted(run)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("schema", 3, "schema 3"),
        ("schema", 99, "schema 99; this vpbench reads 1 and 2"),
        ("kind", "other", "not a vpbench-run"),
        ("extra", 1, "no field 'extra'"),
        ("label", "a\x1b]0;title\x07", r"U\+001B"),
        ("environment.platform", "a\u202eb", r"environment, platform: .*U\+202E"),
        ("predictor.description", {"marks": "text"}, "'marks'"),
        ("predictor.description", {"x": "y" * 3_000}, "3000 characters"),
        ("predictor.options", [], "'options'"),
        ("protocol.hash", "0" * 16, "not those of the definition"),
        ("protocol.version", True, "'version'"),
        ("protocol.definition", {}, "damaged"),
        ("protocol.definition.targets", 1e9, "damaged"),
        ("protocol.definition.metrics", {"psnr": {"metric": "psnr", "masking": "x"}}, "masking|score line"),
        ("split.total", 2, "contradict"),
        ("split.scored", 2, "contradict"),
        ("split.total", "3", "'total'"),
        ("split.hash", "zz", "'hash' cannot be"),
        ("split.name", "demo", "not the split 'demo'"),
        ("split.clusters", None, "'split' must have the clusters"),
        ("split.clusters", {"1": "a", "11": "b"}, "'split' must have the clusters"),
        ("split.clusters", {"1": "a", "11": "b", "x": "c"}, "damaged"),
        ("split.clusters", {"1": "a", "11": 2, "21": "c"}, "damaged"),
        ("split.clusters", {"1": "a", "11": "b\x1b[2J", "21": "c"}, r"U\+001B"),
        ("prepared.clips", {"1": "<script>", "11": "a" * 16, "21": "a" * 16}, "no clip with its hash"),
        ("cost.ms_per_frame", -1, "ms_per_frame"),
        ("cost.parameters", "many", "parameters"),
        ("samples", {"count": 2}, "'samples' must have"),
        ("finished", None, "'finished'"),
    ],
)
def test_wrong_fields_are_named(run: Path, field: str, value: Any, said: str) -> None:
    edit_field(run, field, value)
    with pytest.raises(VpbenchError, match=said) as error:
        check_run(read_untrusted(run))
    assert str(run) in str(error.value)


def test_a_protocol_that_only_bears_a_known_name_is_refused(tmp_path: Path) -> None:
    """Without its exclusion of frames above 50 dB, the means would be better."""
    import dataclasses

    from vpbench.scoring.built_in import get_protocol

    changed = dataclasses.replace(get_protocol("mathieu2016"), exclude=None)
    run = good_run(tmp_path / "run", protocol=changed)
    with pytest.raises(VpbenchError, match="not the 'mathieu2016' of this vpbench"):
        check_run(read_untrusted(run))


def line_of(**changes: str) -> str:
    """A score line of clip 1's second frame with pieces of JSON in the place of values."""
    values = {"clip": "1", "frame": "2", "psnr": "30", "ssim": "0.5", "sharpness": "20", "moving": "0.2"}
    pieces = [f'"{key}": {value}' for key, value in {**values, "counted": "true", **changes}.items()]
    return "{" + ", ".join(pieces) + "}"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (2, "{"),
        (2, "[]"),
        (2, '{"clip": 1}'),
        (2, "[" * 100_000),
        (2, line_of(psnr="1e999")),
        (2, line_of(psnr="NaN")),
        (2, line_of(psnr="1" + "0" * 400)),
        (2, line_of(psnr='"30"')),
        (2, line_of(psnr='30, "psnr": 31')),
        (2, line_of(psnr="null")),
        (2, line_of(moving="7")),
        (2, line_of(counted="1")),
        (2, line_of(frame="1")),
        (2, line_of(clip="11")),
        (3, line_of(clip="9" * 30, frame="1")),
        (3, line_of(clip="-1", frame="1")),
        (3, line_of(frame="1")),
    ],
)
def test_damaged_lines_are_named(run: Path, number: int, text: str) -> None:
    edit_line(run, number, text)
    with pytest.raises(VpbenchError, match=rf"scores\.jsonl, line {number}: "):
        read_untrusted(run)


def test_a_cut_file_is_named(run: Path) -> None:
    path = run / "scores.jsonl"
    path.write_text(path.read_text()[:-10])
    with pytest.raises(VpbenchError, match=r"scores\.jsonl, line 5: the file is cut off"):
        read_untrusted(run)
    (run / "manifest.json").write_text((run / "manifest.json").read_text()[:-10])
    with pytest.raises(VpbenchError, match=r"manifest\.json is damaged"):
        read_untrusted(run)
    (run / "manifest.json").write_text('{"a":' * 100_000)
    with pytest.raises(VpbenchError, match=r"manifest\.json is damaged"):
        read_untrusted(run)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"psnr": 500.0}, "psnr is 500"),
        ({"ssim": 1.5}, "ssim is 1.5"),
        ({"psnr": 60.0}, "'counted' does not follow protocol 'mathieu2016'"),
        ({"counted": False}, "'counted' does not follow"),
        ({"copy": 500.0}, "copy cannot be 500"),
        ({"copy_ssim": 1.5}, "copy_ssim cannot be 1.5"),
        ({"motion": -0.1}, "motion cannot be -0.1"),
        ({"moving": 0, "motion": 0.9}, "motion cannot be 0.9"),
    ],
)
def test_scores_that_cannot_be_are_refused(run: Path, changes: dict[str, Any], said: str) -> None:
    edit_line(run, 3, **changes)
    with pytest.raises(VpbenchError, match=rf"scores\.jsonl, line 3: {said}"):
        check_run(read_untrusted(run))


def test_an_entry_in_the_wrong_place_or_with_other_files_is_refused(run: Path, root: Path) -> None:
    target = submit(read_untrusted(run), SAID, root)
    moved = target.with_name("better_name")
    target.rename(moved)
    with pytest.raises(VpbenchError, match="must stand in"):
        check_committed(moved, root)
    moved.rename(target)
    (target / "evil.py").write_text("")
    with pytest.raises(VpbenchError, match=r"holds evil\.py"):
        check_committed(target, root)
    (target / "evil.py").unlink()
    edit_manifest(target, submission={"other": "x"})
    with pytest.raises(VpbenchError, match="'submission' is missing or has other fields"):
        check_committed(target, root)


def test_a_run_is_not_written_through_links(cli: Callable[..., Result], videos: Path, tmp_path: Path) -> None:
    """A stranger's folder of runs, gone on with, must not lead writes elsewhere."""
    call = ("run", "--model", "last_frame", "--split", videos, "--out", tmp_path / "runs", "--workers", "1")
    assert cli(*call, "--limit", "1").exit_code == 0
    folder = tmp_path / "runs" / "videos" / "mathieu2016" / "last_frame"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / "predictions").symlink_to(elsewhere)
    done = cli(*call, "--save-predictions")
    assert done.exit_code == 2
    assert "symbolic link" in done.output
    assert not list(elsewhere.iterdir())
    (folder / "predictions").unlink()
    (tmp_path / "precious").write_text("text")
    (folder / ".lock").unlink(missing_ok=True)
    (folder / ".lock").symlink_to(tmp_path / "precious")
    assert cli(*call).exit_code == 1
    assert (tmp_path / "precious").read_text() == "text"


def test_a_hostile_text_of_a_submission_is_named_with_its_file(run: Path, root: Path) -> None:
    target = submit(read_untrusted(run), SAID, root)
    edit_field(target, "submission.method", "a\x1b[2J")
    with pytest.raises(
        VpbenchError, match=r"manifest\.json, submission, method: .*control character U\+001B"
    ):
        check_committed(target, root)
