"""Charts: what they hold and what they never hold, that they draw, and that their names fit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_run import histograms, sample

from loadtest.judge.concern import Verdict
from loadtest.judge.servers.rows import Ranking
from loadtest.judge.servers.summary import Summary, summarise
from loadtest.report.charts.chart import Chart, stem, svg
from loadtest.report.charts.theme import themed
from loadtest.report.servers import charts
from loadtest.report.servers.charts import Course, Effect
from loadtest.report.servers.charts.rankings import values


@pytest.fixture(scope="module")
def summary() -> Summary:
    run, outcomes, segments = sample()
    return summarise(run, outcomes, histograms, segments)


def every(summary: Summary) -> Iterator[Chart]:
    if chart := charts.matrix(summary):
        yield chart
    for ranking in summary.rankings:
        yield from charts.of_endpoint(ranking)
        kind = charts.kind(ranking.endpoint.id, "A kind", [ranking])
        if kind:
            yield kind


def heat_map(summary: Summary) -> Chart:
    chart = charts.matrix(summary)
    assert chart
    return chart


def data(chart: Chart) -> list[dict[str, Any]]:
    return [value for each in chart.spec["datasets"].values() for value in each]


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
    def numbers(of: Summary) -> list[dict[str, Any]]:
        server, _, endpoint = cell.partition(".")
        name, _, style = endpoint.partition("-")
        return [
            value
            for chart in every(of)
            if endpoint in chart.name or chart.name.startswith("matrix")
            for value in data(chart)
            if server == value["server"]
            and value.get("endpoint", name) in (name, f"{style} {name}")
            and any(
                isinstance(number, int | float) and number is not True for number in value.values()
            )
        ]

    assert numbers(with_verdict(summary, cell, "valid"))
    assert numbers(with_verdict(summary, cell, "invalid")) == []


def test_an_invalid_cell_is_marked_in_the_matrix(summary: Summary) -> None:
    (cell,) = [
        value
        for value in data(heat_map(summary))
        if (value["server"], value["endpoint"]) == ("gthread", "sync gateway_1s")
    ]
    assert cell == {"server": "gthread", "endpoint": "sync gateway_1s", "text": "x"}


def test_all_charts_draw_in_light_and_dark(summary: Summary) -> None:
    drawn = {chart.name: chart for chart in every(summary)}
    assert {"matrix-goodput", "goodput-json-sync", "latency-json-sync", "memory-json-sync"} <= set(
        drawn
    )
    for chart in drawn.values():
        text = svg(chart)
        assert text.startswith("<svg")
        # Nothing is asked for from anywhere: the only addresses are names of XML.
        assert {part.split('"')[0] for part in text.split("http")[1:]} <= {
            "://www.w3.org/2000/svg",
            "://www.w3.org/1999/xlink",
        }
        assert themed(chart.spec, dark=True)["config"]["background"] != "#ffffff"
        assert chart.title
        assert chart.description.endswith(".")


def test_specs_hold_no_colour_of_text_or_ground(summary: Summary) -> None:
    for chart in every(summary):
        assert "config" not in chart.spec
        assert "background" not in json.dumps(chart.spec["datasets"] | {"spec": list(chart.spec)})


def test_templates_are_not_changed_by_data(summary: Summary) -> None:
    once = [json.dumps(chart.spec) for chart in every(summary)]
    assert [json.dumps(chart.spec) for chart in every(summary)] == once


def test_names_are_unique_and_files(summary: Summary) -> None:
    names = [chart.name for chart in (heat_map(summary), *_endpoints(summary))]
    assert len(set(names)) == len(names)
    assert stem("kind", "../../etc/passwd") == "kind-..-..-etc-passwd"


def _endpoints(summary: Summary) -> Iterator[Chart]:
    for ranking in summary.rankings:
        yield from charts.of_endpoint(ranking)


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


def _ranking(summary: Summary, rates: list[tuple[float, int]]) -> Ranking:
    first = summary.rankings[0]
    row = next(row for row in first.rows if row.reportable)
    assert row.figures
    rows = tuple(
        msgspec.structs.replace(
            row,
            server=f"s{at}",
            cell=f"s{at}.json-sync",
            verdict="valid",
            figures=msgspec.structs.replace(
                row.figures, goodput=rate, memory_peak_bytes=memory * 1_000_000
            ),
        )
        for at, (rate, memory) in enumerate(rates)
    )
    return msgspec.structs.replace(first, rows=rows)


@given(
    st.lists(
        st.tuples(st.floats(1, 9_000).map(lambda rate: float(f"{rate:.3g}")), st.integers(1, 500)),
        min_size=1,
        max_size=20,
    )
)
def test_the_front_is_what_no_other_beats_in_both(rates: list[tuple[float, int]]) -> None:
    run, outcomes, segments = sample()
    ranking = _ranking(summarise(run, outcomes, histograms, segments), rates)
    shown = values(ranking)
    front = [row for row in shown if row.get("front")]
    assert front
    for row in front:
        assert not any(
            other["goodput"] > row["goodput"] and other["memory_mb"] <= row["memory_mb"]
            for other in shown
        )
    for lighter, other in pairwise(sorted(front, key=lambda row: row["memory_mb"])):
        assert lighter["goodput"] < other["goodput"]


def effect(ratio: float, spread: float | None = 0.02, **changes: Any) -> Effect:
    fields: dict[str, Any] = {
        "server": "alpha",
        "interface": "wsgi",
        "endpoint": "json-sync",
        "ratio": ratio,
        "low": None if spread is None else ratio * (1 - spread),
        "high": None if spread is None else ratio * (1 + spread),
        "margin": 0.05,
        "answer": "same",
        "base": "1,000",
        "new": "900",
    }
    return Effect(**fields | changes)


def domain(chart: Chart) -> list[float]:
    (scale,) = [
        layer["encoding"]["x"]["scale"]["domain"]
        for layer in chart.spec["spec"]["layer"]
        if "domain" in layer["encoding"]["x"].get("scale", {})
    ]
    return list(scale)


def test_one_wide_interval_hides_no_other_change() -> None:
    chart = charts.forest(
        "x", "X", "higher", [effect(0.8, answer="worse"), effect(1.1, high=90.0, server="beta")]
    )
    assert chart
    low, high = domain(chart)
    assert 1.25 < high < 2
    assert low == pytest.approx(1 / high, rel=1e-3)
    beta = next(row for row in data(chart) if row["server"] == "beta")
    assert beta["to"] == pytest.approx(high, rel=1e-3)
    assert beta["high"] == 90
    assert chart.description.startswith("1 worse, 1 same; further to the right is better.")
    assert "cut off" in chart.description


def test_a_chart_of_changes_has_room_for_all_of_them_and_for_the_margin() -> None:
    chart = charts.forest("x", "X", "lower", [effect(1.0), effect(3.0, None, answer="worse")])
    assert chart
    assert domain(chart)[1] > 3
    assert "to the left is better" in chart.description
    noisy = charts.forest("x", "X", "lower", [effect(1.0, margin=0.4)])
    assert noisy
    assert domain(noisy)[1] > 1.4
    assert charts.forest("x", "X", "lower", []) is None


@pytest.mark.parametrize("spread", [None, 0.02])
def test_charts_of_changes_draw(spread: float | None) -> None:
    forest = charts.forest("x", "X", "higher", [effect(0.8, spread), effect(1.0, spread)])
    line = charts.timeline(
        "y",
        "Y",
        "answers",
        ["1 | Django 5", "2 | Django 6"],
        [
            Course("alpha", "asgi", [5.0, 6.0], [None, "better"], ["Django 5", "Django 6"]),
            Course("beta", None, [5.0, None], [None, None], ["Django 5", "Django 6"]),
        ],
    )
    for chart in (forest, line):
        assert chart
        assert svg(chart).startswith("<svg")


def test_labels_are_not_written_over_each_other(summary: Summary) -> None:
    ranking = _ranking(summary, [(1_000.0 + at, 100) for at in range(14)])
    chart = charts.memory(ranking)
    assert chart
    heights = sorted(value["label"] for value in data(chart))
    high = max(value["goodput"] for value in data(chart))
    assert min(b - a for a, b in pairwise(heights)) >= 0.04 * high
