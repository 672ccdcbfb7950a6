"""`index.html`: one self-contained page, the answer first and each claim linked to its rows."""

from __future__ import annotations

from loadtest.report.html.page import document
from loadtest.report.page import Shown
from loadtest.report.servers.cost import figure
from loadtest.report.servers.page import page
from loadtest.report.servers.rate_tables import tables
from loadtest.report.servers.report import Report
from loadtest.report.servers.sentences.decision import about

FILE = "index.html"


def render(report: Report) -> str:
    """Return the page; its first screen is in `run.jinja` among the templates."""
    decision = report.summary.decision
    kinds = {ranking.endpoint.kind for ranking in report.summary.rankings}
    return document(
        page(report),
        "run.jinja",
        ("cost",),
        paragraphs=report.paragraphs,
        further=report.further,
        figure=figure(decision, kinds),
        tables=[
            (each, Shown(each.table, each.title.replace("`", ""), lambda item: {}))
            for each in tables(decision)
        ],
        about=about(decision.cost) if decision.cost else "",
        overhead=report.overhead,
    )
