"""`index.html` in a real Chromium: what it draws, sorts, filters and opens, and never does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import visit
from census import until
from playwright.sync_api import Browser, Page, expect
from sample_run import HOSTILE, histograms, sample
from wrk_reports import CREATED_AT, REPORT

from loadtest.judge.servers.summary import summarise
from loadtest.measure.servers.imported import report as report_module
from loadtest.records.measured import Outcome, Run
from loadtest.records.run_folder import SERVERS, read
from loadtest.report.servers.formats import html
from loadtest.report.servers.report import Report

OUTSIDE = (
    "gthread",
    "blocking",
    "Simulate",
    "What ",
    "waiting",
    "anti-pattern",
    "backlog",
    "Traceback",
    "it ended",
    "Example",
    "django",
    "loadtest run",
)
"""Words in names of servers, endpoints and kinds, in notes, reasons, logs, versions, commands."""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


def report() -> Report:
    run, outcomes, segments = sample()
    return Report(summarise(run, outcomes, histograms, segments), run)


@pytest.fixture(scope="session")
def measured(folder: Path) -> Path:
    """Give the page of a run that met all there is: valid, suspect, invalid, failed, skipped."""
    return write(folder / "measured.html", html.render(report()))


@pytest.fixture(scope="session")
def imported(folder: Path) -> Path:
    """Give the page of a report of others."""
    stored = read(report_module.write(report_module.read([REPORT], CREATED_AT), folder), SERVERS)
    summary = summarise(stored.run, stored.outcomes, stored.histogram, stored.segments)
    return write(folder / "imported.html", html.render(Report(summary, stored.run)))


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def column(page: Page, table: str, title: str) -> list[str]:
    """Return the texts of one column, top down, of the rows that can be seen."""
    return page.eval_on_selector(  # type: ignore[no-any-return]
        table,
        """(table, title) => {
            const at = [...table.tHead.rows[0].cells].findIndex(
                (cell) => cell.textContent.trim() === title);
            return [...table.tBodies[0].rows].filter((row) => row.offsetParent)
                .map((row) => row.cells[at]).map((cell) =>
                    (cell?.tagName === "TH" ? cell.querySelector("a") : cell)?.textContent.trim());
        }""",
        title,
    )


def row_of(page: Page, table: str, title: str, verdict: str) -> list[str]:
    """Return the texts of one column in the rows with a verdict."""
    return page.eval_on_selector(  # type: ignore[no-any-return]
        table,
        """(table, [title, verdict]) => {
            const at = [...table.tHead.rows[0].cells].findIndex(
                (cell) => cell.textContent.trim() === title);
            return [...table.tBodies[0].rows].filter((row) => row.classList.contains(verdict))
                .map((row) => row.cells[at].textContent.trim());
        }""",
        [title, verdict],
    )


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("kind", ["measured", "imported"])
def test_it_opens_without_a_complaint_or_a_request(
    browser: Browser, kind: str, dark: bool, request: pytest.FixtureRequest
) -> None:
    with visit(browser, request.getfixturevalue(kind), dark=dark) as seen:
        expect(seen.page.get_by_role("heading", level=1)).to_be_visible()
        seen.page.get_by_role("button", name="Open all").click()
        seen.page.mouse.wheel(0, 20_000)
        seen.page.wait_for_timeout(300)
        assert seen.complaints == []
        assert seen.requests == []


def test_what_would_break_the_policy_is_refused(browser: Browser, measured: Path) -> None:
    """The two tests above could not fail if the policy let everything pass."""
    with visit(browser, measured) as seen:
        seen.page.evaluate(
            """() => { const image = document.createElement("img");
                image.src = "https://example.com/x.png"; document.body.append(image);
                const script = document.createElement("script");
                script.textContent = "window.pwned = 1"; document.body.append(script); }"""
        )
        # What it says arrives while something is waited for, and at no other time.
        until(lambda: seen.page.wait_for_timeout(20) or len(seen.complaints) > 1, "its complaints")
        assert len(seen.complaints) == 2
        assert seen.requests == []
        assert seen.page.evaluate("window.pwned") is None


@pytest.mark.parametrize("script", [True, False])
def test_charts_are_in_the_page_with_script_and_without(
    browser: Browser, measured: Path, script: bool
) -> None:
    with visit(browser, measured, "#endpoint-json-sync", script=script) as seen:
        plot = seen.page.locator("[data-chart=kind-cpu] .panels svg").first
        expect(plot).to_be_visible()
        assert plot.locator("use").count() >= 3
        expect(plot).to_have_attribute("role", "img")
        assert plot.get_attribute("aria-label")
        assert "".join(plot.locator("title").all_text_contents())
        assert seen.complaints == []
        assert seen.requests == []


def test_the_pointer_lights_up_a_server_and_says_its_numbers(
    browser: Browser, measured: Path
) -> None:
    with visit(browser, measured, "#endpoint-json-sync") as seen:
        chart = seen.page.locator("[data-chart=kind-cpu]")
        row = chart.locator("[data-s=gevent]").first
        row.locator("text").hover()
        tip = seen.page.locator(".tip")
        expect(tip).to_be_visible()
        expect(tip).to_contain_text("requests/s")
        expect(row).to_have_class(re.compile(r"\bon\b"))
        opacity = "mark => getComputedStyle(mark).opacity"
        assert row.evaluate(opacity) == "1"
        assert chart.locator("[data-s=gthread]").first.evaluate(opacity) == "0.3"
        seen.page.locator("h1").hover()
        expect(tip).to_be_hidden()
        assert chart.locator("[data-s=gthread]").first.evaluate(opacity) == "1"
        # A curve lights up with its name.
        chart = seen.page.locator("[data-chart=latency-json-sync]")
        chart.locator("[data-s=gevent] text").hover()
        expect(chart.locator(".on")).to_have_count(2)
        assert seen.complaints == []


def test_charts_mark_the_server_that_a_reader_runs(browser: Browser, measured: Path) -> None:
    with visit(browser, measured, "#endpoint-json-sync") as seen:
        curves = seen.page.locator("[data-chart=latency-json-sync] .mine")
        expect(curves).to_have_count(0)
        seen.page.get_by_label("I run").select_option("gevent")
        expect(curves).to_have_count(2)
        assert seen.complaints == []


def test_charts_follow_light_and_dark_without_being_drawn_anew(
    browser: Browser, measured: Path
) -> None:
    with visit(browser, measured) as seen:
        label = seen.page.locator("[data-chart=kind-cpu] .label").first
        fill = "label => getComputedStyle(label).fill"
        light = label.evaluate(fill)
        seen.page.get_by_role("button", name="Dark").click()
        assert label.evaluate(fill) != light


def test_no_chart_has_an_invalid_number(measured: Path) -> None:
    text = measured.read_text().partition('data-chart="kind-waiting"')[2].partition("</figure>")[0]
    assert set(re.findall(r'data-s="(\w+)"', text)) == {"gevent", "daphne"}


def test_it_sorts_by_click_and_by_key(browser: Browser, measured: Path) -> None:
    table = "#endpoint-json-sync table.ranking"
    with visit(browser, measured, "#endpoint-json-sync") as seen:
        header = seen.page.locator(f"{table} th", has_text="server")
        assert column(seen.page, table, "server") == ["gthread", "gevent", "daphne"]
        header.get_by_role("button").click()
        assert column(seen.page, table, "server") == ["daphne", "gevent", "gthread"]
        expect(header).to_have_attribute("aria-sort", "ascending")
        header.get_by_role("button").focus()
        seen.page.keyboard.press("Enter")
        assert column(seen.page, table, "server") == ["gthread", "gevent", "daphne"]
        expect(header).to_have_attribute("aria-sort", "descending")
        # By the value, not by its text.
        rate = seen.page.locator(f"{table} th", has_text="requests/s")
        rate.get_by_role("button").click()
        shown = [
            float(text.rstrip("?").replace(",", ""))
            for text in column(seen.page, table, "requests/s")
        ]
        assert shown == sorted(shown)
        assert seen.page.locator(f"{table} th[aria-sort]").count() == 1


def test_what_has_no_value_is_sorted_last_both_ways(browser: Browser, measured: Path) -> None:
    table = "#endpoint-blocking-async table.ranking"
    with visit(browser, measured, "#endpoint-blocking-async") as seen:
        for _ in range(2):
            seen.page.locator(f"{table} th", has_text="requests/s").get_by_role("button").click()
            assert column(seen.page, table, "server")[-1] == "gthread"


def test_it_filters_by_text_interface_and_verdict(browser: Browser, measured: Path) -> None:
    with visit(browser, measured) as seen:
        page = seen.page
        shown = page.locator("#endpoints tr[id]:visible")
        output = page.locator(".filter output")
        page.get_by_role("searchbox").fill("daphne json")
        expect(output).to_have_text("2 rows")
        assert shown.count() == 2
        page.get_by_role("combobox", name="Verdict").select_option("invalid")
        expect(output).to_have_text("0 rows")
        page.get_by_role("button", name="Clear").click()
        expect(output).to_have_text("12 rows")
        page.get_by_role("combobox", name="Interface").select_option("asgi")
        expect(output).to_have_text("4 rows")
        badges = shown.locator(".interface")
        assert set(badges.all_text_contents()) == {"ASGI"}
        assert page.url.endswith("#endpoints?interface=asgi")


def test_a_deep_link_opens_what_is_folded(browser: Browser, measured: Path) -> None:
    for anchor, place in (
        ("#endpoint-json-async", "#endpoint-json-async table.ranking"),
        ("#server-daphne", "#server-daphne > summary"),
        ("#cell-gevent.gateway_1s-sync", "#cell-gevent\\.gateway_1s-sync"),
        ("#doubt-errors", "#doubt-errors table"),
    ):
        with visit(browser, measured, anchor) as seen:
            expect(seen.page.locator(place)).to_be_in_viewport()
            # Not below the bar that stays at the top.
            top = seen.page.locator(place).bounding_box()
            bar = seen.page.locator("header.top").bounding_box()
            assert top
            assert bar
            assert top["y"] >= bar["height"] - 1


def test_every_link_inside_leads_somewhere(
    browser: Browser, measured: Path, imported: Path
) -> None:
    for file in (measured, imported):
        with visit(browser, file) as seen:
            lost = seen.page.evaluate(
                """() => [...document.querySelectorAll('a[href^="#"]')].map((a) => a.hash.slice(1))
                    .filter((id) => !document.getElementById(decodeURIComponent(id)))"""
            )
            assert lost == []
            twice = seen.page.evaluate(
                """() => { const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
                    return ids.filter((id, at) => ids.indexOf(id) !== at); }"""
            )
            assert twice == []


def test_a_link_into_what_the_filter_hides_shows_it(browser: Browser, measured: Path) -> None:
    with visit(browser, measured) as seen:
        seen.page.get_by_role("searchbox").fill("gevent")
        seen.page.evaluate("location.hash = '#cell-daphne.json-sync'")
        expect(seen.page.locator("#cell-daphne\\.json-sync")).to_be_in_viewport()


def test_a_claim_leads_to_its_rows_and_to_no_others(browser: Browser, measured: Path) -> None:
    with visit(browser, measured) as seen:
        claim = seen.page.locator("#answer a.rows:visible").first
        cells = (claim.get_attribute("data-cells") or "").split()
        assert cells
        claim.click()
        shown = seen.page.locator("#endpoints tr[id]:visible")
        assert set(shown.evaluate_all("rows => rows.map((row) => row.id)")) == set(cells)
        expect(seen.page.locator("#endpoints-heading")).to_be_in_viewport()


def test_the_matrix_can_be_switched(browser: Browser, measured: Path) -> None:
    with visit(browser, measured, "#matrix") as seen:
        caption = seen.page.locator("table.matrix caption span:visible")
        expect(caption).to_have_text(re.compile("Cost: .* less is better"))
        seen.page.get_by_role("radio", name="p50").check()
        expect(caption).to_have_text(re.compile("^p50: "))
        seen.page.get_by_role("radio", name="p50").press("ArrowRight")
        expect(caption).to_have_text(re.compile("^p99: "))
        url = seen.page.url
    # Who opens the address sees the same figure.
    with visit(browser, measured, url.partition("#")[2] and "#" + url.partition("#")[2]) as seen:
        expect(seen.page.get_by_role("radio", name="p99")).to_be_checked()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_square_of_the_matrix_leads_to_its_row(
    browser: Browser, measured: Path, width: int
) -> None:
    with visit(browser, measured, "#matrix", width=width) as seen:
        square = seen.page.locator('table.matrix a[href="#cell-gevent.json-sync"]')
        square.click()
        row = seen.page.locator("#cell-gevent\\.json-sync")
        expect(row).to_be_in_viewport()
        # With the names of its columns above it, and below the bar.
        heads = seen.page.locator("#endpoint-json-sync table.ranking thead th").first
        expect(heads).to_be_in_viewport()
        bar, top = seen.page.locator("header.top").bounding_box(), heads.bounding_box()
        assert bar
        assert top
        assert top["y"] >= bar["height"] - 1


def test_the_matrix_is_one_stop_of_the_tab_key(browser: Browser, measured: Path) -> None:
    with visit(browser, measured, "#matrix") as seen:
        squares = seen.page.locator("table.matrix td a")
        assert squares.count() > 5
        assert seen.page.locator("table.matrix a:not([tabindex='-1'])").count() == 1
        squares.first.focus()
        seen.page.keyboard.press("ArrowRight")
        expect(squares.nth(1)).to_be_focused()


def test_brackets_of_ties_follow_the_filter(browser: Browser, measured: Path) -> None:
    ties = """() => [...document.querySelectorAll("#endpoint-blocking-async tbody tr")]
        .filter((row) => row.offsetParent).map((row) => row.dataset.tie ?? "")"""
    with visit(browser, measured, "#endpoint-blocking-async") as seen:
        ranks = column(seen.page, "#endpoint-blocking-async table", "rank")
        assert ranks == ["1=", "1=", "-"]
        assert seen.page.evaluate(ties) == ["first", "last", ""]
        # Of the two that are tied one alone is left: no bracket.
        seen.page.get_by_role("combobox", name="Interface").select_option("wsgi")
        assert column(seen.page, "#endpoint-blocking-async table", "rank") == ["1=", "-"]
        assert seen.page.evaluate(ties) == ["", ""]


def test_what_the_generator_printed_is_no_part_of_the_page(measured: Path) -> None:
    """It was a third of a page of 3.3 MB, of which Vega was another."""
    text = measured.read_text()
    assert "Transfer/sec" not in text
    assert 'href="raw/gthread.json-sync.1.txt"' in text
    assert len(text.encode()) < 110_000


def test_the_address_has_what_was_chosen(browser: Browser, measured: Path) -> None:
    with visit(browser, measured, "#endpoints?text=json&verdict=suspect") as seen:
        shown = seen.page.locator("#endpoints tr[id]:visible")
        verdicts = shown.locator(".badge").all_text_contents()
        assert verdicts
        assert set(verdicts) == {"suspect"}
        expect(seen.page.get_by_role("searchbox")).to_have_value("json")
        # A link inside the page leaves the rest of the choice as it is.
        seen.page.get_by_role("link", name="Matrix").click()
        expect(seen.page).to_have_url(re.compile(r"#matrix\?text=json&verdict=suspect$"))


def test_an_invalid_cell_shows_no_number_and_no_rank(browser: Browser, measured: Path) -> None:
    rankings = {ranking.endpoint.id: ranking.rows for ranking in report().summary.rankings}
    row = next(ranking for ranking in rankings["gateway_1s-sync"] if ranking.verdict == "invalid")
    with visit(browser, measured, f"#cell-{row.cell}") as seen:
        for title in ("rank", "requests/s"):
            table = "#endpoint-gateway_1s-sync table.ranking"
            assert row_of(seen.page, table, title, "invalid") == ["-"]
        square = seen.page.locator("table.matrix td.invalid")
        assert set(square.all_inner_texts()) == {"invalid"}


@pytest.mark.parametrize(
    ("kind", "width", "dark"),
    [
        ("measured", 1280, False),
        ("measured", 390, True),
        ("imported", 390, False),
        ("imported", 1280, True),
    ],
)
def test_axe_finds_no_serious_fault(
    browser: Browser, kind: str, width: int, dark: bool, request: pytest.FixtureRequest
) -> None:
    file = request.getfixturevalue(kind)
    # axe is no part of the page, whose policy would refuse it.
    with visit(browser, file, width=width, dark=dark, policy=False) as seen:
        # One endpoint and one server open; all of them would only repeat the same parts.
        seen.page.evaluate(
            """() => document.querySelectorAll("details:first-of-type, .folded:nth-of-type(2)")
                .forEach((details) => { details.open = true; })"""
        )
        seen.settle()
        violations = Axe().run(seen.page).response["violations"]
        assert [
            (violation["id"], [node["html"][:200] for node in violation["nodes"][:3]])
            for violation in violations
            if violation["impact"] in ("serious", "critical")
        ] == []


@pytest.mark.parametrize("width", [1280, 390])
def test_its_text_has_few_sizes_and_its_targets_room(
    browser: Browser, measured: Path, width: int
) -> None:
    """There were 22 sizes of text, and every second target was lower than 24 px."""
    with visit(browser, measured, width=width) as seen:
        seen.page.evaluate(
            "document.querySelectorAll('details').forEach((it) => { it.open = true })"
        )
        sizes = seen.page.evaluate(
            """() => [...new Set([...document.querySelectorAll("body *")]
                .filter((it) => it.checkVisibility() && !it.closest("svg")
                    && [...it.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
                .map((it) => getComputedStyle(it).fontSize))]"""
        )
        assert len(sizes) <= 6, sizes
        # Links inside a sentence are as high as their line.
        low = seen.page.evaluate(
            """() => [...document.querySelectorAll("button, select, input, summary, :is(th, td) a")]
                .filter((it) => it.checkVisibility() && it.type !== "radio"
                    && it.getBoundingClientRect().height < 24)
                .map((it) => it.outerHTML.slice(0, 100))"""
        )
        assert low == []
        if width == 1280:
            assert seen.page.locator(".scroll.over").count() == 0


@pytest.mark.parametrize("kind", ["measured", "imported"])
def test_it_holds_on_a_phone(browser: Browser, kind: str, request: pytest.FixtureRequest) -> None:
    with visit(browser, request.getfixturevalue(kind), width=390) as seen:
        seen.page.evaluate(
            "() => document.querySelectorAll('details').forEach((one) => { one.open = true; })"
        )
        seen.settle()
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_table_says_that_it_goes_on(browser: Browser, measured: Path) -> None:
    anchor = "#endpoint-json-sync"
    with visit(browser, measured, anchor, width=390) as seen:
        servers = seen.page.locator("#endpoint-json-sync .scroll")
        expect(servers).to_have_class("scroll over more")
        expect(servers).to_have_css("mask-image", re.compile("gradient"))
        expect(servers).to_have_attribute("tabindex", "0")
        servers.evaluate("box => box.scrollTo(box.scrollWidth, 0)")
        expect(servers).to_have_class("scroll over")
    with visit(browser, measured, anchor, width=1280) as seen:
        servers = seen.page.locator("#endpoint-json-sync .scroll")
        expect(servers).to_have_class("scroll")
        assert servers.get_attribute("tabindex") is None


def test_a_phone_shows_a_number_beside_each_name(browser: Browser, measured: Path) -> None:
    with visit(browser, measured, "#endpoint-json-sync", width=390) as seen:
        cost = seen.page.locator("#endpoint-json-sync tbody tr").first.locator("td").nth(1)
        box = cost.bounding_box()
        assert box
        assert box["x"] + box["width"] <= 390


def test_without_scripts_the_tables_stand(browser: Browser, measured: Path) -> None:
    with visit(browser, measured, script=False) as seen:
        page = seen.page
        assert page.locator(".filter").is_hidden()
        assert page.locator(".theme").is_hidden()
        page.locator("#endpoint-json-sync > summary").click()
        expect(page.locator("#endpoint-json-sync table.ranking")).to_be_visible()
        page.get_by_role("radio", name="p99").check()
        caption = page.locator("table.matrix caption span:visible")
        expect(caption).to_have_text(re.compile("^p99: "))
        assert seen.complaints == []


@pytest.mark.parametrize("dark", [False, True])
def test_the_button_says_what_it_switches_to(browser: Browser, measured: Path, dark: bool) -> None:
    with visit(browser, measured, dark=dark) as seen:

        def background() -> str:
            return str(seen.page.evaluate("getComputedStyle(document.body).backgroundColor"))

        first, then = ("Light", "Dark") if dark else ("Dark", "Light")
        before = background()
        seen.page.get_by_role("button", name=first, exact=True).click()
        assert background() != before
        seen.page.get_by_role("button", name=then, exact=True).click()
        assert background() == before


def test_on_paper_the_tables_are_open(browser: Browser, measured: Path) -> None:
    with visit(browser, measured) as seen:
        seen.page.emulate_media(media="print")
        seen.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert seen.page.locator("#endpoint-json-sync table.ranking").is_visible()
        assert seen.page.locator("header.top").is_hidden()
        seen.page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert not seen.page.locator("#endpoint-json-sync table.ranking").is_visible()


def test_a_keyboard_gets_past_the_navigation(browser: Browser, measured: Path) -> None:
    with visit(browser, measured) as seen:
        seen.page.keyboard.press("Tab")
        skip = seen.page.locator("a.skip")
        expect(skip).to_be_focused()
        expect(skip).to_be_in_viewport()


NAMES = ("name", "kind", "server", "cell", "raw", "histogram")
"""Fields that are held to what a file may be called."""

HOSTILE_NAME = "<script>pwned=1<img src=x onerror='pwned=1'>\"'`${1}"


def hostile(value: Any, text: str = HOSTILE) -> Any:
    """Return a record's data in which the text from outside tries to become part of the page."""
    if isinstance(value, dict):
        # Names of fields are ours; those of servers and packages stand in two of them.
        names = {"gthread", "django"}
        return {
            hostile(key, HOSTILE_NAME) if key in names else key: hostile(
                item, HOSTILE_NAME if key in NAMES else text
            )
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [hostile(item, text) for item in value]
    if isinstance(value, str):
        for word in OUTSIDE:
            value = value.replace(word, word + text)
    return value


def test_text_from_outside_stays_text(browser: Browser, folder: Path) -> None:
    run, outcomes, segments = sample()
    run = msgspec.convert(hostile(msgspec.to_builtins(run)), Run)
    outcomes = msgspec.convert(hostile(msgspec.to_builtins(outcomes)), list[Outcome])
    summary = summarise(run, outcomes, histograms, segments)
    page = write(folder / "hostile.html", html.render(Report(summary, run)))
    with visit(browser, page) as seen:
        seen.page.get_by_role("button", name="Open all").click()
        seen.page.wait_for_timeout(300)
        assert seen.page.evaluate("window.pwned") is None
        assert seen.page.locator("img").count() == 0
        assert seen.page.locator("script").count() == 3
        assert seen.page.locator("main").inner_text().count("pwned=1") > 20
        assert seen.complaints == []
        assert seen.requests == []
