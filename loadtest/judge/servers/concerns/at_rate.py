"""The concerns of a load at a rate: it was not sent as scheduled, so it shows something else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from loadtest.judge.concern import NOTHING, UNCHECKED, Concern, Found, percent, rate, took
from loadtest.judge.servers.concerns.evidence import Evidence
from loadtest.judge.servers.metrics import HELD, LATE_US, late, short_of, unsent
from loadtest.records.measured import Sent


def _rate_not_held(cell: Evidence) -> Found:
    return _short(
        cell,
        "connections",
        f": all {cell.cell.load.connections:,} connections were waiting for a response",
    )


def _generator_late(cell: Evidence) -> Found:
    return _short(cell, "generator", ", though connections were free")


def _short(cell: Evidence, of: Literal["connections", "generator"], why: str) -> Found:
    if cell.cell.load.rate is None:
        return NOTHING
    sent = [loaded.sent for loaded in cell.loads if loaded.sent]
    if not sent:
        return _not_counted(cell) if of == "connections" else UNCHECKED
    if short_of(sent) != of:
        return NOTHING
    return Found("suspect", f"{_how_late(sent)}{why}; {_kept(cell, sent)}")


def _not_counted(cell: Evidence) -> Found:
    """Judge a load of others by its answers: how late each request was sent, nobody knows."""
    asked = cell.cell.load.rate or 0.0
    if not cell.load_s:
        return UNCHECKED
    if (unsent(cell.loads, asked) or 0.0) <= HELD:
        return NOTHING
    return Found(
        "suspect",
        f"{rate(cell.answers / cell.load_s)} of {rate(asked)} requests/s were answered",
    )


def _how_late(sent: Sequence[Sent]) -> str:
    latest_us = max(max(each.late.values_us, default=0) for each in sent)
    return (
        f"{percent(late(sent))} of the requests were sent more than {took(LATE_US)} after their"
        f" time, one {took(latest_us)} after it"
    )


def _kept(cell: Evidence, sent: Sequence[Sent]) -> str:
    requests = sum(each.requests for each in sent)
    seconds = sum(each.window_us for each in sent) / 1e6
    return f"{rate(requests / seconds)} of {rate(cell.cell.load.rate or 0.0)} requests/s were sent"


RATE_NOT_HELD = Concern(
    name="rate-not-held",
    means="The server did not answer as fast as requests were to come, until no connection was free"
    " to send one: its latencies would be those of another load, and are not shown.",
    advice="Ask for a lower `--rate`; or, if it stood still only for a while, give the load more"
    " `--connections`.",
    find=_rate_not_held,
)

GENERATOR_LATE = Concern(
    name="generator-late",
    means="The load generator did not get the processor time that its schedule needs: the latencies"
    " would leave out what the requests waited for it, and are not shown.",
    advice="Ask for a lower `--rate` or fewer `--connections`; give the generator processors of its"
    " own, or run on a machine with nothing else to do.",
    find=_generator_late,
)
