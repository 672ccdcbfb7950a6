"""A healthy cell as evidence, and what a test changes in it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import builders
import msgspec
from builders import endpoint, loaded, outcome, part, plan, server

from loadtest.judge.concern import weigh
from loadtest.judge.servers.concerns import CONCERNS
from loadtest.judge.servers.concerns.evidence import Evidence
from loadtest.judge.servers.metrics import LATE_US
from loadtest.records.measured import (
    Ceiling,
    During,
    Histogram,
    Host,
    Left,
    Outcome,
    Sent,
    Usage,
    Verified,
    Way,
    Work,
)
from loadtest.records.planned import Cell, Load, Shape

WIRE_BYTES = 200
CEILINGS = (
    Ceiling(body_bytes=30, goodput=60_000.0, generator_cpu_us=7.0),
    Ceiling(body_bytes=30_000, goodput=20_000.0, generator_cpu_us=20.0),
)
CEILING_OF_512 = Ceiling(body_bytes=30, connections=512, goodput=50_000.0, generator_cpu_us=8.0)


@dataclass(frozen=True)
class Facts:
    """What a test may set; a healthy cell follows from it."""

    delay_s: float = 0.0
    connections: int = 64
    duration_s: float = 3.0
    rates: tuple[float, ...] = (2_000.0, 2_060.0, 1_940.0)
    """Answers a second of each round."""
    latency_us: int | None = None
    """Of every answer; what Little's law asks for where it is not given."""
    at_rate: float | None = None
    """Of a load at a rate."""
    script: str | None = None
    """Of a load of others."""
    needs: tuple[int, int, int] = (0, 0, 0)
    """Operations of an answer in PostgreSQL, Valkey and the upstream."""
    recorded: tuple[int | None, int | None] = (None, None)
    """Statements of an answer as they were recorded, and those that change rows."""
    cost_s: float | None = None
    """Of an answer, as it was recorded."""
    in_flight: str = "connections"
    shape: Shape = field(default_factory=Shape)
    loaded: Any = msgspec.UNSET
    """Changes to what was counted in each round."""
    each: Any = msgspec.UNSET
    """Changes to each outcome."""
    histogram: Histogram | None = None
    ceilings: tuple[Ceiling, ...] = CEILINGS
    system: str = "Linux-6.1"


def evidence(facts: Facts, failed: tuple[Outcome, ...] = ()) -> Evidence:
    """Return the evidence of a cell in which all that the engine can record was recorded."""
    postgres, redis, upstream = facts.needs
    statements, changes = facts.recorded
    profile = server(in_flight=facts.in_flight, processes_seen="workers + 1")
    cell = Cell(
        server=profile.name,
        endpoint=endpoint(
            cost_s=facts.cost_s,
            delay_s=facts.delay_s,
            postgres=postgres,
            redis=redis,
            upstream=upstream,
            statements=statements,
            changes=changes,
        ),
        load=Load(
            connections=facts.connections,
            duration_s=facts.duration_s,
            warmup_s=1.0,
            rate=facts.at_rate,
            script=facts.script,
        ),
    )
    changes = {} if facts.each is msgspec.UNSET else facts.each
    measured = tuple(
        msgspec.structs.replace(_round(facts, number, rate), **changes)
        for number, rate in enumerate(facts.rates)
    )
    planned = plan(servers=(profile,), rounds=len(facts.rates), shape=facts.shape)
    return Evidence(
        plan=planned,
        cell=cell,
        server=profile,
        measured=measured,
        failed=failed,
        histograms=partial(_histogram, facts),
        ceilings=facts.ceilings,
        system=facts.system,
    )


def _round(facts: Facts, number: int, rate: float) -> Outcome:
    answers = int(rate * facts.duration_s)
    window_s = facts.duration_s
    load = loaded(
        answers,
        window_s,
        received_bytes=answers * WIRE_BYTES,
        windows=int(10 * window_s),
        silent_windows=0,
    )
    if facts.loaded is not msgspec.UNSET:
        load = msgspec.structs.replace(load, **facts.loaded)
    return outcome(
        number=number,
        load_s=facts.duration_s,
        loaded=load,
        histogram=str(number),
        verified=Verified(before=8, after=1, wire_bytes=WIRE_BYTES),
        during=During(checked=10, broken=None),
        usage=usage(generator_s=0.05 * facts.duration_s),
        work=Work(
            answers=answers + 20,
            postgres=facts.needs[0] * (answers + 20),
            redis=facts.needs[1] * (answers + 20),
            upstream=facts.needs[2] * (answers + 20),
            database_connections=32,
        ),
        host=Host(
            window_s=window_s,
            processors=2,
            busy_cpu_s=window_s * 1.9,
            other_cpu_s=window_s * 0.02,
            steal_cpu_s=0.0,
            throttled_s=0.0,
        ),
        left=Left(connections=0, threads=4, memory_bytes=5_000_000),
    )


