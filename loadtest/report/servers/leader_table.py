"""The answer as a table: who leads at each endpoint, by how much, and what that costs."""

from __future__ import annotations

from collections.abc import Callable

from loadtest.judge.servers.answer.records import Answer, Arm, Claim, Kind, Share
from loadtest.report.servers.sentences.phrases import times, title
from loadtest.report.table import SUSPECT, Column, Table, name, number, prose
from loadtest.report.units import UNKNOWN, latency, share, significant, size

Item = tuple[Kind, Claim]

NAMED = 3
"""Leaders that are named; of more, the rest is counted."""


def decision(answer: Answer) -> Table[Item]:
    """Return a row for each endpoint, each server with the style of view that serves it best."""
    items = [(kind, claim) for kind in answer.kinds for claim in kind.claims]

    def first(text: Callable[[Arm], str]) -> Callable[[Item], str]:
        return lambda item: text(item[1].leaders[0]) if item[1].leaders else UNKNOWN

    columns: tuple[Column[Item], ...] = (
        _text("workload", lambda item: title(item[0].kind) if _is_first(item) else ""),
        _text("endpoint", lambda item: item[1].endpoint),
        _text("leads", _leaders),
        Column("goodput", "requests/s", lambda item: None, first(_goodput)),
        _text("ahead of the runner-up by", _lead),
        Column(
            "cpu_us", "CPU per request", lambda item: None, first(lambda arm: latency(arm.cpu_us))
        ),
        Column("memory", "memory", lambda item: None, first(lambda arm: size(arm.memory_bytes))),
        Column("p99_us", "p99", lambda item: None, first(lambda arm: latency(arm.p99_us))),
    )
    return Table(columns, items)


def _text(heading: str, text: Callable[[Item], str]) -> Column[Item]:
    return Column(heading, heading, text, text, "prose")


def _is_first(item: Item) -> bool:
    return item[1] is item[0].claims[0]


def _leaders(item: Item) -> str:
    claim = item[1]
    if not claim.leaders:
        return "no server has a number"
    if not claim.separated:
        return "one server" if len(claim.leaders) == 1 else "no clear leader"
    named = [
        # A style is worth naming where the other one was shown to serve fewer.
        _marked(arm) + (f" ({arm.style})" if arm.over_other_style == "higher" else "")
        for arm in claim.leaders[:NAMED]
    ]
    more = len(claim.leaders) - NAMED
    return ", ".join(named) + (f", {more} more" if more > 0 else "")


def _goodput(arm: Arm) -> str:
    of = f" of {significant(arm.ceiling)}" if arm.ceiling else ""
    return significant(arm.goodput) + (SUSPECT if arm.doubts else "") + of


def _lead(item: Item) -> str:
    claim = item[1]
    if not claim.lead:
        return UNKNOWN
    return f"{times(claim.lead)}, {_marked(claim.followers[0])}"


def _marked(arm: Arm) -> str:
    return arm.server + (SUSPECT if arm.doubts else "")


def shares(answer: Answer) -> Table[Share]:
    """Return how much of the time of Django's cheapest request is Django's, server by server."""

    def share_of(row: Share) -> str:
        if row.finding != "higher":
            return "within noise"
        return f"{'at least ' if row.at_least else ''}{share(row.share)}"

    def interval(row: Share) -> str:
        if row.low is None or row.high is None:
            return UNKNOWN
        return f"{share(max(0.0, row.low))} to {share(max(0.0, row.high))}"

    columns: tuple[Column[Share], ...] = (
        name("server", "server", lambda row: row.server),
        prose("interface", "interface", lambda row: (row.interface or UNKNOWN).upper()),
        prose("style", "view", lambda row: row.style),
        Column("share", "Django's share of the time", lambda row: row.share, share_of),
        Column("interval", "95 % interval", lambda row: None, interval),
        number("CPU per request without Django", lambda row: row.raw_cpu_us, latency),
        number("Django's own CPU per request", lambda row: row.django_cpu_us, latency),
    )
    return Table(columns, answer.shares)
