"""The matrix: what is best, what is tied with it, how dark a square is, and what has no number."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from sample_run import histograms, sample

from loadtest.judge.concern import Raised, Verdict
from loadtest.judge.servers.rows import Ranking, Row
from loadtest.judge.servers.summary import Summary, summarise
from loadtest.report.page import Seen
from loadtest.report.servers.heatmap import COST, GOODPUT, METRICS, Metric, lines, matrix
from loadtest.report.servers.page import places


@pytest.fixture(scope="module")
def summary() -> Summary:
    run, outcomes, segments = sample()
    return summarise(run, outcomes, histograms, segments)


def at(summary: Summary, endpoint: str) -> Ranking:
    return next(each for each in summary.rankings if each.endpoint.id == endpoint)


def changed(row: Row, verdict: Verdict = "valid", rank: int | None = None, **figures: float) -> Row:
    assert row.figures
    return msgspec.structs.replace(
        row,
        verdict=verdict,
        concerns=(Raised(concern="unstable", severity="suspect", facts=""),) * (verdict != "valid"),
        rank=rank,
        tied=True,
        figures=msgspec.structs.replace(row.figures, **figures),
    )


def squares(rankings: Sequence[Ranking], metric: Metric) -> list[dict[str, Seen]]:
    return lines(
        rankings, sorted({row.server for ranking in rankings for row in ranking.rows}), metric
    )


def test_a_number_with_doubts_is_never_the_best_of_its_line(summary: Summary) -> None:
    """One in doubt, ten times as low as the next, made all others look ten times too slow."""
    json = at(summary, "json-sync")
    first, second, third = json.rows
    json = msgspec.structs.replace(
        json,
        rows=(
            changed(first, "suspect", server_cpu_us=30.0),
            changed(second, server_cpu_us=300.0),
            changed(third, server_cpu_us=330.0),
        ),
    )
    (line,) = squares([json], COST)
    assert line[second.server].best
    assert not line[first.server].best
    assert line[first.server].text == "0.0300?"
    assert [line[row.server].beside for row in json.rows] == ["0.10x", "1.00x", "1.10x"]
    assert [line[row.server].shade for row in json.rows] == [5, 5, 5]


def test_all_that_are_tied_for_the_best_are_marked(summary: Summary) -> None:
    json = at(summary, "json-sync")
    rows = [
        changed(row, rank=rank, server_cpu_us=us)
        for row, rank, us in zip(json.rows, (1, 1, 3), (400.0, 420.0, 900.0), strict=True)
    ]
    json = msgspec.structs.replace(json, rows=tuple(rows))
    (line,) = squares([json], COST)
    assert [line[row.server].best for row in rows] == [True, True, False]
    # What does not rank them shows no ties.
    (line,) = squares([json], GOODPUT)
    assert [line[row.server].best for row in rows].count(True) == 1


def test_sync_and_async_views_of_an_endpoint_have_one_best(summary: Summary) -> None:
    """Each had its own: 2,670/s with async views was as dark as 14,100/s with sync ones."""
    sync, async_ = at(summary, "json-sync"), at(summary, "json-async")
    fast = [changed(row, goodput=14_100.0) for row in sync.rows]
    slow = [changed(row, goodput=2_670.0) for row in async_.rows if row.figures]
    of = [
        msgspec.structs.replace(ranking, rows=tuple(rows))
        for ranking, rows in ((sync, fast), (async_, slow))
    ]
    upper, lower = squares(of, GOODPUT)
    assert {square.shade for square in upper.values()} == {5}
    assert {lower[row.server].shade for row in of[1].rows} == {0}
    assert not any(square.best for square in lower.values())


def test_shades_are_steps_of_a_ratio_and_no_number_is_not_the_worst(summary: Summary) -> None:
    json = at(summary, "json-sync")
    first, second, third = json.rows
    rows = (
        changed(first, server_cpu_us=100.0),
        changed(second, server_cpu_us=1000.0),
        msgspec.structs.replace(changed(third), figures=None, status="skipped", verdict=None),
    )
    (line,) = squares([msgspec.structs.replace(json, rows=rows)], COST)
    assert [line[row.server].shade for row in rows] == [5, 0, None]
    assert line[third.server].text == "skipped"
    for factor, shade in ((1.05, 5), (1.4, 4), (2.0, 3), (3.0, 2), (4.5, 1), (60.0, 0)):
        rows = (rows[0], changed(second, server_cpu_us=100.0 * factor))
        (line,) = squares([msgspec.structs.replace(json, rows=rows)], COST)
        assert line[second.server].shade == shade


def test_memory_which_is_a_servers_is_no_figure_of_an_endpoint() -> None:
    """At an endpoint it was the history of the process: what had been measured before."""
    assert [metric.key for metric in METRICS] == ["cpu", "goodput", "p50", "p99"]


def test_each_square_leads_to_its_row_and_each_look_is_explained(summary: Summary) -> None:
    names = list({row.server for ranking in summary.rankings for row in ranking.rows})
    shown = matrix(summary, places(summary, names))
    fields = [field for _, group in shown.groups for *_, line in group for field in line]
    assert fields
    assert all(field.row.startswith("cell-") for field in fields if field.state != "absent")
    looks = {word for look, _ in shown.legend for word in look.split()}
    seen = [view for field in fields for view in field.views]
    shades = {f"s{view.shade}" for view in seen if view.shade is not None}
    assert shades | {"best", "suspect", "invalid", "skipped"} <= looks
