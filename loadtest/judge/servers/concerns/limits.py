"""Concerns about what is possible: faster than it can be, or held up by something else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from loadtest.judge.concern import CLOCK_S, NOTHING, UNCHECKED, Check, percent
from loadtest.judge.servers.concerns.evidence import TOO_EARLY, Evidence, concern
from loadtest.records.measured import Ceiling
from loadtest.records.text import plural, significant
from loadtest.stats.latency import mean

TOO_FAST = 0.01
"""Above what the delay allows: of a rate, and of a latency below the delay."""

AT_CEILING = 0.05
"""Below connections / delay: too near to it to tell servers apart."""

GENERATOR_BUSY = 0.90
"""Of its processor: the rest goes into waiting for events that come one by one."""

NULL_SERVER_SHARE = 0.80
"""Above it a null server is hardly faster: the generator sets the rate."""


def _faster_than_possible(cell: Evidence) -> Check:
    delay_s = cell.cell.endpoint.contract.delay_s
    if not delay_s:
        return NOTHING
    outcomes = (*cell.failed, *cell.measured)
    reasons = [outcome.reason for outcome in outcomes]
    reasons += [outcome.during.broken for outcome in outcomes if outcome.during]
    if early := next((text for text in reasons if text and TOO_EARLY in text), None):
        return Check("invalid", early)
    if not cell.loads:
        return UNCHECKED
    return _too_many(cell, delay_s) or _too_early(cell, delay_s) or NOTHING


def _too_many(cell: Evidence, delay_s: float) -> Check | None:
    most = cell.capacity * cell.waves(delay_s)
    if cell.right_answers > most * (1 + TOO_FAST):
        return Check(
            "invalid",
            f"{cell.right_answers:,} responses, where {cell.capacity:,} at a time and {delay_s:g} s"
            f" each allow {most:,} in {cell.load_s:.3g} s",
        )
    return None


def _too_early(cell: Evidence, delay_s: float) -> Check | None:
    if cell.latencies is None:
        return None
    least_us = (delay_s * (1 - TOO_FAST) - CLOCK_S) * 1e6
    early = [
        (us, times)
        for us, times in zip(cell.latencies.values_us, cell.latencies.counts, strict=True)
        if us < least_us
    ]
    # Errors come early and have a latency like any answer; they are a concern of their own.
    times = sum(each for _, each in early)
    if times <= cell.answers - cell.right_answers:
        return None
    first_s = early[0][0] / 1e6
    return Check(
        "invalid",
        f"{times:,} responses came before the declared {delay_s:g} s, one after {first_s:.3g} s",
    )


def _connection_limited(cell: Evidence) -> Check:
    delay_s, connections = cell.cell.endpoint.contract.delay_s, cell.cell.load.connections
    if not delay_s or cell.cell.load.rate is not None:
        return NOTHING
    if not cell.loads:
        return UNCHECKED
    waves = cell.waves(delay_s)
    if cell.capacity < connections or not waves:
        return NOTHING  # Its workers or threads are the limit, which is what was to be measured.
    share = cell.right_answers / (connections * waves)
    goodput = significant(cell.right_answers / cell.load_s)
    if share > 1 + TOO_FAST:
        return NOTHING  # No ceiling holds it: the answers are of something else.
    if share >= 1 - AT_CEILING:
        return Check(
            "suspect",
            f"goodput {goodput}/s is {percent(share)} of {plural(connections, 'connection')} /"
            f" {delay_s:g} s in loads of {cell.load_s / len(cell.loads):.3g} s",
        )
    # A load that ends just before its last wave is back shows one wave less than it had room for.
    took_us = mean(cell.latencies) if cell.latencies else None
    whole = connections * (waves - len(cell.loads)) * (1 - AT_CEILING)
    if (
        took_us
        and whole
        and cell.right_answers >= whole
        and delay_s * 1e6 >= took_us * (1 - AT_CEILING)
    ):
        return Check(
            "suspect",
            f"a response takes {took_us / 1e6:.3g} s on average, {delay_s:g} s of it declared:"
            f" goodput {goodput}/s is"
            f" {significant(cell.right_answers / connections / len(cell.loads))} waves of"
            f" {plural(connections, 'connection')} in a load of"
            f" {cell.load_s / len(cell.loads):.3g} s",
        )
    return NOTHING


def _generator_limited(cell: Evidence) -> Check:
    busy = cell.generator_busy
    if busy is not None and busy >= GENERATOR_BUSY:
        return Check("suspect", f"the generator used {percent(busy)} of its processor")
    if cell.cell.load.rate is not None:
        return NOTHING  # It sends what it was told to: whether in time is another concern.
    most = _null_server(cell)
    if most and cell.figures and cell.figures.goodput > NULL_SERVER_SHARE * most.goodput:
        return Check(
            "suspect",
            f"goodput {significant(cell.figures.goodput)}/s is"
            f" {percent(cell.figures.goodput / most.goodput)} of the {significant(most.goodput)}/s"
            f" that a server which does nothing shows on {most.connections:,} connections, where a"
            f" response takes {significant(most.generator_cpu_us)} us of the generator's CPU time",
        )
    # An endpoint that waits needs no ceiling: its delay keeps the rate below, or else it is busy.
    waits = cell.cell.endpoint.contract.delay_s > 0
    known = most is not None or (busy is not None and waits)
    # A generator whose processor others used is at its limit without being busy.
    return NOTHING if known and not cell.disturbed else UNCHECKED


def _null_server(cell: Evidence) -> Ceiling | None:
    """Return the generator's ceiling for answers of this size; None where it was not measured.

    With as many connections as the load has: with more, an answer takes the generator longer.
    """
    body_bytes, connections = cell.cell.endpoint.contract.body_bytes, cell.cell.load.connections
    ceilings = [each for each in cell.ceilings if each.connections == connections]
    if not ceilings or not cell.answers:
        return None
    # Compressed, a body is smaller than declared, and never larger than the whole answer.
    received = sum(loaded.received_bytes for loaded in cell.loads) / cell.answers
    return _interpolated(ceilings, min(received, body_bytes or received))


def _interpolated(ceilings: Sequence[Ceiling], size: float) -> Ceiling:
    """Return the ceiling for a size: the time for an answer grows in step with its bytes."""
    known = sorted(ceilings, key=lambda ceiling: ceiling.body_bytes)
    sizes = [ceiling.body_bytes for ceiling in known]
    return Ceiling(
        body_bytes=round(size),
        connections=known[0].connections,
        goodput=1 / float(np.interp(size, sizes, [1 / ceiling.goodput for ceiling in known])),
        generator_cpu_us=float(
            np.interp(size, sizes, [ceiling.generator_cpu_us for ceiling in known])
        ),
    )


FASTER_THAN_POSSIBLE = concern("faster-than-possible", _faster_than_possible, invalidates=True)
CONNECTION_LIMITED = concern("connection-limited", _connection_limited)
GENERATOR_LIMITED = concern("generator-limited", _generator_limited)
