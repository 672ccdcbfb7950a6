"""`report.md`: the same page as Markdown, with its charts beside it."""

from __future__ import annotations

from loadtest.report.clients.page import page
from loadtest.report.clients.report import Report
from loadtest.report.markdown import page as markdown


def files(report: Report) -> dict[str, str]:
    """Return the page and its charts, each an SVG beside it, by their names."""
    return markdown.files("report.md", page(report))
