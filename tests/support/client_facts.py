"""A clients' run for tests: builders whole but for what a test says, and one sample run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import builders

from loadtest.records.clients import (
    THREADS,
    Answer,
    Ceiling,
    Cold,
    Group,
    Interpreter,
    Outcome,
    Phases,
    Plan,
    Row,
    Run,
    Seen,
    Warm,
)
from loadtest.records.measured import Histogram
from loadtest.records.run_folder import ClientsRun, Stored

ROUNDS = 5
JITTER = (1.0, 1.01, 0.99, 1.005, 0.995, 1.0, 1.008, 0.992, 1.002, 0.998)
"""Of a machine that repeats itself within a percent; a row starts at its own place in it."""


def row(label: str = "aiohttp", **changes: Any) -> Row:
    fields: dict[str, Any] = {
        "id": label.replace(" ", "-"),
        "label": label,
        "group": "clients",
        "client": label.split()[0],
        "reuse": "kept",
        "mode": "async-for",
        "requests": 1_000,
        "batch": 10,
        "chunk": 10,
        "answer": Answer(),
        "python": "3.11",
    }
    fields |= changes
    fields.setdefault("kind", "sync" if fields["mode"] in THREADS else "async")
    return Row(**fields)


def group(name: str = "clients", **changes: Any) -> Group:
    fields: dict[str, Any] = {
        "name": name,
        "title": "Ten calls in flight",
        "about": "Which client is fastest at 1 kB answers?",
        "measures": ("cold", "warm"),
        "reference": None,
    }
    return Group(**fields | changes)


def plan(rows: list[Row], groups: list[Group] | None = None, **changes: Any) -> Plan:
    fields: dict[str, Any] = {
        "preset": "default",
        "title": "a telling default",
        "seed": 7,
        "rounds": ROUNDS,
        "warmup_requests": 100,
        "timeout_s": 30.0,
        "groups": tuple(groups or [group()]),
        "rows": tuple(rows),
    }
    return Plan(**fields | changes)


def run(of: Plan) -> Run:
    return Run(
        format=1,
        created_at="2026-11-20T10:00:00+00:00",
        command="loadtest clients",
        plan=of,
        machine=builders.machine(
            system="Linux 6.18",
            cpu="an AMD EPYC",
            python="CPython 3.11.7",
            versions={},
            open_files=1_024,
        ),
        interpreters={
            "3.11": Interpreter(
                path="python3.11",
                version="3.11.7",
                implementation="CPython",
                versions={"aiohttp": "3.12.0", "httpx": "0.28.1"},
            )
        },
        upstream="nginx 1.31.0",
    )


def stored(of: Plan, outcomes: Iterable[Outcome] = (), **changes: Any) -> ClientsRun:
    fields: dict[str, Any] = {"folder": Path("results/clients"), "ceilings": (), "notes": ()}
    return Stored(run=run(of), outcomes=tuple(outcomes), **fields | changes)


def cold(of: Row, number: int = 0, seconds: float = 0.5, **changes: Any) -> Outcome:
    """One round in which a whole process took so long, 200 ms of it before its work."""
    fields: dict[str, Any] = {
        "row": of.id,
        "round": number,
        "measure": "cold",
        "status": "measured",
        "calls": of.requests,
        "answers": of.requests,
        "phases": Phases(
            start_s=0.02,
            import_s=0.15,
            setup_s=0.02,
            warmup_s=0.0,
            work_s=seconds - 0.2,
            end_s=0.01,
        ),
        "cold": Cold(
            wall_s=seconds, user_s=0.8 * seconds, system_s=0.1 * seconds, peak_rss_bytes=40_000_000
        ),
        "seen": Seen(
            connections=of.batch if of.reuse == "kept" else of.requests, requests=of.requests
        ),
        "http": "1.1",
        "other_cpu_s": 0.0,
    }
    return Outcome(**fields | changes)


def warm(of: Row, number: int = 0, call_us: float = 150.0, **changes: Any) -> Outcome:
    """One round in which the calls took so long each, in a process that had made a hundred."""
    seconds = changes.pop("calls", of.requests) * call_us / 1e6
    each_us = round(call_us * of.batch)
    fields: dict[str, Any] = {
        "row": of.id,
        "round": number,
        "measure": "warm",
        "status": "measured",
        "calls": of.requests,
        "answers": of.requests,
        "warmup_calls": 100,
        "phases": Phases(
            start_s=0.02, import_s=0.15, setup_s=0.02, warmup_s=0.1, work_s=seconds, end_s=0.01
        ),
        "warm": Warm(
            seconds=seconds,
            user_s=0.6 * seconds,
            system_s=0.1 * seconds,
            peak_rss_bytes=41_000_000,
            latencies=Histogram(values_us=(each_us, 2 * each_us), counts=(of.requests - 20, 20)),
        ),
        "seen": Seen(
            connections=of.batch if of.reuse == "kept" else of.requests + 100,
            requests=of.requests + 100,
        ),
        "http": "1.1",
        "other_cpu_s": 0.0,
    }
    return Outcome(**fields | changes)


def failed(of: Row, number: int = 0, measure: Any = "warm", **changes: Any) -> Outcome:
    fields: dict[str, Any] = {
        "row": of.id,
        "round": number,
        "measure": measure,
        "status": "failed",
        "stage": "work",
        "reason": "1,000 of 1,000 calls went wrong: ConnectError",
        "calls": of.requests,
        "errors": {"ConnectError": of.requests},
    }
    return Outcome(**fields | changes)


def rounds(of: Row, cold_s: float, call_us: float, at: int = 0) -> list[Outcome]:
    """All rounds of a row by both measures; `at` is its place in the machine's jitter."""
    jitter = [JITTER[(at + number) % len(JITTER)] for number in range(ROUNDS)]
    return [cold(of, number, cold_s * factor) for number, factor in enumerate(jitter)] + [
        warm(of, number, call_us * factor) for number, factor in enumerate(jitter)
    ]


