"""Searches and steps: what each load showed, which comes next, and what of them is judged."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import takewhile
from statistics import mode
from typing import Literal, NamedTuple

import msgspec

from loadtest.judge.servers.metrics import (
    HELD,
    Figures,
    Histograms,
    behind,
    figures,
    latencies,
    short_of,
)
from loadtest.judge.servers.turns import merged
from loadtest.records.measured import Histogram, Outcome
from loadtest.records.planned import LONGEST_S, STALL_S, Cell, Goal, Load, Plan, Record, Server
from loadtest.records.values import MOST_RATE, MOST_TRIED
from loadtest.stats.latency import ON_TIME, SAMPLES_NEEDED, percentile
from loadtest.stats.search import LEAST_RATE, Bracket, Try, bracket, next_rate
from loadtest.stats.series import has_number

STEP_REQUESTS = SAMPLES_NEEDED[99]
"""Of a step, unless it would take longer than `LONGEST_S`."""

REQUESTS = 5_000
"""Of a try, unless it would take longer than `LONGEST_TRY_S`: near what a server can do, each waits
behind those before it, and a p99 of fewer is most often too low (`benchmarks/search_truth.py`)."""

LONGEST_TRY_S = 20

MOST_FAILED = 2
"""Tries without a number, after which a cell is not tried any more."""

Why = Literal["server", "connections", "generator"]

LIMITS = ("connections", "generator")
"""What held a load back that was no fault of the server's answers."""


class Search(Record, frozen=True, kw_only=True):
    """The highest rate that keeps a goal lies between two."""

    low: float | None
    """Requests a second, the highest that kept it; None: none did, or none was tried."""
    high: float | None
    """The lowest above it that did not; None: all that were tried did."""
    why: Why | None
    """What missed there: the server's answers, or the schedule, for want of free connections or of
    processor time for the generator."""
    tries: int
    disturbed: int = 0
    """Tries during which others took so much of the machine that they may have missed for it."""
    unfinished: bool = False
    """More tries would narrow it: the budget was spent, or the run interrupted."""

    def above(self, other: Search, apart: float) -> bool:
        """Say whether it keeps a rate that the other does not, by more than `apart` times.

        What its generator or connections limited has no upper end.
        """
        return self.low is not None and self.low >= other.most * apart

    @property
    def most(self) -> float:
        """The rate that it is known not to keep; infinite where none is."""
        return math.inf if self.high is None or self.why in LIMITS else self.high


def reach_ranks(searches: Mapping[str, Search], apart: float | None = None) -> dict[str, int]:
    """Return the rank of each server that keeps some rate, from 1: it takes the most.

    Nobody was shown to take more than those of rank 1, and so on: intervals that overlap are a tie.
    `apart` is how many times as much one copy of a server took as another: no smaller difference
    counts.
    """
    reach = {name: search for name, search in searches.items() if search.low is not None}
    above = {
        name: sum(other.above(search, apart or 1.0) for other in reach.values())
        for name, search in reach.items()
    }
    counts = above.values()
    return {name: 1 + sum(each < count for each in counts) for name, count in above.items()}


def copies_apart(plan: Plan, at: str, searches: Mapping[str, Search]) -> float | None:
    """Return how many times as much one copy of a server took as the other; None without two."""
    for server in plan.servers:
        if server.duplicate_of is None:
            continue
        copies = [searches.get(f"{name}.{at}") for name in (server.name, server.duplicate_of)]
        rates = [search.low for search in copies if search and search.low]
        if len(rates) == len(copies):
            return max(rates) / min(rates)
    return None


class _Tried(NamedTuple):
    """A load at a rate, and why it missed the goal; None: it kept it."""

    outcome: Outcome
    rate: float
    why: Why | None


Missed = Callable[[Cell, Goal, Outcome], Why | None]
"""Says why a load at a rate did not keep a goal; None where it did."""


class Exploring:
    """Which load comes next for each cell that is searched or stepped through, of all so far.

    A try is what it was, and all of them are asked for again after each: each is read once.
    """

    def __init__(self, plan: Plan, histograms: Histograms) -> None:
        """Explore the cells of this plan whose loads say so."""
        self._cells = [cell for cell in plan.cells if cell.load.explores and cell.skip is None]
        self._histograms = histograms
        self._known: dict[tuple[str, int, int], Why | None] = {}

    def next_loads(self, outcomes: Sequence[Outcome]) -> dict[str, Load]:
        """Return what to send next, by cell; one that is not there is known well enough."""
        own = by_cell(merged(outcomes))
        loads = {cell.id: _next(cell, own.get(cell.id, []), self._missed) for cell in self._cells}
        return {id_: load for id_, load in loads.items() if load is not None}

    def brackets(self, outcomes: Sequence[Outcome]) -> dict[str, Bracket]:
        """Return between which rates each search has come to, by cell."""
        own = by_cell(merged(outcomes))
        return {
            cell.id: bracket(_tries(_tried(cell, own[cell.id], self._missed)))
            for cell in self._cells
            if cell.load.within and cell.id in own
        }

    def _missed(self, cell: Cell, goal: Goal, outcome: Outcome) -> Why | None:
        key = (outcome.cell, outcome.round, outcome.repeat)
        if key not in self._known:
            self._known[key] = _missed(cell, goal, outcome, self._histograms)
        return self._known[key]


