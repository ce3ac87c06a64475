"""A headless Chromium for tests that look at a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from needs import find_browser, missing

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser; where there is none the test skips or fails, with the reason (:mod:`needs`)."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("browser", "pip install playwright")
    path = find_browser()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, headless=True, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Opened:
    """A page that was opened, with what it asked of the network and complained of."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@contextmanager
def opening(browser: Any) -> Iterator[Callable[..., Opened]]:
    """A function that opens a page, which waits until its script has run; the pages are closed after the block."""
    pages = []

    def call(path: Path, width: int = 1280, scheme: str = "light", part: str = "") -> Opened:
        page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
        pages.append(page)
        result = Opened(page)
        page.on("request", lambda request: result.requests.append(request.url[:80]))
        page.on("console", lambda message: result.complaints.append(message.text))
        page.on("pageerror", lambda error: result.complaints.append(str(error)))
        page.goto(path.as_uri() + part)
        page.wait_for_selector("html[data-ready=true]", state="attached")
        return result

    yield call
    for page in pages:
        page.close()


def focused(page: Any) -> str:
    return str(page.evaluate("document.activeElement.outerHTML.slice(0, 300)"))


def contrast(page: Any, one: str, other: str) -> float:
    def luminance(name: str) -> float:
        text = page.evaluate(f"getComputedStyle(document.documentElement).getPropertyValue('{name}').trim()")
        channels = [int(text[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@contextmanager
def reloading(browser: Any, path: Path) -> Iterator[tuple[Any, Callable[[], dict[str, float]]]]:
    """A page that was loaded again until its script had run, so that the browser itself had started already.

    Yields:
        The page, and a function that gives what Chromium measures and counts of it, ``LayoutCount`` and others;
        ``ProcessTime`` is the processor time since the reload, in seconds.
    """
    view = browser.new_page(viewport={"width": 1280, "height": 900})
    try:
        session = view.context.new_cdp_session(view)
        session.send("Performance.enable")

        def metrics() -> dict[str, float]:
            found = session.send("Performance.getMetrics")["metrics"]
            return {metric["name"]: float(metric["value"]) for metric in found}

        view.goto(path.as_uri())
        before = metrics()["ProcessTime"]

        def counted() -> dict[str, float]:
            now = metrics()
            return {**now, "ProcessTime": now["ProcessTime"] - before}

        view.reload(wait_until="commit")
        view.wait_for_selector("html[data-ready=true]", state="attached")
        yield view, counted
    finally:
        view.close()


def answering(browser: Any, path: Path) -> dict[str, float]:
    """What a leaderboard of a site takes in a browser.

    Returns:
        Seconds from the start of the navigation until the page is ready (``ready``), until a click on a heading has
        sorted the rows (``sorted``) and until what was typed into the search has been found (``searched``); and
        what Chromium counts up to then (see :func:`reloading`).
    """
    with reloading(browser, path) as (view, counted):
        found = {"ready": view.evaluate("performance.now()") / 1000}
        view.locator("#table th[data-key=psnr_1] button").click()
        view.wait_for_selector("#table th[aria-sort]")
        found["sorted"] = view.evaluate("performance.now()") / 1000
        view.locator("#filters [name=q]").fill("7")
        view.wait_for_selector("#table tbody tr[hidden]", state="attached")
        found["searched"] = view.evaluate("performance.now()") / 1000
        return {**found, **counted()}
