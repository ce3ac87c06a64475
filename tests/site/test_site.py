"""``vpbench site``: which pages there are, what they say, whose frames they show, and how the folder is written."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest
from boards import HOSTILE_LABELS, graded_runs
from click.testing import Result
from pages import HOSTILE
from runs import edit_manifest, make_run
from strata import varied_runs

from vpbench.errors import VpbenchError
from vpbench.evaluation.replay import Replay
from vpbench.files import lock_folder
from vpbench.runs.run import read_run
from vpbench.site.folder import MARKER, write_folder
from vpbench.site.frames import licence_note
from vpbench.site.pages import Addresses
from vpbench.site.render import MadeSite, SiteOptions, make_site
from vpbench.splits import get_split

Cli = Callable[..., Result]
ROOT = Path(__file__).parents[2]
SUBMISSION = {
    "method": "My method",
    "citation": "@misc{mine, title = {A title}}",
    "training_data": "none",
    "test_clips_seen": "no",
    "code_url": "https://example.org/code",
    "submitted": "2026-01-01",
}


def site_of(*folders: Path) -> MadeSite:
    """The site of runs, whose predictors are not run again."""
    return make_site([read_run(folder) for folder in folders], SiteOptions(replay=Replay(rerun=False)))


def text_of(made: MadeSite, name: str) -> str:
    return made.files[name].decode()


def visible_text(page: str) -> str:
    """What a page says, without its tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page[page.index("<body") :])).split())


def pages_of(made: MadeSite) -> dict[str, str]:
    return {name: data.decode() for name, data in made.files.items() if name.endswith(".html")}


def test_there_is_a_page_for_each_leaderboard_run_and_protocol(tmp_path: Path) -> None:
    folders = [
        *graded_runs(tmp_path / "a", {"one": 0.0, "two": 1.0}),
        make_run(tmp_path / "b" / "one", label="one", protocol="full-frame"),
        make_run(tmp_path / "c" / "one", label="one", split={"name": "mine", "hash": "0" * 16}),
    ]
    made = site_of(*folders, folders[0])
    assert set(pages_of(made)) == {
        "index.html",
        "leaderboards/demo-full-frame.html",
        "leaderboards/demo-mathieu2016.html",
        "leaderboards/mine-mathieu2016.html",
        "protocols/full-frame-v1.html",
        "protocols/mathieu2016-v1.html",
        "runs/demo-full-frame-one.html",
        "runs/demo-mathieu2016-one.html",
        "runs/demo-mathieu2016-two.html",
        "runs/mine-mathieu2016-one.html",
    }
    assert (made.boards, made.runs) == (3, 4)


def test_every_link_and_file_that_a_page_names_is_there(tmp_path: Path, synthetic_runs: Path) -> None:
    made = site_of(
        *graded_runs(tmp_path, {"one": 0.0, "two": 1.0}),
        *(synthetic_runs / name for name in ("last_frame", "optical_flow")),
    )
    for name, page in pages_of(made).items():
        ids = set(re.findall(r' id="([^"]+)"', page))
        for target in re.findall(r'(?:href|src)="([^"]+)"', page):
            if target.startswith("data:,"):
                continue
            path, _, part = html.unescape(target).partition("#")
            if not path:
                assert part in ids, (name, target)
                continue
            found = os.path.normpath(Path(name).parent / unquote(path))
            assert found in made.files, (name, target)


def test_a_site_asks_nothing_of_the_network(synthetic_runs: Path) -> None:
    made = site_of(synthetic_runs / "last_frame")
    for name, data in made.files.items():
        text = data.decode(errors="replace") if name.endswith((".html", ".css", ".js")) else ""
        assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", text)
        assert not re.search(r"@import|url\(|\bfetch\(|XMLHttpRequest|innerHTML|\beval\b|style=", text)
    for page in pages_of(made).values():
        assert "default-src 'none'" in html.unescape(page)
        assert "unsafe" not in page


