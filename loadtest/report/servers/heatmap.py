"""The matrix of endpoints and servers: each figure beside the best of its endpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from loadtest.judge.servers.metrics import Figures
from loadtest.judge.servers.rows import Ranking, Row, State, state
from loadtest.report.units import UNKNOWN, latency, ratio, significant, size

STEPS = (0.95, 0.75, 0.5, 0.25, 0.1)
"""Shares of the best at which a square gets the next lighter shade."""


@dataclass(frozen=True)
class Metric:
    """One figure that the matrix can be switched to."""

    key: str
    title: str
    better: Literal["more", "less"]
    value: Callable[[Figures], float | None]
    text: Callable[[float], str]

    @property
    def choice(self) -> tuple[str, str]:
        """Its key and title, to choose it by."""
        return self.key, self.title


GOODPUT = Metric("goodput", "Requests/s", "more", lambda f: f.goodput, significant)

METRICS = (
    GOODPUT,
    Metric("p50", "p50", "less", lambda f: f.p50_us, latency),
    Metric("p99", "p99", "less", lambda f: f.p99_us, latency),
    Metric("cpu", "CPU per request", "less", lambda f: f.server_cpu_us, latency),
    Metric("memory", "Memory", "less", lambda f: f.memory_peak_bytes, size),
)


@dataclass(frozen=True)
class Square:
    """One server at one endpoint."""

    row: Row | None
    text: str
    value: float | None = None
    share: float | None = None
    """Of the best, which has 1; None without a number."""
    beside: str = ""
    """The figure as a multiple of the best one's, as in `0.42x`; empty without a number."""

    @property
    def state(self) -> State:
        """What its number is worth."""
        return state(self.row)

    @property
    def percent(self) -> str:
        """Its share of the best; empty without a number."""
        return "" if self.share is None else f"{100 * self.share:.0f}"

    @property
    def shade(self) -> int | None:
        """From 0, far from the best, to 5, as good as the best; None without a number."""
        return None if self.share is None else sum(self.share >= step for step in STEPS)


@dataclass(frozen=True)
class Line:
    """One endpoint."""

    ranking: Ranking
    squares: tuple[Square, ...]
    """In the order of the matrix's servers."""


def columns(rankings: Sequence[Ranking]) -> list[tuple[str, str]]:
    """Return the servers with their interface: WSGI, then ASGI; the ahead first in each."""
    interfaces = {row.server: row.interface or "" for ranking in rankings for row in ranking.rows}
    shares: dict[str, list[float]] = {server: [] for server in interfaces}
    for line in lines(rankings, list(interfaces), GOODPUT):
        for server, square in zip(interfaces, line.squares, strict=True):
            shares[server] += [] if square.share is None else [square.share]

    def place(column: tuple[str, str]) -> tuple[int, float, str]:
        server, interface = column
        return {"wsgi": 0, "asgi": 1}.get(interface, 2), -fmean(shares[server] or [0.0]), server

    return sorted(interfaces.items(), key=place)


def lines(rankings: Sequence[Ranking], servers: Sequence[str], metric: Metric | None) -> list[Line]:
    """Return a line for each endpoint; without a metric its squares say what a number is worth."""
    return [Line(ranking, tuple(_squares(ranking, servers, metric))) for ranking in rankings]


def _squares(ranking: Ranking, servers: Sequence[str], metric: Metric | None) -> list[Square]:
    rows = {row.server: row for row in ranking.rows}
    values = {
        server: metric.value(row.reportable)
        for server, row in rows.items()
        if metric and row.reportable is not None
    }
    known = [value for value in values.values() if value]
    best = (max if metric and metric.better == "more" else min)(known, default=None)
    squares = []
    for server in servers:
        row, value = rows.get(server), values.get(server)
        if metric is None or value is None or best is None:
            unknown = row is None or (metric and row.reportable)
            squares.append(Square(row, UNKNOWN if unknown else state(row)))
            continue
        # No value can be 0 but a memory that nobody could read.
        share = value / best if metric.better == "more" else best / value if value else 1.0
        beside = "best" if value == best else ratio(value / best)
        squares.append(Square(row, metric.text(value), value, share, beside))
    return squares
