"""The page of a clients' run in a real Chromium: it draws, sorts, and asks for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import chromium, visit
from client_facts import sample
from gold import check
from playwright.sync_api import Browser, expect

from loadtest.report.charts.chart import svg
from loadtest.report.clients import report
from loadtest.report.clients.charts import of_ranking
from loadtest.report.clients.formats import html

HOSTILE = "</script><script>pwned=1</script><img src=//x onerror='pwned=1'>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    page = tmp_path_factory.mktemp("clients") / "index.html"
    page.write_text(html.render(report.make(sample())))
    return page


@pytest.mark.parametrize("dark", [False, True])
def test_it_opens_without_a_complaint_or_a_request(
    browser: Browser, path: Path, dark: bool
) -> None:
    with visit(browser, path, dark=dark) as seen:
        expect(seen.page.get_by_role("heading", level=1)).to_be_visible()
        plots = seen.page.get_by_role("img")
        for at in range(plots.count()):
            expect(plots.nth(at)).to_be_visible()
        assert plots.count() == 6  # time and parts, time and CPU, time and CPU
        assert seen.complaints == []
        assert seen.requests == []


def test_it_sorts(browser: Browser, path: Path) -> None:
    with visit(browser, path) as seen:
        table = seen.page.locator("table.ranking").nth(1)
        first = table.locator("tbody tr").first.locator("th")
        expect(first).to_have_text("aiohttp")
        for _ in range(2):
            table.get_by_role("columnheader", name="CPU per call").get_by_role("button").click()
        expect(table.locator("tbody tr").first.locator("th")).to_have_text("httpx async, each call")


def test_it_has_no_serious_accessibility_fault(browser: Browser, path: Path) -> None:
    with visit(browser, path) as seen:
        checked = Axe().run(seen.page)
        serious = [
            violation["id"]
            for violation in checked.response["violations"]
            if violation["impact"] in ("serious", "critical")
        ]
        assert serious == []


def test_it_holds_on_a_phone(browser: Browser, path: Path) -> None:
    with visit(browser, path) as seen:
        seen.page.set_viewport_size({"width": 390, "height": 844})
        # A table gets its scroll bar from the script, once the page has its new width. Waiting for
        # an expression would need `eval`, which the page's own policy refuses.
        expect(seen.page.locator("html")).to_have_js_property("scrollWidth", 390)


def test_a_hostile_name_is_text(browser: Browser, tmp_path: Path) -> None:
    stored = sample()
    rows = tuple(
        msgspec.structs.replace(row, label=f"{row.label} {HOSTILE}") for row in stored.run.plan.rows
    )
    plan = msgspec.structs.replace(stored.run.plan, rows=rows, title=HOSTILE)
    hostile = msgspec.structs.replace(stored, run=msgspec.structs.replace(stored.run, plan=plan))
    path = tmp_path / "index.html"
    path.write_text(html.render(report.make(hostile)))
    with visit(browser, path) as seen:
        expect(seen.page.locator("h1")).to_contain_text("<script>")
        assert seen.page.evaluate("window.pwned") is None
        assert seen.complaints == []


def test_charts_hold_no_invalid_number() -> None:
    reported = report.make(sample())
    charts = [chart for ranking in reported.summary.rankings for chart in of_ranking(ranking)]
    assert len({chart.name for chart in charts}) == len(charts) == 4
    for chart in charts:
        assert "liar" not in svg(chart)
    for chart in charts[:2]:
        check(f"charts/{chart.name}.svg", svg(chart))


def test_a_legend_has_only_what_is_drawn() -> None:
    """One client by itself, or all driven alike, need no key to colours."""
    reported = report.make(sample())
    charts = [chart for ranking in reported.summary.rankings for chart in of_ranking(ranking)]
    keys = [key.text for chart in charts for key in chart.legend if chart.name.startswith("time")]
    assert "asyncio" in keys
    assert "one by one" not in keys
