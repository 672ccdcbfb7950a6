"""What the differences of one table say: findings, and ranks that servers may share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from statistics import median
from typing import Literal

from scipy.special import ndtr

from loadtest.statistics import Comparison, Rates, moderated, paired

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


def level(looks: int) -> float:
    """Return the p value that is called a difference by who looks so often: 0.05 for one look.

    Adding rounds until something shows is a look for each time the answer could have ended it, and
    with 0.05 at each of them three times as many runs would claim what is not there. `looks` are
    all there may be, not those so far: a level that only sinks with each look doubles the claims.
    """
    return round(2 * float(ndtr(-_reached(looks))), 4)


def _reached(looks: int) -> float:
    return next((z for most, z in LOOKS.items() if looks <= most), LOOKS[max(LOOKS)])


def finding(
    comparison: Comparison,
    margin: float,
    p: float | None = None,
    looks: int = 1,
    near: float | None = None,
) -> Finding:
    """Say what a comparison shows; `margin` is a share, `p` the adjusted one of its table.

    Higher or lower: noise would rarely differ as much, and it is more than the margin. Equivalent:
    the whole interval is within the margin (Schuirmann, 1987, two one-sided tests, here at 2.5 %
    each). Whatever else is inconclusive, and more rounds may decide it. `looks`: see `level`; who
    looks often needs a wider interval to call anything equivalent, too.
    `near` is the margin of what is equivalent, and the least that is a difference, where `margin`
    is of noise: a noisy run shows less difference, but no more likeness.
    """
    ratio, low, high = comparison.ratio, comparison.low, comparison.high
    p = comparison.p if p is None else p
    if ratio is None or low is None or high is None or p is None:
        return "inconclusive"
    near = margin if near is None else near
    least = max(margin, near)
    if p < level(looks) and not 1 / (1 + least) <= ratio <= 1 + least:
        return "higher" if ratio > 1 else "lower"
    middle, reach = math.sqrt(low * high), (high / low) ** (_reached(looks) / LOOKS[1] / 2)
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


def findings(
    table: Sequence[Comparison],
    margin: float | ByRounds,
    looks: int = 1,
    near: float | None = None,
) -> tuple[Finding, ...]:
    """Judge all comparisons of one table: moderated, adjusted by Holm, against the margins."""
    drawn = moderated(table)
    adjusted = adjust([one.p for one in drawn])
    return tuple(
        finding(one, margin(one.rounds) if callable(margin) else margin, p, looks, near)
        for one, p in zip(drawn, adjusted, strict=True)
    )


def ranks(
    rates: Mapping[str, Rates], floor: float | ByRounds | None, looks: int = 1
) -> dict[str, int]:
    """Return the rank of each server at one endpoint; `rates` are by round, higher is better.

    From the highest median down, a server is compared with the leader of the group above it. It
    joins that group unless the two are told apart: a p value below 0.05, adjusted by Holm for all
    pairs at the endpoint (so that it does not matter who happened to lead), and a ratio beyond the
    noise floor. Told apart, it leads a group of its own. A rank is 1 + the servers in the groups
    above. A server without a rate has no rank.

    Being tied does not carry over: two servers of one group were not told apart from its leader,
    yet may be from each other; a leader may be tied with the last of the group above; and a noisy
    server goes with the group that its median falls into. A shared rank says "not told apart here",
    never "equally fast".

    With one round nobody is told apart. The run's arms do give a variance, but that of one server
    and one launch: where servers differ in noise, judging all of them by it finds a difference in
    up to a quarter of tables of equals, and with an arm at one endpoint it finds nothing.
    """
    return {server: rank for rank, group in _groups(rates, floor or 0.0, looks) for server in group}


def groups(
    order: Sequence[str], told: Callable[[str, str], bool]
) -> Iterator[tuple[int, list[str]]]:
    """Yield each tie group with its rank, its leader first; see `ranks`.

    `order` is the highest median first, `told` says whether the first is told apart from the
    second, which comes after it.
    """
    group: list[str] = []
    rank = 1
    for one in order:
        if group and told(group[0], one):
            yield rank, group
            rank += len(group)
            group = []
        group.append(one)
    if group:
        yield rank, group


def undecided(
    rates: Mapping[str, Rates], floor: float | ByRounds | None, looks: int = 1
) -> frozenset[str]:
    """Return the servers at one endpoint that more rounds could still place elsewhere.

    A member of a tie group is decided once it is shown equivalent to the group's leader, within
    `LEAST_MARGIN` however noisy the run; while it is not, both of them need more rounds.
    """
    shown = _shown(rates, floor or 0.0, looks, near=LEAST_MARGIN)
    open_pairs = [
        (group[0], member)
        for _, group in _groups(rates, floor or 0.0, looks)
        for member in group[1:]
        if shown[group[0], member] == "inconclusive"
    ]
    return frozenset(server for pair in open_pairs for server in pair)


def _groups(
    rates: Mapping[str, Rates], margin: float | ByRounds, looks: int
) -> Iterator[tuple[int, list[str]]]:
    shown = _shown(rates, margin, looks)
    return groups(ordered(rates), lambda leader, one: shown[leader, one] == "lower")


def _shown(
    rates: Mapping[str, Rates], margin: float | ByRounds, looks: int, near: float | None = None
) -> dict[tuple[str, str], Finding]:
    """Return what is found of each pair, the one with the higher median being the base."""
    pairs = list(combinations(ordered(rates), 2))
    table = [paired(rates[base], rates[new]) for base, new in pairs]
    return dict(zip(pairs, findings(table, margin, looks, near), strict=True))


def ordered(rates: Mapping[str, Rates]) -> list[str]:
    """Return the servers, or cells, that have a rate, the highest median first."""

    def place(server: str) -> tuple[float, tuple[float, ...]]:
        # Never by name: the order of equals would then hang on what they are called.
        known = [rate for rate in rates[server] if rate is not None]
        return -median(known), tuple(-(rate or 0.0) for rate in rates[server])

    return sorted((one for one in rates if any(rates[one])), key=place)
