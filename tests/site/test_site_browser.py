"""The pages of ``vpbench site`` in a real browser: they work, by keyboard and on a phone, and run no code of runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from boards import graded_runs, many_runs, with_fields
from browser import Opened, answering, chromium, contrast, focused, opening
from pages import HOSTILE
from runs import edit_manifest

from vpbench.evaluation.replay import Replay
from vpbench.runs.run import read_run
from vpbench.site.folder import write_folder
from vpbench.site.render import SiteOptions, make_site
from vpbench.splits import get_split

pytestmark = pytest.mark.browser

LEADS = {"last_frame": 0.0, "flow": 1.0, "network": 2.0, "tuned": 3.0}
COSTS: dict[str, dict[str, Any]] = {
    "last_frame": {"ms_per_frame": 0.05},
    "flow": {"ms_per_frame": 50.0},
    "network": {"ms_per_frame": 400.0, "parameters": 224_000},
    "tuned": {"ms_per_frame": 300.0, "parameters": 649_000},
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Opened]]:
    with opening(browser) as call:
        yield call


def write_site(out: Path, folders: list[Path], **options: Any) -> Path:
    made = make_site(
        [read_run(folder) for folder in folders], SiteOptions(replay=Replay(rerun=False), **options)
    )
    write_folder(out, made.files)
    return out


@pytest.fixture(scope="module")
def site(synthetic_runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two leaderboards: one with published rows, one with frames."""
    folder = tmp_path_factory.mktemp("site")
    split = {"name": "ucf101-every10th", "hash": get_split("ucf101-every10th").hash, "total": 379}
    runs = graded_runs(folder / "runs", LEADS, noise=0.1, split=split)
    for run in runs:
        cost = {"frames_timed": 60, "peak_memory_mib": 100.0, "parameters": None}
        with_fields(run, cost=cost | COSTS[run.name])
        trained = {"training_data": "my clips", "test_clips_seen": "tuned" if run.name == "tuned" else "no"}
        edit_manifest(run, predictor={"description": trained if COSTS[run.name].get("parameters") else {}})
    frames = [synthetic_runs / name for name in ("last_frame", "optical_flow")]
    return write_site(folder / "site", [*runs, *frames], docs="../docs/index.html")


BOARD = "leaderboards/ucf101-every10th-mathieu2016.html"


def shown(page: Any) -> list[str]:
    """The labels of the measured rows that are shown, in their order."""
    labels: list[str] = page.locator("#table tbody:not(.published) tr:not([hidden]) th").evaluate_all(
        "all => all.map((e) => e.dataset.value)"
    )
    return labels


def test_pages_ask_nothing_of_the_network_and_have_no_errors(
    site: Path, opened: Callable[..., Opened]
) -> None:
    for path in sorted(site.rglob("*.html")):
        result = opened(path)
        result.page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        result.page.wait_for_timeout(100)
        assert [url for url in result.requests if not url.startswith(("file://", "data:,"))] == []
        assert result.complaints == []
        broken = "[...document.images].filter((e) => e.complete && !e.naturalWidth).length"
        assert result.page.evaluate(broken) == 0
        result.page.close()


def test_rows_sort_and_the_address_remembers_it(site: Path, opened: Callable[..., Opened]) -> None:
    page = opened(site / BOARD).page
    assert shown(page) == ["network", "flow", "last_frame", "tuned"]  # as ranked
    heading = page.locator("#table th[data-key=psnr_1]")
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert shown(page) == ["tuned", "network", "flow", "last_frame"]
    heading.locator("button").press("Enter")
    assert (heading.get_attribute("aria-sort"), shown(page)[0]) == ("ascending", "last_frame")
    time = page.locator("#table th[data-key=ms_per_frame]")
    time.locator("button").press("Space")
    assert (time.get_attribute("aria-sort"), shown(page)[0]) == ("ascending", "last_frame")  # cheapest first
    assert page.locator("#table th[aria-sort]").count() == 1
    parameters = page.locator("#table th[data-key=parameters] button")
    parameters.click()
    assert shown(page)[:2] == ["network", "tuned"]  # those without come last
    parameters.click()
    assert shown(page)[:2] == ["tuned", "network"]
    again = opened(site / BOARD, part=page.evaluate("location.hash")).page
    assert shown(again)[:2] == ["tuned", "network"]
    assert again.locator("#table th[data-key=parameters]").get_attribute("aria-sort") == "descending"


