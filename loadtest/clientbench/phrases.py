"""What the answers in words are made of: a point, and how rows and ratios are said."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.clientbench.model import Measure, Row
from loadtest.clientbench.standing import Ranking, Standing, Versus
from loadtest.clientbench.summary import Summary
from loadtest.model import Record
from loadtest.report.format import latency, significant


class Point(Record, frozen=True, kw_only=True):
    """One question a reader has, with what this run says to it."""

    question: str
    says: tuple[str, ...]
    """Sentences; names that are typed stand in backticks."""
    rows: tuple[str, ...]
    """The ids of the rows it follows from."""
    told: bool
    """False where the run cannot tell."""


def told(versus: Versus) -> bool:
    """Say whether two rows were told apart."""
    return versus.finding in ("higher", "lower")


def leading(row: Standing) -> bool:
    """Say whether a row is to be named among the fastest: not told apart, or told for nothing.

    Steady rounds tell differences apart that would not decide which client to take.
    """
    return row.shown and (
        row.rank == 1 or (row.versus is not None and row.versus.finding == "equivalent")
    )


def limited(row: Standing) -> bool:
    """Say whether the server set the pace of a row."""
    return any(raised.concern == "upstream-limited" for raised in row.concerns)


def times(versus: Versus) -> str:
    """Return a ratio of times with its interval: `3.40 times (3.21 to 3.62)`."""
    text = f"{significant(versus.ratio)} times"
    if versus.low is None or versus.high is None:
        return text
    return f"{text} ({significant(versus.low)} to {significant(versus.high)})"


def time_us(row: Standing) -> float | None:
    """Return what a row is ranked by, in microseconds: a warm call, or a whole process."""
    if row.warm:
        return row.warm.call_us
    return row.cold.median_s * 1e6 if row.cold else None


def unit(ranking: Ranking) -> str:
    """Return what the time of a table is of."""
    return "a call" if ranking.measure == "warm" else "a process"


def deciding(summary: Summary) -> tuple[Ranking, ...]:
    """Return one table of each group: the warm one, where nothing but the calls is in the time."""
    found: dict[str, Ranking] = {}
    for ranking in summary.rankings:
        if ranking.group.name not in found or ranking.measure == "warm":
            found[ranking.group.name] = ranking
    return tuple(found.values())


def standings(summary: Summary, measure: Measure) -> dict[str, Standing]:
    """Return the rows that may be shown by one measure, by their ids."""
    return {
        row.row.id: row
        for ranking in summary.rankings
        if ranking.measure == measure
        for row in ranking.shown
    }


def named(rows: Sequence[Standing]) -> str:
    """Return the labels as a list in words."""
    return listed([f"`{row.row.label}`" for row in rows])


def listed(names: Sequence[str]) -> str:
    """Return names as a list in words."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def manner(row: Row) -> str:
    """Return how a server is asked, whatever the client, to begin a sentence with."""
    words = ["Over TLS" if row.answer.tls else "Over plain HTTP"]
    if row.answer.delay_s:
        words.append(f"of a server that takes {latency(row.answer.delay_s * 1e6)}")
    words.append(f"{row.batch} at a time" if row.batch > 1 else "one after the other")
    return ", ".join(words)


def asked(row: Row) -> str:
    """Return a row's client, with what is asked of the server where that is not the usual."""
    words = [f"`{row.client}`"]
    if row.answer.delay_s:
        words.append(f"at {latency(row.answer.delay_s * 1e6)}")
    if row.answer.tls:
        words.append("over TLS")
    if row.batch > 1:
        words.append(f"{row.batch} at a time")
    return " ".join(words)
