"""A row of a ranking: what its rounds come to, its verdict and its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from loadtest.judge.concern import Judgement, Raised, Verdict
from loadtest.records.planned import Record, Status
from loadtest.records.text import message
from loadtest.stats.significance import Finding

NOT_REACHED = "the run ended before this was measured"


class Round(Record, frozen=True, kw_only=True):
    """What became of a row in one round."""

    number: int
    """From 1, as people count."""
    status: Status
    """What became of it; one that left no usable number counts as failed."""
    stage: str | None
    """Where a failed one failed."""
    reason: str | None
    """In one line; of a failed or skipped one."""
    detail: str | None
    """More of it, such as the end of a log or of a traceback."""


class Versus(Record, frozen=True, kw_only=True):
    """How a figure of a row compares with another row's, round by round."""

    ratio: float
    """Its figure / the other's, the median over rounds."""
    low: float | None
    """Lower end of its 95 % interval; None with fewer than 2 rounds in common."""
    high: float | None
    """Upper end, likewise."""
    finding: Finding
    """Taken with all pairs of its table, and against the noise floor there."""


class Row(Record, frozen=True, kw_only=True):
    """What was measured of one thing: its figures are the wing's."""

    status: Status
    """`measured` if at least one round was."""
    rank: int | None
    """From 1, the best; None without a number, and for one that is invalid; and where it is neither
    separated nor tied: its own rounds show a difference, but so many pairs show some by chance."""
    tied: bool
    """Shares its rank: this run cannot separate it from the leader of its group."""
    versus: Versus | None
    """Against the row that others are compared with; None without a number, and for that row."""
    verdict: Verdict | None
    """What the number is worth; None where there is nothing to judge."""
    concerns: tuple[Raised, ...]
    """Doubts about the number, the worst first."""
    unchecked: tuple[str, ...]
    """Concerns that nobody could look for, as what they need was not recorded."""
    stage: str | None
    """Where the first round that failed did so."""
    reason: str | None
    """Of the first round that failed, or else was skipped."""
    rounds_measured: int
    """Rounds that gave a number."""
    rounds_failed: int
    """Rounds that were tried and gave none."""
    rounds: tuple[Round, ...]
    """Each of them."""

    @property
    def name(self) -> str:
        """No other row of the ranking has it."""
        raise NotImplementedError

    @property
    def why_invalid(self) -> str:
        """The facts that made it so; empty where it is not."""
        return "; ".join(raised.facts for raised in self.concerns if raised.severity == "invalid")


class Ranking(Record, frozen=True, kw_only=True):
    """Rows that are compared with each other: the best first, then the invalid, failed, skipped.

    Duplicates are not among them: they are there to show the noise.
    """

    noise_floor: float | None
    """The difference, as a share, that two identical rows show here; None without duplicates."""
    unranked: str | None
    """Why no row has a rank, in words; None where some have, or none has a number."""
    rows: tuple[Row, ...]
    """Those with a number first, the best first."""


O = TypeVar("O")  # noqa: E741
P = TypeVar("P", bound=Round)
R = TypeVar("R", bound=Row)


class Ended(NamedTuple, Generic[O, P]):
    """The last outcome of each round, by what became of it."""

    rounds: tuple[P, ...]
    measured: tuple[O, ...]
    """Rounds that gave a number."""
    failed: tuple[O, ...]
    """Rounds that were tried and gave none."""


def ended(by_number: Mapping[int, O], round_of: Callable[[O], P]) -> Ended[O, P]:
    """Return what the rounds, which count from 0, come to."""
    outcomes = [by_number[number] for number in sorted(by_number)]
    rounds = tuple(map(round_of, outcomes))

    def those(status: Status) -> tuple[O, ...]:
        pairs = zip(outcomes, rounds, strict=True)
        return tuple(outcome for outcome, round_ in pairs if round_.status == status)

    return Ended(rounds, those("measured"), those("failed"))


def shown(reason: str | None) -> str | None:
    """Return a reason as reports have it: of a long one both ends, as there may be thousands."""
    return reason and message(reason)


def make_row(
    of: type[R], came: Ended[Any, Any], judged: Judgement, skip: str | None, **figures: Any
) -> R:
    """Return a row without a place: measured if any round was, and why if not all were.

    `skip` is why it was not to be measured, if so; `figures` are the fields of the wing.
    """
    status: Status = "measured" if came.measured else "failed" if came.failed else "skipped"
    lost = "failed" if came.failed else "skipped"
    why = next((round_ for round_ in came.rounds if round_.status == lost), None)
    reason = why.reason if why else None
    return of(
        status=status,
        rank=None,
        tied=False,
        versus=None,
        # Without a number, no concern is no praise.
        verdict=judged.verdict if came.measured or judged.concerns else None,
        concerns=judged.concerns,
        unchecked=judged.unchecked if came.measured else (),
        stage=why.stage if why else None,
        reason=reason or (shown(skip) or NOT_REACHED if status == "skipped" else None),
        rounds_measured=len(came.measured),
        rounds_failed=len(came.failed),
        rounds=came.rounds,
        **figures,
    )
