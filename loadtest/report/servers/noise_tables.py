"""What noise alone does in a run, and of how many rounds its numbers are, which lessen it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from loadtest.judge.servers.summary import Summary
from loadtest.report.servers.report import Report
from loadtest.report.servers.sentences.phrases import kind_of_work
from loadtest.report.table import Column, Table, name
from loadtest.report.units import UNKNOWN, plural, share, significant
from loadtest.stats.noise_floor import Twins

Rates = Sequence[float | None]

SHOWN_OPEN = 6

TOO_NOISY = 0.5
"""A noise floor, as a share, with which hardly any servers can be told apart."""


def noise(summary: Summary) -> str:
    """Return what a difference has to exceed to be called one."""
    text = "Small gaps can be noise: no server was measured twice here."
    floors = [one.noise_floor for one in summary.rankings if one.noise_floor is not None]
    if summary.rounds == 1 and summary.counts.measured:
        text = (
            "One round cannot tell a difference from noise, so all servers with a number share"
            " rank 1 (`1=`): their order is what was measured once, and may turn round."
        )
    elif floors:
        least, most = share(min(floors)), share(max(floors))
        by = least if least == most else f"{least} to {most}, by the kind of work,"
        text = (
            "Servers that share a rank (`1=`) were not told apart. Noise alone lets two identical"
            f" {summary.reference} differ by up to {by} here; no smaller difference counts as one."
        )
        if borrowed := list(
            dict.fromkeys(one.endpoint.kind for one in summary.rankings if one.noise_borrowed)
        ):
            text += (
                " Where no server was measured twice, the largest of these counts, and noise may be"
                f" larger still: {', '.join(map(kind_of_work, borrowed))}."
            )
        if min(floors) > TOO_NOISY:
            text += " That is too much to tell servers apart: measure more `--rounds`."
    if summary.left_open:
        shown = ", ".join(summary.left_open[:SHOWN_OPEN])
        more = len(summary.left_open) - SHOWN_OPEN
        text += (
            f" Asked for more precision, {plural(len(summary.left_open), 'cell')} stayed open:"
            f" {shown}{f' and {more} more, see summary.json' if more > 0 else ''}."
        )
    return text


def twins(summary: Summary) -> Table[Twins]:
    """Return the two arms at each endpoint: each round of both, and the floor that follows."""
    rankings = {ranking.endpoint.id: ranking for ranking in summary.rankings}
    return Table(
        (
            name("endpoint", "endpoint", lambda one: one.endpoint),
            _text("first arm, answers/s", lambda one: _rates(one.first.goodput)),
            _text("second arm", lambda one: _rates(one.second.goodput)),
            _text(
                "each round differs by", lambda one: _between(one.first.goodput, one.second.goodput)
            ),
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
