"""A small run as data: two servers' worth of trouble, for the tests of summary and reports."""

from __future__ import annotations

from typing import Any

import builders

from loadtest.records.measured import Histogram, Loaded, Outcome, Run, Segment
from loadtest.records.planned import Cell, Load, Plan, Shape

HOSTILE = "</script><script>pwned=1</script><img src=//x onerror='pwned=1'>\"'`\u2028${1}"
"""Text from outside that tries to get out of where a page puts it."""


LOAD = Load(connections=64, duration_s=3, warmup_s=1)

ENDPOINTS = (
    builders.endpoint("json", title="JSON performance"),
    builders.endpoint("json", "async", title="JSON performance"),
    builders.endpoint("gateway_1s", title="Simulate a request", kind="waiting", delay_s=1.0),
    builders.endpoint(
        "blocking",
        "async",
        title="Simulate a request",
        kind="waiting",
        note="A blocking call in a coroutine: an anti-pattern.",
    ),
)
SERVERS = (
    builders.server(
        "gthread",
        summary="gunicorn with threads.",
        requires=("gunicorn",),
        argv=("gunicorn",),
        in_flight="workers * threads",
    ),
    builders.server(
        "gevent",
        summary="gunicorn with greenlets.",
        requires=("gunicorn", "gevent"),
        argv=("gunicorn",),
    ),
    builders.server(
        "daphne",
        summary="daphne, a process for each worker.",
        interface="asgi",
        argv=("daphne",),
        limits=("Its listen backlog is 50 and cannot be set.",),
    ),
)
SKIPPED = "no event loop under WSGI"


def loaded(answers: int, **errors: int) -> Loaded:
    return builders.loaded(answers, 3.0, received_bytes=answers * 150, **errors)


def outcome(cell: Cell, number: int, answers: int, **changes: Any) -> Outcome:
    cpu_s = 4.5 if cell.server == "gthread" else 4.9
    used = builders.usage(cpu_s, rss_peak_bytes=90_000_000, pss_peak_bytes=61_000_000)
    fields: dict[str, Any] = {
        "warmup_s": 1.0,
        "load_s": 3.0,
        "wall_s": 6.0,
        "loaded": loaded(answers),
        "raw": f"raw/{cell.id}.{number}.txt",
        "histogram": f"raw/{cell.id}.{number}.json",
        "usage": {"server": used},
    }
    return builders.outcome(cell.id, number - 1, **fields | changes)


def sample() -> tuple[Run, list[Outcome], list[Segment]]:
    """Return three servers at four endpoints in two rounds: measured, failed, skipped, partly."""
    cells = tuple(
        Cell(
            server=server.name,
            endpoint=each,
            load=LOAD,
            skip=SKIPPED if (server.name, each.id) == ("gthread", "blocking-async") else None,
        )
        for server in SERVERS
        for each in ENDPOINTS
    )
    outcomes = []
    for cell in cells:
        for number in (1, 2):
            match cell.server, cell.endpoint.id:
                case "gthread", "blocking-async":
                    ended = Outcome(
                        cell=cell.id, round=number - 1, status="skipped", reason=cell.skip
                    )
                case "gevent", "json-async":
                    ended = outcome(cell, number, 991, loaded=loaded(991, status_errors=991))
                case "daphne", "json-sync" if number == 2:
                    ended = Outcome(
                        cell=cell.id,
                        round=number - 1,
                        status="failed",
                        stage="launch",
                        reason="it ended | with `status` 1 <b>",
                        detail="Traceback\n```\nOSError: [Errno 98]\n````\n| x |",
                    )
                case "gevent", "gateway_1s-sync":
                    ended = outcome(cell, number, 128)
                case "daphne", "gateway_1s-sync":
                    ended = outcome(cell, number, 120 + number)
                case "gthread", "gateway_1s-sync":
                    ended = outcome(cell, number, 21, loaded=loaded(21, timeouts=2))
                case _:
                    ended = outcome(cell, number, 9_000 + 1_000 * number + len(cell.id) * 77)
            outcomes.append(ended)
    run = Run(
        format=1,
        created_at="2025-01-01T12:00:00Z",
        command="loadtest run quick --seed 7",
        plan=Plan(matrix="quick", seed=7, rounds=2, shape=Shape(), servers=SERVERS, cells=cells),
        machine=builders.machine(
            system="Linux 6.1 x86_64",
            cpu="Example CPU",
            python="3.13.1",
            versions={"wrk": "4.1.0", "django": "6.0", "gunicorn": "25.0"},
        ),
        argv={"gthread": ("gunicorn", "-w", "2", "--threads", "4", "myproject.wsgi")},
    )
    return run, outcomes, [Segment(started_at=0.0, wall_s=160.0)]


def histograms(path: str) -> Histogram:
    """Return a histogram with nothing back-filled, as many samples as the cell has answers."""
    if "gateway" in path:
        return Histogram(values_us=(1_001_000, 1_004_000), counts=(12, 7))
    return Histogram(values_us=(900, 5_000, 21_300), counts=(2_000, 7_000, 500))
