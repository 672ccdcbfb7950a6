"""Answers for tests, built by hand: whole but for what a test says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from loadtest.judge.servers.answer.records import (
    Answer,
    Arm,
    Claim,
    Difference,
    Interfaces,
    Kind,
    Led,
    Share,
    Styles,
)


def arm(server: str = "fast", goodput: float = 2_000.0, **changes: Any) -> Arm:
    fields: dict[str, Any] = {
        "cell": f"{server}.json-sync",
        "server": server,
        "interface": "wsgi",
        "style": "sync",
        "over_other_style": None,
        "goodput": goodput,
        "ceiling": None,
        "p99_us": 12_000,
        "cpu_us": 120.0,
        "memory_bytes": 181_000_000,
        "doubts": (),
    }
    return Arm(**fields | changes)


def difference(ratio: float = 2.0, spread: float = 0.1, **changes: Any) -> Difference:
    fields: dict[str, Any] = {
        "cell": "fast.json-sync",
        "over": "slow.json-sync",
        "ratio": ratio,
        "low": ratio * (1 - spread),
        "high": ratio * (1 + spread),
        "finding": "higher" if ratio > 1.05 else "lower" if ratio < 0.95 else "equivalent",
    }
    return Difference(**fields | changes)


def claim(
    leaders: Sequence[Arm] = (arm(),),
    followers: Sequence[Arm] = (arm("slow", 1_000.0),),
    ratio: float = 2.0,
    **changes: Any,
) -> Claim:
    separated = bool(followers)
    endpoint = changes.get("endpoint", "json")
    fields: dict[str, Any] = {
        "endpoint": endpoint,
        "connections": 64,
        "leaders": tuple(leaders),
        "followers": tuple(followers),
        "lead": difference(ratio) if separated else None,
        "limits": () if separated else ("tied",) if len(leaders) > 1 else ("alone",),
        "separated": separated,
        "rankings": (f"{endpoint}-sync",),
        "cells": tuple(arm.cell for arm in (*leaders, *followers)),
    }
    return Claim(**fields | changes)


def kind(
    claims: Sequence[Claim],
    name: str = "cpu",
    styles: Sequence[Styles] = (),
    interfaces: Sequence[Interfaces] = (),
) -> Kind:
    """Return a kind of work; those who lead at the most of its endpoints lead it."""
    separated = [claim for claim in claims if claim.separated]
    at: dict[str, list[str]] = {}
    for claim in separated:
        for each in claim.leaders:
            at.setdefault(each.server, []).append(claim.endpoint)
    most = max(map(len, at.values()), default=0)
    return Kind(
        kind=name,
        waits=name == "waiting",
        claims=tuple(claims),
        leaders=tuple(Led(server=s, at=tuple(e)) for s, e in at.items() if len(e) == most),
        styles=tuple(styles),
        interfaces=tuple(interfaces),
        separated=bool(separated),
    )


def answer(kinds: Sequence[Kind], shares: Sequence[Share] = (), **changes: Any) -> Answer:
    """Return an answer; who leads at more kinds of work comes first."""
    at: dict[str, list[str]] = {}
    for kind in kinds:
        for led in kind.leaders:
            at.setdefault(led.server, []).append(kind.kind)
    leaders = [Led(server=server, at=tuple(where)) for server, where in at.items()]
    fields: dict[str, Any] = {
        "kinds": tuple(kinds),
        "shares": tuple(shares),
        "leaders": tuple(sorted(leaders, key=lambda led: -len(led.at))),
        "separated": sum(kind.separated for kind in kinds),
        "within": (),
        "usable": 10,
        "cells": 10,
        "numberless": (),
        "limits": (),
    }
    return Answer(**fields | changes)


def share(server: str, interface: Any, of: float, own_us: float, **changes: Any) -> Share:
    fields: dict[str, Any] = {
        "server": server,
        "interface": interface,
        "style": "sync",
        "share": of,
        "low": of - 0.02,
        "high": of + 0.02,
        "finding": "higher",
        "at_least": False,
        "raw_cpu_us": 20.0,
        "django_cpu_us": own_us,
        "cells": (f"{server}.raw-control", f"{server}.json-sync"),
    }
    return Share(**fields | changes)


def styles(interface: Any, ratios: Sequence[float], unknown: int = 0) -> Styles:
    """Return async over sync views of some servers; of `unknown` more nothing was told."""
    known = [difference(ratio) for ratio in ratios]
    return Styles(
        endpoint="json",
        interface=interface,
        servers=(*known, *(difference(0.9, finding="inconclusive") for _ in range(unknown))),
        cells=("fast.json-async", "fast.json-sync"),
    )


def against(ratio: float, endpoint: str = "json", **changes: Any) -> Interfaces:
    """Return the fastest WSGI server over the fastest ASGI server."""
    return Interfaces(
        endpoint=endpoint,
        wsgi=arm("wsgi-one"),
        asgi=arm("asgi-one", interface="asgi"),
        difference=difference(ratio, **changes),
        cells=("wsgi-one.json-sync", "asgi-one.json-sync"),
    )
