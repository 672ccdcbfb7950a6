"""Charts of servers: what they hold and what they never hold, and how each kind of them looks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec
import pytest
from gold import check
from sample_run import histograms, sample

from loadtest.judge.concern import Verdict
from loadtest.judge.servers.compare import Change
from loadtest.judge.servers.summary import Summary, summarise
from loadtest.report.charts.chart import Chart, Lines, svg
from loadtest.report.servers import charts
from loadtest.report.servers.charts import Course
from loadtest.report.servers.grouping import by_kind
from loadtest.report.units import significant
from loadtest.stats.ratios import Comparison


@pytest.fixture(scope="module")
def summary() -> Summary:
    run, outcomes, segments = sample()
    return summarise(run, outcomes, histograms, segments)


def every(summary: Summary) -> Iterator[Chart]:
    for kind, rankings in by_kind(summary.rankings).items():
        drawn = [charts.kind(kind, rankings), *map(charts.latency, rankings)]
        yield from (chart for chart in drawn if chart)


def with_verdict(summary: Summary, cell: str, verdict: Verdict) -> Summary:
    rankings = tuple(
        msgspec.structs.replace(
            ranking,
            rows=tuple(
                msgspec.structs.replace(row, verdict=verdict) if row.cell == cell else row
                for row in ranking.rows
            ),
        )
        for ranking in summary.rankings
    )
    return msgspec.structs.replace(summary, rankings=rankings)


CELLS = ["gthread.json-sync", "gevent.json-sync", "daphne.json-async", "daphne.gateway_1s-sync"]


@pytest.mark.parametrize("cell", CELLS)
def test_an_invalid_number_is_in_no_chart(summary: Summary, cell: str) -> None:
    server, _, endpoint = cell.partition(".")
    name, _, style = endpoint.partition("-")

    def shown(of: Summary) -> list[object]:
        return [
            shown
            for chart in every(of)
            for panel in chart.panels
            for shown in (panel.lines if isinstance(panel, Lines) else getattr(panel, "rows", ()))
            if shown.name == server
            and ((f"\n{style}: " in shown.tip and panel.title == name) or endpoint in chart.name)
        ]

    assert shown(with_verdict(summary, cell, "valid"))
    assert shown(with_verdict(summary, cell, "invalid")) == []


def test_names_are_unique_and_no_panel_is_blank(summary: Summary) -> None:
    drawn = list(every(summary))
    assert len({chart.name for chart in drawn}) == len(drawn)
    for chart in drawn:
        assert chart.description.endswith(".")
        assert all(getattr(panel, "rows", None) or panel.lines for panel in chart.panels)


def test_a_run_without_a_number_has_no_chart(summary: Summary) -> None:
    bare = msgspec.structs.replace(
        summary,
        rankings=tuple(
            msgspec.structs.replace(
                ranking,
                rows=tuple(msgspec.structs.replace(row, figures=None) for row in ranking.rows),
            )
            for ranking in summary.rankings
        ),
    )
    assert list(every(bare)) == []


def test_how_the_chart_of_costs_looks(summary: Summary) -> None:
    assert summary.decision.cost
    chart = charts.cost(summary.decision.cost)
    assert chart
    # It names nobody: who is cheapest may be noise.
    assert "gthread" not in chart.title + chart.description
    check("charts/cost.svg", svg(chart))


@pytest.mark.parametrize("name", ["kind-cpu", "latency-json-sync"])
def test_how_charts_of_a_run_look(summary: Summary, name: str) -> None:
    (chart,) = (chart for chart in every(summary) if chart.name == name)
    check(f"charts/{name}.svg", svg(chart))


def test_a_doubtful_median_is_neither_named_nor_lit_up(summary: Summary) -> None:
    """The lowest median of all may be one of a few clients, while the others starve."""
    ranking = next(each for each in summary.rankings if each.endpoint.id == "json-sync")
    drawn = charts.latency(ranking)
    assert drawn
    (panel,) = drawn.panels
    assert isinstance(panel, Lines)
    first = next(row for row in ranking.rows if row.server == panel.lines[0].name)
    assert not first.concerns
    assert first.server in drawn.description


def change(ratio: float, spread: float | None = 0.02, **changes: Any) -> Change:
    fields: dict[str, Any] = {
        "cell": "alpha.json-sync",
        "server": "alpha",
        "interface": "wsgi",
        "endpoint": "json-sync",
        "endpoints": 1,
        "rate": None,
        "figure": "goodput",
        "base": 1_000.0,
        "new": 1_000.0 * ratio,
        "drift_corrected": False,
        "comparison": Comparison(
            ratio=ratio,
            low=None if spread is None else ratio * (1 - spread),
            high=None if spread is None else ratio * (1 + spread),
            p=None,
            rounds=3,
            method=None,
            estimate=None,
        ),
        "adjusted_p": None,
        "noise": None,
        "margin": 0.05,
        "answer": "same",
    }
    return Change(**fields | changes)


def wide(of: Change, high: float) -> Change:
    comparison = msgspec.structs.replace(of.comparison, high=high)
    return msgspec.structs.replace(of, comparison=comparison)


def forest(better: Literal["higher", "lower"], changes: Sequence[Change]) -> Chart | None:
    return charts.forest("x", "X", better, changes, significant)


def test_how_a_chart_of_changes_looks() -> None:
    chart = forest(
        "higher",
        [
            change(0.8, answer="worse"),
            wide(change(1.1, server="beta", interface="asgi"), 90.0),
            change(1.0, None, answer="cannot tell", endpoint="json-async"),
        ],
    )
    assert chart
    assert chart.description.startswith("1 worse, 1 same, 1 cannot tell; further to the right is")
    assert "cut off" in chart.description
    check("charts/forest.svg", svg(chart))


def test_a_chart_of_changes_has_room_for_all_of_them_and_for_the_margin() -> None:
    chart = forest("lower", [change(1.0), change(3.0, None, answer="worse")])
    assert chart
    assert chart.panels[0].scale.high > 3
    assert "to the left is better" in chart.description
    noisy = forest("lower", [change(1.0, margin=0.4)])
    assert noisy
    assert noisy.panels[0].scale.high > 1.4
    assert forest("lower", []) is None


def test_many_cells_share_the_row_of_their_endpoint() -> None:
    changes = [
        change(1 + at / 100, server=f"s{at // 2}", endpoint=("json-sync", "json-async")[at % 2])
        for at in range(50)
    ]
    few, many = (forest("lower", of) for of in (changes[:2], changes))
    assert few
    assert many
    assert few.panels[0].height == many.panels[0].height == 40
    assert len(list(many.panels[0].marks)) == 50


def test_how_a_chart_over_time_looks() -> None:
    chart = charts.timeline(
        "y",
        "Y",
        "requests/s",
        ["2026-01-01 | 10:00 | Django 5", "2026-01-02 | 10:00 | Django 6"],
        [
            Course("alpha", "asgi", [5.0, 6.0], [None, "better"], ["Django 5", "Django 6"]),
            Course("beta", None, [5.0, None], [None, None], ["Django 5", "Django 6"]),
        ],
    )
    assert chart
    check("charts/timeline.svg", svg(chart))
