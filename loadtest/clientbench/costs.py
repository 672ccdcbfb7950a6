"""What a choice costs beside its time: processor time a call, and what a process pays to start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median

from loadtest.clientbench.model import Measure
from loadtest.clientbench.phrases import Point, deciding, leading, time_us
from loadtest.clientbench.standing import Ranking, Standing
from loadtest.clientbench.summary import Summary
from loadtest.report.format import latency, share, significant

CALLS_S = 100
"""For which the price in processor time is worked out."""


def cpu(summary: Summary) -> Point | None:
    """Compare the processor time of a call; None with fewer than two clients."""
    ranking = _widest(summary, "warm")
    if ranking is None:
        return None
    costs = _by_client(ranking, lambda row: row.warm.cpu_us if row.warm else None)
    if len(costs) < 2:
        return None
    names, values = list(costs), list(costs.values())
    listed = ", ".join(f"`{name}` {latency(us)}" for name, us in costs.items())
    return Point(
        question="What does it cost in processor time?",
        says=(
            f"{ranking.group.title}, a call with a kept client: {listed}.",
            f"At {CALLS_S} calls a second that is {share(values[0] * CALLS_S / 1e6)} of a processor"
            f" for `{names[0]}` and {share(values[-1] * CALLS_S / 1e6)} for `{names[-1]}`.",
        ),
        rows=tuple(row.row.id for row in ranking.shown),
        told=True,
    )


def start(summary: Summary) -> Point | None:
    """Say what a process pays before its first call; None where nothing was measured cold."""
    ranking = _widest(summary, "cold")
    if ranking is None:
        return None
    imports = _by_client(ranking, lambda row: _us(row.cold.import_s) if row.cold else None)
    starts = [us for row in ranking.shown if row.cold and (us := _us(row.cold.start_s))]
    if not imports or not starts:
        return None
    listed = ", ".join(f"`{name}` {latency(us)}" for name, us in imports.items())
    says = [
        f"The interpreter needs {latency(median(starts))}, then the import: {listed}. A server pays"
        " that once in each worker, a management command or a function each time."
    ]
    says += _break_even(summary, imports)
    return Point(
        question="What does it cost at the start?",
        says=tuple(says),
        rows=tuple(row.row.id for row in ranking.shown),
        told=True,
    )


def _break_even(summary: Summary, imports: dict[str, float]) -> Iterator[str]:
    """Yield from how many calls on the faster client has made up for its longer import."""
    quick = next(iter(imports))
    for ranking in deciding(summary):
        if ranking.measure != "warm" or not ranking.shown:
            continue
        fast = ranking.shown[0]
        slow = next((row for row in ranking.shown if row.row.client == quick), None)
        if slow is None or leading(slow) or fast.row.client not in imports:
            continue
        saved = (time_us(slow) or 0.0) - (time_us(fast) or 0.0)
        more = imports[fast.row.client] - imports[quick]
        if saved > 0 and more > 0:
            yield (
                f"A process that makes fewer than about {significant(more / saved)} calls is done"
                f" sooner with `{quick}` than with the faster `{fast.row.client}`"
                f" ({ranking.group.title})."
            )
            return


def _widest(summary: Summary, measure: Measure) -> Ranking | None:
    """Return the table of a measure that has the most clients: one load for all of them."""
    tables = [ranking for ranking in summary.rankings if ranking.measure == measure]
    return max(tables, key=lambda one: len({row.row.client for row in one.shown}), default=None)


def _by_client(ranking: Ranking, of: Callable[[Standing], float | None]) -> dict[str, float]:
    """Return the middle of a figure over each client's rows that keep it, the lowest first."""
    found: dict[str, list[float]] = {}
    for row in ranking.shown:
        value = of(row)
        if value is not None and row.row.reuse == "kept":
            found.setdefault(row.row.client, []).append(value)
    return dict(
        sorted(((name, median(each)) for name, each in found.items()), key=lambda item: item[1])
    )


def _us(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e6
