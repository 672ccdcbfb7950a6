"""`summary.json`: the summary as it stands, for programs."""

from __future__ import annotations

import msgspec

from loadtest.report.servers.report import Report

FILE = "summary.json"


def files(report: Report) -> dict[str, str]:
    """Return the one file of this format."""
    return {FILE: render(report)}


def render(report: Report) -> str:
    """Return the summary as JSON; its `format` is `loadtest.summary.FORMAT`."""
    return msgspec.json.format(msgspec.json.encode(report.summary), indent=2).decode() + "\n"
