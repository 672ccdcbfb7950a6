"""The figures of one cell: rate, latencies, errors and cost over its measured rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median, median_low
from typing import Literal, NamedTuple

from loadtest.judge.concern import CLOCK_S
from loadtest.records.errors import UserError
from loadtest.records.measured import Histogram, Loaded, Outcome, Sent, Usage
from loadtest.records.planned import Cell, Plan, Record, Server
from loadtest.stats.latency import ON_TIME, SAMPLES_NEEDED, count, mean, merge, percentile, pooled
from loadtest.stats.latency import backfilled as was_backfilled

Histograms = Callable[[str], Histogram]
"""Reads an `Outcome.histogram`, a path inside the run's folder."""


LATE_US = 10_000
"""wrk sleeps for whole milliseconds, and on a busy machine it is woken some more of them later."""

FINE = 100
"""Milliseconds by which requests were late that are told apart, and groups of those beyond: with
each of them latencies are added up, and a folder of others may hold hundreds of thousands."""

HELD = 0.01
"""Of the requests: more that were sent late, or never answered, and a p99 may be of them."""

SPARE = 2
"""Requests of a load that may be under way at its end by chance."""

PAUSE_S = 0.02
"""Of a server that was not scheduled just before the end: what came in it is under way as well."""


class Latencies(NamedTuple):
    """Of a cell, all its rounds together."""

    raw: Histogram
    """As measured."""
    backfilled: Histogram
    """With those that wrk added for coordinated omission."""
    late: Histogram
    """How late requests at a rate were sent: their latencies count from the schedule."""
    rounds: int
    """That stored some."""


class Figures(Record, frozen=True, kw_only=True):
    """What a measured cell showed over its measured rounds."""

    goodput: float
    """Median over rounds, ok responses a second (2xx)."""
    ceiling: float | None
    """The most it could be: requests the server works on at once / the endpoint's delay."""
    held: float | None
    """Requests that it worked on at once, at an endpoint that waits: right responses for each time
    that the loads had room for its delay. None elsewhere, and where none had."""
    p50_us: int | None
    """Of the latencies as measured, rounds merged; None with too few samples, and where fewer
    responses came than there were connections: most requests were never answered.

    At a rate they count from the schedule: how late each was sent is added, as if that had nothing
    to do with how long it took.
    In a report of others, where wrk's text has them and nothing was back-filled: the median round.
    """
    p90_us: int | None
    p99_us: int | None
    p99_9_us: int | None
    backfilled_p99_us: int | None
    """With wrk's correction for coordinated omission; never to be compared with `p99_us`."""
    network_us: int | None = None
    """Of each latency, a round trip from an agent to the server and back: the median of those that
    were measured before the loads. None where no agent made them."""
    network_most_us: int | None = None
    """The longest of them."""
    offered: float | None
    """Requests a second that were sent, of a load at a rate; the median round's."""
    late_share: float | None
    """Of the slots of its schedule, the share that was not sent within `LATE_US`: with more than
    `HELD` the rate was not held, and there are no latencies. Nor are there where more got no
    response."""
    generator_cpu_us: float | None
    """User and system time of the generator for an answer; median over rounds. At a rate it is more
    than in a closed loop, as each idle connection takes some."""
    cores: float | None
    """Processors that the server keeps busy at that goodput."""
    samples: int
    """Latencies as measured."""
    answers: int
    errors: int
    """Whatever the kind."""
    error_share: float
    """Of all requests that were answered or broke off; or, if it is more, that of the connections
    which could not be opened."""
    server_cpu_us: float | None
    """User and system time of the server's processes for an answer; median over rounds."""
    with_databases_cpu_us: float | None
    """Likewise, with PostgreSQL's and Valkey's; the upstream and the generator are no part of it.

    None where the endpoint needs one of the two and nobody measured it.
    """
    answers_per_cpu_second: float | None
    """1,000,000 / `server_cpu_us`."""
    memory_peak_bytes: int | None
    """Of the server's processes together; the most of all rounds."""
    memory_kind: Literal["pss", "rss"] | None
    """`pss`: a page shared by processes counts once; `rss`: in each of them."""
    memory_per_worker_bytes: float | None
    """`memory_peak_bytes` / the workers it was given: a master and helpers are shared out too."""
    processes_peak: int | None
    """Of the server, the most seen at once."""
    threads_peak: int | None
    """Likewise."""
    sockets_peak: int | None
    """Likewise: to clients and services, and those that listen."""
    database_connections: int | None
    """Sessions open in PostgreSQL after the load, the most of all rounds; None where not asked."""


