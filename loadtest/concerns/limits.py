"""Concerns about what is possible: faster than it can be, or held up by something else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from loadtest.concerns.evidence import (
    CLOCK_S,
    NOTHING,
    TOO_EARLY,
    UNCHECKED,
    Concern,
    Evidence,
    Found,
    percent,
    rate,
)
from loadtest.figures import SAMPLES_NEEDED
from loadtest.histogram import count, mean
from loadtest.model import Ceiling

TOO_FAST = 0.01
"""Above what the delay allows: of a rate, and of a latency below the delay."""

IN_FLIGHT_OFF = 0.10
"""From 1, for the share of the time that requests were in flight."""

AT_CEILING = 0.05
"""Below connections / delay: too near to it to tell servers apart."""

GENERATOR_BUSY = 0.90
"""Of its processor: the rest goes into waiting for events that come one by one."""
GENERATOR_PROCESSORS = 1
"""wrk runs with one thread."""
NULL_SERVER_SHARE = 0.80
"""Above it a null server is hardly faster: the generator sets the rate."""


def _faster_than_possible(cell: Evidence) -> Found:
    delay_s = cell.cell.endpoint.contract.delay_s
    if not delay_s:
        return NOTHING
    outcomes = (*cell.failed, *cell.measured)
    said = [outcome.reason for outcome in outcomes]
    said += [outcome.during.broken for outcome in outcomes if outcome.during]
    if early := next((text for text in said if text and TOO_EARLY in text), None):
        return Found("invalid", early)
    if not cell.loads:
        return UNCHECKED
    return _too_many(cell, delay_s) or _too_early(cell, delay_s) or NOTHING


def _too_many(cell: Evidence, delay_s: float) -> Found | None:
    most = cell.capacity * cell.waves(delay_s)
    if cell.right_answers > most * (1 + TOO_FAST):
        return Found(
            "invalid",
            f"{cell.right_answers:,} answers, where {cell.capacity:,} at a time and {delay_s:g} s"
            f" each allow {most:,} in {cell.load_s:.3g} s",
        )
    return None


def _too_early(cell: Evidence, delay_s: float) -> Found | None:
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
    return Found(
        "invalid",
        f"{times:,} answers came before the declared {delay_s:g} s, one after {first_s:.3g} s",
    )


def _littles_law(cell: Evidence) -> Found:
    """Compare the requests in flight with the connections, which a closed loop keeps busy.

    A connection's time is made of its completed requests, of the one in flight at the end, and of
    what passes in the generator between an answer and the next request. The sum of all latencies
    over connections x time is therefore 1 less two things:
    - what is in flight at the end and not in the histogram. The request that covers a given moment
      has a mean length of E[L^2] / E[L], longer than the mean since a long one covers more moments
      (Cox, Renewal Theory, 1962, 5.4); it is at most that old. Where this is more than a tenth of
      the load there are too few waves, or connections that wait for all of it, to say anything.
    - the generator's own time, at most as long as it ran.
    """
    histogram = cell.latencies
    connections = cell.cell.load.connections
    load_us = sum(o.loaded.duration_us for o in cell.measured if o.loaded and o.histogram)
    if histogram is None or not load_us or count(histogram) < SAMPLES_NEEDED[50]:
        return UNCHECKED
    values = np.asarray(histogram.values_us, dtype=np.float64)
    counts = np.asarray(histogram.counts, dtype=np.float64)
    total_us = float(values @ counts)
    in_flight = total_us / (load_us * connections)
    facts = (
        f"goodput x mean latency gives {rate(in_flight * connections)} requests in flight, on"
        f" {connections:,} connections"
    )
    if in_flight > 1 + IN_FLIGHT_OFF:
        return Found("suspect", facts)
    rounds = sum(o.histogram is not None for o in cell.measured)
    unfinished = float((values * values) @ counts) / total_us / (load_us / rounds)
    generator = _generator_busy(cell)
    if in_flight >= 1 - IN_FLIGHT_OFF:
        return NOTHING
    if generator is None or unfinished > IN_FLIGHT_OFF:
        return UNCHECKED
    return (
        NOTHING
        if in_flight + unfinished + generator >= 1 - IN_FLIGHT_OFF
        else Found("suspect", facts)
    )


def _connection_limited(cell: Evidence) -> Found:
    delay_s, connections = cell.cell.endpoint.contract.delay_s, cell.cell.load.connections
    if not delay_s:
        return NOTHING
    if not cell.loads:
        return UNCHECKED
    waves = cell.waves(delay_s)
    if cell.capacity < connections or not waves:
        return NOTHING  # Its workers or threads are the limit, which is what was to be measured.
    share = cell.right_answers / (connections * waves)
    goodput = rate(cell.right_answers / cell.load_s)
    if share > 1 + TOO_FAST:
        return NOTHING  # No ceiling holds it: the answers are of something else.
    if share >= 1 - AT_CEILING:
        return Found(
            "suspect",
            f"goodput {goodput}/s is {percent(share)} of {connections:,} connections / {delay_s:g}"
            f" s in loads of {cell.load_s / len(cell.loads):.3g} s",
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
        return Found(
            "suspect",
            f"an answer takes {took_us / 1e6:.3g} s on average, {delay_s:g} s of it declared:"
            f" goodput {goodput}/s follows from {connections:,} connections",
        )
    return NOTHING


def _generator_limited(cell: Evidence) -> Found:
    busy = _generator_busy(cell)
    if busy is not None and busy >= GENERATOR_BUSY:
        return Found("suspect", f"the generator used {percent(busy)} of its processor")
    most = _null_server(cell)
    if most is not None and cell.figures and cell.figures.goodput > NULL_SERVER_SHARE * most:
        return Found(
            "suspect",
            f"goodput {rate(cell.figures.goodput)}/s is {percent(cell.figures.goodput / most)} of"
            f" the {rate(most)}/s that a server which does nothing shows",
        )
    return UNCHECKED if busy is None and most is None else NOTHING


def _generator_busy(cell: Evidence) -> float | None:
    """Return the share of its processor that the generator used; None where nobody measured."""
    used = [
        (usage.cpu_s, outcome.load_s)
        for outcome in cell.measured
        if (usage := outcome.usage.get("generator")) and usage.cpu_s > 0 and outcome.load_s > 0
    ]
    if not used:
        return None
    return sum(cpu_s for cpu_s, _ in used) / sum(s for _, s in used) / GENERATOR_PROCESSORS


def _null_server(cell: Evidence) -> float | None:
    """Return the generator's ceiling for answers of this size; None where it was not measured."""
    body_bytes = cell.cell.endpoint.contract.body_bytes
    if not cell.ceilings or not cell.answers:
        return None
    # Compressed, a body is smaller than declared, and never larger than the whole answer.
    received = sum(loaded.received_bytes for loaded in cell.loads) / cell.answers
    return _interpolated(cell.ceilings, min(received, body_bytes or received))


