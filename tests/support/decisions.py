"""Decisions for tests, built by hand: that of a quiet run and that of a noisy one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from loadtest.judge.rows import Versus
from loadtest.judge.servers.decision import (
    AsyncViews,
    AtEndpoint,
    AtRate,
    Between,
    Cost,
    Decision,
    Gap,
    Holds,
    Place,
    Reaches,
    Searched,
    ServerAtRate,
    Sureness,
    Waiting,
)
from loadtest.judge.servers.within import Search
from loadtest.judge.summary import Counts
from loadtest.records.planned import Goal, Shape

QUIET = {
    "granian-wsgi": 0.476,
    "uwsgi": 0.59,
    "gunicorn-sync": 0.657,
    "gunicorn-gthread": 0.747,
    "gunicorn-gevent": 0.781,
    "granian-asgi": 2.39,
    "gunicorn-asgi": 2.5,
    "uvicorn": 2.88,
}
"""Cores for 1,000 requests/s."""

NOISY = {
    "granian-wsgi": 1.054,
    "gunicorn-sync": 1.39,
    "gunicorn-gthread": 1.59,
    "gunicorn-gevent": 1.72,
    "granian-asgi": 5.42,
    "uvicorn": 5.75,
}

ENDPOINTS = ("json", "json_query", "template")


def interface(server: str) -> Any:
    return "asgi" if "asgi" in server or "uvicorn" in server else "wsgi"


def versus(ratio: float, spread: float = 0.1, **changes: Any) -> Versus:
    fields: dict[str, Any] = {
        "ratio": ratio,
        "low": ratio / (1 + spread),
        "high": ratio * (1 + spread),
        "finding": "higher",
    }
    return Versus(**fields | changes)


def place(server: str, cores: float | None, rank: int | None, **changes: Any) -> Place:
    cells = tuple(f"{server}.{name}-sync" for name in ENDPOINTS)
    fields: dict[str, Any] = {
        "server": server,
        "interface": interface(server),
        "rank": rank,
        "tied": False,
        "cores": cores,
        "cores_with_databases": cores and cores * 1.5,
        "cheapest": cores and AtEndpoint(endpoint="json-sync", cores=cores / 3),
        "dearest": cores and AtEndpoint(endpoint="template-sync", cores=cores * 2),
        "versus": None,
        "goodput": cores and 1_500 / cores,
        "memory_launched_bytes": cores and 120_000_000,
        "memory_bytes": cores and 180_000_000,
        "suspect": 0,
        "cells": cells if cores else (),
        "missing": None if cores else "all 3 of its cells failed",
    }
    return Place(**fields | changes)


def cost(
    cores: Mapping[str, float], first: Sequence[str] = (), spread: float = 0.1, **changes: Any
) -> Cost:
    """Return servers in the order of their costs; those of `first` share rank 1."""
    servers = sorted(cores, key=lambda server: cores[server])
    least = cores[servers[0]]
    open_: Any = "inconclusive"
    places = tuple(
        place(
            server,
            cores[server],
            1 if server in first else number,
            tied=len(first) > 1 and server in first,
            versus=None
            if number == 1
            else versus(
                cores[server] / least, spread, **({"finding": open_} if server in first else {})
            ),
        )
        for number, server in enumerate(servers, 1)
    )
    pairs = tuple(
        Between(
            server=dearer,
            over=cheaper,
            ratio=cores[dearer] / cores[cheaper],
            low=cores[dearer] / cores[cheaper] / (1 + spread),
            high=cores[dearer] / cores[cheaper] * (1 + spread),
            finding=open_ if {dearer, cheaper} <= set(first) else "higher",
        )
        for at, cheaper in enumerate(servers)
        for dearer in servers[at + 1 :]
    )
    fields: dict[str, Any] = {
        "over": "all",
        "style": "sync",
        "endpoints": tuple(f"{name}-sync" for name in ENDPOINTS),
        "left_out": (),
        "noise_floor": 0.09,
        "places": places,
        "pairs": pairs,
        "first": tuple(first),
    }
    return Cost(**fields | changes)


def at_endpoint(name: str, cores: Mapping[str, float], first: Sequence[str]) -> Cost:
    return cost(cores, first, over=name, endpoints=(f"{name}-sync",))


def holds(server: str, measured: int, configured: int | None = None) -> Holds:
    return Holds(
        server=server,
        interface=interface(server),
        measured=measured,
        configured=configured,
        shape=Shape(),
        connections=500,
        cell=f"{server}.gateway_1s-sync",
    )


WAITING = Waiting(
    endpoints=("gateway_1s-sync",),
    holds=(
        holds("gunicorn-gevent", 500),
        holds("uvicorn", 480),
        holds("granian-asgi", 470),
        holds("gunicorn-asgi", 460),
        holds("granian-wsgi", 8, 8),
        holds("uwsgi", 8, 8),
        holds("gunicorn-gthread", 8, 8),
        holds("gunicorn-sync", 2, 2),
    ),
)


def async_views(of: Any, dearer: int, cheaper: int, servers: int, *ends: float) -> AsyncViews:
    least, most = ends or (None, None)
    return AsyncViews(
        interface=of,
        servers=servers,
        dearer=dearer,
        cheaper=cheaper,
        least=least,
        most=most,
        cells=(f"{of}.json-async", f"{of}.json-sync"),
    )


def sureness(**changes: Any) -> Sureness:
    fields: dict[str, Any] = {
        "rounds": 3,
        "processors": 2,
        "cells": 408,
        "suspect": 119,
        "busy": 3,
        "repeated": 0,
        "doubts": (("uvicorn", 26, 31), ("gunicorn-gevent", 11, 15), ("uwsgi", 1, 31)),
    }
    return Sureness(**fields | changes)


def quiet(first: Sequence[str] = ("granian-wsgi", "uwsgi"), **changes: Any) -> Decision:
    """Return what a quiet run decides: the cheapest two of five WSGI and three ASGI servers."""
    asgi = tuple(server for server in QUIET if interface(server) == "asgi")
    fields: dict[str, Any] = {
        "cost": cost(QUIET, first),
        "chosen": "server" if len(first) == 1 else "group",
        "likely": () if len(first) == 1 else ("granian-wsgi",),
        "gap": Gap(cheaper="wsgi", dearer="asgi", least=3.06, most=6.05, low=2.8, high=6.6),
        "costs": (
            at_endpoint("json", QUIET, ["granian-wsgi"]),
            at_endpoint("json_query", QUIET, ["granian-wsgi", "uwsgi"]),
            at_endpoint("template", QUIET, ["uwsgi"]),
        ),
        "waiting": WAITING,
        "within": (("wsgi", tuple(first)), ("asgi", asgi)),
        "async_views": (
            async_views("wsgi", 4, 0, 5, 1.43, 4.1),
            async_views("asgi", 0, 0, 9),
        ),
        "sure": sureness(),
    }
    return Decision(**fields | changes)


def noisy(**changes: Any) -> Decision:
    """Return what a run on a busy machine decides: that WSGI costs less, and nothing else."""
    fields: dict[str, Any] = {
        "cost": cost(NOISY, spread=0.35, noise_floor=0.43),
        "chosen": "interface",
        "likely": ("granian-wsgi",),
        "gap": Gap(cheaper="wsgi", dearer="asgi", least=3.15, most=5.46, low=2.1, high=7.5),
        "costs": (),
        "waiting": None,
        "within": (),
        "async_views": (async_views("wsgi", 2, 0, 4, 2.1, 4.4),),
        "sure": sureness(cells=71, suspect=43, busy=38),
    }
    return Decision(**fields | changes)


def at_rate(rate: float, *servers: tuple[str, float | None, int | None], **changes: Any) -> AtRate:
    """Return servers with the cores that each takes and its p99; without, it cannot keep up."""
    places = tuple(
        ServerAtRate(
            server=server,
            interface=interface(server),
            cores=cores,
            cpu_us=cores and cores / rate * 1e6,
            generator_cpu_us=67.0,
            p90_us=p99_us and p99_us // 2,
            p99_us=p99_us,
            short=() if cores else (f"json-sync@{rate:g}",),
            cells=(f"{server}.json-sync@{rate:g}",),
        )
        for server, cores, p99_us in servers
    )
    return AtRate(**{"rate": rate, "endpoints": ("json-sync",), "places": places} | changes)


def searched(
    *servers: tuple[str, int | None, float | None, float | None, Any], **changes: Any
) -> Searched:
    """Return servers with their rank, the ends of the interval and what missed above it."""
    ranks = [rank for _, rank, *_ in servers]
    fields: dict[str, Any] = {
        "endpoint": "json-sync",
        "goal": Goal(p99_us=300_000),
        "places": tuple(
            Reaches(
                server=server,
                interface=interface(server),
                rank=rank,
                tied=ranks.count(rank) > 1,
                search=Search(low=low, high=high, why=why, tries=12),
                cores=low and 0.8,
                p99_us=120_000,
                cell=f"{server}.json-sync",
            )
            for server, rank, low, high, why in servers
        ),
    }
    return Searched(**fields | changes)


def stepped(
    *servers: tuple[str, float | None, float | None, Any], endpoint: str = "json-sync"
) -> Searched:
    """Return servers with the last step that each kept, the next one, and what was short there."""
    return Searched(
        endpoint=endpoint,
        goal=None,
        places=tuple(
            Reaches(
                server=server,
                interface=interface(server),
                rank=None,
                search=Search(low=rate, high=missed, why=why, tries=9),
                capacity=1_000.0,
                cores=rate and 0.8,
                p99_us=12_000,
                cell=f"{server}.{endpoint}",
            )
            for server, rate, missed, why in servers
        ),
    )


def counts(**changes: Any) -> Counts:
    fields: dict[str, Any] = {
        "measured": 408,
        "failed": 0,
        "skipped": 20,
        "measured_with_failed_rounds": 0,
        "valid": 289,
        "suspect": 119,
        "invalid": 0,
    }
    return Counts(**fields | changes)