def test_the_leaderboard_has_the_numbers_of_the_printed_one_best_first(tmp_path: Path) -> None:
    runs = graded_runs(tmp_path, {"worse": 0.0, "better": 2.0}, noise=0.1)
    edit_manifest(
        runs[1], predictor={"description": {"training_data": "my clips", "test_clips_seen": "tuned"}}
    )
    page = text_of(site_of(*runs), "leaderboards/demo-mathieu2016.html")
    labels = re.findall(
        r'<tr data-training="(.*?)" data-seen="(.*?)">\n<th scope="row" class="label" data-value="(.*?)"',
        page,
    )
    assert labels == [("none", "no", "worse"), ("my clips", "tuned", "better")]  # the tuned one has no rank
    means = {run.name: read_run(run).scores["psnr"][::2].mean() for run in runs}
    said = visible_text(page)
    for mean in means.values():
        assert f"{mean:.2f}" in said
    assert "Score against cost" in said
    assert "vpbench 0.1.0" in said


def test_published_rows_stand_below(tmp_path: Path) -> None:
    split = {"name": "ucf101-every10th", "hash": get_split("ucf101-every10th").hash, "total": 379}
    made = site_of(make_run(tmp_path / "run", split=split))
    page = text_of(made, "leaderboards/ucf101-every10th-mathieu2016.html")
    assert page.count('class="published"') == 1
    assert 'name="published"' in page
    assert "Adv+GDL fine-tuned" in page


