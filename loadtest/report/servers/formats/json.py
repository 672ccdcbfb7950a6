"""`summary.json`: the summary as it stands, for programs."""

from __future__ import annotations

from loadtest.report.formats import as_json
from loadtest.report.servers.report import Report

FILE = "summary.json"


def render(report: Report) -> str:
    """Return the summary as JSON; its `format` is `loadtest.judge.servers.summary.FORMAT`."""
    return as_json(report.summary)