def _next(cell: Cell, outcomes: Sequence[Outcome], missed: Missed) -> Load | None:
    if _failed(outcomes) >= MOST_FAILED:
        return None
    capacity = _capacity(outcomes)
    if capacity is None:
        return cell.load  # How fast it can be driven, to begin with.
    rate = (
        _search(cell, outcomes, missed, capacity)
        if cell.load.within
        else _step(cell, outcomes, capacity)
    )
    return None if rate is None else tried(cell, rate)


def tried(cell: Cell, rate: float) -> Load:
    """Return the load that is sent to a cell to try a rate."""
    # A rate of a hundred digits would be no other load.
    rate = float(f"{rate:.4g}")
    longest_s = _longest_s(cell.load.within or Goal())
    # Long enough to see the slowest that the goal allows.
    load = msgspec.structs.replace(
        cell.load, duration_s=max(cell.load.duration_s, math.ceil(5 * longest_s))
    )
    # A server that answers as late as the goal allows must not run out of connections.
    stall_s = max(STALL_S, 2 * longest_s)
    enough = (REQUESTS, LONGEST_TRY_S) if cell.load.within else (STEP_REQUESTS, LONGEST_S)
    load = load.at_rate(rate, cell.endpoint.contract.delay_s, stall_s, *enough)
    return msgspec.structs.replace(load, connections=min(load.connections, MOST_TRIED))


def _failed(outcomes: Iterable[Outcome]) -> int:
    return sum(not has_number(outcome) for outcome in outcomes)


def _search(
    cell: Cell, outcomes: Sequence[Outcome], missed: Missed, capacity: float
) -> float | None:
    return next_rate(_tries(_tried(cell, outcomes, missed)), capacity, MOST_RATE)


def _step(cell: Cell, outcomes: Sequence[Outcome], capacity: float) -> float | None:
    tried = sum(outcome.tried_rate is not None for outcome in outcomes)
    if tried >= len(cell.load.steps):
        return None
    return max(LEAST_RATE, min(MOST_RATE, capacity * cell.load.steps[tried]))


def _capacity(outcomes: Iterable[Outcome]) -> float | None:
    return next(
        (
            outcome.loaded.goodput
            for outcome in outcomes
            if outcome.loaded and outcome.tried and not outcome.tried.rate and has_number(outcome)
        ),
        None,
    )


def _tried(cell: Cell, outcomes: Iterable[Outcome], missed: Missed) -> Iterator[_Tried]:
    assert cell.load.within
    for outcome in outcomes:
        if outcome.tried_rate and outcome.loaded and outcome.loaded.sent:
            yield _Tried(outcome, outcome.tried_rate, missed(cell, cell.load.within, outcome))


def _tries(tried: Iterable[_Tried]) -> list[Try]:
    return [Try(each.rate, each.why is None) for each in tried]


def _missed(cell: Cell, goal: Goal, outcome: Outcome, histograms: Histograms) -> Why | None:
    """Return why a try did not keep a goal; None where it did."""
    loaded, tried = outcome.loaded, outcome.tried
    assert loaded
    assert loaded.sent
    assert tried
    assert tried.rate
    if outcome.status != "measured":
        return "server"
    sent = loaded.sent
    if loaded.errors > goal.error_share * sent.requests:
        return "server"
    of = latencies(msgspec.structs.replace(cell, load=tried), [outcome], histograms)
    turns = [turn.loaded for turn in outcome.loads if turn.loaded]
    # As of any load at a rate, whatever the goal allows: of such a row nothing is shown.
    if behind(turns, of.raw, cell.endpoint.contract.longest_s).share > HELD:
        return "server"
    if _exceeds(goal, of.raw, ON_TIME):
        return "server"
    if (short := short_of([sent])) is not None:
        return short
    # Fewer were late, or by less, and yet it is what makes the difference.
    return "generator" if _exceeds(goal, of.raw, of.late) else None


def _exceeds(goal: Goal, raw: Histogram, late: Histogram) -> bool:
    return any(
        most_us is not None and ((us := percentile(raw, p, late)) is None or us > most_us)
        for p, most_us in ((90, goal.p90_us), (99, goal.p99_us))
    )


def _longest_s(goal: Goal) -> float:
    return max(goal.p90_us or 0, goal.p99_us or 0) / 1e6