def test_the_page_of_a_run_says_what_it_is(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", label="mine", description={"marks": ["a mark"], "recipe": "own/x"})
    edit_manifest(run, submission=SUBMISSION)
    page = text_of(site_of(run), "runs/demo-mathieu2016-mine.html")
    said = visible_text(page)
    for text in (
        "My method",
        "@misc{mine, title = {A title}, }",
        "Learnt parameters –",
        "Multiply-adds a frame –",
        "Time a frame 1.5 ms",
        "a mark",
        "own/x",
        "Test clips not seen",
        "opencv 4.12.0",
        "name dis",
    ):
        assert text in said, text
    assert 'href="https://example.org/code"' in page
    cost = {"multiply_adds": 12_029_625_600, "frame_size": [240, 320], "parameters": 223_644}
    edit_manifest(run, cost=cost)
    said = visible_text(text_of(site_of(run), "runs/demo-mathieu2016-mine.html"))
    assert "Multiply-adds a frame of 320×240 12G" in said
    assert "Learnt parameters 223,644" in said


def test_the_page_of_a_run_has_its_own_strata(tmp_path: Path) -> None:
    made = site_of(*varied_runs(tmp_path, "a", "b"))
    pages = [page for name, page in pages_of(made).items() if name.startswith("runs/")]
    assert len(pages) == 2
    for page in pages:
        assert all(
            f"<summary>{title}</summary>" in page for title in ("By motion", "By difficulty", "By class")
        )
    assert visible_text(pages[0]) != visible_text(pages[1])
    old = site_of(make_run(tmp_path / "old", schema=1))
    assert 'id="strata"' not in text_of(old, "runs/demo-mathieu2016-last_frame.html")


def test_trainings_of_one_method_are_one_row_and_a_page_each(tmp_path: Path) -> None:
    runs = graded_runs(tmp_path, {"s1": 0.0, "s2": 1.0, "other": 0.5})
    for n, run in enumerate(runs[:2]):
        edit_manifest(run, predictor={"name": "mine", "description": {"seed": n, "method": "Mine"}})
    made = site_of(*runs)
    page = text_of(made, "leaderboards/demo-mathieu2016.html")
    assert page.count('<tr data-training="none"') == 2
    assert "2 seeds:" in page
    assert {"runs/demo-mathieu2016-s1.html", "runs/demo-mathieu2016-s2.html"} <= made.files.keys()
    means = [read_run(run).scores["psnr"][::2].mean() for run in runs[:2]]
    for name, mean in zip(("s1", "s2"), means, strict=True):
        assert f"{mean:.2f}" in visible_text(text_of(made, f"runs/demo-mathieu2016-{name}.html"))


def test_a_protocol_of_ones_own_has_its_page(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "mine.toml").write_text(
        'extends = "full-frame"\nname = "mine"\nsummary = "<b>"\ntargets = 1\n'
    )
    assert (
        cli(
            *("run", "--model", "last_frame", "--split", "synthetic", "--limit", "1", "--workers", "1"),
            *("--protocol", tmp_path / "mine.toml", "--out", tmp_path / "runs"),
        ).exit_code
        == 0
    )
    made = site_of(tmp_path / "runs" / "synthetic" / "mine" / "last_frame")
    said = visible_text(text_of(made, "protocols/mine-v1.html"))
    assert 'name = "mine"' in said
    assert "cap 100.0" in said
    assert "4 in, 1 out" in said


# Frames


@pytest.mark.parametrize(
    ("name", "split_hash", "shown"),
    [
        ("synthetic", None, True),
        ("demo", None, True),
        ("demo", "0" * 16, False),
        ("ucf101-every10th", None, False),
        ("mine", "0" * 16, False),
    ],
)
def test_frames_are_shown_of_footage_that_may_be_shown_only(
    tmp_path: Path, name: str, split_hash: str | None, shown: bool
) -> None:
    split = {"name": name, "hash": split_hash or get_split(name).hash}
    assert (
        licence_note(read_run(make_run(tmp_path / "run", split=split)).manifest.split) is not None
    ) == shown


def test_frames_are_those_of_the_run_with_whose_they_are(synthetic_runs: Path) -> None:
    made = site_of(synthetic_runs / "last_frame")
    page = text_of(made, "runs/synthetic-mathieu2016-last_frame.html")
    assert "photographs in the public domain" in page
    assert "photographs in the public domain" in text_of(made, "index.html")
    pictures = [name for name in made.files if name.startswith("frames/")]
    assert len(pictures) >= 2 * 6  # of the worst and of the best clip: input, truths, predictions, errors
    assert page.count('class="badge"') == 2
    not_again = text_of(
        site_of(synthetic_runs / "optical_flow"), "runs/synthetic-mathieu2016-optical_flow.html"
    )
    assert "the predictor is not to be run again" in not_again


def test_no_frame_of_ucf101_is_shown_though_the_clips_are_at_hand(
    synthetic_runs: Path, tmp_path: Path
) -> None:
    """A run of a split that is not to be shown, with saved frames of clips that could be loaded."""
    run = Path(shutil.copytree(synthetic_runs / "last_frame", tmp_path / "run"))
    edit_manifest(run, split={"name": "ucf101-every10th", "hash": get_split("ucf101-every10th").hash})
    made = site_of(run)
    assert not any(name.startswith("frames/") for name in made.files)
    assert not any("<img" in page for page in pages_of(made).values())


# Strangers


def test_hostile_names_stay_texts_and_lead_to_files_of_their_own(tmp_path: Path) -> None:
    folders = []
    for n, label in enumerate([*HOSTILE_LABELS, HOSTILE, "../../etc/passwd", "..", "", "A", "a", "con"]):
        run = make_run(tmp_path / f"run{n}", description={"marks": [HOSTILE], "training_data": HOSTILE})
        edit_manifest(
            run,
            label=label,
            submission={
                **SUBMISSION,
                "method": HOSTILE,
                "citation": HOSTILE,
                "code_url": "javascript:alert(1)",
            },
        )
        folders.append(run)
    made = site_of(*folders)
    names = [name for name in made.files if name.startswith("runs/")]
    assert len(names) == len(folders)
    assert len({name.casefold() for name in names}) == len(folders)
    assert all(
        re.fullmatch(r"(?:[a-z]+/)?[a-z0-9][a-z0-9._-]*\.(?:html|css|js|webp|png)", name)
        for name in made.files
    )
    for name, page in pages_of(made).items():
        assert len(re.findall("<script", page)) == 1, name
        assert "<img src=x" not in page
        assert "{{7*7}}" in page or "7*7" not in page
        assert 'href="javascript' not in page
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", page)


def test_addresses_are_safe_short_and_each_once() -> None:
    addresses = Addresses()
    made = [
        addresses.new("runs", *names)
        for names in (("a", "B"), ("A", "b"), ("a/b",), ("é",), ("",), ("x" * 500,))
    ]
    assert made == [
        "runs/a-b.html",
        "runs/a-b-2.html",
        "runs/a-b-3.html",
        "runs/page.html",
        "runs/page-2.html",
        f"runs/{'x' * 80}.html",
    ]


# The folder


def test_a_site_is_written_and_written_again_as_a_whole(tmp_path: Path, cli: Cli) -> None:
    runs = graded_runs(tmp_path / "runs", {"one": 0.0, "two": 1.0})
    out = tmp_path / "deep" / "site"
    made = cli("site", *runs, "--out", out, "--title", "Ours <b>", "--docs", "../index.html")
    assert made.exit_code == 0, made.output
    assert made.stdout == f"{out / 'index.html'}: 1 leaderboard, 2 runs.\n"
    assert "<h1>Ours &lt;b&gt;</h1>" in (out / "index.html").read_text()
    assert 'href="../../index.html">Documentation' in (out / "runs" / "demo-mathieu2016-two.html").read_text()
    assert cli("site", runs[0], "--out", out).exit_code == 0
    assert not (out / "runs" / "demo-mathieu2016-two.html").exists()
    assert [path.name for path in out.parent.iterdir()] == ["site"]
    assert sorted(path.name for path in out.iterdir() if path.name[0] == ".") == [MARKER]


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path, cli: Cli) -> None:
    run = make_run(tmp_path / "run")
    (tmp_path / "out").mkdir()
    assert cli("site", run, "--out", tmp_path / "out").exit_code == 0  # an empty one is taken
    (tmp_path / "out" / MARKER).unlink()
    made = cli("site", run, "--out", tmp_path / "out")
    assert made.exit_code == 2
    assert f"--out {tmp_path / 'out'}: the folder holds something else than a site" in made.stderr
    assert (tmp_path / "out" / "index.html").is_file()


