"""The only loop: trials as an experiment asks for them, each recorded as it ends.

Knows no server, client, tool or file: what a kind of run brings is `Trials`, and where they are
carried out is `Bench`.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

from loadtest.judge.stopping import EndedBy, ended_by, most_rounds
from loadtest.records import clients, measured
from loadtest.records.errors import LoadtestError
from loadtest.records.measured import Begun, Segment
from loadtest.records.planned import Record
from loadtest.records.run_folder import Outcome, Stored, Writer, kept

Key = tuple[Any, int]
"""What is measured, and in which round; rounds count from 0."""
Done = Collection[Key]
"""What is not to be measured again."""


class Shown(NamedTuple):
    """One measurement to come, as it is shown."""

    name: str
    """As a failure names it: `granian-wsgi.json-sync`."""
    round: int
    group: str
    """What several trials in a row share, as their server; "" without."""
    label: str
    """Which of its group."""
    cost: float = 1.0
    """Its part of the whole: planned seconds, or as much as every other."""
    aside: bool = False
    """It is of a duplicate, which is never said to be ahead."""
    so_far: str = ""
    """What a search knows of it by now."""


class Watcher(Protocol):
    """Told of each trial when it is known, when it begins and when it ends."""

    def showing(self) -> AbstractContextManager[None]:
        """Show the trials during the block."""

    def add(self, trials: Iterable[Shown]) -> None:
        """Take more that is to be measured."""

    def began(self, trial: Shown) -> None:
        """Take what is being measured from now on."""

    def ended(self, outcome: Any) -> None:
        """Take what became of it."""


Trial = TypeVar("Trial")
"""What is measured in one go: the cells that share a server process, or one row by one measure."""


@dataclass(frozen=True)
class Trials(ABC, Generic[Trial, Outcome]):
    """What a kind of run has to measure."""

    plan: Any
    """With `rounds`, `precision` and `budget_s`."""
    still_open: Callable[[Sequence[Outcome]], Collection[Any]]
    """What needs another round."""

    unit: ClassVar[str] = "measurement"
    """What each of them is called."""

    @property
    def turns(self) -> int:
        """How often each is measured in a round."""
        return 1

    @abstractmethod
    def key(self, outcome: Outcome) -> Key:
        """Return what an outcome is of."""

    @abstractmethod
    def skipped(self, done: Done) -> Iterable[Outcome]:
        """Return the outcomes of what the plan says cannot be measured."""

    @abstractmethod
    def of_round(
        self, round_: int, done: Done, wanted: Collection[Any] | None, turns: int
    ) -> list[Trial]:
        """Return the trials of a round that are not done, in order: what is wanted, or planned."""

    def has_untried(self, outcomes: Sequence[Outcome]) -> bool:
        """Say whether something of the plan was not even tried."""
        tried = {self.key(outcome) for outcome in outcomes}
        return any(self.of_round(at, tried, None, 1) for at in range(self.plan.rounds))

    def tries(self, round_: int, done: Done, known: Sequence[Outcome]) -> list[Trial] | None:
        """Return the trials of a round of a search that are not done; None ends it."""
        return None

    def so_far(self, known: Sequence[Outcome]) -> Mapping[str, str]:
        """Return what a search knows by now, by the names that are shown."""
        return {}

    @abstractmethod
    def shown(self, trial: Trial, known: Sequence[Outcome]) -> dict[Key, Shown]:
        """Return the measurements of a trial as they are shown, with about how long each takes."""


class Bench(Protocol):
    """Where trials are carried out, up and ready."""

    def ceilings(self, known: Sequence[Any]) -> Iterator[Record]:
        """Yield the ceilings that the run lacks; raises LoadtestError where there is none."""

    def run(
        self, todo: Sequence[Any], record: Callable[[Any], None], began: Callable[[Key], None]
    ) -> None:
        """Carry out trials, and record what becomes of each and whatever else is to be kept.

        One that fails is recorded, and the rest goes on.
        """


Experiment = Callable[
    [Trials[Trial, Outcome], Done, Sequence[Outcome], float], Iterator[list[Trial]]
]
"""Yields what to measure next, while the outcomes that it was given grow; the last argument is how
many seconds the run has taken before."""


def fill(
    stored: Stored[Any, Outcome, Any],
    trials: Trials[Trial, Outcome],
    experiment: Experiment[Trial, Outcome],
    bench: AbstractContextManager[Bench],
    watcher: Watcher,
    say: Callable[[str], None],
) -> None:
    """Measure what a run's folder lacks.

    Says what is there already. Where nothing is left to measure, nothing is started. However it
    ends, what was measured is in the folder; KeyboardInterrupt passes through. Raises UserError
    where the folder is moved, removed or takes no more.
    """
    done = finished(stored.outcomes, trials.key)
    outcomes = list(stored.outcomes)
    with kept(stored.folder), closing(Writer(stored.folder)) as writer:

        def record(fact: Any) -> None:
            writer.append(fact)
            if isinstance(fact, measured.Outcome | clients.Outcome):
                outcomes.append(fact)  # type: ignore[arg-type]
                watcher.ended(fact)

        for outcome in trials.skipped(done):
            writer.append(outcome)
        before_s = sum(segment.wall_s for segment in stored.segments)
        goes_on = any(experiment(trials, done, outcomes, before_s))
        if outcomes:
            say(_standing(trials, done, outcomes, goes_on=goes_on))
        if not goes_on:
            return
        # What is up before, as a database that was seeded, is no time of measuring.
        with watcher.showing(), bench as up, _stretch(writer) as elapsed_s:
            try:
                for ceiling in up.ceilings(stored.ceilings):
                    writer.append(ceiling)
            except LoadtestError as error:
                # Without it the rows only lack one check, and say so.
                say(f"no ceiling: {error}")
            planned_s = 0.0
            watcher.add(_planned(trials, done, outcomes).values())
            for todo in experiment(trials, done, outcomes, before_s + elapsed_s()):
                so_far = trials.so_far(outcomes)
                shown = {
                    key: each._replace(so_far=so_far.get(each.name, ""))
                    for key, each in show(trials, todo, outcomes).items()
                }
                watcher.add(trial for trial in shown.values() if trial.round >= trials.plan.rounds)
                group = ""

                def began(key: Key, shown: Mapping[Key, Shown] = shown) -> None:
                    nonlocal group, planned_s
                    trial, taken_s = shown[key], elapsed_s()
                    if trial.round and trial.group != group:
                        group = trial.group
                        needs_s = sum(each.cost for each in shown.values() if each.group == group)
                        needs_s *= max(1.0, taken_s / planned_s if planned_s else 1.0)
                        if ends(trials.plan, before_s + taken_s + needs_s):
                            raise _OutOfTimeError
                    planned_s += trial.cost
                    watcher.began(trial)

                with suppress(_OutOfTimeError):
                    up.run(todo, record, began)
            if why := _ended(trials, outcomes):
                say(why)


class _OutOfTimeError(Exception):
    """What shares a server or an endpoint would not be measured within the budget any more."""


def _planned(
    trials: Trials[Trial, Outcome], done: Done, known: Sequence[Outcome]
) -> dict[Key, Shown]:
    """Return what the rounds of the plan lack, in order."""
    lacking = [
        trial
        for round_ in range(trials.plan.rounds)
        for trial in trials.of_round(round_, done, None, trials.turns)
    ]
    return show(trials, lacking, known)


def _standing(
    trials: Trials[Trial, Outcome], done: Done, known: Sequence[Outcome], *, goes_on: bool
) -> str:
    """Return how much of a run is there, and whether more of it is to be measured."""
    planned = _planned(trials, (), ()).keys()
    lacking = len(planned - set(done))
    text = f"{len(planned) - lacking} of {len(planned)} {trials.unit}s are there already"
    # Tries of a search, or rounds that the precision asked for.
    if further := sum(round_ >= trials.plan.rounds for _, round_ in done):
        text += f", and {further} more"
    if goes_on:
        return f"{text}; {f'{lacking} to go' if lacking else 'more follow, as the answer is open'}"
    if lacking or _ended_by(trials, known) == "budget":
        return f"{text}; no more fit into the budget of the run"
    return f"{text}; nothing is left to measure"


WHY_ENDED: dict[EndedBy, str] = {
    "decided": "the answer is no longer open",
    "failed": "what is still open failed in the next one",
    "budget": "no more fit into the budget",
}


def _ended(trials: Trials[Trial, Outcome], outcomes: Sequence[Outcome]) -> str | None:
    """Return why a run ends before it has had all rounds or tries that it may; None if it has."""
    count = 1 + max((each.round for each in outcomes if each.status == "measured"), default=-1)
    if not count or (why := _ended_by(trials, outcomes)) is None:
        return None
    most = most_rounds(trials.plan)
    after = f" after {count} of at most {most} rounds" if count < most else ""
    return f"ended{after}: {WHY_ENDED[why]}"


def _ended_by(trials: Trials[Trial, Outcome], outcomes: Sequence[Outcome]) -> EndedBy | None:
    """Return why no more is measured; None where the run has all."""
    next_round = 1 + max((outcome.round for outcome in outcomes), default=-1)
    more = trials.has_untried(outcomes) or trials.tries(next_round, (), outcomes) is not None
    return ended_by(trials.plan, outcomes, more=more, left_open=trials.still_open(outcomes))


def ends(plan: Any, after_s: float) -> bool:
    """Say whether what would be measured by then is beyond the budget of a run."""
    return plan.budget_s is not None and after_s > plan.budget_s


def show(
    trials: Trials[Trial, Outcome], todo: Sequence[Trial], known: Sequence[Outcome]
) -> dict[Key, Shown]:
    """Return all measurements of some trials as they are shown, in order."""
    return {key: shown for trial in todo for key, shown in trials.shown(trial, known).items()}


def finished(outcomes: Iterable[Outcome], key: Callable[[Outcome], Key]) -> frozenset[Key]:
    """Return what needs no measuring: what has a number, and what cannot have one.

    The last outcome says so: a turn that was measured and failed when it was repeated has none.
    """
    last = {key(outcome): outcome.status for outcome in outcomes}
    return frozenset(each for each, status in last.items() if status in ("measured", "skipped"))


@contextmanager
def _stretch(writer: Writer) -> Iterator[Callable[[], float]]:
    """Record how long the block takes, which gets what says how long it has taken."""
    began_at, began = time.time(), time.monotonic()
    writer.append(Begun(started_at=began_at))
    interrupted = True
    try:
        yield lambda: time.monotonic() - began
        interrupted = False
    finally:
        wall_s = time.monotonic() - began
        writer.append(Segment(started_at=began_at, wall_s=wall_s, interrupted=interrupted))