def settled(
    plan: Plan, outcomes: Sequence[Outcome], histograms: Histograms
) -> tuple[list[Outcome], dict[str, Search]]:
    """Return the outcomes to judge, and what each search came to, by cell.

    Of a search these are the tries at the highest rate that kept the goal, as rounds; of a load
    with steps the closed loop.
    """
    searched = {cell.id: cell for cell in plan.cells if cell.load.within}
    left = [
        outcome for outcome in outcomes if outcome.cell not in searched and not outcome.tried_rate
    ]
    searches: dict[str, Search] = {}
    missed = partial(_missed, histograms=histograms)
    for id_, own in by_cell(outcomes).items():
        if id_ not in searched:
            continue
        tried = list(_tried(searched[id_], own, missed))
        tries = _tries(tried)
        low, high = bracket(tries)
        whys = [each.why for each in tried if each.rate == high and each.why]
        capacity = _capacity(own)
        searches[id_] = Search(
            low=low,
            high=high,
            why=mode(whys) if whys else None,
            tries=len(tried),
            disturbed=sum(each.outcome.disturbance > 0 for each in tried),
            unfinished=capacity is not None
            and _failed(own) < MOST_FAILED
            and next_rate(tries, capacity, MOST_RATE) is not None,
        )
        kept = [each.outcome for each in tried if each.rate == low and each.why is None]
        if not kept:
            # Without a rate there is no number: why is what the last of them says.
            kept = [_without(outcome, high) for outcome in own[-1:]]
        left += [
            msgspec.structs.replace(outcome, round=number) for number, outcome in enumerate(kept)
        ]
    return left, searches


def _without(outcome: Outcome, high: float | None) -> Outcome:
    if outcome.status != "measured":
        return outcome
    reason = "no rate was tried before the search ended"
    if high is not None:
        requests = "request" if high == 1 else "requests"
        reason = f"the goal was missed at {high:,.10g} {requests}/s, the lowest rate that was tried"
    return msgspec.structs.replace(outcome, status="failed", stage="load", reason=reason)


def by_cell(outcomes: Iterable[Outcome]) -> Mapping[str, list[Outcome]]:
    """Return outcomes by their cell."""
    cells: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        cells.setdefault(outcome.cell, []).append(outcome)
    return cells


class Step(Record, frozen=True, kw_only=True):
    """A server at one rate."""

    rate: float
    """Requests a second that were asked for."""
    duration_s: float
    """How long each load at this rate was to last."""
    why: Why | None
    """What was short where they were not sent as scheduled, or not answered, or what missed the
    goal; None: the rate was kept."""
    tries: int = 1
    """Loads at this rate; `why` is that of most of them."""
    figures: Figures


def unfinished(plan: Plan, outcomes: Iterable[Outcome], searches: Mapping[str, Search]) -> bool:
    """Say whether a search, or a run in steps, has loads left."""
    each = by_cell(outcomes)
    return any(search.unfinished for search in searches.values()) or any(
        cell.skip is None
        and cell.load.steps
        and _failed(own := each.get(cell.id, [])) < MOST_FAILED
        and _step(cell, own, 0.0) is not None
        for cell in plan.cells
    )


def steps(
    plan: Plan, cell: Cell, server: Server, outcomes: Iterable[Outcome], histograms: Histograms
) -> tuple[Step, ...]:
    """Return what a cell's own outcomes showed at each rate with a number, the lowest first.

    Of a search these are its tries.
    """
    by_rate: dict[float, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.tried_rate and has_number(outcome):
            by_rate.setdefault(outcome.tried_rate, []).append(outcome)
    each = []
    for rate, same in sorted(by_rate.items()):
        at = msgspec.structs.replace(cell, load=same[0].tried)
        goal = cell.load.within or Goal()
        whys = [_missed(cell, goal, outcome, histograms) for outcome in same]
        missed = [why for why in whys if why]
        why = mode(missed) if 2 * len(missed) > len(same) else None
        # Those that say so: where tries contradict each other, what they show together is nothing.
        agreeing = [
            outcome
            for outcome, reason in zip(same, whys, strict=True)
            if (reason is None) == (why is None)
        ]
        shown = figures(plan, at, server, agreeing, latencies(at, agreeing, histograms))
        lasts_s = max(outcome.tried.duration_s for outcome in same if outcome.tried)
        each.append(Step(rate=rate, duration_s=lasts_s, why=why, tries=len(same), figures=shown))
    return tuple(each)


class KeepsUp(NamedTuple):
    """Up to which of its steps a server keeps up."""

    last: Step | None
    """The highest rate below which it kept all; None: not even the lowest."""
    first: Step | None
    """The next one, which it did not keep; None: it kept all."""


def keeps_up(steps: Sequence[Step], search: Search | None = None) -> KeepsUp:
    """Return where a server stops keeping up, whatever a higher rate happened to do.

    Of a search it is what that came to, whatever a lower rate happened to do.
    """
    if search is not None:
        at = {step.rate: step for step in steps}
        return KeepsUp(at.get(search.low or 0.0), at.get(search.high or 0.0))
    kept = list(takewhile(lambda step: step.why is None, steps))
    return KeepsUp(kept[-1] if kept else None, steps[len(kept)] if len(kept) < len(steps) else None)
