"""Tries, round after round, of the highest rate that keeps a goal: for each cell by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from loadtest.measure.loop import Done, Trial, Trials, ends, show
from loadtest.records.run_folder import Outcome


def search(
    trials: Trials[Trial, Outcome],
    done: Done,
    outcomes: Sequence[Outcome],
    spent_s: float,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[list[Trial]]:
    """Yield what to try in each round; `outcomes` grows while this is iterated over.

    It ends when every highest rate is known, or a round would not end within the budget any more.
    What a run that was interrupted has measured tells what was to come next, so the same follows.
    """
    began, round_ = clock(), 0
    while True:
        known = [outcome for outcome in outcomes if outcome.round < round_]
        if (todo := trials.tries(round_, done, known)) is None:
            return
        needs_s = sum(shown.cost for shown in show(trials, todo, outcomes).values())
        if round_ and ends(trials.plan, spent_s + clock() - began + needs_s):
            return
        yield todo
        if todo and not any(outcome.round == round_ for outcome in outcomes):
            return  # not even one load fitted into the budget
        round_ += 1
