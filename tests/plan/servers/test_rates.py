"""Loads at a rate, as a matrix or a command line asks for them."""

from __future__ import annotations

from typing import Any

import pytest
from builders import endpoint
from hypothesis import given
from hypothesis import strategies as st
from small_matrix import expand

from loadtest.plan.servers import matrix
from loadtest.plan.servers.matrix import REQUESTS, LoadRule
from loadtest.records.errors import UserError
from loadtest.records.planned import LONGEST_S, Cell, Choice, Load

RULES = (LoadRule(connections=64, duration_s=2, warmup_s=0.1),)


def loads(*rules: LoadRule, delay_s: float = 0.0, **choice: Any) -> list[Load]:
    at = endpoint("json", delay_s=delay_s)
    return list(matrix.loads(at, (*RULES, *rules), Choice(**choice)))


def test_without_a_rate_there_is_one_closed_loop() -> None:
    assert loads() == [Load(connections=64, duration_s=2, warmup_s=0.1)]


@pytest.mark.parametrize(
    ("rules", "choice", "expected"),
    [
        ([], {"rates": (200.0,)}, [(200.0, 100, 2)]),
        ([], {"rates": (200.0, 400.0)}, [(200.0, 100, 2), (400.0, 200, 2)]),
        ([LoadRule(rate=300.0)], {}, [(300.0, 150, 2)]),
        ([LoadRule(rate=(300.0, 10.0))], {}, [(300.0, 150, 2), (10.0, 5, 10)]),
        # The command line goes before the matrix.
        ([LoadRule(rate=300.0)], {"rates": (200.0,)}, [(200.0, 100, 2)]),
        ([LoadRule(rate=200.0, stall_s=2.0)], {}, [(200.0, 400, 2)]),
        ([LoadRule(rate=200.0, connections=7)], {}, [(200.0, 7, 2)]),
        ([LoadRule(rate=200.0)], {"connections": 9}, [(200.0, 9, 2)]),
        # A closed loop's connections say nothing of a rate.
        ([LoadRule(connections=500)], {"rates": (200.0,)}, [(200.0, 100, 2)]),
        ([], {"rates": (100.0,), "duration_s": 30}, [(100.0, 50, 30)]),
        ([], {"rates": (0.5,)}, [(0.5, 1, 10)]),
        # What has the same name is the same load.
        ([], {"rates": (200.0, 200.0, 200.0001)}, [(200.0, 100, 2)]),
        # The command line goes before a matrix of steps.
        ([LoadRule(steps=(0.5,))], {"rates": (200.0,)}, [(200.0, 100, 2)]),
    ],
)
def test_each_rate_is_a_load_with_the_connections_that_it_needs(
    rules: list[LoadRule], choice: dict[str, Any], expected: list[tuple[float, int, int]]
) -> None:
    seen = [(load.rate, load.connections, load.duration_s) for load in loads(*rules, **choice)]
    assert seen == expected


def test_a_rate_beside_steps_is_one_line() -> None:
    """The steps were left out without a word."""
    with pytest.raises(UserError, match=r"^loads of json-sync: `rate` sets rates, and those of"):
        loads(LoadRule(rate=200.0), LoadRule(steps=(0.5,)))


def test_steps_are_at_all_endpoints() -> None:
    """The others were never measured."""
    rules = (*RULES, LoadRule(endpoints=("json",), steps=(0.5, 1.0)))
    with pytest.raises(UserError, match="here they are at json-sync, json-async; choose these"):
        expand(loads=rules)
    few = expand(Choice(endpoints=("json",)), loads=rules)
    assert all(cell.load.steps for cell in few.cells)


def test_steps_have_one_planned_round() -> None:
    """A matrix of several never had them, and its report said that the budget was spent."""
    rule = LoadRule(steps=(0.5, 1.0), rounds=2)
    of = expand(loads=(*RULES, rule), rounds=3, most_rounds=8, turns=2)
    assert (of.rounds, of.most_rounds, of.turns) == (1, None, 1)
    assert all(cell.rounds is None for cell in of.cells)


def test_what_waits_needs_connections_for_its_delay_as_well() -> None:
    (load,) = loads(delay_s=1.0, rates=(200.0,))
    assert (load.connections, load.duration_s) == (300, 4)


@given(st.floats(0.1, 100_000), st.floats(0, 10))
def test_a_load_at_a_rate_has_enough_requests_or_lasts_long(rate: float, delay_s: float) -> None:
    (load,) = loads(delay_s=delay_s, rates=(rate,))
    assert load.rate == float(f"{rate:g}")
    assert load.rate * load.duration_s >= REQUESTS or load.duration_s >= LONGEST_S
    assert load.connections >= rate * delay_s


def test_cells_of_several_rates_have_names_of_their_own() -> None:
    ids = [
        Cell(server="alpha", endpoint=endpoint("json"), load=load).id
        for load in loads(rates=(0.5, 200.0, 2_000.0))
    ]
    assert ids == ["alpha.json-sync@0.5", "alpha.json-sync@200", "alpha.json-sync@2000"]
