"""A few servers and endpoints to expand a matrix of."""

from __future__ import annotations

from typing import Any

from builders import endpoint, server

from loadtest.plan.servers import matrix
from loadtest.plan.servers.matrix import LoadRule, Matrix
from loadtest.records.planned import Choice, Plan

RULES = (LoadRule(connections=64, duration_s=3, warmup_s=1.0, waves=3.1),)
SERVERS = (
    server("granian-asgi", interface="asgi"),
    server("granian-wsgi", in_flight="workers * threads"),
    server("uvicorn", interface="asgi"),
    server("gevent", unsupported={"async": "No loop runs in it."}),
)
ENDPOINTS = (
    endpoint("json", "sync"),
    endpoint("json", "async"),
    endpoint("json_query", "sync"),
    endpoint("gateway_10s", "sync", delay_s=10.0, isolated=True),
    endpoint("aiohttp", "async", unsupported={"wsgi": "Its session needs a loop that stays."}),
    endpoint("raw", "control"),
)


def expand(choice: Choice = Choice(), missing: Any = None, **changes: Any) -> Plan:  # noqa: B008
    fields: dict[str, Any] = {"name": "test", "summary": "A test.", "rounds": 3, "loads": RULES}
    return matrix.expand(Matrix(**fields | changes), SERVERS, ENDPOINTS, choice, missing or {})


def ids(of: Plan) -> list[str]:
    """Of the cells of the first arms."""
    duplicates = {server.name for server in of.servers if server.duplicate_of}
    return [cell.id for cell in of.cells if cell.server not in duplicates]


def arms(of: Plan) -> list[str]:
    return [cell.id for cell in of.cells if cell.id not in ids(of)]
