"""`summary.json`: the summary as it stands, for programs, with its answers in words."""

from __future__ import annotations

import msgspec

from loadtest.clientbench.report.table import Report

FILE = "summary.json"


def files(report: Report) -> dict[str, str]:
    """Return the file by its name."""
    return {FILE: render(report)}


def render(report: Report) -> str:
    """Return the summary as JSON; its `format` is `loadtest.clientbench.summary.FORMAT`."""
    said = msgspec.to_builtins(report.summary) | {"advice": msgspec.to_builtins(report.advice)}
    return msgspec.json.format(msgspec.json.encode(said), indent=2).decode() + "\n"
