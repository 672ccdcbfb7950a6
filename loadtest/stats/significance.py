"""What the differences of one table show: higher, lower, equivalent or inconclusive."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

from scipy.special import ndtr

from loadtest.stats.ratios import Comparison

Finding = Literal["higher", "lower", "equivalent", "inconclusive"]
"""Of new against base; whether higher is better is for the figure to say."""

ByRounds = Callable[[int], float]
"""A margin as a share, by how many rounds the two share: of fewer rounds, noise makes more."""

LEAST_MARGIN = 0.05
"""A smaller difference of goodput does not decide which server to deploy."""

LEAST_CPU_MARGIN = 0.02
"""CPU time a request repeats within about this, where goodput does within 5 to 10 %."""

LOOKS = {1: 1.960, 2: 2.178, 3: 2.289, 4: 2.361, 5: 2.413, 10: 2.555, 15: 2.626, 20: 2.672}
"""Standard errors that a difference must reach at one of so many looks at growing data, so that 5 %
of runs claim one at any of them: Pocock (1977), as in Jennison & Turnbull (2000), table 2.1."""


def margin(floor: float | None, least: float = LEAST_MARGIN) -> float:
    """Return the difference below which none is called one: `least`, or the noise floor if more."""
    return max(least, floor or 0.0)


def level(interim_looks: int) -> float:
    """Return the p value that is called a difference by who looks so often: 0.05 for one look.

    Adding rounds until something shows is a look for each time the answer could have ended it, and
    with 0.05 at each of them three times as many runs would claim what is not there. All looks that
    there may be count, not those so far: a level that only sinks with each look doubles the claims.
    """
    return round(2 * float(ndtr(-_reached(interim_looks))), 4)


def _reached(interim_looks: int) -> float:
    return next((z for most, z in LOOKS.items() if interim_looks <= most), LOOKS[max(LOOKS)])


def finding(
    comparison: Comparison,
    margin: float,
    p: float | None = None,
    interim_looks: int = 1,
    near: float | None = None,
) -> Finding:
    """Say what a comparison shows; `margin` is a share, `p` the adjusted one of its table.

    Higher or lower: noise would rarely differ as much, and it is more than the margin. Equivalent:
    the whole interval is within the margin (Schuirmann, 1987, two one-sided tests, here at 2.5 %
    each). Whatever else is inconclusive, and more rounds may decide it. Who looks often, see
    `level`, needs a wider interval to call anything equivalent, too.
    `near` is the margin of what is equivalent, and the least that is a difference, where `margin`
    is of noise: a noisy run shows less difference, but no more likeness.
    """
    ratio, low, high = comparison.ratio, comparison.low, comparison.high
    p = comparison.p if p is None else p
    if ratio is None or low is None or high is None or p is None:
        return "inconclusive"
    near = margin if near is None else near
    least = max(margin, near)
    if p < level(interim_looks) and not 1 / (1 + least) <= ratio <= 1 + least:
        return "higher" if ratio > 1 else "lower"
    middle, reach = math.sqrt(low * high), (high / low) ** (_reached(interim_looks) / LOOKS[1] / 2)
    within = 1 / (1 + near) <= middle / reach and middle * reach <= 1 + near
    return "equivalent" if within else "inconclusive"


def adjust(ps: Sequence[float | None]) -> tuple[float | None, ...]:
    """Return the p values of one table, raised so that any false alarm in it has the level of one.

    Holm (1979), "A simple sequentially rejective multiple test procedure"; unknown stays None and
    counts for nothing.
    """
    known = sorted((p, at) for at, p in enumerate(ps) if p is not None)
    adjusted: list[float | None] = [None] * len(ps)
    highest = 0.0
    for rank, (p, at) in enumerate(known):
        highest = max(highest, min(1.0, p * (len(known) - rank)))
        adjusted[at] = highest
    return tuple(adjusted)
