"""The concern that rate and latencies do not fit each other: some connections were not served."""

from __future__ import annotations

import numpy as np

from loadtest.judge.concern import NOTHING, UNCHECKED, Check
from loadtest.judge.servers.concerns.evidence import SILENT, Evidence, concern
from loadtest.records.measured import Histogram
from loadtest.records.text import latency, plural, significant
from loadtest.stats.latency import SAMPLES_NEEDED, count, percentile

IN_FLIGHT_OFF = 0.10
"""From 1, for the share of the time that requests were in flight."""

STARVED = 0.05
"""Of the time until its turn comes, if connections take turns: half of the answers within so little
are those of a few connections. Servers that take turns show 0.2 to 1.4, one that does not 0.03."""


def _littles_law(cell: Evidence) -> Check:
    """Compare the requests in flight with the connections, which a closed loop keeps busy.

    A connection's time is made of its completed requests, of the one in flight at the end, and of
    what passes in the generator between an answer and the next request. The sum of all latencies
    over connections x time is therefore 1 less two things:
    - what is in flight at the end and not in the histogram. The request that covers a given moment
      has a mean length of E[L^2] / E[L], longer than the mean since a long one covers more moments
      (Cox, Renewal Theory, 1962, 5.4); it is at most that old. A server that takes turns and does
      not stand still is not twice as late as a turn takes: what is older was starved, and does not
      count as under way. Where this is more than a tenth of the load there are too few waves, or
      standstill until its end, to say anything.
    - the generator's own time, at most as long as it ran.
    """
    if cell.cell.load.rate is not None:
        return NOTHING  # Connections are idle between their slots.
    histogram = cell.latencies
    loads = [
        each.loaded.duration_us
        for outcome in cell.measured
        for each in outcome.loads
        if each.loaded and each.histogram
    ]
    load_us = sum(loads)
    if histogram is None or not load_us or count(histogram) < SAMPLES_NEEDED[50]:
        return UNCHECKED
    values = np.asarray(histogram.values_us, dtype=np.float64)
    counts = np.asarray(histogram.counts, dtype=np.float64)
    connections = cell.cell.load.connections
    total_us = float(values @ counts)
    if not total_us:
        return UNCHECKED
    in_flight = total_us / (load_us * connections)
    facts = (
        f"goodput x mean latency gives {significant(in_flight * connections)} requests in flight,"
        f" on {plural(connections, 'connection')}"
    )
    if in_flight > 1 + IN_FLIGHT_OFF:
        return Check("suspect", facts)
    if starved := _starved(cell, histogram):
        return Check("suspect", starved)
    if in_flight >= 1 - IN_FLIGHT_OFF:
        return NOTHING
    one_load_us = load_us / len(loads)
    unfinished = float((values * values) @ counts) / total_us / one_load_us
    if cell.silent is not None and cell.silent <= SILENT:
        unfinished = min(unfinished, 2 * cell.turn_s * 1e6 / one_load_us)
    if cell.generator_busy is None or unfinished > IN_FLIGHT_OFF:
        return UNCHECKED
    least = 1 - IN_FLIGHT_OFF - unfinished - cell.generator_busy
    return NOTHING if in_flight >= least else Check("suspect", facts)


def _starved(cell: Evidence, histogram: Histogram) -> str | None:
    """Return in words that a few connections are served all the time; None where they are not."""
    # A view that waits, and a server that stands still, are late for everyone.
    if cell.cell.endpoint.contract.delay_s or cell.silent is None or cell.silent > SILENT:
        return None
    if not cell.takes_turns:
        return None
    median_s = (percentile(histogram, 50) or 0) / 1e6
    if median_s >= STARVED * cell.turn_s:
        return None
    return (
        f"half of the responses within {latency(median_s * 1e6)}, though each of"
        f" {cell.cell.load.connections:,} connections gets one every {latency(cell.turn_s * 1e6)}"
    )


LITTLES_LAW = concern("littles-law", _littles_law)