def _histogram(facts: Facts, number: str) -> Histogram:
    if facts.histogram is not None:
        return facts.histogram
    of_round, _, of_part = number.removeprefix("raw/").partition(".")
    rate = facts.rates[int(of_round)]
    answers = int(rate * facts.duration_s) // (2 if of_part else 1)
    # 3 % of the time each connection is between an answer and the next request.
    latency_us = facts.latency_us or int(facts.connections / rate * 0.97 * 1e6)
    return Histogram(values_us=(latency_us,), counts=(answers,))


def raised(evidence: Evidence) -> dict[str, str]:
    return {concern.concern: concern.severity for concern in weigh(CONCERNS, evidence).concerns}


HEALTHY = Facts()
MANY = Facts(connections=512, ceilings=(*CEILINGS, CEILING_OF_512))
SLOW = Facts(delay_s=1.0, duration_s=10.0, connections=500, rates=(380.0, 381.0, 379.0))
"""About 1.3 s for an answer of 1 s: its server is the limit."""


def counted(**changes: int) -> Facts:
    return replace(HEALTHY, loaded=changes)


def with_each(**changes: Any) -> Facts:
    return replace(HEALTHY, each=changes)


def usage(
    processes: int = 3,
    threads: int = 17,
    generator_s: float = 0.15,
    server_s: float = 4.0,
    each_s: tuple[float, ...] | None = None,
) -> dict[str, Usage]:
    """Return what all used; the workers share their work evenly, but for what `each_s` says."""
    if each_s is None:
        each_s = (0.5 * server_s, 0.48 * server_s, 0.02 * server_s)
    return {
        "server": builders.usage(server_s, processes, threads, each_cpu_s=each_s),
        "generator": builders.usage(generator_s, 1, 2),
        **{name: builders.usage(0.1, 1, 1) for name in ("postgres", "valkey", "upstream")},
    }


def host(
    other_s: float,
    steal_s: float | None = 0.0,
    throttled_s: float | None = 0.0,
    *,
    busy_s: float = 5.9,
) -> Host:
    return Host(
        window_s=3.0,
        processors=2,
        busy_cpu_s=busy_s,
        other_cpu_s=other_s,
        steal_cpu_s=steal_s,
        throttled_s=throttled_s,
    )


def made_by_two(
    late_us: int = 0,
    round_trip_us: int = 100,
    received_bytes: int = 0,
    link_mbit: int | None = 1_000,
    **changes: Any,
) -> Facts:
    """Return a cell whose load two agents made together, the second late by so much."""
    parts = tuple(
        part(
            name,
            connections=32,
            histogram=f"raw/0.{name}",
            loaded=loaded(
                3_000, 3.0, began_us=10**15 - 70_000 + late, received_bytes=received_bytes
            ),
            network=Way(round_trips_us=(round_trip_us, 10**6), link_mbit=link_mbit),
            **changes,
        )
        for name, late in (("north", 0), ("south", late_us))
    )
    return with_each(parts=parts, histogram=None)


def left(connections: int | None = 0, threads: int = 0, memory_bytes: int = 0) -> Facts:
    held = Left(connections=connections, threads=threads, memory_bytes=memory_bytes)
    return with_each(left=held)


def worked(**counts: int) -> Facts:
    work = Work(answers=10_000, **counts)
    return replace(HEALTHY, needs=(2, 1, 1), each={"work": work})


FULL = {"postgres": 20_000, "redis": 10_000, "upstream": 10_000}
GTHREAD = replace(SLOW, in_flight="workers * threads", rates=(7.9, 7.9, 7.9), latency_us=1_010_000)


def at(latency_us: int, early: int = 0) -> Facts:
    """Return a slow cell of which `early` answers took `latency_us`, the others 1.3 s."""
    histogram = Histogram(values_us=(latency_us, 1_300_000), counts=(early, 3_800 - early))
    return replace(SLOW, histogram=histogram)


def in_flight(share: float, generator_s: float = 0.15) -> Facts:
    return replace(
        HEALTHY,
        rates=(2_000.0,) * 3,
        latency_us=int(64 / 2_000 * share * 1e6),
        each={"usage": usage(generator_s=generator_s)},
    )


