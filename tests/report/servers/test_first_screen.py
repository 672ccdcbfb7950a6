"""The first screen of a page in a browser: what was decided, and the figure with its choices."""

from __future__ import annotations

from pathlib import Path

import decisions
import msgspec
import pytest
from at_rates import at_rates
from browser import visit
from playwright.sync_api import Browser, Page
from sample_run import histograms, sample

from loadtest.judge.servers.summary import summarise
from loadtest.report.servers.formats import html
from loadtest.report.servers.report import Report


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run, outcomes, segments = sample()
    summary = summarise(run, outcomes, histograms, segments)
    cells = tuple(row.cell for ranking in summary.rankings for row in ranking.rows)
    of = decisions.cost(decisions.QUIET, ["granian-wsgi"])
    # The rows that the claims rest on are those of the run whose page it is.
    places = tuple(msgspec.structs.replace(place, cells=cells[:3]) for place in of.places)
    decision = decisions.quiet(
        ["granian-wsgi"],
        cost=msgspec.structs.replace(of, places=places),
        waiting=None,
        async_views=(),
    )
    report = Report(msgspec.structs.replace(summary, decision=decision), run)
    path = tmp_path_factory.mktemp("first") / "index.html"
    path.write_text(html.render(report))
    return path


def rows(page: Page, *classes: str) -> list[tuple[str, ...]]:
    """Return the server of each row, and its cells of these classes."""
    return [
        (
            (row.locator("th a, th").first.text_content() or "").split()[0],
            *(
                (row.locator(f".{name}").text_content() or "").replace("\u00d7", "x")
                for name in classes
            ),
        )
        for row in page.locator("table.cost tbody tr").all()
    ]


def test_the_decision_comes_first_and_the_figure_is_in_sight(browser: Browser, quiet: Path) -> None:
    with visit(browser, quiet) as seen:
        assert seen.page.locator("h1").text_content() == (
            "Run it on granian-wsgi (WSGI) with ordinary def views."
        )
        box = seen.page.locator("table.cost tbody tr").first.bounding_box()
        assert box
        assert box["y"] < 800
        first, second, *others = rows(seen.page, "cores", "times")
        assert first == ("granian-wsgi", "0.476", "1")
        assert second == ("uwsgi", "0.590", "1.24x (1.13 to 1.36)")
        assert [server for server, *_ in others] == list(decisions.QUIET)[2:]
        parted = seen.page.locator("table.cost tr.parted th")
        assert (parted.text_content() or "").startswith("granian-asgi")
        assert seen.complaints == []


def test_who_runs_one_of_them_sees_what_each_other_costs_against_it(
    browser: Browser, quiet: Path
) -> None:
    with visit(browser, quiet) as seen:
        seen.page.get_by_label("I run").select_option("gunicorn-gthread")
        times = dict(rows(seen.page, "times"))
        assert times["granian-wsgi"] == "0.64x (0.58 to 0.70)"
        assert times["gunicorn-gthread"] == "1"
        assert times["gunicorn-gevent"] == "1.05x (0.95 to 1.15)"
        assert seen.page.locator("thead .base").text_content() == "gunicorn-gthread"


def test_a_link_shows_what_was_chosen(browser: Browser, quiet: Path) -> None:
    with visit(browser, quiet) as seen:
        seen.page.get_by_label("I run").select_option("uwsgi")
        seen.page.locator("#over").select_option("json_query-sync")
        chosen, address = rows(seen.page, "cores", "times", "doubt"), seen.page.url
    with visit(browser, quiet, f"#{address.partition('#')[2]}") as seen:
        assert seen.page.get_by_label("I run").input_value() == "uwsgi"
        assert rows(seen.page, "cores", "times", "doubt") == chosen
        seen.page.get_by_label("I run").select_option("")
        assert seen.page.url.endswith("#answer?e=json_query-sync")


