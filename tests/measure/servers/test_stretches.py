"""How a run goes on after its rounds: which cells, and for how long."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from builders import endpoint, plan, run, server
from duplicate_arms import measured

from loadtest.judge.servers.summary import still_open
from loadtest.measure.experiments.rounds import rounds
from loadtest.measure.servers.session import ServerTrials
from loadtest.plan.servers import schedule
from loadtest.records.measured import Histogram, Outcome
from loadtest.records.planned import Plan

PLAN = plan(
    [server("alpha"), server("beta"), server("alpha-again", duplicate_of="alpha")],
    [endpoint("json")],
    rounds=2,
    precision=0.03,
    reference="alpha",
)
WILD = {"alpha": (1000, 1010), "beta": (700, 1400), "alpha-again": (1005, 1000)}


def outcomes(errors: float = 0.0) -> list[Outcome]:
    """Return two rounds in which beta is wild; `errors` is their share among its answers."""
    recorded = []
    for name, rates in WILD.items():
        for number, rate in enumerate(rates):
            outcome = measured(f"{name}.json-sync", number, rate, 500_000 / rate)
            if name == "beta" and outcome.loaded:
                wrong = int(errors * outcome.loaded.answers)
                outcome = msgspec.structs.replace(
                    outcome, loaded=msgspec.structs.replace(outcome.loaded, status_errors=wrong)
                )
            recorded.append(outcome)
    return recorded


def no_histogram(name: str) -> Histogram:
    raise AssertionError(name)


def begun(of: Plan, had: list[Outcome], spent_s: float = 0.0, most: int = 4) -> int:
    """Return how many rounds are begun after those of the plan, every cell being measured."""
    known = list(had)

    def open_cells(outcomes: Sequence[Outcome]) -> frozenset[str]:
        return still_open(run(of), outcomes, no_histogram)

    trials = ServerTrials(of, open_cells)
    done = [trials.key(outcome) for outcome in had]
    count = 0
    for todo in rounds(trials, done, known, spent_s):
        if count == most:
            break
        count += 1
        for turn in schedule.turns(todo):
            rate = 1000 + 300 * (turn.round % 2)
            known.append(measured(turn.cell.id, turn.round, rate, 500_000 / rate))
    return count


def test_an_open_cell_gets_more_rounds() -> None:
    assert begun(PLAN, outcomes()) == 4
    no_more = msgspec.structs.replace(PLAN, precision=None)
    assert begun(no_more, outcomes()) == 0


def test_an_invalid_cell_gets_none() -> None:
    assert begun(PLAN, outcomes(errors=0.5)) == 0


@pytest.mark.parametrize(("spent_s", "expected"), [(0.0, 4), (53.0, 4), (55.0, 0)])
def test_the_budget_is_that_of_the_whole_run(spent_s: float, expected: int) -> None:
    """What its earlier stretches took is spent; a round that would not end in time is not begun."""
    limited = msgspec.structs.replace(PLAN, budget_s=60.0)
    assert begun(limited, outcomes(), spent_s) == expected


QUICK = msgspec.structs.replace(PLAN, precision=None, most_rounds=4, turns=3, at_once=3)


def turns_of(budget_s: float | None, pace: float = 1.0, open_: bool = True) -> list[int]:
    """Return how many turns of each cell the rounds of a run have, that takes `pace` times as long.

    The clock is one that moves when something is measured.
    """
    of = msgspec.structs.replace(QUICK, budget_s=budget_s)
    now = [0.0]
    trials = ServerTrials(of, lambda outcomes: {cell.id for cell in of.cells} if open_ else ())
    known: list[Outcome] = []
    rounds_turns = []
    for todo in rounds(trials, (), known, 0.0, lambda: now[0]):
        turns = list(schedule.turns(todo))
        now[0] += pace * sum(turn.planned_s for turn in turns)
        known += [measured(turn.cell.id, turn.round, 1000, 500) for turn in turns]
        rounds_turns.append(len(turns) // len(of.cells))
    return rounds_turns


def test_rounds_go_on_while_something_is_open() -> None:
    assert turns_of(None) == [3, 3, 3, 3]
    assert turns_of(None, open_=False) == [3, 3]


def takes_s(turns: int) -> float:
    """Return how long a round is planned to take."""
    todo = schedule.one_round(QUICK, 0, turns=turns)
    return sum(turn.planned_s for turn in schedule.turns(todo))


def test_a_budget_ends_a_run_with_what_still_fits() -> None:
    whole_s = takes_s(3)
    assert turns_of(4 * whole_s + 0.1) == [3, 3, 3, 3]
    # The last round has as many turns as there is time for.
    assert turns_of(3.5 * whole_s) == [3, 3, 3, 1]
    assert turns_of(2.1 * whole_s) == [3, 3]
    # On a slow machine the same time holds less; the first round is made in any case.
    assert turns_of(4 * whole_s, pace=2.0) == [3, 3]
    assert turns_of(0.5 * whole_s) == [3]
