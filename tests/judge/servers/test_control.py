"""What is Django's of a request: a bare callable against a view that answers the same bytes."""

from __future__ import annotations

import msgspec
import pytest
from builders import endpoint, outcome, plan, run, server
from sample_run import loaded

from loadtest.judge.servers.control import Share
from loadtest.judge.servers.summary import summarise
from loadtest.records.measured import Histogram
from loadtest.records.planned import Endpoint

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
