"""The concern that answers waited for a timer of TCP: most came 40 ms late, with time to spare."""

from __future__ import annotations

from loadtest.judge.concern import NOTHING, UNCHECKED, Check, percent
from loadtest.judge.servers.concerns.evidence import Evidence, concern
from loadtest.records.measured import Host, Outcome
from loadtest.stats.latency import SAMPLES_NEEDED, count

LATE_US = (40_000, 60_000)
"""Linux acknowledges after 40 ms what it has nothing to send along with (`TCP_DELACK_MIN` in its
include/net/tcp.h), on the next tick; 44 ms were seen, to which the answer's own time is added."""

LATE = 0.75
"""Of the answers, from here on: of those of a server with this fault 0.90 to 0.98."""

BUSY = 0.75
"""Of the time: where nothing worked for as much, nothing that ran explains the wait. With the fault
uWSGI was at 0.41 to 0.73; in 1,500 measurements all with a queue as long were at 0.79 or more."""


def _delayed_ack(cell: Evidence) -> Check:
    answers = count(cell.latencies) if cell.latencies else 0
    if not cell.latencies or answers < SAMPLES_NEEDED[50]:
        return UNCHECKED
    if cell.cell.endpoint.contract.delay_s:
        return NOTHING
    # Other systems have other timers.
    if "Linux" not in (cell.system or ""):
        return UNCHECKED
    least, most = LATE_US
    late = sum(
        times
        for us, times in zip(cell.latencies.values_us, cell.latencies.counts, strict=True)
        if least <= us < most
    )
    # Others make responses late by any time, and keep the processors busy.
    none = UNCHECKED if cell.disturbed else NOTHING
    if late < LATE * answers:
        return none
    known = [(o, o.host) for o in cell.measured if o.host and o.load_s and "server" in o.usage]
    if not known or not cell.services_sampled:
        return UNCHECKED
    busy = max(_busy(outcome, host, cell.shape.workers) for outcome, host in known)
    if busy >= BUSY or any(_throttled(outcome, host) for outcome, host in known):
        return none
    return Check(
        "suspect",
        f"{percent(late / answers)} of the responses took {least / 1e3:g} to {most / 1e3:g} ms, and"
        f" nothing was busy for more than {percent(busy)} of the time",
    )


def _busy(outcome: Outcome, host: Host, workers: int) -> float:
    """Return the share of the load that the busiest process worked, or all by their room if more.

    One process can be a limit by itself: a router, the generator, a database's backend.
    """
    used = outcome.usage.values()
    return max(
        max(max(usage.each_cpu_s, default=usage.cpu_s) for usage in used) / outcome.load_s,
        sum(usage.cpu_s for usage in used) / (outcome.load_s * min(workers, host.processors)),
        host.busy_cpu_s / (host.window_s * host.processors),
    )


def _throttled(outcome: Outcome, host: Host) -> bool:
    return bool(host.throttled_s or any(usage.throttled_s for usage in outcome.usage.values()))


DELAYED_ACK = concern("delayed-ack", _delayed_ack)
