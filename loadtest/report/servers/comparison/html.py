"""A comparison as a page: what got worse or better first, in the look of the reports."""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.judge.servers.compare import BETTER, Comparisons, Figure
from loadtest.report.charts.chart import Chart
from loadtest.report.html.page import CHANGED, Drawn, page
from loadtest.report.servers.charts import Effect, forest
from loadtest.report.servers.comparison.tables import (
    ORDER,
    TITLES,
    answered,
    changes_table,
    differences_table,
    method,
    together,
    value,
    verdict,
)

KEYS: dict[Figure, str] = {"goodput": "goodput", "p99_us": "p99", "server_cpu_us": "cpu"}
"""What the page calls the figures among which it can be switched."""


def render(made: Comparisons) -> str:
    """Return the page, one self-contained file."""
    counts = {answer: answered(made.changes, answer) for answer in ORDER}
    said = "".join(verdict(made))
    drawn = Drawn()
    found = list(charts(made))
    return page(
        "compare.jinja",
        drawn,
        made=made,
        counts={answer: len(of) for answer, of in counts.items()},
        classes=CHANGED,
        verdict=said[:1].upper() + said[1:],
        forbidding=[one.key for one in made.differences if one.forbids],
        together=together(made.changes),
        changed=changes_table([*counts["worse"], *counts["better"]]),
        rest=changes_table([*counts["same"], *counts["cannot tell"]]),
        differences=differences_table(made.differences),
        choices=[(KEYS[figure], TITLES[figure]) for figure, _ in found],
        charts=[(KEYS[figure], *drawn.take(one)) for figure, one in found],
        method=method(made),
    )


def charts(made: Comparisons) -> Iterator[tuple[Figure, Chart]]:
    """Yield the chart of each figure that both runs have."""
    for figure, better in BETTER.items():
        effects = [
            Effect(
                server=one.server,
                interface=one.interface,
                endpoint=one.endpoint,
                ratio=one.comparison.ratio,
                low=one.comparison.low,
                high=one.comparison.high,
                margin=one.margin,
                answer=one.answer,
                base=value(one.figure, one.base),
                new=value(one.figure, one.new),
            )
            for one in made.changes
            if one.figure == figure and one.comparison.ratio
        ]
        if chart := forest(KEYS[figure], f"Change of {TITLES[figure]}", better, effects):
            yield figure, chart
