"""One endpoint of the page: what its heading, its table and the sentences below it say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
import pytest
from builders import part
from sample_run import histograms, sample

from loadtest.judge.servers.rows import Ranking
from loadtest.judge.servers.summary import Summary, summarise
from loadtest.records.measured import Outcome, Way
from loadtest.report.page import Charts, Only, Section
from loadtest.report.servers import page
from loadtest.report.servers.columns import NETWORK
from loadtest.report.servers.page import first, unanswered
from loadtest.report.servers.ranking_tables import ranked
from loadtest.report.servers.report import Report


@pytest.fixture(scope="module")
def summary() -> Summary:
    run, outcomes, segments = sample()
    return summarise(run, outcomes, histograms, segments)


def at(summary: Summary, endpoint: str) -> Ranking:
    return next(each for each in summary.rankings if each.endpoint.id == endpoint)


def test_what_ranks_the_servers_stands_first_in_heading_and_table(summary: Summary) -> None:
    """CPU time where a request costs some; requests/s where it waits, which costs next to none."""
    json, waits = at(summary, "json-sync"), at(summary, "gateway_1s-sync")
    assert (json.by, waits.by) == ("cost", "goodput")
    assert first(json).endswith("cores for 1,000 requests/s")
    ranks = [(1, 42.7), (1, 40.0)]
    rows = [
        msgspec.structs.replace(
            row, rank=rank, figures=msgspec.structs.replace(row.figures, goodput=goodput)
        )
        for row, (rank, goodput) in zip(waits.rows, ranks, strict=False)
        if row.figures
    ]
    tied = msgspec.structs.replace(waits, rows=tuple(rows))
    assert first(tied) == "gevent, daphne are tied for the lead: 40.0 to 42.7 requests/s"
    titles = [column.title for column in ranked(json, "gthread").columns]
    assert titles[:3] == ["rank", "server", "cores"]
    assert "memory" not in " ".join(titles)
    titles = [column.title for column in ranked(waits, "gthread").columns]
    assert titles[:3] == ["rank", "server", "requests/s"]


def test_where_most_got_no_response_a_missing_percentile_is_explained(summary: Summary) -> None:
    """Percentiles of the few that were answered stood beside others as if they meant the same."""
    waits = at(summary, "gateway_1s-sync")
    row = next(row for row in waits.rows if row.reportable)
    assert row.figures
    few = msgspec.structs.replace(row.figures, goodput=0.7, p50_us=None, p99_us=None)
    waits = msgspec.structs.replace(waits, rows=(msgspec.structs.replace(row, figures=few),))
    text = unanswered(waits)
    assert text.startswith(f"No percentiles for `{row.server}`: most of the 64 connections got no")
    assert "p50" not in [column.title for column in ranked(waits, None).columns]
    assert unanswered(at(summary, "json-sync")) == ""


def test_charts_are_of_the_first_endpoints(
    summary: Summary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of 5,000 took 13 s to report, most of it for what nobody looks through."""
    report = Report(summary, sample()[0])
    sections = [each for each in page.page(report).sections if each.id == "endpoints"]
    drawn = sum(1 for _ in charts_in(sections))
    assert drawn > 2
    monkeypatch.setattr(page, "DRAWN", 1)
    page.page.cache_clear()
    (section,) = (each for each in page.page(report).sections if each.id == "endpoints")
    of = len(summary.rankings)
    assert f"Charts are of the first 1 of {of} endpoints; each has its table." in section.blocks
    assert 0 < sum(1 for _ in charts_in([section])) < drawn


def charts_in(blocks: Iterable[object]) -> Iterator[Charts]:
    for block in blocks:
        if isinstance(block, Charts):
            yield block
        if isinstance(block, Section | Only):
            yield from charts_in(block.blocks)


def test_the_way_to_the_server_stands_beside_latencies_where_others_loaded_it() -> None:
    run, outcomes, segments = sample()
    titles = [
        [column.title for column in ranked(at(each, "json-sync"), None).columns]
        for each in (
            summarise(run, outcomes, histograms, segments),
            summarise(run, [_made_by_two(outcome) for outcome in outcomes], histograms, segments),
        )
    ]
    assert [("network" in each) for each in titles] == [False, True]
    assert titles[1][titles[1].index("network") - 1] == "p99"


def test_a_round_trip_is_the_median_of_all_with_the_longest() -> None:
    run, outcomes, segments = sample()
    by_two = [_made_by_two(outcome) for outcome in outcomes]
    ranking = at(summarise(run, by_two, histograms, segments), "json-sync")
    assert {NETWORK.text(row) for row in ranking.rows if row.reportable} == {"300 us (to 2.00 ms)"}


def _made_by_two(outcome: Outcome) -> Outcome:
    ways = [Way(round_trips_us=us, link_mbit=None) for us in ((200, 300, 300), (300, 2_000))]
    parts = [part(str(at), network=way) for at, way in enumerate(ways)]
    return msgspec.structs.replace(outcome, parts=tuple(parts))
