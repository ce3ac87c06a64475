"""The page of ``vpbench report`` in a real browser: it works, by keyboard and on a phone, and runs no code."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Opened, chromium, contrast, focused, opening, reloading
from click.testing import CliRunner
from pages import HOSTILE
from runs import edit_manifest, make_run

from vpbench.cli.main import main
from vpbench.evaluation.replay import Replay
from vpbench.report.page import PageOptions, make_page
from vpbench.runs.run import read_run
from vpbench.scoring.built_in import get_protocol
from vpbench.scoring.clip import Clip
from vpbench.splits.synthetic import render

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def report(synthetic_runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("page")
    made = CliRunner().invoke(
        main, ["report", str(synthetic_runs), "--out", str(out)], catch_exceptions=False
    )
    assert made.exit_code == 0, made.output
    return out / "index.html"


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Opened]]:
    with opening(browser) as call:
        yield call


def test_page_asks_nothing_of_the_network_and_has_no_errors(
    report: Path, opened: Callable[..., Opened]
) -> None:
    result = opened(report)
    result.page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    result.page.wait_for_timeout(300)
    assert [url for url in result.requests if not url.startswith(("file://", "data:image/"))] == []
    assert result.complaints == []
    assert result.page.locator("#densities svg").count() == 3  # two runs and the axis
    assert result.page.locator("#scatter path.dots").count() == 2


def test_table_sorts(report: Path, opened: Callable[..., Opened]) -> None:
    page = opened(report).page
    labels = page.locator(".scores tbody th.label .name > span")
    heading = page.locator(".scores thead tr:last-child th", has_text="PSNR").first
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert labels.all_inner_texts() == ["optical_flow", "last_frame"]
    heading.locator("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert labels.all_inner_texts() == ["last_frame", "optical_flow"]


def test_clip_is_compared_by_keyboard(report: Path, opened: Callable[..., Opened]) -> None:
    page = opened(report).page
    clip = page.locator("article.clip").first
    part = clip.locator(".step:not([hidden])")
    stage, slider = part.locator(".stage"), part.locator("input[type=range]")
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert stage.evaluate("e => e.style.getPropertyValue('--cut')") == "52%"
    assert part.locator(".tag.right").inner_text() == "last_frame"
    part.locator("input[type=radio]").first.focus()
    page.keyboard.press("ArrowDown")
    assert part.locator(".tag.right").inner_text() == "optical_flow"
    assert page.evaluate(
        "([a, b]) => a.src === b.src",
        [stage.locator("img.guess").element_handle(), part.locator(".run.chosen img.guess").element_handle()],
    )
    flicker = part.locator("button.flicker")
    flicker.focus()
    page.keyboard.press("Space")
    assert flicker.get_attribute("aria-pressed") == "true"
    seen = set()
    for _ in range(8):
        seen.add(part.locator(".tag.bottom").inner_text())
        page.wait_for_timeout(150)
    assert seen == {"truth", "optical_flow"}
    page.keyboard.press("Space")
    assert flicker.get_attribute("aria-pressed") == "false"
    part.locator("button.error").press("Enter")
    assert part.locator(".tag.bottom").inner_text() == "error of optical_flow"
    part.locator("button.moving").press("Enter")
    assert part.locator(".veil").is_visible()


def test_frames_and_picks(report: Path, opened: Callable[..., Opened]) -> None:
    page = opened(report).page
    clip = page.locator("article.clip").first
    assert clip.locator(".step:not([hidden])").get_attribute("data-step") == "1"
    clip.locator(".steps button").nth(1).press("Enter")
    part = clip.locator(".step:not([hidden])")
    assert part.get_attribute("data-step") == "2"
    assert part.locator(".compare").is_visible()
    part.locator(".pick").nth(1).press("Enter")
    assert part.locator(".tag.right").inner_text() == "optical_flow"
    assert part.locator("input[type=radio]").nth(1).is_checked()


def test_plots_follow_their_controls(report: Path, opened: Callable[..., Opened]) -> None:
    page = opened(report).page
    page.locator("#scatter").focus()
    page.keyboard.press("ArrowRight")
    first = page.locator("#reading").inner_text()
    assert first.startswith("Clip ")
    assert "PSNR" in first
    page.keyboard.press("Enter")
    assert "article" in focused(page)  # every clip of four is shown, or the dot would lead nowhere
    page.locator("#metric").select_option(label="SSIM")
    page.locator("#step").select_option("2")
    page.locator("#scatter").press("ArrowLeft")
    assert "frame 2" in page.locator("#reading").inner_text()
    assert "SSIM" in page.locator("#reading").inner_text()
    page.locator("#legend input").first.uncheck()
    assert page.locator("#scatter path.dots").count() == 1
    page.locator("#legend input").nth(1).uncheck()
    assert page.locator("#scatter path.dots").count() == 0
    page.locator("#scatter").press("ArrowLeft")


def test_tab_reaches_everything_and_shows_where_it_is(report: Path, opened: Callable[..., Opened]) -> None:
    page = opened(report).page
    seen = ""
    for _ in range(45):
        page.keyboard.press("Tab")
        seen += focused(page)
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    for what in (
        'class="skip"',
        'id="theme"',
        'class="sort"',
        'id="metric"',
        'type="checkbox"',
        'id="scatter"',
    ):
        assert what in seen
    for what in ('type="range"', "flicker", 'type="radio"', 'class="scroll strip"', 'class="pick"'):
        assert what in seen


@pytest.mark.parametrize("width", [390, 320])
def test_phone_does_not_scroll_sideways(report: Path, opened: Callable[..., Opened], width: int) -> None:
    page = opened(report, width=width).page
    assert page.evaluate("document.documentElement.scrollWidth") == width
    strip = page.locator(".step:not([hidden]) .strip").first
    assert strip.evaluate("e => e.scrollWidth > e.clientWidth && e.clientWidth <= innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_are_told_apart_from_their_ground(
    report: Path, opened: Callable[..., Opened], scheme: str
) -> None:
    page = opened(report, scheme=scheme).page
    for ground in ("--paper", "--card", "--wash"):
        for ink in ("--ink", "--soft", "--accent"):
            assert contrast(page, ink, ground) >= 4.5, (ink, ground)  # WCAG AA for text
    assert all(contrast(page, f"--c{n}", "--card") >= 3 for n in range(10))  # and for graphics


def test_theme_changes(report: Path, opened: Callable[..., Opened]) -> None:
    page = opened(report, scheme="dark").page
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.locator("#theme").press("Enter")
    assert page.locator("#theme").inner_text() == "Theme: light"
    light = page.evaluate(ground)
    assert light != dark
    page.locator("#theme").press("Enter")
    assert page.evaluate(ground) == dark


def test_hostile_names_run_nothing(
    synthetic_runs: Path, tmp_path: Path, opened: Callable[..., Opened]
) -> None:
    runs = Path(shutil.copytree(synthetic_runs, tmp_path / "runs"))
    edit_manifest(
        runs / "last_frame",
        label=HOSTILE,
        predictor={"description": {"marks": [HOSTILE], "training_data": HOSTILE}},
    )
    call = ["report", str(runs), "--out", str(tmp_path / "page"), "--title", HOSTILE, "--clips", "1"]
    assert CliRunner().invoke(main, call).exit_code == 0
    result = opened(tmp_path / "page" / "index.html", width=390)
    page = result.page
    page.locator("#scatter").press("ArrowRight")
    page.locator(".pick").first.click()
    page.wait_for_timeout(200)
    assert page.evaluate("window.hacked") is None
    assert page.locator("h1").inner_text() == HOSTILE
    assert page.locator(".tag.right").first.inner_text().startswith("</script>")
    assert page.locator("script").count() == 2
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert result.complaints == []
    # And if a name did get in as markup, the page's policy would stop it.
    page.evaluate(
        """document.body.insertAdjacentHTML('beforeend', '<img src="x" onerror="window.hacked=1">')"""
    )
    page.evaluate(
        "const s = document.createElement('script'); s.textContent = 'window.hacked = 1'; document.body.append(s)"
    )
    page.wait_for_timeout(200)
    assert page.evaluate("window.hacked") is None
    assert any("Content Security Policy" in text for text in result.complaints)


class _AnyClip(Replay):
    """Gives a synthetic clip for any index."""

    def load_clips(self, run: object, indices: Any) -> tuple[dict[int, Clip], list[int]]:
        clips = {}
        for n, index in enumerate(sorted(indices)):
            frames, flows = render(n % 12 + 1, 6)
            clips[index] = Clip(index, frames[:4], frames[4:], tuple(flows[3:5]))
        return clips, []


def make_many_runs(folder: Path, runs: int, clips: int, shown: tuple[int, ...]) -> list[Path]:
    """Runs of made-up scores, with noisy (so hardly compressible) frames of the clips that are shown."""
    rng = np.random.default_rng(0)
    protocol = get_protocol("mathieu2016")
    found = _AnyClip().load_clips(None, shown)[0]
    folders = []
    for n in range(runs):
        scores = {
            1 + 10 * clip: [
                {
                    "psnr": 30 + n / 3 + rng.normal(0, 4),
                    "ssim": 0.9 + rng.normal(0, 0.02),
                    "sharpness": 25.0 + n,
                    "moving": rng.random(),
                }
                for _ in range(protocol.targets)
            ]
            for clip in range(clips)
        }
        run = make_run(folder / f"run_{n}", label=f"method_{n},option={n}", scores=scores)
        for index, clip in found.items():
            (run / "predictions" / str(index)).mkdir(parents=True)
            for k, target in enumerate(clip.targets):
                noisy = target / 255 + rng.normal(0, 0.03, target.shape)
                np.save(
                    run / "predictions" / str(index) / f"pred_{5 + k}.npy",
                    np.clip(noisy, 0, 1).astype(np.float32),
                )
        folders.append(run)
    return folders


def test_ten_runs_are_small_enough_and_seldom_laid_out(tmp_path: Path, browser: Any) -> None:
    shown = (1, 101, 201, 301)
    folders = make_many_runs(tmp_path, 10, 379, shown)
    page = make_page([read_run(folder) for folder in folders], PageOptions(clips=shown, replay=_AnyClip()))
    path = tmp_path / "index.html"
    path.write_text(page.html)
    assert path.stat().st_size < 20e6
    assert "compressed with loss" in page.html
    with reloading(browser, path) as (view, counted):
        view.locator(".scores thead tr:last-child button").nth(2).click()
        assert view.locator("th[aria-sort]").count() == 1
        counts = counted()
    # Neither is done for each of the 3,790 scored clips; how long it takes, `tests/speed/report.py` says.
    assert 0 < counts["LayoutCount"] < 60
    assert 0 < counts["RecalcStyleCount"] < 60
