"""Concerns about what was around the load: the shape, the machine, what is left."""

from __future__ import annotations

from loadtest.judge.concern import NOTHING, UNCHECKED, Check, percent
from loadtest.judge.servers.concerns.evidence import Evidence, concern
from loadtest.records.measured import Left, Usage
from loadtest.records.planned import SETTLED_S
from loadtest.records.text import plural

SPARE_SOCKETS = 8
"""In each process: event loops and pools open theirs at the first request that needs them."""

SPARE_THREADS = 32
"""In each process: the most that Python's default executor keeps once they were needed."""

SPARE_BYTES = 32_000_000
"""In each process, of imports, caches and an allocator that keeps what it was given."""

BUFFER_BYTES = 128_000
"""For each connection, likewise."""


def _shape_differs(cell: Evidence) -> Check:
    shape, server = cell.shape, cell.server
    usages = [o.usage["server"] for o in cell.measured if "server" in o.usage]
    if not shape.known:
        return UNCHECKED
    expected = server.expected_processes(shape)
    known = False
    if expected is not None and usages:
        known = True
        fewest = min(usage.processes for usage in usages)
        most = max(usage.processes for usage in usages)
        # A single worker may run in the first process, without a parent or helpers.
        if fewest < (expected if shape.workers > 1 else 1):
            return Check("invalid", f"{fewest} server processes were seen, {expected} are declared")
        if most > expected:
            return Check("suspect", f"{most} server processes were seen, {expected} are declared")
    if server.in_flight == "workers * threads" and usages:
        known = True
        # A pool starts its threads as they are needed, and in some rounds one worker gets it all.
        at_once, threads = cell.capacity, max(usage.threads for usage in usages)
        if threads < at_once:
            return Check(
                "invalid", f"{threads} server threads were seen, {at_once} are to work at once"
            )
    sessions = [
        o.work.database_connections
        for o in cell.measured
        if o.work and o.work.database_connections is not None
    ]
    if sessions and cell.cell.endpoint.contract.postgres:
        known = True
        allowed = shape.workers * shape.database_pool
        if max(sessions) > allowed:
            return Check(
                "suspect",
                f"{max(sessions)} database connections were open, {allowed} are declared"
                f" ({shape.workers} workers x {shape.database_pool})",
            )
    return NOTHING if known else UNCHECKED


def _noisy_host(cell: Evidence) -> Check:
    shares = cell.taken
    if shares is None:
        return UNCHECKED
    if not cell.disturbed:
        # What a service that is not of the run used cannot be told from what others did.
        return NOTHING if cell.services_sampled else UNCHECKED
    hosts = [outcome.host for outcome in cell.measured if outcome.host]
    named = ", ".join(f"{name} {percent(share)}" for name, share in shares.items() if share > 0)
    busy_s = sum(host.busy_cpu_s for host in hosts)
    busy = percent(busy_s / sum(host.window_s * host.processors for host in hosts))
    return Check(
        "suspect",
        f"{percent(sum(shares.values()))} of the machine went elsewhere: {named};"
        f" {busy} of it was busy",
    )


def _left_behind(cell: Evidence) -> Check:
    contract, load = cell.cell.endpoint.contract, cell.cell.load
    held = [
        (outcome.left, outcome.usage["server"])
        for outcome in cell.measured
        if outcome.left and "server" in outcome.usage
    ]
    # Where requests wait for 2 s or queue for their turn, it is still at what had been asked for.
    queued = contract.delay_s > 0 and cell.capacity < load.connections
    if not held or queued or contract.delay_s >= SETTLED_S:
        return UNCHECKED
    # Pools keep a connection to each service for each request that there was at once.
    services = sum(bool(each) for each in (contract.postgres, contract.redis, contract.upstream))
    for left, usage in held:
        if held_on := _held(left, usage, load.connections, services, cell.shape.threads):
            return Check("suspect", f"2 s after the load it held {held_on} more than before")
    return NOTHING


def _held(left: Left, usage: Usage, connections: int, services: int, threads: int) -> str | None:
    sockets = SPARE_SOCKETS * usage.processes + services * connections
    if left.connections is not None and left.connections > sockets:
        return plural(left.connections, "socket")
    if left.threads > (SPARE_THREADS + threads) * usage.processes:
        return plural(left.threads, "thread")
    if left.memory_bytes > SPARE_BYTES * usage.processes + BUFFER_BYTES * connections:
        return f"{left.memory_bytes / 1e6:,.0f} MB"
    return None


SHAPE_DIFFERS = concern("shape-differs", _shape_differs, invalidates=True)
NOISY_HOST = concern("noisy-host", _noisy_host)
LEFT_BEHIND = concern("left-behind", _left_behind)
