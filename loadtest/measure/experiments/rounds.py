"""The plan's rounds, then one round after the other of what is still open."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from loadtest.judge.stopping import MOST_LOOKS
from loadtest.measure.loop import Done, Trial, Trials, show
from loadtest.records.run_folder import Outcome


def rounds(
    trials: Trials[Trial, Outcome], done: Done, outcomes: Sequence[Outcome], spent_s: float
) -> Iterator[list[Trial]]:
    """Yield the trials of each stretch; `outcomes` grows while this is iterated over.

    `spent_s` is what earlier stretches of the run took of its budget.
    """
    began, most = time.monotonic(), trials.plan.rounds + MOST_LOOKS - 1
    yield trials.planned(done)
    # The ranks allow for so many looks at the data and no more; the plan's own rounds are one.
    while (wanted := trials.still_open(outcomes)) and (
        (round_ := 1 + max(outcome.round for outcome in outcomes)) < most
    ):
        todo = trials.further(round_, wanted)
        needs_s = sum(shown.cost for shown in show(trials, todo, outcomes).values())
        ends_s = spent_s + time.monotonic() - began + needs_s
        if trials.plan.budget_s is not None and ends_s > trials.plan.budget_s:
            return
        yield todo
        if not any(each.round == round_ and each.status == "measured" for each in outcomes):
            return  # what fails every time would stay open for ever