def stalling(silent: int, fast_us: int) -> Facts:
    """Return a cell of 30 tenths of a second: most answers take `fast_us`, the others 1 s."""
    answers = 6_000
    # As many slow ones as keep all connections busy for 97 % of the time.
    total_us = 64 * 3e6 * 0.97
    slow = int((total_us - answers * fast_us) / (1_000_000 - fast_us))
    histogram = Histogram(values_us=(fast_us, 1_000_000), counts=(answers - slow, slow))
    facts = replace(HEALTHY, rates=(2_000.0,) * 3, histogram=histogram)
    return replace(facts, loaded={"silent_windows": silent})


def unknown(known: Evidence) -> Evidence:
    """Return what a report of others tells: counts, and nothing around them."""
    bare = tuple(
        outcome(
            number=seen.round,
            loaded=seen.loaded and msgspec.structs.replace(seen.loaded, sent=None),
            load_s=seen.load_s,
        )
        for seen in known.measured
    )
    unknown = msgspec.structs.replace(
        known.cell.endpoint.contract, status=None, postgres=None, redis=None, upstream=None
    )
    cell = msgspec.structs.replace(
        known.cell, endpoint=msgspec.structs.replace(known.cell.endpoint, contract=unknown)
    )
    profile = msgspec.structs.replace(known.server, processes_seen=None)
    planned = msgspec.structs.replace(known.plan, shape=Shape(known=False))
    return Evidence(
        plan=planned,
        cell=cell,
        server=profile,
        measured=bare,
        failed=(),
        histograms=_never,
    )


def _never(name: str) -> Histogram:
    raise AssertionError(f"there is no histogram to read: {name}")


def delayed(
    share: float = 1.0,
    late_us: int = 43_990,
    workers: int = 2,
    throttled_s: float = 0.0,
    **used: Any,
) -> Facts:
    """Return a cell on two idle processors, of whose answers a `share` is late; see `usage`."""
    fast_us = late_us - 5_000
    rate = 64 * 0.97 / (share * late_us + (1 - share) * fast_us) * 1e6
    answers = int(3 * rate)
    late = round(share * answers)
    histogram = Histogram(values_us=(fast_us, late_us), counts=(answers - late, late))
    seen = host(0.0, throttled_s=throttled_s, busy_s=1.5)
    each = {
        "host": seen,
        "usage": usage(processes=workers + 1, **{"server_s": 1.2, "each_s": ()} | used),
    }
    shape = Shape(workers=workers)
    return replace(HEALTHY, shape=shape, rates=(rate,) * 3, histogram=histogram, each=each)


def queueing(rate: float, connections: int, silent: int) -> Facts:
    """Return a cell whose connections are served in turn, 3 s being less than a turn."""
    answers = int(3 * rate)
    histogram = Histogram(
        values_us=tuple(int((at + 1) / rate * 1e6) for at in range(answers)),
        counts=(1,) * answers,
    )
    facts = Facts(connections=connections, rates=(rate,) * 3, histogram=histogram)
    return replace(facts, loaded={"silent_windows": silent})


def starving(fast_us: int, in_flight: float) -> Facts:
    """Return a cell in which all but a few answers take `fast_us`, the others half a second."""
    answers = 6_000
    slow = int((64 * 3e6 * in_flight - answers * fast_us) / (500_000 - fast_us))
    histogram = Histogram(values_us=(fast_us, 500_000), counts=(answers - slow, slow))
    return replace(HEALTHY, rates=(2_000.0,) * 3, histogram=histogram)


def sent(
    late: int = 0,
    missed: int = 0,
    requests: int = 400,
    by_us: int = LATE_US + 1_000,
    unsent: int = 0,
) -> Sent:
    """Return how 400 requests were sent in 2 s, so many of them late; others never were."""
    return Sent(
        window_us=2_000_000,
        requests=requests,
        missed=missed,
        late=Histogram(values_us=(0, by_us), counts=(requests - late, late + unsent)),
    )


def rated(of: Sent) -> Facts:
    """Return a cell at 200 requests/s."""
    return Facts(
        at_rate=200.0,
        connections=100,
        duration_s=2.2,
        rates=(200.0, 200.0, 200.0),
        latency_us=5_000,
        loaded={"sent": of, "answers": of.requests, "received_bytes": of.requests * 200},
        histogram=Histogram(values_us=(5_000,), counts=(of.requests,)),
    )
