"""Rates, goals and steps that are typed wrong, or that nothing can come of: a line each."""

from __future__ import annotations

import pytest
from command_line import Type

pytestmark = pytest.mark.usefixtures("no_addresses")

UNIT = (
    "p90 or p99 with a time, or errors with a share, each with its unit, as in --within p99=300ms,"
    " and beside it --within errors=0.1%"
)
AGAIN = (
    "--rounds and --precision are of loads that are measured several times, and here each is at"
    " another rate; leave them out"
)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        *(
            (["run", "--rate", rate], f"{rate!r}: requests/s, above 0 and at most 100,000, as in")
            for rate in ("0", "-5", "nan", "inf", "100001", "fast", "")
        ),
        *(
            (["plan", "--within", goal], f"{goal!r}: {UNIT}")
            for goal in ("p99=300", "p50=10ms", "p50=", "p99", "p99=300%", "errors=5ms", "p99=-1ms")
        ),
        *(
            (["plan", "--within", goal], f"{goal}: a time from 1us to 60s, or errors of at most 99")
            for goal in ("p99=0ms", "p90=0.1us", "p99=61s", "errors=200%")
        ),
        (
            ["plan", "--within", "p99=1s", "--within", "p99=2s"],
            "--within: each of p90, p99 and errors once",
        ),
        (["plan", "--within", "p99=1s", "--rounds", "3"], AGAIN),
        (["plan", "--within", "p99=1s", "--precision", "3%"], AGAIN),
        (["plan", "rates", "--rounds", "3"], AGAIN),
        (
            ["plan", "--rate", "90000", "--endpoint", "gateway_1s"],
            "90,000 requests/s at gateway_1s-sync need 135,000 connections, and a load has 65,535"
            " at most; choose a lower --rate, or --connections",
        ),
        (["plan", "--rate", "5", "--arrivals", "burst"], "'burst' is not one of 'even', 'poisson'"),
        # A client asks again once it has its response.
        (["clients", "--url", "http://127.0.0.1:1/", "--rate", "5"], "No such option '--rate'"),
    ],
)
def test_a_mistake_is_one_line(type_: Type, arguments: list[str], expected: str) -> None:
    done = type_(*arguments)
    assert done.status == 2
    (line,) = done.lines
    assert line.startswith("loadtest: ")
    assert expected in line


def test_a_goal_below_what_an_endpoint_waits_is_not_searched(type_: Type) -> None:
    """Whatever was tried would have missed it: the search went down to one request a second."""
    asked = ("--server", "uvicorn", "--endpoint", "gateway_1s-sync", "--within", "p99=300ms")
    done = type_("plan", "quick", *asked)
    assert done.status == 1, "nothing else is asked for"
    reason = "it waits for 1 s by itself, and no rate keeps p99=300ms"
    assert reason in " ".join(done.out.split())
    both = type_("plan", "quick", *asked, "--endpoint", "json-sync")
    assert both.status == 0
    assert reason in " ".join(both.out.split())
    assert type_("plan", "quick", *asked[:-1], "p99=1500ms").status == 0