def figures(
    plan: Plan, cell: Cell, server: Server, measured: Sequence[Outcome], latencies: Latencies
) -> Figures:
    """Return what the `measured` rounds of `cell` showed; at least one, each with answers."""
    loads = [outcome.loaded for outcome in measured if outcome.loaded]
    turns = [turn.loaded for outcome in measured for turn in outcome.loads if turn.loaded]
    connections = cell.load.connections
    sent = [loaded.sent for loaded in loads if loaded.sent]
    late_share = late(sent) if sent else unsent(turns, cell.load.rate)
    # At a rate, connections are idle between their slots.
    withheld = late_share is None and most_unanswered(turns, connections)
    withheld |= late_share is not None and late_share > HELD
    contract = cell.endpoint.contract
    withheld |= behind(turns, latencies.raw, contract.longest_s).share > HELD

    def latency(p: Literal[50, 90, 99], *, backfilled: bool = False) -> int | None:
        # The few that were first in the queue tell nothing of those that are still in it.
        if withheld:
            return None
        # Samples that were added are no evidence: the measured ones must be enough.
        if count(latencies.raw) >= SAMPLES_NEEDED[p]:
            if backfilled:
                return percentile(latencies.backfilled, p)
            return percentile(latencies.raw, p, latencies.late)
        return _from_text(loads, cell, p, backfilled=backfilled)

    answers = sum(loaded.answers for loaded in loads)
    errors = sum(loaded.errors for loaded in loads)
    usages = [outcome.usage["server"] for outcome in measured if "server" in outcome.usage]
    pss = [usage.pss_peak_bytes for usage in usages if usage.pss_peak_bytes is not None]
    # One kind for all rounds, or their peak would be of apples and pears.
    peaks = pss if len(pss) == len(usages) else [usage.rss_peak_bytes for usage in usages]
    peak = max(peaks, default=None)
    cpu_us = _cpu_us(measured, "server")
    # What started it takes as long as some hundred requests.
    own_us = [load.cpu_us / load.answers for load in loads if load.cpu_us and load.answers]
    goodput = median(loaded.goodput for loaded in loads)
    workers = server.sized(plan.shape).workers if plan.shape.known else None
    sockets = [usage.connections for usage in usages if usage.connections is not None]
    parts = [part for outcome in measured for turn in outcome.loads for part in turn.parts]
    trips_us = [trip_us for part in parts for trip_us in part.network.round_trips_us]
    sessions = [
        outcome.work.database_connections
        for outcome in measured
        if outcome.work and outcome.work.database_connections is not None
    ]
    return Figures(
        goodput=goodput,
        ceiling=(
            server.capacity(plan.shape, connections, contract) / contract.delay_s
            if contract.delay_s
            else None
        ),
        held=_held(turns, cell, latency(50)) if contract.delay_s and late_share is None else None,
        p50_us=latency(50),
        p90_us=latency(90),
        p99_us=latency(99),
        p99_9_us=_rare(latencies) if not withheld else None,
        backfilled_p99_us=latency(99, backfilled=True),
        network_us=median_low(trips_us) if trips_us else None,
        network_most_us=max(trips_us, default=None),
        offered=median(each.rate for each in sent) if sent else None,
        late_share=late_share,
        generator_cpu_us=median(own_us) if own_us else _cpu_us(measured, "generator"),
        cores=cpu_us * goodput / 1e6 if cpu_us else None,
        samples=count(latencies.raw) + sum(_text_samples(loaded) for loaded in loads),
        answers=answers,
        errors=errors,
        error_share=wrong(turns, connections).share,
        server_cpu_us=cpu_us,
        with_databases_cpu_us=_with_databases_cpu_us(cell, measured),
        answers_per_cpu_second=1e6 / cpu_us if cpu_us else None,
        memory_peak_bytes=peak,
        memory_kind=None if not peaks else "pss" if peaks is pss else "rss",
        memory_per_worker_bytes=None if peak is None or workers is None else peak / workers,
        processes_peak=max((usage.processes for usage in usages), default=None),
        threads_peak=max((usage.threads for usage in usages), default=None),
        sockets_peak=max(sockets, default=None),
        database_connections=max(sessions, default=None),
    )


def latencies(cell: Cell, measured: Sequence[Outcome], histograms: Histograms) -> Latencies:
    """Return the latencies of all rounds that stored some; raises UserError for those of others."""
    loads = [
        (load, _stored(load, cell.load.connections))
        for outcome in measured
        for load in outcome.loads
    ]
    # Of a load that several agents made, either all of it or nothing.
    loads = [(load, stored) for load, stored in loads if stored and all(each[0] for each in stored)]
    by_connections: dict[int, list[tuple[Histogram, Loaded]]] = {cell.load.connections: []}
    for _, stored in loads:
        for name, loaded, connections in stored:
            by_connections.setdefault(connections, []).append((histograms(str(name)), loaded))
    late = merge(load.loaded.sent.late for load, _ in loads if load.loaded and load.loaded.sent)
    try:
        # wrk adds samples as befits the connections that it has itself.
        pools = [pooled(stored, connections) for connections, stored in by_connections.items()]
        raw, backfilled = pools[0]
        if len(pools) > 1:
            raw, backfilled = map(merge, zip(*pools, strict=True))
        return Latencies(
            raw, backfilled, late=late.coarse(FINE) if count(late) else ON_TIME, rounds=len(loads)
        )
    except ValueError as error:
        raise UserError(
            f"raw/{cell.id}.*.json: {error}; remove them and the cell is shown without latencies"
        ) from None


