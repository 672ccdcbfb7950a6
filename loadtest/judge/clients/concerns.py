"""The doubts about the numbers of HTTP clients: how each is found, what it means, what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from loadtest.judge.clients.metrics import spread, time_s
from loadtest.judge.concern import (
    CLOCK_S,
    NOTHING,
    RANK,
    UNCHECKED,
    Check,
    Concern,
    percent,
    wording,
)
from loadtest.records.clients import Ceiling, Measure, Outcome, Row, Seen
from loadtest.records.measured import DISTURBED
from loadtest.records.text import significant
from loadtest.stats.series import SPREAD, chance

ERRORS_INVALID = 0.05
"""Of the calls: what breaks off early leaves time to the others."""

AT_CEILING = 0.80
"""Of what the upstream gives a fast client; from there on it sets the pace."""

TOO_FAST = 0.01
"""Above what the delay allows."""

SPARE_CONNECTIONS = 2
"""Beyond those in flight: one that the server closed meanwhile, one that was opened early."""

SPARE_SHARE = 0.10
"""Of those in flight, likewise."""

NOT_EACH = 0.01
"""Of the calls may have used a connection that was there, where each is to have its own."""

OTHERWISE = 0.50
"""Of the calls: from there on a row does the contrary of what it says."""


@dataclass(frozen=True)
class Evidence:
    """The stored facts of one row by one measure, the last outcome of each round."""

    row: Row
    measure: Measure
    measured: tuple[Outcome, ...]
    """Rounds that gave a number."""
    failed: tuple[Outcome, ...]
    """Rounds that were tried and gave none."""
    ceiling: Ceiling | None = None
    """Of the upstream, at this answer and with as many calls in flight."""
    processors: int | None = None
    """Of the machine."""

    @property
    def tried(self) -> tuple[Outcome, ...]:
        """All rounds in which calls were made or should have been."""
        return (*self.measured, *self.failed)

    @property
    def rates(self) -> list[float]:
        """Right answers a second of the work alone, the lowest first; of a cold process too."""
        seconds = [
            (each.answers, each.warm.seconds if each.warm else each.phases.work_s)
            for each in self.measured
        ]
        return sorted(answers / work_s for answers, work_s in seconds if answers and work_s)


def _counted(outcomes: Iterable[Outcome]) -> list[tuple[Outcome, Seen]]:
    """Return those of which the server counted what it saw."""
    return [(outcome, outcome.seen) for outcome in outcomes if outcome.seen]


def errors(row: Evidence) -> Check:
    """Look for calls that got no right answer."""
    calls = sum(outcome.calls for outcome in row.tried)
    if not calls:
        return UNCHECKED
    kinds: Counter[str] = Counter()
    for outcome in row.tried:
        kinds.update(outcome.errors)
    # What was called and is neither a right answer nor a named error went wrong as well.
    wrong = max(calls - sum(outcome.answers for outcome in row.tried), kinds.total())
    if not wrong:
        return NOTHING
    if unnamed := wrong - kinds.total():
        kinds["without a right response"] += unnamed
    named = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common(4))
    return Check(
        "invalid" if wrong / calls > ERRORS_INVALID else "suspect",
        f"{percent(wrong / calls)} of {calls:,} calls went wrong: {named}",
    )


def answers_missing(row: Evidence) -> Check:
    """Look for answers that the client claims and the server never gave."""
    if not (counted := _counted(row.tried)):
        return UNCHECKED
    for outcome, seen in counted:
        claimed = outcome.answers + outcome.warmup_calls
        if seen.requests < claimed:
            return Check(
                "invalid",
                f"the client says {claimed:,} responses, the server saw {seen.requests:,} requests"
                f" (round {outcome.round + 1})",
            )
    return NOTHING


def hidden_retries(row: Evidence) -> Check:
    """Look for requests beyond the calls: sent again by the client, which says nothing of it."""
    if not (counted := _counted(row.measured)):
        return UNCHECKED
    calls = sum(outcome.calls + outcome.warmup_calls for outcome, _ in counted)
    # Each round by itself: what is missing in one is no retry less in another.
    more = sum(
        max(0, seen.requests - outcome.calls - outcome.warmup_calls) for outcome, seen in counted
    )
    if not more:
        return NOTHING
    return Check(
        "invalid" if more > ERRORS_INVALID * calls else "suspect",
        f"the server saw {more:,} requests more than the {calls:,} calls that were made",
    )


def not_reused(row: Evidence) -> Check:
    """Compare the connections that the server saw with what the row says about reuse."""
    if not (counted := _counted(outcome for outcome in row.tried if outcome.calls)):
        return UNCHECKED
    kept = row.row.reuse == "kept" and row.row.answer.keep_alive
    checked = [
        _too_many(row.row.batch, seen.connections, outcome.calls + outcome.warmup_calls)
        if kept
        else _too_few(seen.connections, outcome.calls + outcome.warmup_calls)
        for outcome, seen in counted
    ]
    return max(checked, key=lambda check: RANK[check.verdict or "valid"])


def _too_many(batch: int, connections: int, calls: int) -> Check:
    allowed = batch + max(SPARE_CONNECTIONS, round(batch * SPARE_SHARE))
    if connections <= allowed:
        # With as many in flight as there are calls, each may have its own: nothing shows reuse.
        return NOTHING if connections <= OTHERWISE * calls else UNCHECKED
    return Check(
        "invalid" if connections > OTHERWISE * calls else "suspect",
        f"{connections:,} connections for {calls:,} calls, where {batch:,} at a time and kept need"
        f" no more than {batch:,}",
    )


def _too_few(connections: int, calls: int) -> Check:
    if connections >= calls * (1 - NOT_EACH):
        return NOTHING
    return Check(
        "invalid" if connections < OTHERWISE * calls else "suspect",
        f"{connections:,} connections for {calls:,} calls, each of which is to open its own",
    )


def other_protocol(row: Evidence) -> Check:
    """Compare the version of HTTP that was spoken with the one declared."""
    spoken = {outcome.http for outcome in row.measured if outcome.http}
    if not spoken:
        return UNCHECKED
    if others := sorted(spoken - {row.row.answer.http}):
        return Check(
            "invalid", f"HTTP/{', '.join(others)} was spoken, HTTP/{row.row.answer.http} declared"
        )
    return NOTHING


def faster_than_possible(row: Evidence) -> Check:
    """Look for a rate above what the server's delay allows."""
    delay_s = row.row.answer.delay_s
    if not delay_s:
        return NOTHING
    if not row.rates:
        return UNCHECKED
    most = row.row.batch / max(delay_s - CLOCK_S, delay_s * (1 - TOO_FAST), 1e-9)
    if row.rates[-1] > most * (1 + TOO_FAST):
        return Check(
            "invalid",
            f"{significant(row.rates[-1])} requests/s, where {row.row.batch:,} at a time and"
            f" {delay_s:g} s each allow {significant(row.row.batch / delay_s)}",
        )
    return NOTHING


