"""Batches of cells measured: launch, verify, load, verify again, an outcome for each cell.

Knows no server, tool or file: those are behind `Bench`, and what happens is told to `record`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from loadtest.bench.servers.protocol import Bench, Running
from loadtest.bench.servers.service_counters import Counts
from loadtest.plan.servers.schedule import Batch
from loadtest.records.errors import CellError
from loadtest.records.measured import During, Loaded, Outcome, Verified, Work
from loadtest.records.planned import SETTLED_S, Cell, Plan, Server, Shape
from loadtest.system.sampling import left

Record = Callable[[Outcome], None]

Watch = Callable[[Cell, int], None]
"""Told of each cell and round before it is measured."""

CONCURRENCY = 8
"""Verified requests at once before a load: enough to meet what only fails under concurrency."""

FOR_EACH_WORKER = 4
"""But at least so many for each worker, or some would meet their first request in the load."""

SLOW_CONCURRENCY = 4
"""For endpoints that wait: few enough that no worker gets more of them than it has threads."""


def run(plan: Plan, todo: Sequence[Batch], bench: Bench, record: Record, watch: Watch) -> None:
    """Measure batch after batch; a cell that fails is recorded and the rest goes on."""
    servers = {server.name: server for server in plan.servers}
    for batch in todo:
        _measure_batch(batch, servers[batch.server], plan.shape, bench, record, watch)


def _measure_batch(
    batch: Batch, server: Server, shape: Shape, bench: Bench, record: Record, watch: Watch
) -> None:
    running: Running | None = None
    try:
        for cell in batch.cells:
            watch(cell, batch.round)
            started, began = time.time(), time.monotonic()
            facts: dict[str, object] = {}
            failure: CellError | None = None
            counted = bench.counters().read(cell.endpoint.contract)
            try:
                if running is None:
                    running = bench.launch(server, f"{cell.id}.r{batch.round}")
                    facts["launch_s"] = running.launch_s
                observe_release = batch.observe_release and cell is batch.cells[-1]
                _measure(cell, batch.round, server, shape, running, observe_release, facts)
            except CellError as error:
                failure = error
                if running is not None and error.detail is None:
                    failure = CellError(error.stage, error.reason, running.tail() or None)
            died = bench.repair()
            if failure is not None and died is not None:
                failure = CellError("services", f"{died.reason} ({failure.reason})", died.detail)
            if failure is None and died is None:
                open_sessions = bench.counters().sessions()
                if cell.endpoint.contract.postgres and running is not None:
                    # PostgreSQL's sessions tell all that they did when they end.
                    running.stop()
                    running = None
                after = bench.counters().read(cell.endpoint.contract)
                facts["work"] = _work(facts, counted, after, open_sessions)
            elif running is not None:
                # It may be dead, stuck, or tied to a service that was started again.
                running.stop()
                running = None
            if failure is None:
                facts["status"] = "measured"
            else:
                facts |= {
                    "status": "failed",
                    "stage": failure.stage,
                    "reason": failure.reason,
                    "detail": failure.detail,
                }
            record(
                Outcome(
                    cell=cell.id,
                    round=batch.round,
                    started_at=started,
                    wall_s=time.monotonic() - began,
                    **facts,  # type: ignore[arg-type]
                )
            )
    finally:
        if running is not None:
            running.stop()


def _measure(
    cell: Cell,
    round_: int,
    server: Server,
    shape: Shape,
    running: Running,
    observe_release: bool,
    facts: dict[str, object],
) -> None:
    """Verify, load and verify again, adding to `facts` as far as it comes."""
    endpoint, load = cell.endpoint, cell.load
    slow = endpoint.contract.delay_s > 0
    capacity = server.capacity(shape, load.connections)
    try:
        began = time.monotonic()
        before = running.verify(
            endpoint,
            concurrency=(
                min(capacity, SLOW_CONCURRENCY)
                if slow
                else max(CONCURRENCY, FOR_EACH_WORKER * shape.workers)
            ),
            seconds=load.warmup_s,
            stage="verify",
        )
        facts["warmup_s"] = time.monotonic() - began
        held = running.holding()
        measurement = running.load(cell, f"{cell.id}.r{round_}")
        ended = time.monotonic()
        loaded = measurement.printed.loaded
        facts |= {
            "load_s": loaded.duration_us / 1e6,
            "loaded": loaded,
            "raw": measurement.printed.raw,
            "histogram": measurement.printed.histogram,
            "usage": measurement.sampled.usage,
            "host": measurement.sampled.host,
            "during": measurement.during,
        }
        if loaded.answers == 0:
            raise CellError("load", "not one request was answered")
        # Where slow requests are still queued, the answer to a probe would stand behind them.
        queued = slow and capacity < load.connections
        after = (
            None
            if queued
            else running.verify(endpoint, concurrency=1, seconds=0.0, stage="verify-after")
        )
        facts["verified"] = Verified(
            before=before.answers,
            after=after.answers if after else None,
            wire_bytes=before.wire_bytes,
        )
        if observe_release:
            time.sleep(max(0.0, SETTLED_S - (time.monotonic() - ended)))
            facts["left"] = left(held, running.holding())
    except CellError as error:
        # A dead server explains more than what its clients saw of it.
        if died := running.ended():
            raise CellError(error.stage, f"{died} ({error.reason})", running.tail()) from error
        raise


def _work(facts: dict[str, object], before: Counts, after: Counts, sessions: int | None) -> Work:
    loaded, verified, during = facts["loaded"], facts["verified"], facts["during"]
    assert isinstance(loaded, Loaded)
    assert isinstance(verified, Verified)
    assert isinstance(during, During)

    def grown(name: str) -> int | None:
        first, last = getattr(before, name), getattr(after, name)
        return None if first is None or last is None else last - first

    right = loaded.answers - loaded.status_errors
    return Work(
        answers=right + verified.before + (verified.after or 0) + during.checked,
        postgres=grown("postgres"),
        redis=grown("redis"),
        upstream=grown("upstream"),
        database_connections=sessions,
    )