def _stored(load: Outcome, connections: int) -> list[tuple[str | None, Loaded, int]]:
    """Return each histogram of a load, with what was counted of it and how many connections it had.

    Several, where agents made it together.
    """
    if load.parts:
        return [(part.histogram, part.loaded, part.connections) for part in load.parts]
    return [(load.histogram, load.loaded, connections)] if load.loaded else []


def late(sent: Sequence[Sent], after_us: int = LATE_US) -> float:
    """Return the share of the slots at a rate that were not sent so soon after their time."""
    after = sum(
        times
        for each in sent
        for us, times in zip(each.late.values_us, each.late.counts, strict=True)
        if us > after_us
    )
    return after / max(1, _slots(sent))


def _slots(sent: Sequence[Sent]) -> int:
    return sum(count(each.late) for each in sent)


def p99_of_round(cell: Cell, outcome: Outcome, histograms: Histograms) -> int | None:
    """Return the p99 of one round at a rate, however few its requests; None where it was not held.

    It hangs on a handful of responses: it is there to be compared with those of other rounds, which
    show how far such a figure goes by chance, and not to be shown.
    """
    sent = [load.loaded.sent for load in outcome.loads if load.loaded and load.loaded.sent]
    if not sent or late(sent) > HELD:
        return None
    of = latencies(cell, [outcome], histograms)
    return percentile(of.raw, 99, of.late)


def unsent(loads: Sequence[Loaded], rate: float | None) -> float | None:
    """Return the share of the requests at a rate that were not answered in the time of the loads.

    It stands for that of late ones where nobody counted what was sent, as in a report of others;
    None of a closed loop.
    """
    if rate is None:
        return None
    due = rate * sum(loaded.duration_us for loaded in loads) / 1e6
    return max(0.0, 1 - sum(loaded.answers for loaded in loads) / due)


def short_of(sent: Sequence[Sent]) -> Literal["connections", "generator"] | None:
    """Return what a rate that was not held was short of; None where it was held.

    Of free connections, where half of the late slots found none; else the generator was late.
    """
    share = late(sent)
    if share <= HELD:
        return None
    missed = sum(each.missed for each in sent)
    return "connections" if 2 * missed >= share * _slots(sent) else "generator"


class Unanswered(NamedTuple):
    """Requests of loads at a rate that got no response."""

    requests: int
    """Beyond what is under way at the end of each load."""
    share: float
    """Of all that were sent."""


def unanswered(loads: Sequence[Loaded], raw: Histogram, least_s: float) -> Unanswered:
    """Return the requests at a rate that got no response, as those on a connection left unserved.

    Under way at the end is what came in the time that responses take: `least_s`, or twice their
    mean latency, as a queue that grows ends twice as long as it was on average.
    """
    return _beyond(loads, max(least_s, 2e-6 * (mean(raw) or 0.0)))


def behind(loads: Sequence[Loaded], raw: Histogram, least_s: float) -> Unanswered:
    """Return the requests at a rate by which more are under way at the end than on average.

    A server that keeps up has the rate times its mean latency under way (Little's law); where they
    came faster than it answers, the queue has grown to twice that. `least_s` as of `unanswered`.
    """
    return _beyond(loads, max(least_s, 1e-6 * (mean(raw) or 0.0)))


def _beyond(loads: Sequence[Loaded], takes_s: float) -> Unanswered:
    rated = [(load, load.sent) for load in loads if load.sent]
    requests = sum(sent.requests for _, sent in rated)
    came = sum(
        load.answers + load.connect_errors + load.read_errors + load.write_errors
        for load, _ in rated
    )
    under_way = sum(sent.rate * (takes_s + PAUSE_S) + SPARE for _, sent in rated)
    lost = max(0, round(requests - came - under_way))
    return Unanswered(lost, lost / max(1, requests))


def _rare(of: Latencies) -> int | None:
    enough = count(of.raw) >= SAMPLES_NEEDED[99.9]
    return percentile(of.raw, 99.9, of.late) if enough else None


