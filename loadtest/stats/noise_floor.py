"""The noise of a run: what the difference between two identical arms says, by workload."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np

from loadtest.records.measured import Outcome
from loadtest.records.planned import Endpoint, Load, Plan, Record
from loadtest.stats.ratios import ALIKE, LEAST_SPREAD, Rates, quantile, shared_noise
from loadtest.stats.series import cpu_times, goodputs, groups

Pairs = Sequence[tuple[Rates, Rates]]
"""Rates of the two arms, by endpoint."""

FEWEST_PAIRS = 3
"""Of rounds; what fewer show of their own noise is a guess, and no floor."""

MOST = 9.0
"""No floor is higher: beyond ten times, all there is to say is that nothing can be told."""


class Twin(Record, frozen=True, kw_only=True):
    """One of two identical servers at one endpoint, by round; None where a round has no number."""

    cell: str
    goodput: tuple[float | None, ...]
    server_cpu_us: tuple[float | None, ...]
    p99_us: tuple[float | None, ...] = ()
    """Of a load at a rate, where it was held; each round's, however few its requests."""


class Twins(Record, frozen=True, kw_only=True):
    """The reference server and its duplicate at one endpoint: what differs is noise."""

    endpoint: str
    """Name and style, and the rate of a load at one."""
    kind: str
    """What has a floor of its own, see `workload`."""
    first: Twin
    second: Twin


@dataclass(frozen=True)
class Floor:
    """The difference below which none is called one, as a share, by how many rounds two share."""

    variance: float
    """Of the log ratio of one round."""
    freedom: float
    """Degrees of freedom of `variance`."""

    def __call__(self, rounds: float) -> float:
        """Return it of the mean of so many rounds: 0.06 for 6 %; of one where there are none."""
        reach = quantile(self.freedom) * math.sqrt(self.variance / max(1, rounds))
        return math.expm1(min(reach, math.log1p(MOST)))


@dataclass(frozen=True)
class Floors:
    """The floors of one figure."""

    pooled: float | None
    """Over all workloads and their rounds, as a share; None with fewer than `FEWEST_PAIRS`."""
    kinds: Mapping[str, Floor]
    """What has fewer than `FEWEST_PAIRS` by itself has the floor of all rounds together."""

    def of(self, *kinds: str) -> Floor | None:
        """Return the largest floor of these workloads; of all, if one has none of its own.

        Nothing shows the noise of such a kind, and the kinds that are left out of the arms are
        those that may well be noisier.
        """
        known = [self.kinds.get(kind) for kind in kinds]
        return self._largest if None in known else _largest(filter(None, known))

    @cached_property
    def _largest(self) -> Floor | None:
        return _largest(self.kinds.values())

    def at(self, kind: str, rounds: int) -> float | None:
        """Return the floor of a workload, as a share."""
        floor = self.of(kind)
        return floor(rounds) if floor else None


def _largest(floors: Iterable[Floor]) -> Floor | None:
    return max(floors, key=lambda floor: floor(1), default=None)


def workload(endpoint: Endpoint, load: Load) -> str:
    """Return what has a floor of its own: the kind of work, at each rate by itself: `cpu@200`.

    A rate that is held repeats as requests/s of a closed loop never do, and the fewer requests
    there are, the less well does what each of them costs.
    """
    return endpoint.kind + (f"@{load.rate:g}" if load.rate else "")


def twins(plan: Plan, outcomes: Sequence[Outcome], invalid: Collection[str]) -> Iterator[Twins]:
    """Yield the two arms at each endpoint that has both; an `invalid` cell's rate is no rate."""
    rates, cpu_us = goodputs(outcomes), cpu_times(outcomes)

    def arm(cell: str) -> Twin:
        return Twin(cell=cell, goodput=tuple(rates[cell]), server_cpu_us=tuple(cpu_us[cell]))

    for cells in groups(plan).values():
        usable = {
            cell.server: cell.id
            for cell in cells
            if cell.id not in invalid and any(rates.get(cell.id, ()))
        }
        endpoint = cells[0].endpoint
        for server in plan.servers:
            first, second = usable.get(server.duplicate_of or ""), usable.get(server.name)
            if first and second:
                yield Twins(
                    endpoint=cells[0].at,
                    kind=workload(endpoint, cells[0].load),
                    first=arm(first),
                    second=arm(second),
                )


Figure = Literal["goodput", "server_cpu_us", "p99_us"]
"""Of a `Twin`."""


def floors_of(figure: Figure, arms: Sequence[Twins]) -> Floors:
    """Return the floors of differences in a figure; p99 is of loads at a rate alone."""
    pairs = ((at.kind, getattr(at.first, figure), getattr(at.second, figure)) for at in arms)
    return floors(by_kind(pair for pair in pairs if pair[1]))


def by_kind(pairs: Iterator[tuple[str, Rates, Rates]]) -> dict[str, Pairs]:
    """Return pairs of rates by the workload they are of."""
    kinds: dict[str, list[tuple[Rates, Rates]]] = {}
    for kind, first, second in pairs:
        kinds.setdefault(kind, []).append((first, second))
    return dict(kinds)


def floors(kinds: Mapping[str, Pairs]) -> Floors:
    """Return the difference that two identical arms of this run show, by kind and over all.

    The truth is a ratio of 1, so the mean square of all N log ratios of a kind is the variance of
    one round, and the mean of an endpoint's R rounds stays within t(0.975, N) * sqrt(variance / R)
    of 0 in 95 % of such endpoints (Student, 1908; checked by simulation). A few rounds say little
    about their own noise: from 3 kinds on each variance is drawn towards that of all rounds
    together, the more the less the kinds differ (Smyth, 2004, as in `ratios.moderated`, but for
    its target: the mean is above what is usual, so that a floor is rather too high than too low).
    """
    squares = {kind: _squares(pairs) for kind, pairs in kinds.items()}
    known = {kind: of for kind, of in squares.items() if of.rounds}
    if sum(of.rounds for of in known.values()) < FEWEST_PAIRS:
        return Floors(None, {})
    all_rounds = _Squares(*map(sum, zip(*known.values(), strict=True)))
    noisy = [of for of in known.values() if of.variance > LEAST_SPREAD**2]
    borrowed = 0.0
    if len(noisy) >= 3:
        borrowed, _ = shared_noise(
            np.array([float(of.rounds) for of in noisy]), np.array([of.variance for of in noisy])
        )
        borrowed = min(ALIKE.most, borrowed)

    def drawn(own: _Squares) -> Floor:
        freedom = own.rounds + borrowed
        variance = (borrowed * all_rounds.variance + own.total) / freedom
        # Even a noise that all share is known no better than from all their rounds together.
        return Floor(variance, min(freedom, all_rounds.rounds))

    whole = Floor(all_rounds.variance, all_rounds.rounds)
    return Floors(
        pooled=whole(all_rounds.rounds / all_rounds.endpoints),
        kinds={
            kind: drawn(own) if own.rounds >= FEWEST_PAIRS else whole for kind, own in known.items()
        },
    )


class _Squares(NamedTuple):
    """Squared log ratios of two arms."""

    total: float
    rounds: int
    endpoints: int

    @property
    def variance(self) -> float:
        return self.total / self.rounds


def _squares(pairs: Pairs) -> _Squares:
    squares = [
        [math.log(b / a) ** 2 for a, b in zip(first, second, strict=True) if a and b]
        for first, second in pairs
    ]
    return _Squares(sum(map(sum, squares)), sum(map(len, squares)), sum(map(bool, squares)))
