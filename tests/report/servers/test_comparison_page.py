"""A comparison as a page in a real Chromium: what changed first, and nothing asked of anybody."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import visit
from playwright.sync_api import Browser, expect
from two_runs import stored, times

from loadtest.judge.servers.compare import Comparisons, compare
from loadtest.report.html.page import document
from loadtest.report.servers.comparison import charts
from loadtest.report.servers.comparison import page as page_of

HOSTILE = "</script><script>pwned=1</script><img src=//x onerror='pwned=1'>"


@pytest.fixture(scope="module")
def comparisons(tmp_path_factory: pytest.TempPathFactory) -> Comparisons:
    """Give two runs of which one cell lost a fifth, one costs less, one is wild, one has failed."""
    folder = tmp_path_factory.mktemp("runs")
    factors = {
        "alpha.json-sync": times(0.8),
        "beta.json-sync": [1.5, 0.7, 1.1, 0.6, 1.3],
        "beta.json_query-sync": [None] * 5,
    }
    cpu = {"alpha.json_query-sync": times(0.7)}
    return compare(stored(folder / "main"), stored(folder / "branch", factors, cpu))


@pytest.fixture(scope="module")
def page(comparisons: Comparisons, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "changes.html"
    path.write_text(document(page_of(comparisons)))
    return path


def test_it_says_first_what_got_worse(browser: Browser, page: Path) -> None:
    with visit(browser, page) as seen:
        expect(seen.page.get_by_role("heading", level=1)).to_have_text(
            "1 cell failed and 1 of 2 endpoints got slower"
        )
        changed = seen.page.locator("#answer table", has_text="What got worse or better")
        first = changed.locator("tbody tr").first
        expect(first).to_contain_text("worse")
        expect(first).to_contain_text("alpha.json-sync")
        expect(seen.page.locator("#answer")).to_contain_text("beta.json_query-sync")
        assert seen.complaints == []
        assert seen.requests == []


def test_it_draws_every_cell_by_how_much_it_changed(browser: Browser, page: Path) -> None:
    with visit(browser, page) as seen:
        keys = {"goodput": "requests/s", "p99_us": "p99", "server_cpu_us": "CPU per request"}
        for key, name in keys.items():
            seen.page.get_by_role("radio", name=name).check()
            plot = seen.page.locator(f"[data-chart=forest-{key}]")
            expect(plot).to_be_visible()
            for other in keys.keys() - {key}:
                expect(seen.page.locator(f"[data-chart=forest-{other}]")).not_to_be_visible()
            # Of four cells one has no number in the second run.
            assert plot.locator(".panels use").count() == 3
            expect(plot.locator("figcaption")).to_contain_text("is better")
        assert seen.complaints == []
        assert seen.requests == []


def test_no_chart_has_a_cell_without_a_number(comparisons: Comparisons) -> None:
    for figure, chart in charts(comparisons):
        tips = [mark.tip.splitlines()[0] for mark in chart.panels[0].marks]
        of = [change for change in comparisons.changes if change.figure == figure]
        assert sorted(tips) == sorted(
            f"{change.server} at {change.endpoint}: {change.answer}" for change in of
        )
        assert not [tip for tip in tips if tip.startswith("beta at json_query-sync")]
        assert [tip for tip in tips if tip.startswith("alpha at ")]


def test_it_sorts_changes_by_their_value(browser: Browser, page: Path) -> None:
    with visit(browser, page, "#same") as seen:
        header = seen.page.locator("#same th", has_text="new / base")
        header.get_by_role("button").click()
        shown = seen.page.locator("#same tbody tr td:nth-of-type(3)")
        ratios = shown.evaluate_all("cells => cells.map((cell) => Number(cell.dataset.v))")
        assert len(ratios) > 1
        assert ratios == sorted(ratios)


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_no_serious_fault_and_it_holds_on_a_phone(
    browser: Browser, page: Path, dark: bool
) -> None:
    with visit(browser, page, width=390, dark=dark, policy=False) as seen:
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= 390
        violations = Axe().run(seen.page).response["violations"]
        assert [
            violation["id"]
            for violation in violations
            if violation["impact"] in ("serious", "critical")
        ] == []


def test_text_from_outside_stays_text(
    browser: Browser, comparisons: Comparisons, tmp_path: Path
) -> None:
    lost = tuple(msgspec.structs.replace(cell, reason=HOSTILE) for cell in comparisons.lost)
    hostile = msgspec.structs.replace(comparisons, base=HOSTILE, lost=lost)
    path = tmp_path / "hostile.html"
    path.write_text(document(page_of(hostile)))
    with visit(browser, path) as seen:
        assert seen.page.evaluate("window.pwned") is None
        assert seen.page.locator("img").count() == 0
        assert seen.complaints == []


def test_nothing_changed(browser: Browser, tmp_path: Path) -> None:
    same = compare(stored(tmp_path / "main"), stored(tmp_path / "branch"))
    path = tmp_path / "same.html"
    path.write_text(document(page_of(same)))
    with visit(browser, path) as seen:
        expect(seen.page.get_by_role("heading", level=1)).to_have_text("No server costs more")
        expect(seen.page.locator("nav")).to_contain_text("What did not change")
