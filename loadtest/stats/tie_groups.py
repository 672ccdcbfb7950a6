"""Ranks that servers may share, from what each pair of them shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from statistics import median

from loadtest.stats.ratios import Rates, paired
from loadtest.stats.significance import LEAST_MARGIN, ByRounds, Finding, findings


def ranks(
    rates: Mapping[str, Rates], floor: float | ByRounds | None, interim_looks: int = 1
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
    return {
        server: rank
        for rank, group in _groups(rates, floor or 0.0, interim_looks)
        for server in group
    }


def groups(
    order: Sequence[str], separated: Callable[[str, str], bool]
) -> Iterator[tuple[int, list[str]]]:
    """Yield each tie group with its rank, its leader first; see `ranks`.

    `order` is the highest median first, `told` says whether the first is told apart from the
    second, which comes after it.
    """
    group: list[str] = []
    rank = 1
    for one in order:
        if group and separated(group[0], one):
            yield rank, group
            rank += len(group)
            group = []
        group.append(one)
    if group:
        yield rank, group


def undecided(
    rates: Mapping[str, Rates], floor: float | ByRounds | None, interim_looks: int = 1
) -> frozenset[str]:
    """Return the servers at one endpoint that more rounds could still place elsewhere.

    A member of a tie group is decided once it is shown equivalent to the group's leader, within
    `LEAST_MARGIN` however noisy the run; while it is not, both of them need more rounds.
    """
    shown = _shown(rates, floor or 0.0, interim_looks, near=LEAST_MARGIN)
    open_pairs = [
        (group[0], member)
        for _, group in _groups(rates, floor or 0.0, interim_looks)
        for member in group[1:]
        if shown[group[0], member] == "inconclusive"
    ]
    return frozenset(server for pair in open_pairs for server in pair)


def _groups(
    rates: Mapping[str, Rates], margin: float | ByRounds, interim_looks: int
) -> Iterator[tuple[int, list[str]]]:
    shown = _shown(rates, margin, interim_looks)
    return groups(ordered(rates), lambda leader, one: shown[leader, one] == "lower")


def _shown(
    rates: Mapping[str, Rates],
    margin: float | ByRounds,
    interim_looks: int,
    near: float | None = None,
) -> dict[tuple[str, str], Finding]:
    """Return what is found of each pair, the one with the higher median being the base."""
    pairs = list(combinations(ordered(rates), 2))
    table = [paired(rates[base], rates[new]) for base, new in pairs]
    return dict(zip(pairs, findings(table, margin, interim_looks, near), strict=True))


def ordered(rates: Mapping[str, Rates]) -> list[str]:
    """Return the servers, or cells, that have a rate, the highest median first."""

    def place(server: str) -> tuple[float, tuple[float, ...]]:
        # Never by name: the order of equals would then hang on what they are called.
        known = [rate for rate in rates[server] if rate is not None]
        return -median(known), tuple(-(rate or 0.0) for rate in rates[server])

    return sorted((one for one in rates if any(rates[one])), key=place)
