"""What every summary has: how many rows came to which end, and what doubts were looked for."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeVar

from loadtest.judge.concern import Concern, Explained
from loadtest.judge.rows import Row
from loadtest.records import clients, measured
from loadtest.records.planned import Record


class Counts(Record, frozen=True, kw_only=True):
    """How many rows came to which end."""

    measured: int
    """With a number in at least one round."""
    failed: int
    """Tried, and without a number in any round."""
    skipped: int
    """Not tried, or not reached."""
    measured_with_failed_rounds: int
    """Among the measured."""
    valid: int
    """Without a concern."""
    suspect: int
    """With a concern that leaves the number standing."""
    invalid: int
    """Without a number that may be shown, for a concern; measured or failed under load."""


class Summary(Record, frozen=True, kw_only=True):
    """What the reports show of every run."""

    format: int
    """Version of this file; see the history."""
    counts: Counts
    """Of all rows."""
    rounds: int
    """Begun; more than planned where more precision was asked for."""


O = TypeVar("O", bound=measured.Outcome | clients.Outcome)  # noqa: E741
K = TypeVar("K", bound=Hashable)


def counted(rows: Sequence[Row]) -> Counts:
    """Return how many of the rows came to which end."""
    status = [row.status for row in rows]
    verdict = [row.verdict for row in rows]
    return Counts(
        measured=status.count("measured"),
        failed=status.count("failed"),
        skipped=status.count("skipped"),
        measured_with_failed_rounds=sum(
            row.status == "measured" and row.rounds_failed > 0 for row in rows
        ),
        valid=verdict.count("valid"),
        suspect=verdict.count("suspect"),
        invalid=verdict.count("invalid"),
    )


def explained(concerns: Iterable[Concern[Any]]) -> tuple[Explained, ...]:
    """Return what each of the concerns means, and what to do about it."""
    return tuple(
        Explained(concern=concern.name, means=concern.means, advice=concern.advice)
        for concern in concerns
    )


def last(outcomes: Iterable[O], key: Callable[[O], K]) -> dict[K, dict[int, O]]:
    """Return the last outcome of each round, by `key` and round."""
    last: dict[K, dict[int, O]] = {}
    for outcome in outcomes:
        last.setdefault(key(outcome), {})[outcome.round] = outcome
    return last