def _interpolated(ceilings: Sequence[Ceiling], size: float) -> float:
    """Return the ceiling for a size: the time for an answer grows in step with its bytes."""
    points = sorted((ceiling.body_bytes, 1 / ceiling.goodput) for ceiling in ceilings)
    sizes, times_s = zip(*points, strict=True)
    return 1 / float(np.interp(size, sizes, times_s))


FASTER_THAN_POSSIBLE = Concern(
    name="faster-than-possible",
    means="Answers came sooner than the endpoint's declared delay allows: another view answered,"
    " or it did not wait.",
    advice="Time one answer: `loadtest serve SERVER`, then `curl -w '%{time_total}'` the path;"
    " check which view its URL is routed to.",
    find=_faster_than_possible,
)
LITTLES_LAW = Concern(
    name="littles-law",
    means="Rate and latencies do not fit each other: connections were idle, unanswered, or kept"
    " waiting by the generator.",
    advice="Compare with a `--connections` of half as many; give the generator processors of its"
    " own (another machine, or fewer `--workers`).",
    find=_littles_law,
)
CONNECTION_LIMITED = Concern(
    name="connection-limited",
    means="The row shows how many connections the load had, not what the server can do.",
    advice="More `--connections`, until the rate no longer follows; compare CPU and memory here,"
    " not rates.",
    find=_connection_limited,
)
GENERATOR_LIMITED = Concern(
    name="generator-limited",
    means="The load generator was at its own limit: the server may be faster than this.",
    advice="Take it as a lower bound; run on a machine with more processors, or give the server"
    " fewer `--workers`.",
    find=_generator_limited,
)