@pytest.mark.parametrize(
    "anchor",
    [
        "#%",
        "#%E0%A4%A?show=%",
        "#__proto__?i=__proto__&e=constructor&r=NaN&of=toString",
        "#endpoints?verdict=%5Bx&interface=%22%5D&rows=,&text=%3Cscript%3E&show=__proto__",
        "#answer?i=%22%3E%3Cimg src=x%3E",
        "#" + "?" * 1_000 + "&" * 1_000,
        "#" + "x" * 50_000,
    ],
    ids=lambda anchor: anchor[:20],
)
def test_an_address_of_anybody_chooses_nothing_that_there_is_not(
    browser: Browser, quiet: Path, anchor: str
) -> None:
    with visit(browser, quiet) as seen:
        plain = rows(seen.page, "cores", "times", "doubt")
    with visit(browser, quiet, anchor) as seen:
        assert rows(seen.page, "cores", "times", "doubt") == plain
        seen.page.get_by_label("I run").select_option("uwsgi")
        assert seen.page.locator("thead .base").text_content() == "uwsgi"
        seen.page.get_by_role("button", name="Clear").click()
        assert (seen.complaints, seen.requests) == ([], [])


def test_with_databases_there_is_no_interval(browser: Browser, quiet: Path) -> None:
    with visit(browser, quiet, "#answer?of=databases") as seen:
        assert rows(seen.page, "cores", "times")[:2] == [
            ("granian-wsgi", "0.714", "1"),
            ("uwsgi", "0.885", "1.24x"),
        ]


def test_the_rows_behind_a_claim_are_of_the_winner_and_of_those_it_is_compared_with(
    browser: Browser, quiet: Path
) -> None:
    with visit(browser, quiet) as seen:
        link = seen.page.locator("a.rows").first
        cells = (link.get_attribute("data-cells") or "").split()
        assert len(cells) == 3
        link.click()
        shown = seen.page.locator("#endpoints tr[id]:visible")
        assert sorted(row.get_attribute("id") or "" for row in shown.all()) == sorted(cells)


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_shows_the_numbers_without_scrolling_sideways(
    browser: Browser, quiet: Path, dark: bool
) -> None:
    with visit(browser, quiet, width=390, dark=dark) as seen:
        page = seen.page
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        for name in ("cores", "times", "rate", "memory", "doubt"):
            box = page.locator(f"table.cost tbody .{name}").first.bounding_box()
            assert box
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390


def test_without_a_script_the_figure_stands(browser: Browser, quiet: Path) -> None:
    with visit(browser, quiet, script=False) as seen:
        assert seen.page.locator("table.cost circle").count() == len(decisions.QUIET)
        assert not seen.page.get_by_label("I run").is_visible()


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rated") / "index.html"
    path.write_text(html.render(at_rates(None, 50, 400)))
    return path


def loads(page: Page) -> list[str]:
    """Return the rates whose table is shown."""
    shown = [table for table in page.locator("[data-load]").all() if table.is_visible()]
    return [table.get_attribute("data-load") or "" for table in shown]


def test_a_reader_chooses_one_rate_for_all_beside_the_closed_loop(
    browser: Browser, rated: Path
) -> None:
    with visit(browser, rated) as seen:
        assert loads(seen.page) == []
        assert "beta" in dict(rows(seen.page, "cores"))
        seen.page.get_by_label("Load").select_option("400 requests/s")
        assert loads(seen.page) == ["400"]
        assert seen.page.url.endswith("#answer?r=400")
        # Who did not keep the rate has no cost at it, and stands in the table all the same.
        beta = seen.page.locator("table.cost tbody tr", has_text="beta")
        assert not beta.is_visible()
        assert seen.page.locator("[data-load='400'] tr", has_text="beta").is_visible()
        address = seen.page.url
        assert seen.complaints == []
    with visit(browser, rated, f"#{address.partition('#')[2]}") as seen:
        assert seen.page.get_by_label("Load").input_value() == "400"
        assert loads(seen.page) == ["400"]
        seen.page.get_by_label("Load").select_option("as fast as each can be driven")
        assert loads(seen.page) == []


def test_without_a_script_each_rate_has_its_table(browser: Browser, rated: Path) -> None:
    with visit(browser, rated, script=False) as seen:
        assert loads(seen.page) == ["50", "400"]
        assert not seen.page.get_by_label("Load").is_visible()


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_shows_a_rate_without_scrolling_sideways(
    browser: Browser, rated: Path, dark: bool
) -> None:
    with visit(browser, rated, "#answer?r=50", width=390, dark=dark) as seen:
        page = seen.page
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert loads(page) == ["50"]
        for title in ("cores", "CPU per request"):
            head = page.locator("[data-load='50'] th", has_text=title).first.bounding_box()
            assert head
            assert head["x"] + head["width"] <= 390
