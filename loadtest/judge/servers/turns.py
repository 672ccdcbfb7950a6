"""The turns of a round as one outcome, which is what everything else judges."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import zip_longest
from typing import Any, TypeVar

import msgspec

from loadtest.records.measured import Afterwards, During, Host, Loaded, Outcome, Usage, Verified
from loadtest.records.planned import Record
from loadtest.stats.latency import merge

COUNTS = (
    *("duration_us", "answers", "received_bytes", "connect_errors", "read_errors"),
    *("write_errors", "status_errors", "timeouts", "windows", "silent_windows", "cpu_us"),
)
"""Of `Loaded`, which add up."""

Number = TypeVar("Number", int, float)
R = TypeVar("R", bound=Record)


class _Together(Outcome, frozen=True, kw_only=True):
    """An outcome that stands for several turns."""

    turns: tuple[Outcome, ...]

    @property
    def loads(self) -> tuple[Outcome, ...]:
        """The turns."""
        return self.turns


def merged(outcomes: Sequence[Outcome], afterwards: Iterable[Afterwards] = ()) -> list[Outcome]:
    """Return one outcome for each cell and round: its turns together, and what was told later.

    Of a turn that was repeated because others had disturbed it, the last that was not disturbed
    counts, or else the one that was least; which that is never hangs on what was measured. A round
    with a turn that failed has failed. Rates and costs are of all its loads together: requests and
    CPU time are summed, so that a second in which others had the processor weighs less.
    """
    later: dict[tuple[str, int], list[Afterwards]] = {}
    for each in afterwards:
        later.setdefault((each.cell, each.round), []).append(each)
    rounds: dict[tuple[str, int], dict[int, list[Outcome]]] = {}
    for outcome in outcomes:
        turns = rounds.setdefault((outcome.cell, outcome.round), {})
        tried = turns.setdefault(outcome.turn, [])
        # A turn that begins anew, as with `--resume`, takes the place of all that was tried.
        if not outcome.repeat:
            tried.clear()
        tried.append(outcome)
    return [
        _with(_together([_kept(tried) for _, tried in sorted(turns.items())]), later.get(key, ()))
        for key, turns in rounds.items()
    ]


def _kept(tried: Sequence[Outcome]) -> Outcome:
    failed = [outcome for outcome in tried if outcome.status != "measured"]
    return failed[-1] if failed else min(reversed(tried), key=lambda each: each.disturbance)


def _together(turns: Sequence[Outcome]) -> Outcome:
    failed = [outcome for outcome in turns if outcome.status != "measured"]
    if failed or len(turns) == 1:
        return (failed or turns)[0]
    first = turns[0]
    usages = [outcome.usage for outcome in turns]
    works = [outcome.work for outcome in turns if outcome.work]
    groups = dict.fromkeys(name for usage in usages for name in usage)
    facts = {name: getattr(first, name) for name in Outcome.__struct_fields__}
    together = _Together(**facts, turns=tuple(turns))
    return msgspec.structs.replace(
        together,
        warmup_s=sum(outcome.warmup_s for outcome in turns),
        load_s=sum(outcome.load_s for outcome in turns),
        wall_s=sum(outcome.wall_s for outcome in turns),
        loaded=_loaded([outcome.loaded for outcome in turns if outcome.loaded]),
        verified=_verified([outcome.verified for outcome in turns if outcome.verified]),
        usage={
            name: _usage([usage[name] for usage in usages])
            for name in groups
            if all(name in usage for usage in usages)
        },
        during=_during([outcome.during for outcome in turns if outcome.during]),
        work=reduce(operator.add, works) if works else None,
        host=_host([outcome.host for outcome in turns if outcome.host]),
        parts=(),  # each turn has its own
    )


def _with(outcome: Outcome, afterwards: Iterable[Afterwards]) -> Outcome:
    for each in afterwards:
        if each.work is not None:
            outcome = msgspec.structs.replace(outcome, work=each.work)
        if each.left is not None:
            outcome = msgspec.structs.replace(outcome, left=each.left)
    return outcome


def _sum(values: Iterable[Number | None]) -> Number | None:
    """Return the sum, None where one of them is not known."""
    known = list(values)
    return None if None in known else sum(known)  # type: ignore[arg-type]


def _most(values: Iterable[Number | None]) -> Number | None:
    """Return the largest of those that are known."""
    return max((value for value in values if value is not None), default=None)


def _added(records: Sequence[R], names: Iterable[str], **others: Any) -> R | None:
    """Return records as one: the sums of some fields, and others as given; None without any."""
    if not records:
        return None
    sums: dict[str, Any] = {name: _sum(getattr(each, name) for each in records) for name in names}
    return msgspec.structs.replace(records[0], **sums, **others)


def _loaded(loads: Sequence[Loaded]) -> Loaded | None:
    sent = [loaded.sent for loaded in loads if loaded.sent]
    late = merge(each.late for each in sent)
    at_rate = _added(sent, ("window_us", "first_answer_us", "requests", "missed"), late=late)
    return _added(loads, COUNTS, sent=at_rate)


def _verified(checks: Sequence[Verified]) -> Verified | None:
    after = [each.after for each in checks if each.after is not None]
    wire_bytes = next((each.wire_bytes for each in checks if each.wire_bytes), None)
    after_all = sum(after) if after else None
    spread = max((each.wire_spread_bytes for each in checks), default=0)
    return _added(
        checks, ("before",), after=after_all, wire_bytes=wire_bytes, wire_spread_bytes=spread
    )


def _usage(usages: Sequence[Usage]) -> Usage | None:
    each_s = zip_longest(*(usage.each_cpu_s for usage in usages), fillvalue=0.0)
    return _added(
        usages,
        ("cpu_s", "throttled_s"),
        rss_peak_bytes=max(usage.rss_peak_bytes for usage in usages),
        pss_peak_bytes=_most(usage.pss_peak_bytes for usage in usages),
        processes=max(usage.processes for usage in usages),
        threads=max(usage.threads for usage in usages),
        connections=_most(usage.connections for usage in usages),
        each_cpu_s=tuple(map(sum, each_s)),
    )


def _during(checks: Sequence[During]) -> During | None:
    broken = next((each.broken for each in checks if each.broken), None)
    return _added(checks, ("checked",), broken=broken)


def _host(hosts: Sequence[Host]) -> Host | None:
    parts = ("window_s", "busy_cpu_s", "other_cpu_s", "steal_cpu_s", "throttled_s")
    return _added(hosts, parts)
