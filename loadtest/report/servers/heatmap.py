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
    shares: dict[str, list[float]] = {}
    interfaces: dict[str, str] = {}
    for ranking in rankings:
        best = max((row.reportable.goodput for row in ranking.rows if row.reportable), default=0.0)
        for row in ranking.rows:
            interfaces[row.server] = row.interface or ""
            each = shares.setdefault(row.server, [])
            if row.reportable and best:
                each.append(row.reportable.goodput / best)
    order = {"wsgi": 0, "asgi": 1}

    def place(server: str) -> tuple[int, float, str]:
        return (
            order.get(interfaces[server], 2),
            -fmean(shares[server]) if shares[server] else 0.0,
            server,
        )

    return [(server, interfaces[server]) for server in sorted(interfaces, key=place)]


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
        if metric and value is not None and best:
            # No value can be 0 but a memory that nobody could read.
            share = value / best if metric.better == "more" else best / value if value else 1.0
            beside = "best" if value == best else ratio(value / best)
            squares.append(Square(row, metric.text(value), value, share, beside))
            continue
        text = state(row) if row else UNKNOWN
        if row and row.reportable and metric:
            text = UNKNOWN
        squares.append(Square(row, text))
    return squares
