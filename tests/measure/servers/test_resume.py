"""What makes a run's servers and endpoints others than those that are declared now."""

from __future__ import annotations

import msgspec
import pytest
from builders import endpoint, plan, server

from loadtest.measure.servers.resume import _asks, _planned
from loadtest.plan.servers.lineup import is_declared
from loadtest.plan.servers.project import App


def test_what_an_older_run_did_not_note_is_no_difference() -> None:
    then = endpoint("json")
    pooled = msgspec.structs.replace(then.contract, pooled=True)
    now = msgspec.structs.replace(then, contract=pooled)
    (cell,) = plan(endpoints=[then]).cells
    assert _asks(then, now)
    assert _planned(cell, msgspec.structs.replace(cell, endpoint=now))
    slower = msgspec.structs.replace(then, contract=msgspec.structs.replace(pooled, delay_s=1.0))
    assert not _asks(then, slower)
    assert not _planned(cell, msgspec.structs.replace(cell, endpoint=slower))
    assert not _asks(then, None)
    assert not _planned(cell, None)


@pytest.mark.parametrize(
    ("recycles", "changes", "same"),
    [
        (False, {}, True),
        (False, {"recycled": ("--limit", "{max_requests}")}, True),
        (True, {"recycled": ("--limit", "{max_requests}")}, False),
        (False, {"env": {"A": "1"}}, False),
        (False, {"argv": ("other",)}, False),
    ],
)
def test_a_server_is_what_its_profile_says(
    recycles: bool, changes: dict[str, object], same: bool
) -> None:
    then = server("alpha")
    now = {"alpha": msgspec.structs.replace(then, **changes)}
    again = msgspec.structs.replace(then, name="alpha-again", duplicate_of="alpha")
    for each in (then, again):
        assert is_declared(each, now, App(), recycles=recycles) == same
    assert not is_declared(then, {}, App(), recycles=recycles)
