"""`summary.json`: the summary as it stands, for programs, with its answers in words."""

from __future__ import annotations

import msgspec

from loadtest.judge.clients.summary import Summary
from loadtest.report.clients.report import Report
from loadtest.report.clients.sentences import Point

FILE = "summary.json"


class Answered(Summary, frozen=True, kw_only=True):
    """All that the reports show, with its answers in words; `summary.json` as it stands."""

    advice: tuple[Point, ...]


def files(report: Report) -> dict[str, str]:
    """Return the file by its name."""
    return {FILE: render(report)}


def render(report: Report) -> str:
    """Return the summary as JSON; its `format` is `loadtest.clientbench.summary.FORMAT`."""
    said = Answered(**msgspec.structs.asdict(report.summary), advice=tuple(report.advice))
    return msgspec.json.format(msgspec.json.encode(said), indent=2).decode() + "\n"
