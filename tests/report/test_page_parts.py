"""What the page is made of, without a browser: its anchors, its policy, its charts' script."""

from __future__ import annotations

from loadtest.report.charts import chart as charts
from loadtest.report.charts.scale import logarithmic
from loadtest.report.html.anchors import anchors
from loadtest.report.html.page import document
from loadtest.report.page import Charts, Page


def test_names_that_look_alike_as_anchors_are_told_apart() -> None:
    by_name = anchors("server", ["a b", "a-b", "a/b", "é", "", "a b"])
    assert len(set(by_name.values())) == len(by_name) == 5
    assert by_name["a b"] == "server-a-b"


def test_a_page_without_a_chart_has_no_script_for_one() -> None:
    scale = logarithmic([1.0, 2.0], [], str)
    rows = charts.Rows("", "", scale, [charts.Strip("a", [charts.Mark(1.0)])])
    chart = charts.chart("a", "A", [], [rows])
    with_chart, without = (
        document(Page("A page", [], answer, [])) for answer in ([Charts([chart])], ["No chart."])
    )
    assert charts.script() in with_chart
    for part in ("pointerover", "m-dot", ".panels"):
        assert part in with_chart
        assert part not in without
    # The policy names what is there, and nothing else.
    assert with_chart.count("sha256-") == 4
    assert without.count("sha256-") == 2
