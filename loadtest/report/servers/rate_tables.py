"""Tables of loads at a rate: all servers at one rate, within a goal, and as far as they keep up.

Each is for a page and, with the columns that matter most first, for 80 columns of a terminal.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from loadtest.judge.servers.decision import AtRate, Decision, Reaches, Searched, ServerAtRate
from loadtest.judge.servers.within import Search
from loadtest.report.columns import RANK
from loadtest.report.servers.sentences.phrases import goal, reached
from loadtest.report.table import Column, Table, name, number, words
from loadtest.report.units import UNKNOWN, asked, latency, plural, share, significant

NARROW = {"cpu_us": "CPU/req", "reach": "requests/s", "capacity": "closed loop"}
"""Titles of columns where there is little room."""


class Titled(NamedTuple):
    """A table with what it shows."""

    load: str
    """The rate that all servers had, as a reader chooses it; empty where each had its own."""
    title: str
    """In which code stands between backticks."""
    table: Table[Any]


def tables(decision: Decision) -> Iterator[Titled]:
    """Yield the tables of all loads at a rate."""
    for at in decision.at_rates:
        several = len(at.endpoints) > 1
        of = f", over {plural(len(at.endpoints), 'endpoint')}: the mean cost" if several else ""
        worst = ", and of all else the worst of them" if several else ""
        yield Titled(f"{at.rate:g}", f"At {asked(at.rate)} requests/s{of}{worst}", at_rate(at))
    for searched in decision.searched:
        assert searched.goal
        title = f"`{searched.endpoint}`: the highest rate with {goal(searched.goal)}"
        yield Titled("", title, within(searched))
    for stepped in decision.stepped:
        yield Titled("", f"`{stepped.endpoint}`: which rate each keeps up with", kept_up(stepped))


def narrow(of: Titled) -> Titled:
    """Return a table for 80 columns: short titles, and without what a page has besides."""
    beside = ("generator_cpu_us", "doubt", "kept")
    columns = [column for column in of.table.columns if column.key not in beside]
    return of._replace(table=Table(columns, of.table.items).titled(NARROW))


def at_rate(at: AtRate) -> Table[ServerAtRate]:
    """Return what each server takes at a rate and how fast it answers, the cheapest first."""

    def kept(place: ServerAtRate) -> str:
        for what, where in (("no", place.short), ("generator late", place.late)):
            if where:
                some = f" at {len(where)} of {len(place.cells)}" if len(place.cells) > 1 else ""
                return what + some
        return "yes"

    columns: tuple[Column[ServerAtRate], ...] = (
        name("server", "server", lambda place: place.server),
        number("cores", lambda place: place.cores, significant, "busy_cores"),
        number("CPU per request", lambda place: place.cpu_us, latency, "cpu_us"),
        number("sent", lambda place: place.offered, significant, "offered"),
        number("answered", lambda place: place.goodput, significant),
        number("errors", lambda place: place.error_share, share),
        number("p50", lambda place: place.p50_us, latency),
        number("p90", lambda place: place.p90_us, latency),
        number("p99", lambda place: place.p99_us, latency),
        number("p99.9", lambda place: place.p99_9_us, latency),
        number("wrk's CPU", lambda place: place.generator_cpu_us, latency, "generator_cpu_us"),
        words("rate kept", kept, "kept"),
        words("in doubt", lambda place: f"{place.suspect} of {len(place.cells)}", "doubt"),
    )
    return Table(columns, at.places).filled(*columns[:5])


def _search(place: Reaches) -> Search:
    return place.search


def within(searched: Searched) -> Table[Reaches]:
    """Return the highest rate of each server within the goal, the one that takes most first."""
    columns: tuple[Column[Reaches], ...] = (
        RANK,
        name("server", "server", lambda place: place.server),
        REACHED.of(_search),
        number("cores", lambda place: place.cores, significant, "busy_cores"),
        number("p90", lambda place: place.p90_us, latency),
        number("p99", lambda place: place.p99_us, latency),
        LIMIT.of(_search),
        TRIES.of(_search),
    )
    return Table(columns, searched.places).filled(*columns[:3])


def limited_by(search: Search) -> str:
    """Return what missed the goal above it: `server`, `connections` or `generator`.

    Where nothing did yet, that the search is `unfinished`: the budget was spent, or it was
    interrupted.
    """
    if search.why:
        return search.why
    return "unfinished" if search.unfinished else UNKNOWN


REACHED: Column[Search] = Column(
    "reach", "highest rate, requests/s", lambda search: search.low, reached
)

LIMIT: Column[Search] = Column("limit", "limited by", limited_by, limited_by, "prose")
TRIES: Column[Search] = number("tries", lambda search: search.tries, "{:,}".format)


def kept_up(stepped: Searched) -> Table[Reaches]:
    """Return with which of its steps each server keeps up, the one with most first."""
    columns: tuple[Column[Reaches], ...] = (
        name("server", "server", lambda place: place.server),
        number("closed loop, requests/s", lambda place: place.capacity, significant, "capacity"),
        number("keeps up with", lambda place: place.search.low, significant, "rate"),
        number("not with", lambda place: place.search.high, significant, "missed"),
        LIMIT.of(_search),
        number("cores", lambda place: place.cores, significant, "busy_cores"),
        number("p99", lambda place: place.p99_us, latency, "p99"),
    )
    return Table(columns, stepped.places).filled(*columns[:4])
