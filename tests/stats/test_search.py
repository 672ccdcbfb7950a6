"""The search for the highest rate that keeps a goal, against servers whose limit is known."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.stats.search import LEAST_RATE, MOST_TRIES, NARROW, Try, bracket, next_rate

MOST = 50_000.0


def search(limit: float, capacity: float, noise: float = 0.0, seed: int = 0) -> list[Try]:
    """Return the tries on a server whose p99 leaves the goal at a limit, more or less."""
    rng = random.Random(seed)
    tries: list[Try] = []
    while (rate := next_rate(tries, capacity, MOST)) is not None:
        tries.append(Try(rate, rate <= limit * math.exp(rng.gauss(0, noise))))
    return tries


@given(limit=st.floats(2, 40_000), over=st.floats(1.0, 3.0))
def test_a_steady_limit_is_between_both_ends(limit: float, over: float) -> None:
    low, high = bracket(search(limit, limit * over))
    assert low is not None
    assert high is not None
    assert low <= limit < high <= low * NARROW


def test_a_limit_that_wavers_is_known_within_five_percent() -> None:
    off = []
    for seed in range(200):
        low, high = bracket(search(800.0, 1_000.0, noise=0.02, seed=seed))
        assert low is not None
        assert high is not None
        off.append(abs(math.log(math.sqrt(low * high) / 800.0)))
    assert sum(each <= math.log(1.05) for each in off) >= 0.95 * len(off)


def test_what_no_rate_keeps_ends_at_the_least_rate() -> None:
    tries = search(0.0, 500.0)
    assert bracket(tries).low is None
    assert min(each.rate for each in tries) == LEAST_RATE
    assert len(tries) < MOST_TRIES


def test_what_all_rates_keep_ends_at_the_generators_limit() -> None:
    tries = search(math.inf, 10_000.0)
    assert bracket(tries) == (MOST, None)


@pytest.mark.parametrize(
    ("tries", "expected"),
    [
        ([], (None, None)),
        ([Try(100, True)], (100, None)),
        ([Try(100, False)], (None, 100)),
        ([Try(100, True), Try(200, False)], (100, 200)),
        # One that contradicts two is outvoted.
        ([Try(100, True), Try(100, True), Try(90, False), Try(200, False)], (100, 200)),
    ],
)
def test_the_split_contradicts_the_fewest(tries: list[Try], expected: object) -> None:
    assert bracket(tries) == expected


@given(st.lists(st.tuples(st.floats(1, 1_000), st.booleans()), max_size=30))
def test_a_bracket_has_no_rate_inside(tries: list[tuple[float, bool]]) -> None:
    low, high = bracket([Try(*each) for each in tries])
    if low is not None and high is not None:
        assert low < high
        assert not any(low < rate < high for rate, _ in tries)
