"""A comparison as a page: what got worse or better first, in the look of the reports."""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.judge.servers.compare import BETTER, Comparisons, Figure
from loadtest.report.charts.chart import Chart
from loadtest.report.html.page import CHANGED, Drawn, page
from loadtest.report.sentences import capital
from loadtest.report.servers.charts import Effect, forest
from loadtest.report.servers.comparison.sentences import method, together, verdict
from loadtest.report.servers.comparison.tables import (
    ORDER,
    TITLES,
    answered,
    changes_table,
    differences_table,
    value,
)

KEYS: dict[Figure, str] = {"goodput": "goodput", "p99_us": "p99", "server_cpu_us": "cpu"}
"""What the page calls the figures among which it can be switched."""


def render(compared: Comparisons) -> str:
    """Return the page, one self-contained file."""
    counts = {answer: answered(compared.changes, answer) for answer in ORDER}
    drawn = Drawn()
    drawings = list(charts(compared))
    return page(
        "compare.jinja",
        drawn,
        compared=compared,
        counts={answer: len(of) for answer, of in counts.items()},
        lost=sum(lost.failed and lost.run == "new" for lost in compared.lost),
        classes=CHANGED,
        verdict=capital("".join(verdict(compared))),
        forbidding=[each.key for each in compared.differences if each.forbids],
        together=together(compared.changes),
        changed=changes_table([*counts["worse"], *counts["better"]]),
        rest=changes_table([*counts["same"], *counts["cannot tell"]]),
        differences=differences_table(compared.differences),
        choices=[(KEYS[figure], TITLES[figure]) for figure, _ in drawings],
        charts=[(KEYS[figure], *drawn.take(chart)) for figure, chart in drawings],
        method=method(compared),
    )


def charts(compared: Comparisons) -> Iterator[tuple[Figure, Chart]]:
    """Yield the chart of each figure that both runs have."""
    for figure, better in BETTER.items():
        effects = [
            Effect(
                server=change.server,
                interface=change.interface,
                endpoint=change.endpoint,
                ratio=change.comparison.ratio,
                low=change.comparison.low,
                high=change.comparison.high,
                margin=change.margin,
                answer=change.answer,
                base=value(change.figure, change.base),
                new=value(change.figure, change.new),
            )
            for change in compared.changes
            if change.figure == figure and change.comparison.ratio
        ]
        if chart := forest(KEYS[figure], f"Change of {TITLES[figure]}", better, effects):
            yield figure, chart