def ceiling(requests_s: float = 30_000.0, **changes: Any) -> Ceiling:
    fields: dict[str, Any] = {"answer": Answer(), "connections": 10, "tool": "wrk"}
    return Ceiling(requests_s=requests_s, **fields | changes)


def sample() -> ClientsRun:
    """A run in which everything happens that can: ties, doubts, failures, a pair of arms."""
    slow = Answer(delay_s=0.01)
    aiohttp = row("aiohttp", client="aiohttp")
    twin = row("aiohttp again", client="aiohttp", duplicate_of="aiohttp")
    httpx = row("httpx async", client="httpx-async")
    each = row("httpx async, each call", client="httpx-async", reuse="each-call")
    threads = row("requests in threads", client="requests", mode="threads-reuse")
    urllib3 = row("urllib3 in threads", client="urllib3", mode="threads-map")
    liar = row("liar|<b>`x`", client="liar", mode="threads-map")
    broken = row("broken", client="broken")
    absent = row("niquests", skip="niquests is not installed; type: .venv/bin/pip install niquests")
    late = row("aiohttp at 10 ms", client="aiohttp", group="slow", answer=slow)
    later = row(
        "requests at 10 ms", client="requests", mode="threads-map", group="slow", answer=slow
    )
    outcomes = [
        *rounds(aiohttp, 0.45, 150),
        *rounds(twin, 0.45, 151, at=3),
        *rounds(httpx, 0.9, 510, at=1),
        *rounds(each, 21.0, 24_000, at=2),
        *rounds(threads, 0.7, 400, at=4),
        *rounds(urllib3, 0.44, 151, at=5),
        *(warm(late, n, 1_010 * JITTER[n]) for n in range(ROUNDS)),
        *(warm(later, n, 1_012 * JITTER[n + 2]) for n in range(ROUNDS)),
        *(warm(liar, n, 40, seen=Seen(connections=1_100, requests=1_100)) for n in range(ROUNDS)),
        *(failed(broken, n) for n in range(ROUNDS)),
        failed(
            httpx, 4, errors={"ReadTimeout": 3}, reason="3 of 1,000 calls went wrong", answers=997
        ),
    ]
    # One process that something else held up.
    held = next(at for at, outcome in enumerate(outcomes) if outcome.row == threads.id)
    outcomes[held + 2] = cold(threads, 2, 1.1)
    rows = [aiohttp, twin, httpx, each, threads, urllib3, liar, broken, absent, late, later]
    groups = [
        group(reference="aiohttp"),
        group(
            "slow",
            title="A server that takes 10 ms",
            about="Does the client still matter?",
            measures=("warm",),
        ),
    ]
    ceilings = (
        ceiling(),
        ceiling(4_000.0, answer=Answer(keep_alive=False)),
        ceiling(1_000.0, answer=slow),
    )
    return stored(plan(rows, groups), outcomes, ceilings=ceilings)
