"""What holds of all concerns: the unknown is listed, the healthy is silent, each is explained."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import replace
from statistics import stdev
from typing import Any

import pytest
from facts import HEALTHY, SLOW, Facts, evidence, raised, unknown
from hypothesis import given
from hypothesis import strategies as st
from test_concerns import CASES

from loadtest.judge.servers.concerns import CONCERNS, judge
from loadtest.stats.series import chance

BY_NAME = {concern.name: concern for concern in CONCERNS}


FAULTS = [facts for name, severity, facts in CASES if severity]
KNOWN_FROM_COUNTS = {
    "errors",
    "no-samples",
    "faster-than-possible",
    "connection-limited",
    "unstable",
}


@pytest.mark.parametrize("facts", [HEALTHY, SLOW, *FAULTS])
def test_the_unknown_raises_nothing_and_is_listed(facts: Facts) -> None:
    judged = judge(unknown(evidence(facts)))
    assert {one.concern for one in judged.concerns} <= KNOWN_FROM_COUNTS
    assert set(judged.unchecked) >= BY_NAME.keys() - KNOWN_FROM_COUNTS - {"lost-rounds"}


def test_a_healthy_cell_is_checked_for_everything() -> None:
    judged = judge(evidence(replace(HEALTHY, needs=(2, 1, 1))))
    assert (judged.verdict, judged.concerns, judged.unchecked) == ("valid", (), ())


def test_nothing_measured_is_nothing_checked() -> None:
    empty = replace(evidence(HEALTHY), measured=(), figures=None, latencies=None)
    judged = judge(empty)
    assert judged.concerns == ()
    assert set(judged.unchecked) >= BY_NAME.keys() - {
        "work-not-done",
        "faster-than-possible",
        "connection-limited",
    }


@given(
    connections=st.integers(1, 2_000),
    waves=st.floats(0.5, 1_000),
    duration_s=st.floats(1.0, 30.0),
    spread=st.lists(st.floats(-0.08, 0.08), min_size=1, max_size=10),
    needs=st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 2)),
)
def test_a_healthy_cell_raises_nothing(
    connections: int,
    waves: float,
    duration_s: float,
    spread: list[float],
    needs: tuple[int, int, int],
) -> None:
    rate = min(connections * waves / duration_s, 40_000.0)
    if rate * duration_s * 0.9 < 11:  # too few to say anything, which is a concern
        return
    facts = Facts(
        connections=connections,
        duration_s=duration_s,
        rates=tuple(rate * (1 + one) for one in spread),
        needs=needs,
    )
    assert raised(evidence(facts)) == {}


def test_every_member_is_explained() -> None:
    assert len(BY_NAME) == len(CONCERNS)
    for concern in CONCERNS:
        assert callable(concern.find)
        for text in (concern.means, concern.advice):
            assert text.endswith("."), concern.name
            assert len(text) > 40, concern.name
        assert {name for name, severity, _ in CASES if severity} >= {concern.name} - {"lost-rounds"}


def test_facts_are_one_line_with_a_number() -> None:
    for facts in FAULTS:
        for one in judge(evidence(facts)).concerns:
            assert "\n" not in one.facts
            assert any(character.isdigit() for character in one.facts) or "body" in one.facts


def test_a_check_is_a_function_of_the_evidence_alone() -> None:
    for concern in CONCERNS:
        find: Callable[..., Any] = concern.find
        assert list(inspect.signature(find).parameters) == ["cell"]


@pytest.mark.parametrize(
    ("rounds", "exact"),
    # The root of chi-square's 95 % point over n - 1, from tables.
    [(2, 1.960), (3, 1.731), (5, 1.540), (10, 1.371), (30, 1.212)],
)
def test_the_allowance_for_few_rounds(rounds: int, exact: float) -> None:
    assert chance(rounds) == pytest.approx(exact, rel=0.02)


def test_the_allowance_keeps_its_promise() -> None:
    """Of cells that vary by just 10 %, one in twenty is called unstable."""
    import random

    draw = random.Random(7)
    for rounds in (3, 5, 10):
        found = sum(
            stdev(draw.gauss(0, 0.10) for _ in range(rounds)) > 0.10 * chance(rounds)
            for _ in range(4_000)
        )
        assert found / 4_000 == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 / 4_000))