def test_rows_are_searched_and_filtered(site: Path, opened: Callable[..., Opened]) -> None:
    page = opened(site / BOARD).page
    count = page.locator("#count")
    assert count.inner_text() == "4 rows; 10 published"
    form = page.locator("#filters")
    form.locator("[name=q]").fill("FLOW")
    assert shown(page) == ["flow"]
    assert count.inner_text() == "1 of 4 rows; 1 published"  # the paper's optical flow
    form.locator("[name=q]").fill("")
    form.locator("[name=training]").select_option("my clips")
    assert shown(page) == ["network", "tuned"]
    form.locator("[name=seen]").select_option("no")
    assert shown(page) == ["network"]
    assert page.locator(".cost:not([hidden]) .row:not(.off)").evaluate_all(
        "all => all.map((e) => e.dataset.label)"
    ) == ["network"]
    again = opened(site / BOARD, part=page.evaluate("location.hash")).page
    assert shown(again) == ["network"]
    form.locator("[type=reset]").click()
    page.get_by_text("4 rows; 10 published", exact=True).wait_for()
    assert len(shown(page)) == 4
    assert page.evaluate("location.hash") == ""


def test_rows_are_filtered_by_cost(site: Path, opened: Callable[..., Opened]) -> None:
    page = opened(site / BOARD).page
    form, count = page.locator("#filters"), page.locator("#count")
    form.locator("[name=most]").fill("300k")
    form.locator("[name=cost]").select_option("parameters")
    assert shown(page) == ["network"]
    assert "2 hidden of which this cost is not known" in count.inner_text()
    form.locator("[name=cost]").select_option("ms_per_frame")
    form.locator("[name=most]").fill("50")
    assert shown(page) == ["flow", "last_frame"]
    form.locator("[name=most]").fill("much")
    assert len(shown(page)) == 4
    assert form.locator("[name=most]").get_attribute("aria-invalid") == "true"
    assert "“at most” is no number" in count.inner_text()


def test_intervals_and_published_rows_are_shown_if_wanted(site: Path, opened: Callable[..., Opened]) -> None:
    page = opened(site / BOARD).page
    interval, published = page.locator("#table td small").first, page.locator("#table tbody.published")
    assert interval.is_visible()
    assert interval.inner_text().startswith("[")
    assert published.is_visible()
    page.get_by_label("intervals").uncheck()
    page.get_by_label("published rows").uncheck()
    assert not interval.is_visible()
    assert not published.is_visible()
    assert page.locator("#count").inner_text() == "4 rows"


def test_an_address_that_makes_no_sense_is_no_error(site: Path, opened: Callable[..., Opened]) -> None:
    part = "#sort=nothing+ascending&cost=x&seen=perhaps&training=%22%5D&published=maybe&q=&most="
    result = opened(site / BOARD, part=part)
    assert len(shown(result.page)) == 4
    assert result.complaints == []


def test_costs_are_drawn_one_at_a_time_and_lead_to_the_runs(
    site: Path, opened: Callable[..., Opened]
) -> None:
    page = opened(site / BOARD).page
    figures = page.locator(".cost:not([hidden])")
    assert figures.count() == 1
    assert page.locator(".choice button").all_inner_texts() == ["time", "parameters", "memory"]
    page.locator(".choice button").nth(1).press("Enter")
    assert figures.get_attribute("data-cost") == "parameters"
    assert page.locator(".choice button[aria-pressed=true]").inner_text() == "parameters"
    dot = figures.locator(".row").first
    assert dot.get_attribute("aria-label").startswith("network: ")
    dot.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/*")
    assert page.locator("h1").inner_text() == "network"


def test_everything_is_reached_by_tab_and_shows_where_it_is(
    site: Path, opened: Callable[..., Opened]
) -> None:
    page = opened(site / BOARD).page
    seen = ""
    for _ in range(80):
        page.keyboard.press("Tab")
        seen += (now := focused(page))
        if now.startswith("<body"):  # once around
            break
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    for what in ('class="skip"', 'class="brand"', 'id="theme"', 'name="q"', 'name="training"', 'name="seen"'):
        assert what in seen, what
    for what in ('name="most"', 'type="reset"', 'class="scroll"', 'class="sort"', "runs/", "aria-pressed"):
        assert what in seen, what
    page = opened(site / BOARD).page
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert 'id="main"' in focused(page)


def test_ways_lead_from_page_to_page(site: Path, opened: Callable[..., Opened]) -> None:
    page = opened(site / "index.html").page
    page.locator(".card h3 a", has_text="synthetic").click()
    page.locator("#table tbody a", has_text="last_frame").click()
    page.wait_for_url("**/runs/*")
    assert page.locator("h1").inner_text() == "last_frame"
    assert page.locator("article.clip").count() == 2
    assert page.locator("article.clip img").first.evaluate("e => e.decode().then(() => e.naturalWidth)") > 0
    page.locator("main a", has_text="mathieu2016").last.click()
    page.wait_for_url("**/protocols/*")
    assert page.locator("h1").inner_text() == "mathieu2016"
    page.locator("a.brand").click()
    page.wait_for_url("**/index.html")
    page.wait_for_selector("html[data-ready=true]", state="attached")
    assert page.locator(".highlight img").count() == 3  # input, truth, and the run that saved its frames
    assert page.get_by_role("link", name="Documentation").get_attribute("href") == "../docs/index.html"


