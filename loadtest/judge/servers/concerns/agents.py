"""The concerns of a load that several machines made together, over a network."""

from __future__ import annotations

from loadtest.judge.concern import NOTHING, UNCHECKED, Check, percent
from loadtest.judge.servers.concerns.evidence import Evidence, concern
from loadtest.records.measured import DISTURBED, Part
from loadtest.records.text import latency
from loadtest.stats.latency import percentile

TOGETHER_US = 5_000
"""Agents that begin within it of each other begin together."""

MOSTLY = 0.5
"""Of the median latency, spent on the way: it tells of the network more than of the server."""

NEAR_LINK = 0.8
"""Of what a link carries: the rest goes into headers of packets, and into the other direction."""


def _not_together(cell: Evidence) -> Check:
    loads = [load.parts for outcome in cell.measured for load in outcome.loads if load.parts]
    if not loads:
        return NOTHING
    spreads = [_spread_us(parts) for parts in loads]
    known = [spread for spread in spreads if spread is not None]
    apart_us = max(known, default=0)
    if apart_us > TOGETHER_US:
        count = sum(spread > TOGETHER_US for spread in known)
        return Check(
            "suspect",
            f"in {count} of {len(loads)} loads the agents began up to {latency(apart_us)} apart",
        )
    unsure = any(part.clock.within_us > TOGETHER_US for parts in loads for part in parts)
    return UNCHECKED if unsure or len(known) < len(loads) else NOTHING


def _spread_us(parts: tuple[Part, ...]) -> int | None:
    late_us = [part.late_us for part in parts]
    known = [us for us in late_us if us is not None]
    return max(known) - min(known) if len(known) == len(parts) else None


def _mostly_network(cell: Evidence) -> Check:
    if not cell.parts:
        return NOTHING
    median_us = percentile(cell.latencies, 50) if cell.latencies else None
    if not median_us:
        return UNCHECKED
    # The shortest: what is above it may be the machines, and not the way between them.
    least_us = min(part.network.round_trips_us[0] for part in cell.parts)
    if least_us < MOSTLY * median_us:
        return NOTHING
    return Check(
        "suspect",
        f"a round trip to the server takes {latency(least_us)}, of a median latency of"
        f" {latency(median_us)}",
    )


def _near_bandwidth(cell: Evidence) -> Check:
    shares = [
        (part.loaded.received_bytes * 8 / part.loaded.duration_us / part.network.link_mbit, part)
        for part in cell.parts
        if part.network.link_mbit
    ]
    if not shares:
        return UNCHECKED if any(part.host for part in cell.parts) else NOTHING
    share, part = max(shares, key=lambda each: each[0])
    if share < NEAR_LINK:
        return NOTHING
    return Check(
        "suspect",
        f"{part.agent} received {percent(share)} of the {part.network.link_mbit:,} Mbit/s that its"
        " link carries",
    )


def _noisy_agent(cell: Evidence) -> Check:
    taken = [(sum(part.host.taken().values()), part) for part in cell.parts if part.host]
    if not taken:
        return NOTHING
    share, part = max(taken, key=lambda each: each[0])
    if share <= DISTURBED:
        return NOTHING
    return Check("suspect", f"{percent(share)} of {part.agent} went elsewhere")


NOT_TOGETHER = concern("not-together", _not_together)
MOSTLY_NETWORK = concern("mostly-network", _mostly_network)
NEAR_BANDWIDTH = concern("near-bandwidth", _near_bandwidth)
NOISY_AGENT = concern("noisy-agent", _noisy_agent)
