"""The concern that answers waited for a timer of TCP: nobody was busy, and each came 40 ms late."""

from __future__ import annotations

from loadtest.concerns.evidence import NOTHING, UNCHECKED, Concern, Evidence, Found, percent
from loadtest.figures import SAMPLES_NEEDED
from loadtest.histogram import count

LATE_US = (39_500, 60_000)
"""Linux acknowledges after 40 ms what it has nothing to send along with (`TCP_DELACK_MIN` in its
include/net/tcp.h), on the next tick; 44 ms were seen, to which the answer's own time is added."""
LATE = 0.5
"""Of the answers, from here on."""
IDLE = 0.5
"""Of the processors that the server may use: below it, nothing that ran explains the wait."""


def _delayed_ack(cell: Evidence) -> Found:
    if cell.cell.endpoint.contract.delay_s:
        return NOTHING
    if cell.latencies is None or count(cell.latencies) < SAMPLES_NEEDED[50]:
        return UNCHECKED
    least, most = LATE_US
    late = sum(
        times
        for us, times in zip(cell.latencies.values_us, cell.latencies.counts, strict=True)
        if least <= us < most
    )
    share = late / count(cell.latencies)
    if share < LATE:
        return NOTHING
    # A server that nobody sampled may be busy on another machine.
    hosts = [o.host for o in cell.measured if o.host and "server" in o.usage]
    if not hosts or not cell.services_sampled:
        return UNCHECKED
    # Two workers cannot keep twenty processors busy.
    shape = cell.plan.shape
    workers = shape.workers if shape.known else 1
    usable_s = sum(host.window_s * min(host.processors, workers) for host in hosts)
    busy = sum(host.busy_cpu_s for host in hosts) / usable_s
    if busy >= IDLE:
        return NOTHING
    return Found(
        "suspect",
        f"{percent(share)} of the answers took {least / 1e3:.0f} to {most / 1e3:.0f} ms, with"
        f" {percent(busy)} of the processors that it may use busy",
    )


DELAYED_ACK = Concern(
    name="delayed-ack",
    means="The server sends an answer in pieces, and Nagle's algorithm keeps the last until the"
    " client acknowledges the one before, which takes Linux 40 ms: the row shows that timer.",
    advice="Turn Nagle's algorithm off (`TCP_NODELAY`) on its sockets, or have it send an answer in"
    " one piece, with a larger buffer; behind a proxy, let that ask it over a Unix socket.",
    find=_delayed_ack,
)
