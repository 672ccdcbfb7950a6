"""M/D/1, the queue that is known: one worker, a fixed time for each request, random arrivals.

Times are in service times, but where a name says otherwise; `rho` is the load of the worker, the
rate times the service time.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

Floats = NDArray[np.float64]

BUSIEST = 0.98


def mean(rho: float) -> float:
    """Return the mean time in the system (Pollaczek and Khinchine)."""
    return 1 + rho / (2 * (1 - rho))


def percentile(rho: float, share: float = 0.99) -> float:
    """Return the time in the system that a share of the requests do not exceed."""
    if share <= 1 - rho:
        return 1.0
    longest = 1.0
    while waits_within(rho, longest) < share:
        longest *= 2
    return 1 + float(brentq(lambda at: waits_within(rho, at) - share, 0.0, longest))


def load_within(longest: float, share: float = 0.99) -> float:
    """Return the highest `rho` at which a share of the requests are in the system no longer."""
    return float(brentq(lambda rho: waits_within(rho, longest - 1) - share, 1 - share, BUSIEST))


def waits_within(rho: float, at: float) -> float:
    """Return the share of the requests that wait no longer than `at`.

    With k the next whole number above it, that is the sum over j < k of Q(k - 1 - j) times the
    probability of j arrivals in k - `at`, where Q(n) is that of at most n waiting (Franx, 2001, "A
    simple solution for the M/D/c waiting time distribution"). Erlang's sum of 1909 is the same with
    alternating signs, and has no digits left for long waits.
    """
    k = math.floor(at) + 1
    at_most = _waiting(rho, 2 ** math.ceil(math.log2(k)))
    arrivals = rho * (k - at)
    chance, total = math.exp(-arrivals), 0.0
    for j in range(k):
        total += at_most[k - 1 - j] * chance
        chance *= arrivals / (j + 1)
    return total


@lru_cache
def _waiting(rho: float, most: int) -> tuple[float, ...]:
    """Return the probabilities of at most 0, 1, ... requests waiting.

    As often as it rises above j, the number in the system falls to j again: from j + 1, when nobody
    comes during a service.
    """
    come = list(accumulate(range(1, most + 3), lambda p, n: p * rho / n, initial=math.exp(-rho)))
    more = [1 - sum(come[: j + 1]) for j in range(most + 2)]
    inside = [1 - rho]
    for j in range(most + 1):
        rises = inside[0] * more[j] + sum(inside[i] * more[j - i + 1] for i in range(1, j + 1))
        inside.append(rises / come[0])
    return tuple(accumulate(inside))[1:]


def in_system(arrivals: Floats, service: float) -> Floats:
    """Return how long each of those who come at ascending times is in the system (Lindley, 1952).

    Both in the same unit, which is that of the answer.
    """
    worked = np.concatenate(([0.0], np.cumsum(service - np.diff(arrivals))))
    return service + worked - np.minimum.accumulate(worked)