def _cpu_us(measured: Sequence[Outcome], group: str) -> float | None:
    """Return the CPU microseconds of a group for an answer: the median of the rounds that tell."""
    # No time at all is a clock too coarse for it, here as where rounds are compared.
    known_us = [us for outcome in measured if (us := outcome.cpu_us(group))]
    return median(known_us) if known_us else None


class Wrong(NamedTuple):
    """How much went wrong, and of what."""

    share: float
    of: int
    what: Literal["requests", "connections"]


def wrong(loads: Sequence[Loaded], connections: int) -> Wrong:
    """Return the larger share of what went wrong: of the requests, or of the connections opened.

    One that could not be opened is one of the load's connections, or of those that broke off and
    were opened again; not one of the many requests that the others made.
    """
    broke_off = sum(loaded.read_errors + loaded.write_errors for loaded in loads)
    requests = sum(loaded.answers for loaded in loads) + broke_off
    unopened = sum(loaded.connect_errors for loaded in loads)
    opened = connections * len(loads) + broke_off
    if unopened > opened:
        # A server that closes each connection has one opened for each request.
        opened = requests + unopened
    errors = sum(loaded.errors for loaded in loads) - unopened
    # One that is late and not 2xx is an error of two kinds.
    share = min(1.0, errors / requests) if requests else 0.0
    if unopened > share * opened:
        return Wrong(unopened / opened, opened, "connections")
    return Wrong(share, requests, "requests")


def most_unanswered(loads: Sequence[Loaded], connections: int) -> bool:
    """Say whether so few responses came that they tell nothing of how long most requests take."""
    return sum(loaded.answers for loaded in loads) < connections * len(loads)


def waves(loads: Sequence[Loaded], delay_s: float) -> int:
    """Return how often one connection can be answered in all of `loads`, if it takes so long.

    A load of 22 s has room for two answers of 10 s, not for 2.2: what is under way at its end is
    not counted.
    """
    return sum(int((loaded.duration_us / 1e6 + CLOCK_S) / delay_s) for loaded in loads)


def _held(loads: Sequence[Loaded], cell: Cell, p50_us: int | None) -> float | None:
    """Return how many requests waited at once: the right answers of one whole wave.

    A wave takes the delay and what the server adds to it, and has to be back before the load ends:
    one of four seconds has room for three waves of a second, not for four. Where requests stand in
    a queue, some of an earlier wave are answered as well, and it has room for four.
    """
    contract, connections = cell.endpoint.contract, cell.load.connections
    typical_s = (p50_us or 0) / 1e6
    lasted_s = [loaded.duration_us / 1e6 for loaded in loads]
    if contract.delay_s <= typical_s <= contract.longest_s:
        times = sum(
            int((min(each_s, cell.load.duration_s) - CLOCK_S) / typical_s) for each_s in lasted_s
        )
    else:
        times = sum(int(each_s / contract.delay_s) for each_s in lasted_s)
    right = sum(loaded.answers - loaded.status_errors for loaded in loads)
    return min(right / times, connections) if times > 0 else None


def _with_databases_cpu_us(cell: Cell, measured: Sequence[Outcome]) -> float | None:
    each = [
        (_with_databases_cpu_s(cell, outcome.usage), outcome.loaded.answers)
        for outcome in measured
        if outcome.loaded
    ]
    known = [used_s * 1e6 / answers for used_s, answers in each if used_s is not None]
    return median(known) if known else None


def _with_databases_cpu_s(cell: Cell, usage: Mapping[str, Usage]) -> float | None:
    contract = cell.endpoint.contract
    needed = {"server": 1, "postgres": contract.postgres, "valkey": contract.redis}
    if any(group not in usage and count != 0 for group, count in needed.items()):
        return None
    return sum(usage[group].cpu_s for group in needed if group in usage)


def _from_text(
    loads: Sequence[Loaded], cell: Cell, p: Literal[50, 90, 99], *, backfilled: bool
) -> int | None:
    """Return a percentile as wrk's text has it, the median round's.

    None where a round has none, lacks its slowest answers (they timed out), has too few samples,
    or may be back-filled and what was measured is wanted.
    """
    latencies_us: list[int] = []
    for loaded in loads:
        text = loaded.text_latency
        if text is None or loaded.timeouts or str(p) not in text.percentiles_us:
            return None
        if _text_samples(loaded) < SAMPLES_NEEDED[p]:
            return None
        highest = text.max_us
        if (
            not backfilled
            and loaded.generator == "wrk"  # others add no samples
            and (highest is None or was_backfilled(loaded, cell.load.connections, highest))
        ):
            return None
        latencies_us.append(text.percentiles_us[str(p)])
    return median_low(latencies_us) if latencies_us else None


def _text_samples(loaded: Loaded) -> int:
    return max(0, loaded.answers - loaded.timeouts) if loaded.text_latency else 0