@pytest.mark.parametrize("width", [400, 320])
def test_phones_do_not_scroll_sideways(site: Path, opened: Callable[..., Opened], width: int) -> None:
    for path in (
        "index.html",
        BOARD,
        "runs/synthetic-mathieu2016-last_frame.html",
        "protocols/mathieu2016-v1.html",
    ):
        page = opened(site / path, width=width).page
        assert page.evaluate("document.documentElement.scrollWidth") == width, path
        page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_are_told_apart_from_their_ground(
    site: Path, opened: Callable[..., Opened], scheme: str
) -> None:
    page = opened(site / BOARD, scheme=scheme).page
    for ground in ("--paper", "--card", "--wash"):
        for ink in ("--ink", "--soft", "--accent"):
            assert contrast(page, ink, ground) >= 4.5, (ink, ground)  # WCAG AA for text


def test_the_theme_stays_from_page_to_page(site: Path, opened: Callable[..., Opened]) -> None:
    page = opened(site / "index.html", scheme="dark").page
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.locator("#theme").press("Enter")
    light = page.evaluate(ground)
    assert light != dark
    page.locator(".card h3 a").first.click()
    page.wait_for_url("**/leaderboards/*")
    page.wait_for_selector("html[data-ready=true]", state="attached")
    assert page.evaluate(ground) == light
    assert page.locator("#theme").inner_text() == "Theme: light"


def test_without_scripts_tables_and_drawings_are_there(browser: Any, site: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / BOARD).as_uri())
    assert (
        page.locator("#table tbody tr:visible").count() == 4 + 10 + 1
    )  # and the heading of the published ones
    assert page.locator(".cost svg:visible").count() == 3
    assert not page.locator("#filters").is_visible()
    context.close()


def test_hostile_names_run_nothing(tmp_path: Path, opened: Callable[..., Opened]) -> None:
    runs = graded_runs(tmp_path / "runs", {"a": 0.0, "b": 1.0})
    said = {"marks": [HOSTILE], "training_data": HOSTILE}
    edit_manifest(runs[0], label=HOSTILE, predictor={"description": said})
    edit_manifest(
        runs[0],
        submission={
            "method": HOSTILE,
            "citation": HOSTILE,
            "training_data": HOSTILE,
            "test_clips_seen": "no",
            "code_url": "javascript:window.hacked=1",
        },
    )
    out = write_site(tmp_path / "site", runs, title=HOSTILE)
    for path in sorted(out.rglob("*.html")):
        result = opened(path, width=400)
        page = result.page
        assert page.evaluate("window.hacked") is None
        assert page.evaluate("document.documentElement.scrollWidth") == 400
        assert page.locator("script").count() == 1
        assert result.complaints == []
    board = opened(out / "leaderboards" / "demo-mathieu2016.html")
    page = board.page
    page.locator("#filters [name=training]").select_option(index=1)
    assert shown(page)[0].startswith("</script>")
    page.locator("#filters [name=q]").fill(HOSTILE[:20])
    page.reload()
    page.wait_for_selector("html[data-ready=true]", state="attached")
    assert len(shown(page)) == 1
    assert page.evaluate("window.hacked") is None
    # And if a name did get in as markup, the page's policy would stop it.
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=\"x\" onerror=\"window.hacked=1\">')"
    )
    page.wait_for_timeout(200)
    assert page.evaluate("window.hacked") is None
    assert any("Content Security Policy" in text for text in board.complaints)


@pytest.mark.slow
def test_a_leaderboard_of_200_runs_is_laid_out_as_seldom_as_one_of_20(browser: Any, tmp_path: Path) -> None:
    """Up to the answers to a click and a letter. How long that takes, `tests/speed/site.py` says."""
    counts = []
    for runs in (20, 200):
        out = write_site(tmp_path / f"site{runs}", many_runs(tmp_path / f"runs{runs}", runs, 12))
        counts.append(answering(browser, out / "leaderboards" / "made-up-mathieu2016.html"))
    few, many = counts
    for name in ("LayoutCount", "RecalcStyleCount"):
        assert few[name] > 0
        assert many[name] == pytest.approx(few[name], abs=20), name
