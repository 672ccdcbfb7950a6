"""The concern that a server stood still: a few clients waited very long, and nobody was served."""

from __future__ import annotations

from loadtest.judge.concern import NOTHING, UNCHECKED, Check, percent
from loadtest.judge.servers.concerns.evidence import SILENT, Evidence, concern
from loadtest.stats.latency import SAMPLES_NEEDED, count, percentile

BURST = 4
"""How many times faster than on average half of the answers are: the other half stood still.

Clients in lockstep leave silent tenths too, on a server that answers all of them in waves; there
half of the answers are about as fast as the average.
"""


def _stalls(cell: Evidence) -> Check:
    if cell.cell.load.rate is not None:
        return NOTHING  # Connections are idle between their slots.
    silent = cell.silent if cell.measured else None
    if silent is None or cell.latencies is None or count(cell.latencies) < SAMPLES_NEEDED[50]:
        return UNCHECKED
    # A view that waits is silent for as long as it waits.
    if cell.cell.endpoint.contract.delay_s or silent <= SILENT:
        return NOTHING
    if not cell.takes_turns:
        return UNCHECKED
    median_s = (percentile(cell.latencies, 50) or 0) / 1e6
    if median_s * BURST >= cell.turn_s:
        return NOTHING
    return Check(
        "suspect",
        f"no response came at all during {percent(silent)} of the load; half of the responses took"
        f" {median_s * 1e3:.3g} ms at the most, and a connection got one every"
        f" {cell.turn_s * 1e3:.3g} ms",
    )


STALLS = concern("stalls", _stalls)
