"""A history as a page: what the last step changed, then a chart and a table for each endpoint."""

from __future__ import annotations

from loadtest.history import History
from loadtest.history_charts import chart
from loadtest.history_tables import (
    TITLES,
    answer,
    by_endpoint,
    changed,
    changed_table,
    number,
    steps_table,
    value,
)
from loadtest.history_words import headline, title
from loadtest.report.html_anchors import anchors
from loadtest.report.html_page import CHANGED, Drawn, page

FILE = "history.html"


def files(made: History) -> dict[str, str]:
    """Return the page, which is one file."""
    return {FILE: render(made)}


def render(made: History) -> str:
    """Return the history as one self-contained page."""
    drawn = Drawn()
    endpoints = by_endpoint(made)
    return page(
        "history.jinja",
        drawn,
        made=made,
        title=title(made),
        headline=headline(made),
        steps=steps_table(made.steps),
        changed={run: changed_table(of) for run, of in changed(made).items()},
        endpoints=endpoints,
        anchors=anchors("endpoint", endpoints),
        charts={
            (endpoint, figure): drawn.take(one)
            for endpoint, lines in endpoints.items()
            for figure in TITLES
            if (one := chart(made, endpoint, lines, figure))
        },
        figures=list(TITLES.items()),
        value=value,
        number=number,
        answer=answer,
        classes=CHANGED,
    )
