"""Columns that every table of results has, whatever was measured: rank, ratio, verdict, rounds."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from loadtest.judge.rows import Row, Versus
from loadtest.report.table import SUSPECT, Column, Value, prose
from loadtest.report.units import UNKNOWN, ratio_interval

R = TypeVar("R", bound=Row)

K = TypeVar("K")
"""Of the ranking that a row stands in."""


@dataclass(frozen=True)
class Subject(Generic[K, R]):
    """How a kind of run calls its rows and says where they stand."""

    noun: str
    """Of a row as it is counted: `cell`."""
    name: Column[R]
    place: str
    """Heading of the next."""
    ranking: Callable[[K, R], str]
    """In which ranking a row stands."""
    lost: Callable[[K, R], tuple[str, str]]
    """What a row without a number is called, and what distinguishes it from others called so."""
    loser: Callable[[R], str]
    """Whose rows stand apart from those of others with the same reason; empty for nobody's."""


RANK: Column[Any] = Column(
    "rank",
    "rank",
    lambda row: row.rank,
    lambda row: f"{row.rank}{'=' * row.tied}" if row.rank else UNKNOWN,
)


def worth(row: Row) -> str:
    """Return the verdict with the concerns that led to it."""
    names = ", ".join(raised.concern for raised in row.concerns)
    return (row.verdict or UNKNOWN) + (f": {names}" if names else "")


VERDICT: Column[Row] = Column("verdict", "verdict", lambda row: row.verdict, worth, "prose")

ROUNDS: Column[Row] = Column(
    "rounds_measured",
    "rounds",
    lambda row: row.rounds_measured,
    lambda row: f"{row.rounds_measured} of {row.rounds_measured + row.rounds_failed}",
)


def plain(key: str, value: Callable[[R], Value]) -> Column[R]:
    """Return a column for programs alone."""
    return Column(key, key, value, lambda row: str(value(row)))


JUDGED: tuple[Column[Row], ...] = (
    prose("status", "status", lambda row: row.status),
    VERDICT,
    plain("concerns", lambda row: " ".join(raised.concern for raised in row.concerns)),
    plain("unchecked", lambda row: " ".join(row.unchecked)),
    RANK,
)
"""What became of a row and what it is worth, for programs."""


def versus_text(versus: Versus | None) -> str:
    """Return a ratio with its 95 % interval: `1.86x (1.80 to 1.93)`."""
    return ratio_interval(versus.ratio, versus.low, versus.high) if versus else UNKNOWN


def versus(of: Callable[[R], Versus | None], prefix: str = "") -> tuple[Column[R], ...]:
    """Return a ratio, the ends of its interval and what follows from it, for programs."""

    def column(key: str, field: str) -> Column[R]:
        return plain(f"{prefix}{key}", lambda row: getattr(of(row), field, None))

    return (
        column("ratio", "ratio"),
        column("ratio_low", "low"),
        column("ratio_high", "high"),
        column("finding", "finding"),
    )


def marked(text: str, row: Row) -> str:
    """Return a figure of a row with its mark where there are doubts about it."""
    return text + (SUSPECT if row.verdict == "suspect" else "")


def ended(prefix: str, rounds: int, value: Callable[[Any], Value]) -> tuple[Column[Row], ...]:
    """Return how the rounds ended, for programs: how many, a figure of each, and why they failed.

    `value` takes a round.
    """

    def column(number: int) -> Column[Row]:
        def of(row: Row) -> Value:
            known = row.rounds if row.verdict != "invalid" else ()
            # They are in order; to look through all for each takes the square of their number.
            at = bisect_left(known, number, key=lambda each: each.number)
            return value(known[at]) if at < len(known) and known[at].number == number else None

        return plain(f"{prefix}_round_{number}", of)

    return (
        ROUNDS,
        plain("rounds_failed", lambda row: row.rounds_failed),
        *map(column, range(1, rounds + 1)),
        prose("stage", "stage", lambda row: row.stage),
        prose("reason", "reason", lambda row: row.reason),
    )
