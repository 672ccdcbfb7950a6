"""What noise alone does in a run, and of how many rounds its numbers are, which lessen it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from loadtest.noise import Twins
from loadtest.report.format import UNKNOWN, plural, share, significant
from loadtest.report.table import Column, Report, Table, name
from loadtest.summary import Summary

Rates = Sequence[float | None]


def twins(summary: Summary) -> Table[Twins]:
    """Return the two arms at each endpoint: each round of both, and the floor that follows."""
    rankings = {ranking.endpoint.id: ranking for ranking in summary.rankings}
    return Table(
        (
            name("endpoint", "endpoint", lambda one: one.endpoint),
            _text("first arm, answers/s", lambda one: _rates(one.first.goodput)),
            _text("second arm", lambda one: _rates(one.second.goodput)),
            _text("differs by", lambda one: _between(one.first.goodput, one.second.goodput)),
            _text("floor", lambda one: _share(rankings[one.endpoint].noise_floor)),
            _text(
                "CPU/answer differs by",
                lambda one: _between(one.first.server_cpu_us, one.second.server_cpu_us),
            ),
            _text("floor", lambda one: _share(rankings[one.endpoint].cpu_noise_floor)),
        ),
        summary.twins,
    )


def median_of(report: Report) -> str:
    """Return of how many rounds a number is the median."""
    rounds, plan = report.summary.rounds, report.run.plan
    if rounds == 1:
        return "of one round"
    some = plan.precision is not None or any(cell.rounds for cell in plan.cells)
    return f"the median of {'up to ' if some else ''}{plural(rounds, 'round')}"


def _text(title: str, text: Callable[[Twins], str]) -> Column[Twins]:
    return Column(title, title, lambda one: None, text)


def _rates(rates: Rates) -> str:
    return " / ".join(UNKNOWN if rate is None else significant(rate) for rate in rates)


def _between(first: Rates, second: Rates) -> str:
    """Return by how much each round of the second arm is above the first, as `+1.2 % / -0.4 %`."""
    return " / ".join(
        UNKNOWN if one is None or other is None else f"{(other / one - 1) * 100:+.1f} %"
        for one, other in zip(first, second, strict=True)
    )


def _share(floor: float | None) -> str:
    return UNKNOWN if floor is None else share(floor)
