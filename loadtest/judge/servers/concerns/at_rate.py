"""The concerns of a load at a rate: it was not sent as scheduled, so it shows something else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from loadtest.judge.concern import NOTHING, UNCHECKED, Check, percent
from loadtest.judge.servers.concerns.evidence import Evidence, concern
from loadtest.judge.servers.metrics import HELD, LATE_US, behind, late, short_of, unsent
from loadtest.records.measured import Sent
from loadtest.records.text import latency, significant
from loadtest.stats.latency import mean, percentile


def _rate_not_held(cell: Evidence) -> Check:
    short = _short(
        cell,
        "connections",
        f": all {cell.cell.load.connections:,} connections were waiting for a response",
    )
    return _fell_behind(cell) if short == NOTHING else short


def _fell_behind(cell: Evidence) -> Check:
    """Find a queue that grew to the end of the load, and would have grown on."""
    raw, unanswered = cell.latencies, cell.unanswered
    if raw is None or unanswered is None or unanswered.share > HELD:
        return NOTHING
    lost = behind(cell.loads, raw, cell.cell.endpoint.contract.longest_s)
    if lost.share <= HELD:
        return NOTHING
    return Check(
        "suspect",
        f"at the end {lost.requests:,} of {_requests(cell):,} requests waited beside those that a"
        f" mean latency of {latency(round(mean(raw) or 0))} leaves under way: more came than were"
        " answered",
    )


def _requests(cell: Evidence) -> int:
    return sum(loaded.sent.requests for loaded in cell.loads if loaded.sent)


def _generator_late(cell: Evidence) -> Check:
    return _short(cell, "generator", ", though connections were free")


def _short(cell: Evidence, of: Literal["connections", "generator"], why: str) -> Check:
    if cell.cell.load.rate is None:
        return NOTHING
    sent = [loaded.sent for loaded in cell.loads if loaded.sent]
    if not sent:
        return _not_counted(cell) if of == "connections" else UNCHECKED
    if short_of(sent) != of:
        return NOTHING
    return Check("suspect", f"{_how_late(sent)}{why}; {_kept(cell, sent)}")


def _not_counted(cell: Evidence) -> Check:
    """Judge a load of others by its answers: how late each request was sent, nobody knows."""
    asked = cell.cell.load.rate or 0.0
    if not cell.load_s:
        return UNCHECKED
    if (unsent(cell.loads, asked) or 0.0) <= HELD:
        return NOTHING
    return Check(
        "suspect",
        f"{significant(cell.answers / cell.load_s)} of {significant(asked)} requests/s were"
        " answered",
    )


def _how_late(sent: Sequence[Sent]) -> str:
    latest_us = max(max(each.late.values_us, default=0) for each in sent)
    return (
        f"{percent(late(sent))} of the requests were not sent within {latency(LATE_US)} of their"
        f" time, the latest {latency(latest_us)} after it"
    )


def _kept(cell: Evidence, sent: Sequence[Sent]) -> str:
    came = sum(each.requests for each in sent) / (sum(each.window_us for each in sent) / 1e6)
    asked = cell.cell.load.rate or 0.0
    return f"{significant(came)} of {significant(asked)} requests/s were sent"


def _starved_connections(cell: Evidence) -> Check:
    if cell.cell.load.rate is None:
        return NOTHING
    raw, lost = cell.latencies, cell.unanswered
    if raw is None or lost is None:
        return UNCHECKED
    if lost.share <= HELD:
        return NOTHING
    connections = cell.cell.load.connections
    few = f", {cell.capacity:,} of which it serves at once," if cell.capacity < connections else ""
    return Check(
        "suspect",
        f"{lost.requests:,} of {_requests(cell):,} requests on {connections:,} connections{few} got"
        f" no response; half of the others took no longer than {latency(percentile(raw, 50) or 0)}",
    )


RATE_NOT_HELD = concern("rate-not-held", _rate_not_held)
GENERATOR_LATE = concern("generator-late", _generator_late)
STARVED_CONNECTIONS = concern("starved-connections", _starved_connections)


def is_short(cell: Evidence) -> bool:
    """Say whether the server did not keep the rate, so that its number is none at that rate."""
    short = (RATE_NOT_HELD, STARVED_CONNECTIONS)
    return any(concern.find(cell).verdict == "suspect" for concern in short)