def upstream_limited(row: Evidence) -> Check:
    """Compare the rate with the upstream's ceiling."""
    if row.ceiling is None or not row.rates:
        return UNCHECKED
    ours, most = row.rates[len(row.rates) // 2], row.ceiling.requests_s
    if ours < AT_CEILING * most:
        return NOTHING
    late = f", each after {row.row.answer.delay_s:g} s" if row.row.answer.delay_s else ""
    return Check(
        "suspect",
        f"{significant(ours)}/s is {percent(ours / most)} of the {significant(most)}/s that the"
        f" upstream gives {row.ceiling.connections:,} fast connections{late} ({row.ceiling.tool})",
    )


def unstable(row: Evidence) -> Check:
    """Compare the spread of the rounds with what few rounds show by chance, as for servers."""
    times = [seconds for outcome in row.measured if (seconds := time_s(outcome))]
    varied = spread(times)
    if varied is None:
        return UNCHECKED
    if varied <= SPREAD * chance(len(times)):
        return NOTHING
    slowest = max(times) / min(times)
    return Check(
        "suspect",
        f"the {len(times)} rounds vary by {percent(varied)} (standard deviation); the slowest took"
        f" {slowest:.2f} times the fastest",
    )


def noisy_host(row: Evidence) -> Check:
    """Look for what others used of the machine."""
    known = [
        (outcome.other_cpu_s, window_s)
        for outcome in row.measured
        if outcome.other_cpu_s is not None and (window_s := _window_s(outcome))
    ]
    if not known or not row.processors:
        return UNCHECKED
    share = sum(cpu_s for cpu_s, _ in known) / (row.processors * sum(s for _, s in known))
    if share <= DISTURBED:
        return NOTHING
    return Check("suspect", f"others used {percent(share)} of the machine meanwhile")


def _window_s(outcome: Outcome) -> float:
    if outcome.cold:
        return outcome.cold.wall_s
    return sum(part or 0.0 for part in msgspec.structs.astuple(outcome.phases))


def lost_rounds(row: Evidence) -> Check:
    """Count the rounds that have no number."""
    if not row.measured:
        return UNCHECKED
    if not row.failed:
        return NOTHING
    reason = row.failed[0].reason or "no usable result"
    return Check(
        "suspect", f"{len(row.failed)} of {len(row.tried)} rounds have no number: {reason}"
    )


_concern = wording(Path(__file__).with_suffix(".toml"))

CONCERNS: Sequence[Concern[Evidence]] = (
    _concern("errors", errors, invalidates=True),
    _concern("answers-missing", answers_missing, invalidates=True),
    _concern("hidden-retries", hidden_retries, invalidates=True),
    _concern("not-reused", not_reused, invalidates=True),
    _concern("other-protocol", other_protocol, invalidates=True),
    _concern("faster-than-possible", faster_than_possible, invalidates=True),
    _concern("upstream-limited", upstream_limited),
    _concern("unstable", unstable),
    _concern("noisy-host", noisy_host),
    _concern("lost-rounds", lost_rounds),
)
"""The closed list; each member is looked for in every row."""
