"""CPU time at even speed: the server's, read against that of the generator in the same load.

The speed of processors drifts from load to load, with their neighbours and their clock, and a
server's CPU time for an answer drifts with it. So does the generator's, whose work for an answer is
the same whenever it asks the same server. What that varies by is taken out of the server's: a ratio
estimator (Cochran, 1977, "Sampling techniques", chapter 6), of which the generator's cost is the
auxiliary variable. On shared processors CPU time then spreads by 2 to 4 % where it did by 6 to 10.

It holds for one server and its next version. Between servers it would not: an answer that ends its
connection costs wrk four times one that comes with many others.
"""

from __future__ import annotations

from collections.abc import Collection
from statistics import median

from loadtest.records.measured import Outcome

CONDITIONS = frozenset({"wrk", "system", "launcher", "machine of the servers", "placement"})
"""Keys of `conditions.differences` with which a response is other work to the generator."""

DRIFT = 1.3
"""Processors that are faster or slower by more than this have not drifted: wrk did other work."""

SAME_BYTES = 0.01
"""Of an answer's size. Another size is another answer: a header more, or `Connection: close`."""


def alike(base: Collection[Outcome], new: Collection[Outcome]) -> bool:
    """Say whether an answer gave the generator the same work in both, as far as its size tells."""
    costs, sizes = (
        [[value for o in side if (value := figure(o)) is not None] for side in (base, new)]
        for figure in (_generator_us, _bytes)
    )
    known = all(len(each) == len(side) > 0 for each, side in zip(costs, (base, new), strict=True))
    if not known or not all(sizes):
        return False
    (cost, new_cost), (size, new_size) = (map(median, each) for each in (costs, sizes))
    return 1 / DRIFT <= new_cost / cost <= DRIFT and abs(new_size / size - 1) <= SAME_BYTES


def speed_us(measured: Collection[Outcome]) -> float:
    """Return what an answer usually costs the generator: CPU microseconds, the median round's."""
    return median(us for outcome in measured if (us := _generator_us(outcome)) is not None)


def drift_corrected_us(outcome: Outcome, usual_us: float) -> float | None:
    """Return the server's CPU time for an answer as it would be at the speed of `usual_us`."""
    server_us, generator_us = outcome.server_cpu_us, _generator_us(outcome)
    # No time at all is a clock too coarse for it, and has no logarithm.
    if not server_us or generator_us is None:
        return None
    return server_us * usual_us / generator_us


def _generator_us(outcome: Outcome) -> float | None:
    return outcome.cpu_us("generator") or None


def _bytes(outcome: Outcome) -> float | None:
    loaded = outcome.loaded
    # Of no bytes at all, nobody can say how alike they are.
    return loaded.received_bytes / loaded.answers or None if loaded and loaded.answers else None
