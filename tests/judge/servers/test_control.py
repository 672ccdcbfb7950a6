"""What is Django's of a request: a bare callable against a view that answers the same bytes."""

from __future__ import annotations

import msgspec
import pytest
from builders import LOAD, endpoint, outcome, plan, run, server
from builders import loaded as counted
from facts import sent
from sample_run import loaded

from loadtest.judge.servers.control import Share
from loadtest.judge.servers.summary import summarise
from loadtest.records.measured import Histogram
from loadtest.records.planned import Endpoint, Goal

BARE = endpoint("raw", "control", kind="control")
RATES = {
    "fast.json-sync": 5_000,
    "fast.raw-control": 10_000,
    "loop.json-sync": 1_000,
    "loop.raw-control": 20_000,
}


def unread(name: str) -> Histogram:
    raise AssertionError(name)


def shares(bare: Endpoint) -> dict[str, Share]:
    of = plan([server("fast"), server("loop", interface="asgi")], [endpoint(), bare], rounds=5)
    outcomes = [
        outcome(cell.id, number, loaded=loaded(RATES[cell.id] * 3 + 9 * number))
        for cell in of.cells
        for number in range(5)
    ]
    return {share.server: share for share in summarise(run(of), outcomes, unread).shares}


def test_the_bare_callable_shows_what_is_djangos() -> None:
    given = shares(BARE)
    assert given["fast"].share == pytest.approx(0.5, abs=0.01)
    assert given["loop"].share == pytest.approx(0.95, abs=0.01)
    assert given["loop"].finding == "higher"


def test_a_control_of_other_bytes_is_no_pair() -> None:
    contract = msgspec.structs.replace(BARE.contract, body_sha256="1" * 64)
    assert not shares(msgspec.structs.replace(BARE, contract=contract))


def test_the_highest_rates_within_a_goal_show_none() -> None:
    """Tries at one rate repeat so well that any two rates seemed to be apart."""
    load = msgspec.structs.replace(LOAD, within=Goal(p99_us=300_000))
    of = plan([server("fast")], [endpoint(), BARE], rounds=5)
    cells = tuple(msgspec.structs.replace(cell, load=load) for cell in of.cells)
    outcomes = [
        outcome(
            cell.id,
            number,
            tried=load.at_rate(RATES[cell.id], 0.0, 0.5, 1),
            loaded=counted(requests, 2.2, sent=sent(requests=requests)),
            histogram="any",
        )
        for cell in cells
        for requests in (2 * RATES[cell.id],)
        for number in range(5)
    ]
    quick = Histogram(values_us=(5_000,), counts=(2_000,))
    searched = run(msgspec.structs.replace(of, cells=cells))
    assert not summarise(searched, outcomes, lambda name: quick).shares
