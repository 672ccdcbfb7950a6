"""The plan's rounds, then one round after the other of what is still open, within a budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from loadtest.judge.stopping import most_rounds
from loadtest.measure.loop import Done, Trial, Trials, ends, show
from loadtest.records.run_folder import Outcome


def rounds(
    trials: Trials[Trial, Outcome],
    done: Done,
    outcomes: Sequence[Outcome],
    spent_s: float,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[list[Trial]]:
    """Yield the trials of each round; `outcomes` grows while this is iterated over.

    `spent_s` is what earlier stretches of the run took of its budget. A round begins only if it
    will end within that, at the pace of those before; with fewer turns where not all will fit.
    """
    plan, began = trials.plan, clock()
    planned_s = 0.0

    def fitting(round_: int, wanted: Collection[Any] | None) -> tuple[list[Trial], float]:
        elapsed_s = clock() - began
        pace = max(1.0, elapsed_s / planned_s) if planned_s else 1.0
        for turns in range(trials.turns, 0, -1):
            todo = trials.of_round(round_, done, wanted, turns)
            needs_s = sum(shown.cost for shown in show(trials, todo, outcomes).values())
            # The first round is what a run is for.
            if not round_ or not ends(plan, spent_s + elapsed_s + needs_s * pace):
                return todo, needs_s
        return [], 0.0

    for round_ in range(most_rounds(plan)):
        beyond = round_ >= plan.rounds
        wanted = trials.still_open(outcomes) if beyond else None
        if beyond and not wanted:
            return
        todo, needs_s = fitting(round_, wanted)
        if not todo:
            if any(outcome.round >= round_ for outcome in outcomes):
                continue  # it was measured before the run was interrupted
            return
        planned_s += needs_s
        yield todo
        if beyond and not any(
            outcome.round == round_ and outcome.status == "measured" for outcome in outcomes
        ):
            return  # what fails every time would stay open for ever
