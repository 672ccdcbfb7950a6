"""Rows measured: each in a process of its own, in a shuffled order, an outcome for each."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import psutil

from loadtest.bench.clients import job, upstream_ceiling
from loadtest.bench.clients.upstream import Upstream
from loadtest.measure import preflight
from loadtest.measure.loop import Key
from loadtest.plan.clients import own_server
from loadtest.plan.clients.catalogue import Client
from loadtest.plan.clients.own_server import Expected
from loadtest.records.clients import Ceiling, Interpreter, Measure, Outcome, Plan, Row
from loadtest.records.errors import CellError, UserError
from loadtest.system import process
from loadtest.system.process import CommandError

SPARE_S = 5.0
"""Beyond the limit that the worker keeps itself."""


class Measurement(NamedTuple):
    """One row by one measure in one round."""

    row: Row
    measure: Measure
    round: int

    @property
    def key(self) -> Key:
        """What the loop knows it by."""
        return (self.row.id, self.measure), self.round


@dataclass(frozen=True)
class Bench:
    """What is needed to measure a row: who runs it, and who answers."""

    plan: Plan
    clients: Mapping[str, Client]
    interpreters: Mapping[str, Interpreter]
    upstream: Upstream | None
    expected: Expected | None
    """Of a server of the user's own, where there is no upstream of ours."""

    def ceilings(self, known: Sequence[Ceiling]) -> Iterator[Ceiling]:
        """Yield what our upstream gives; raises LoadtestError where that cannot be measured."""
        wanted = {row.paced_by for row in self.plan.rows if row.skip is None}
        wanted -= {(ceiling.answer, ceiling.connections) for ceiling in known}
        if self.upstream is None or not wanted:
            return
        if (wrk := preflight.tool()).advice is not None:
            raise UserError(wrk.advice)
        yield from upstream_ceiling.ceilings(self.upstream, wanted)

    def run(
        self,
        todo: Sequence[Measurement],
        record: Callable[[Outcome], None],
        began: Callable[[Key], None] = lambda key: None,
    ) -> None:
        """Measure one after the other; what cannot be is recorded with its reason."""
        prime(self, (measurement.row for measurement in todo))
        for measurement in todo:
            began(measurement.key)
            record(measure(self, *measurement))


def round_of(plan: Plan, round_: int) -> list[Measurement]:
    """Return one round: every row that can be measured once by each measure, shuffled."""
    measures = {group.name: group.measures for group in plan.groups}
    once = [
        Measurement(row, measure, round_)
        for row in plan.rows
        if row.skip is None
        for measure in measures[row.group]
    ]
    return random.Random(f"{plan.seed}/{round_}").sample(once, len(once))


def prime(bench: Bench, rows: Iterable[Row]) -> None:
    """Run each client once under each interpreter, unrecorded: files cached, bytecode compiled."""
    seen = set()
    for row in rows:
        if (row.client, row.python) not in seen:
            seen.add((row.client, row.python))
            once = msgspec.structs.replace(row, requests=1, batch=1, chunk=None)
            measure(bench, once, "cold", 0)


def measure(bench: Bench, row: Row, measure: Measure, round_: int) -> Outcome:
    """Run one row once and return what became of it."""
    started_at, began = time.time(), time.monotonic()
    try:
        outcome = _measured(bench, row, measure, round_)
    except (CellError, CommandError) as error:
        outcome = Outcome(
            row=row.id,
            round=round_,
            measure=measure,
            status="failed",
            stage="start" if isinstance(error, CommandError) else "work",
            reason=error.reason,
            detail=error.detail or None,
        )
    if bench.expected is not None:
        texts = {
            key: text and own_server.without(bench.expected.url, text)
            for key, text in (("reason", outcome.reason), ("detail", outcome.detail))
        }
        outcome = msgspec.structs.replace(outcome, **texts)
    return msgspec.structs.replace(outcome, started_at=started_at, wall_s=time.monotonic() - began)


def _measured(bench: Bench, row: Row, measure: Measure, round_: int) -> Outcome:
    """Run one row once; raises CommandError without an interpreter, CellError without upstream."""
    before = None if bench.upstream is None else bench.upstream.counts()
    plan = bench.plan
    client = bench.clients[row.client]
    assert row.python is not None
    warmup = 0
    if measure == "warm" and plan.warmup_requests:
        warmup = max(plan.warmup_requests, row.batch)
    argv = job.argv(
        row,
        client,
        bench.interpreters[row.python].path,
        bench.expected or expected(bench.upstream, row),
        warmup,
        plan.timeout_s,
    )
    limit_s = job.limit_s(row, warmup, plan.timeout_s) + SPARE_S
    before_s = _others_s(bench.upstream)
    timed = process.timed(argv, timeout_s=limit_s)
    other_s = _others_s(bench.upstream) - before_s - timed.user_s - timed.system_s
    if bench.upstream is not None and before is not None:
        seen, protocols = bench.upstream.seen(before, bench.upstream.counts())
        outcome = job.outcome(row, round_, measure, timed, seen, protocols)
    else:
        outcome = job.outcome(row, round_, measure, timed)
    # Of a user's own server it isn't known, so nothing is known of the others.
    other_cpu_s = None if bench.upstream is None else max(0.0, other_s)
    return msgspec.structs.replace(outcome, other_cpu_s=other_cpu_s)


def expected(upstream: Upstream | None, row: Row) -> Expected:
    """Return where a row asks our upstream and what it has to answer."""
    assert upstream is not None
    return Expected(
        url=upstream.url(row.answer),
        body_bytes=row.answer.body_bytes,
        sha256=hashlib.sha256(upstream.body(row.answer)).hexdigest(),
        ca=str(upstream.ca) if row.answer.tls else None,
    )


def _others_s(upstream: Upstream | None) -> float:
    """Return the CPU seconds so far of all processes but the upstream's and our own."""
    times = psutil.cpu_times()
    idle_s = times.idle + getattr(times, "iowait", 0.0)
    guests_s = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # counted twice
    ours_s = time.process_time() + (upstream.cpu_s() if upstream else 0.0)
    return sum(times) - idle_s - guests_s - ours_s