def test_wrong_requests(tmp_path: Path, cli: Cli) -> None:
    run = make_run(tmp_path / "run")
    made = cli("site", run, "--out", tmp_path / "out", "--docs", "javascript:alert(1)")
    assert (made.exit_code, (tmp_path / "out").exists()) == (2, False)
    assert "--docs javascript:alert(1): give a relative address" in made.stderr
    assert cli("site", tmp_path / "nothing", "--out", tmp_path / "out").exit_code == 2
    edit_manifest(run, status="running")
    made = cli("site", run, "--out", tmp_path / "out")
    assert (made.exit_code, (tmp_path / "out").exists()) == (2, False)
    assert "is not complete" in made.stderr
    (run / "manifest.json").write_text("{")
    made = cli("site", run, "--out", tmp_path / "out")
    assert (made.exit_code, (tmp_path / "out").exists()) == (1, False)
    assert f"{run / 'manifest.json'}" in made.stderr


def test_a_failure_while_writing_leaves_the_old_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "site"
    write_folder(out, {"index.html": b"old"})
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if data == b"two":
            raise OSError(28, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(VpbenchError, match="No space left on device"):
        write_folder(out, {"index.html": b"new", "other/page.html": b"two"})
    assert (out / "index.html").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_what_a_killed_process_left_is_put_in_order(tmp_path: Path) -> None:
    out = tmp_path / "site"
    write_folder(out, {"index.html": b"old"})
    work = tmp_path / ".site.tmp"
    (work / "new").mkdir(parents=True)
    (work / "new" / "half.html").write_bytes(b"half")
    out.rename(work / "old")  # killed between the two renames
    with pytest.raises(VpbenchError, match="Cannot write"):
        write_folder(out, {"x" * 300: b"no file system takes this name"})
    assert (out / "index.html").read_bytes() == b"old"
    write_folder(out, {"index.html": b"new"})
    assert sorted(path.name for path in out.iterdir()) == [MARKER, "index.html"]


def test_two_processes_do_not_write_at_once(tmp_path: Path) -> None:
    out = tmp_path / "site"
    with (
        lock_folder(tmp_path / ".site.tmp", wait=False),
        pytest.raises(VpbenchError, match="Another vpbench is writing"),
    ):
        write_folder(out, {"index.html": b"new"})
    assert not out.exists()


def test_the_committed_runs_make_a_site(cli: Cli, tmp_path: Path) -> None:
    """Their files are not touched, and what they do not say is a dash."""
    root = ROOT / "results" / "runs"
    before = {path: path.read_bytes() for path in root.rglob("manifest.json")}
    made = cli("site", root, "--out", tmp_path / "site", "--saved-only")
    assert made.exit_code == 0, made.output
    assert f"{len(before)} runs" in made.stdout
    assert before == {path: path.read_bytes() for path in root.rglob("manifest.json")}
    silent = sum("multiply_adds" not in json.loads(text)["cost"] for text in before.values())
    pages = [visible_text(page.read_text()) for page in (tmp_path / "site" / "runs").iterdir()]
    assert 0 < silent == sum("Multiply-adds a frame –" in page for page in pages)
