"""`summary.json`: the summary as it stands, for programs, with its answers in words."""

from __future__ import annotations

import msgspec

from loadtest.judge.clients.summary import Summary
from loadtest.report.clients.report import Report
from loadtest.report.clients.sentences import Point
from loadtest.report.formats import as_json

FILE = "summary.json"


class Answered(Summary, frozen=True, kw_only=True):
    """All that the reports show, with its answers in words; `summary.json` as it stands."""

    advice: tuple[Point, ...]


def render(report: Report) -> str:
    """Return the summary as JSON; its `format` is `loadtest.judge.clients.summary.FORMAT`."""
    return as_json(Answered(**msgspec.structs.asdict(report.summary), advice=report.advice))
