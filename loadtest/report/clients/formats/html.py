"""`index.html`: the page of a clients' run, one self-contained file."""

from __future__ import annotations

from loadtest.report.clients.page import page
from loadtest.report.clients.report import Report
from loadtest.report.html.page import document

FILE = "index.html"


def render(report: Report) -> str:
    """Return the page."""
    return document(page(report))
