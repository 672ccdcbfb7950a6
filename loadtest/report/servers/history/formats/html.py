"""A history as a page: what the last step changed, then a chart and a table for each endpoint."""

from __future__ import annotations

from loadtest.judge.servers.history import History
from loadtest.report.html.anchors import anchors
from loadtest.report.html.page import CHANGED, Drawn, page
from loadtest.report.servers.history.charts import chart
from loadtest.report.servers.history.sentences import headline, title
from loadtest.report.servers.history.tables import (
    TITLES,
    answer,
    by_endpoint,
    changed,
    changed_table,
    number,
    steps_table,
    value,
)

FILE = "history.html"


def render(history: History) -> str:
    """Return the history as one self-contained page."""
    drawn = Drawn()
    endpoints = by_endpoint(history)
    return page(
        "history.jinja",
        drawn,
        history=history,
        title=title(history),
        headline=headline(history),
        steps=steps_table(history.steps),
        changed={run: changed_table(of) for run, of in changed(history).items()},
        endpoints=endpoints,
        anchors=anchors("endpoint", endpoints),
        charts={
            (endpoint, figure): drawn.take(drawing)
            for endpoint, lines in endpoints.items()
            for figure in TITLES
            if (drawing := chart(history, endpoint, lines, figure))
        },
        figures=list(TITLES.items()),
        value=value,
        number=number,
        answer=answer,
        classes=CHANGED,
    )
