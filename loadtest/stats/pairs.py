"""One table of pairs: what each pair of servers shows, and the ranks they share by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from statistics import median
from typing import NamedTuple

from loadtest.stats.ratios import ALIKE, Comparison, Prior, Rates, moderated, paired
from loadtest.stats.significance import LEAST_MARGIN, ByRounds, Finding, adjust, finding

TURNED: Mapping[Finding, Finding] = {"higher": "lower", "lower": "higher"}


def turned(finding: Finding) -> Finding:
    """Return what is found the other way round; equivalent and inconclusive stay the same."""
    return TURNED.get(finding, finding)


class Judged(NamedTuple):
    """One pair, and what it shows in its table."""

    comparison: Comparison
    """Of the first against the second; its noise is estimated from the whole table."""
    finding: Finding
    """Beyond the noise and beyond what matters; equivalent within what matters, however noisy."""
    separated: bool
    """The first is higher, beyond the noise: they are no tie."""
    tied: bool
    """Nor does this pair by itself, all others aside, show a difference beyond the noise."""


@dataclass(frozen=True)
class Pairs:
    """Pairs that were judged together; a pair's verdict depends on how many there are."""

    rates: Mapping[str, Rates]
    """The first first, of a table of `all_pairs`."""
    judged: Mapping[tuple[str, str], Judged]
    """By the one that is compared and the one it is compared with."""

    def finding(self, name: str, over: str) -> Finding:
        """Return what is found of one against another, whichever way the pair was judged."""
        if (name, over) in self.judged:
            return self.judged[name, over].finding
        return turned(self.judged[over, name].finding)

    def renamed(self, names: Mapping[str, str]) -> Pairs:
        """Return the same under other names."""
        return Pairs(
            {names[name]: rates for name, rates in self.rates.items()},
            {(names[name], names[over]): pair for (name, over), pair in self.judged.items()},
        )

    @property
    def has_power(self) -> bool:
        """Whether anything was decided, so that a tie says more than that rounds were few."""
        return not self.judged or any(
            pair.separated or pair.finding != "inconclusive" for pair in self.judged.values()
        )

    @cached_property
    def groups(self) -> list[list[str]]:
        """The tie groups of a table of `all_pairs`, each with its leader first.

        From the highest median down, each leads a group of its own if it is separated from the
        leader of the group above it, and joins that group if it is tied with all of it. What is
        neither, as its own rounds show a difference that so many pairs may show by chance, is in
        none; nor is what has but one round where others have more.
        """
        groups: list[list[str]] = []
        twice = [name for name, rates in self.rates.items() if len(rates) - rates.count(None) > 1]
        for name in twice or self.rates:
            if not groups or self.judged[groups[-1][0], name].separated:
                groups.append([name])
            elif all(self.judged[member, name].tied for member in groups[-1]):
                groups[-1].append(name)
        return groups

    @cached_property
    def ranks(self) -> dict[str, int]:
        """The rank of each that has one: 1 + how many come before the first of its group.

        Being tied does not carry over: a leader may be tied with the last of the group above; and a
        noisy server goes with the group that its median falls into. A shared rank says "not
        separated here", never "equally fast". Where nothing was decided it would say nothing at
        all, so there are no ranks.

        With one round nobody is separated. The run's duplicates do give a variance, but that of one
        server and one launch: where servers differ in noise, judging all of them by it finds a
        difference in up to a quarter of tables of equals, and with a duplicate at one endpoint it
        finds nothing.
        """
        if not self.has_power:
            return {}
        place = {name: number for number, name in enumerate(self.rates, 1)}
        return {name: place[group[0]] for group in self.groups for name in group}

    @property
    def undecided(self) -> frozenset[str]:
        """Those that more rounds could still place elsewhere.

        A member of a tie group is decided once it is shown equivalent to the group's leader, within
        `LEAST_MARGIN` however noisy the run; while it is not, both of them need more rounds. So do
        those that are in no group, with the leader of the group before them.
        """
        leaders = {group[0] for group in self.groups}
        above: list[str] = []
        open_: set[str] = set()
        for name in self.rates:
            if name in leaders:
                above = [name]
            elif not above or self.judged[above[0], name].finding == "inconclusive":
                open_ |= {*above, name}
        return frozenset(open_)


def judged(
    pairs: Sequence[tuple[str, str]],
    rates: Mapping[str, Rates],
    floor: float | ByRounds | None,
    interim_looks: int = 1,
    near: float = LEAST_MARGIN,
    prior: Prior = ALIKE,
) -> Pairs:
    """Compare the first of each pair with its second, all of them as one table.

    `rates` are by round. P values are adjusted by Holm for all pairs; no difference is one that
    is below the noise `floor`, a share, of each pair by the rounds that it shares, nor below
    `near`, the least that matters. Their noise is drawn towards the table's by the `prior`.
    """
    # Of so many names, all differences follow from those to one of them.
    names = {name for pair in pairs for name in pair}
    compared = [paired(rates[over], rates[name]) for name, over in pairs]
    table = moderated(compared, len(names) - 1, prior)
    adjusted = adjust([comparison.p for comparison in table])

    def verdict(comparison: Comparison, p: float | None) -> Judged:
        margin = floor(comparison.rounds) if callable(floor) else floor or 0.0
        return Judged(
            comparison,
            finding(comparison, margin, p, interim_looks, near),
            separated=finding(comparison, margin, p, interim_looks) == "higher",
            tied=comparison.low is not None and comparison.low <= 1 + margin,
        )

    return Pairs(rates, dict(zip(pairs, map(verdict, table, adjusted), strict=True)))


def all_pairs(
    rates: Mapping[str, Rates],
    floor: float | ByRounds | None,
    interim_looks: int = 1,
    order: Sequence[str] | None = None,
    prior: Prior = ALIKE,
) -> Pairs:
    """Compare all with each other, the first in `order` first: else the one of the higher median.

    All pairs are one table, so that it does not matter who happened to lead.
    """
    names = ordered(rates) if order is None else order
    rates = {name: rates[name] for name in names}
    return judged(list(combinations(names, 2)), rates, floor, interim_looks, prior=prior)


def against(rates: Mapping[str, Rates], base: str | None) -> dict[str, Comparison]:
    """Return how each of the others compares with `base`, noise estimated from these alone."""
    if base is None or base not in rates:
        return {}
    others = [name for name in rates if name != base]
    table = moderated([paired(rates[base], rates[name]) for name in others])
    return dict(zip(others, table, strict=True))


def ordered(rates: Mapping[str, Rates]) -> list[str]:
    """Return those that have a rate, the highest median first."""

    def place(name: str) -> tuple[float, tuple[float, ...]]:
        # Never by name: the order of equals would then hang on what they are called.
        known = [rate for rate in rates[name] if rate is not None]
        return -median(known), tuple(-(rate or 0.0) for rate in rates[name])

    return sorted((name for name in rates if any(rates[name])), key=place)
