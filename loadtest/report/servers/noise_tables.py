"""The two copies of the reference server side by side: what noise alone does in a run."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.judge.servers.summary import Summary
from loadtest.report.table import Column, Table, name, words
from loadtest.report.units import UNKNOWN, share, significant
from loadtest.stats.noise_floor import Twins

Rates = Sequence[float | None]


def twins(summary: Summary) -> Table[Twins]:
    """Return both copies at each endpoint: each round of both, and the floor that follows."""
    rankings = {ranking.at: ranking for ranking in summary.rankings}
    at_rate: tuple[Column[Twins], ...] = (
        words("p99 differs by", lambda pair: _between(pair.first.p99_us, pair.second.p99_us)),
        words("p99 noise floor", lambda pair: _share(rankings[pair.endpoint].p99_noise_floor)),
    )
    return Table(
        (
            name("endpoint", "endpoint", lambda pair: pair.endpoint),
            words("first copy, requests/s", lambda pair: _rates(pair, 0)),
            words("second copy", lambda pair: _rates(pair, 1)),
            words(
                "each round differs by",
                lambda pair: _between(pair.first.goodput, pair.second.goodput),
            ),
            words("noise floor", lambda pair: _share(rankings[pair.endpoint].noise_floor)),
            words(
                "CPU per request differs by",
                lambda pair: _between(pair.first.server_cpu_us, pair.second.server_cpu_us),
            ),
            words("CPU noise floor", lambda pair: _share(rankings[pair.endpoint].cpu_noise_floor)),
            *(at_rate if any(pair.first.p99_us for pair in summary.twins) else ()),
        ),
        summary.twins,
    )


def _rates(pair: Twins, copy: int) -> str:
    rates = [both[copy] for both in _rounds(pair.first.goodput, pair.second.goodput)]
    return " / ".join(UNKNOWN if rate is None else significant(rate) for rate in rates)


def _rounds(first: Rates, second: Rates) -> list[tuple[float | None, float | None]]:
    """Return both copies by round, without those at the end that were never begun."""
    rounds = [*zip(first, second, strict=True)]
    while rounds and rounds[-1] == (None, None):
        rounds.pop()
    return rounds


def _between(first: Rates, second: Rates) -> str:
    """Return by how much each round of the second copy is above the first: `+1.2 % / -0.4 %`."""
    return " / ".join(
        UNKNOWN if base is None or new is None else f"{(new / base - 1) * 100:+.1f} %"
        for base, new in _rounds(first, second)
    )


def _share(floor: float | None) -> str:
    return UNKNOWN if floor is None else share(floor)
