"""The noise floors: what two identical arms show, the promise of 95 % measured by simulation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from duplicate_arms import OUTCOMES, PLAN
from simulated import CV, KINDS, noise, rates

from loadtest.stats.noise_floor import MOST, floors, floors_of, twins

SPREADS = (0.25, 0.5, 1.0, 2.0, 3.0)
"""Kinds of work whose noise differs by a factor of 12, in `CV`."""


def beyond(
    kind: str, spreads: Sequence[float], endpoints: int, rounds: int, of_all: bool = False
) -> list[float]:
    """Return for each kind of work how often the mean of two more arms is beyond its floor."""
    rng = np.random.default_rng(7)
    alarms: list[list[bool]] = [[] for _ in spreads]
    scale = CV * np.array(spreads)[:, None, None]
    for _ in range(150):
        arms = scale * noise(kind, (4, len(spreads), endpoints, rounds), rng)
        pairs = {
            str(at): list(zip(rates(arms[0, at]), rates(arms[1, at]), strict=True))
            for at in range(len(spreads))
        }
        floor_of = floors(pairs)
        for at in range(len(spreads)):
            floor = floor_of.pooled if of_all else floor_of.at(str(at), rounds)
            assert floor is not None
            means = np.abs((arms[2, at] - arms[3, at]).mean(axis=1))
            alarms[at] += list(means > math.log1p(floor))
    return [float(np.mean(alarm)) for alarm in alarms]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("endpoints", "rounds"), [(10, 3), (10, 10), (30, 5)])
def test_identical_arms_stay_within_the_floor(kind: str, endpoints: int, rounds: int) -> None:
    """Of two more arms of that run, 19 in 20 endpoints; one in 10 where few rounds have stalls."""
    assert 0.02 <= np.mean(beyond(kind, [1.0], endpoints, rounds)) <= 0.1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rounds", [3, 5, 10])
@pytest.mark.parametrize("spreads", [SPREADS, (1.0,) * 5, (1.0, 1.0, 3.0)])
def test_so_they_do_over_kinds_of_work(kind: str, rounds: int, spreads: tuple[float, ...]) -> None:
    assert np.mean(beyond(kind, spreads, 1, rounds)) <= (0.065 if kind == "normal" else 0.1)


@pytest.mark.parametrize(("rounds", "most"), [(3, 0.12), (5, 0.10), (10, 0.08)])
def test_the_noisiest_kind_has_a_floor_of_its_own(rounds: int, most: float) -> None:
    """One floor for all would be too low there, and far too high where it is quiet."""
    own = beyond("normal", SPREADS, 1, rounds)
    pooled = beyond("normal", SPREADS, 1, rounds, of_all=True)
    assert own[-1] <= most < 0.18 <= pooled[-1]
    assert pooled[2] <= own[2]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_without_arms_gets_the_largest_floor(kind: str) -> None:
    """It holds for a kind that is as noisy as any of the others."""
    rng = np.random.default_rng(8)
    alarms = []
    for _ in range(300):
        arms = CV * noise(kind, (2, 5, 3), rng) * rng.choice(SPREADS, (5, 1))
        first, second = (rates(arm) for arm in arms)
        pairs = {str(at): [(first[at], second[at])] for at in range(5)}
        other = CV * rng.choice(SPREADS) * noise(kind, (2, 3), rng)
        floor = floors(pairs).at("another", 3)
        assert floor is not None
        alarms.append(abs((other[0] - other[1]).mean()) > math.log1p(floor))
    assert np.mean(alarms) <= 0.075


def test_without_arms_there_is_no_floor() -> None:
    for nothing in ({}, {"cpu": [([1.0, None], [None, 2.0])]}):
        assert floors(nothing).pooled is None
        assert floors(nothing).at("cpu", 3) is None
    still = floors({"cpu": [([100.0] * 3, [100.0] * 3)]})
    assert (still.pooled, still.at("cpu", 3), still.at("database", 3)) == (0, 0, 0)


def test_fewer_than_three_pairs_of_rounds_have_no_floor() -> None:
    """One pair said that requests/s vary by 27,992,439,784,744,908 %."""
    once, twice = ([100.0], [250.0]), ([100.0, 100.0], [250.0, 90.0])
    for few in (once, twice):
        assert floors({"cpu": [few]}).pooled is None
        assert floors({"cpu": [few]}).at("cpu", 3) is None
    # What is too little by itself has the floor of all rounds together.
    both = floors({"cpu": [once], "cache": [twice]})
    assert both.at("cpu", 3) == both.at("cache", 3) is not None


def test_no_floor_is_beyond_ten_times() -> None:
    wild = floors({"cpu": [([1.0, 900.0, 1.0], [800.0, 1.0, 700.0])]})
    assert wild.pooled == wild.at("cpu", 1) == pytest.approx(MOST)


def test_one_kind_alone_has_the_floor_of_all() -> None:
    floor_of = floors({"cpu": [([100.0, 104.0, 99.0], [103.0, 101.0, 100.0])]})
    assert floor_of.at("cpu", 3) == floor_of.pooled == pytest.approx(0.0464, abs=1e-4)


def test_two_kinds_share_nothing() -> None:
    cpu = ([100.0, 101.0, 100.0], [101.0, 100.0, 101.0])
    database = ([100.0, 130.0, 100.0], [120.0, 100.0, 110.0])
    both = floors({"cpu": [cpu], "database": [database]})
    assert both.at("cpu", 3) == floors({"cpu": [cpu]}).pooled
    assert both.at("database", 3) == both.at("cache", 3) == floors({"database": [database]}).pooled


def test_several_kinds_have_the_largest_of_their_floors() -> None:
    """As `raw` beside `json`; one of them without arms has the largest of all."""
    floor_of = floors(
        {
            "cpu": [([100.0, 101.0, 100.0], [101.0, 100.0, 101.0])],
            "cache": [([100.0, 110.0, 100.0], [111.0, 100.0, 110.0])],
            "database": [([100.0, 130.0, 100.0], [120.0, 100.0, 110.0])],
        }
    )
    assert floor_of.of("cpu", "cache") == floor_of.of("cache")
    assert floor_of.of("cpu", "control") == floor_of.of("database")
    assert floors({}).of("cpu") is None


def test_fewer_rounds_have_a_higher_floor() -> None:
    """An endpoint that waits has fewer rounds than the others, and its mean is less certain."""
    floor_of = floors({"cpu": [([100.0, 104.0, 99.0, 102.0], [103.0, 101.0, 100.0, 99.0])]})
    few, many = floor_of.at("cpu", 1), floor_of.at("cpu", 4)
    assert few is not None
    assert many is not None
    assert math.log1p(few) == pytest.approx(2 * math.log1p(many))
    assert floor_of.at("cpu", 0) == few


# From outcomes -----------------------------------------------------------------------------------


def test_the_arms_of_each_endpoint() -> None:
    json, rows = twins(PLAN, OUTCOMES, invalid=())
    assert (json.endpoint, json.kind, rows.kind) == ("json-sync", "cpu", "database")
    assert json.first.cell == "alpha.json-sync"
    assert json.second.goodput == (1100, 1100)
    assert json.second.server_cpu_us == pytest.approx((510, 510))
    goodput = floors_of("goodput", [json, rows])
    cpu = floors_of("server_cpu_us", [json, rows])
    assert goodput.pooled is not None
    assert cpu.pooled is not None
    assert goodput.pooled > 0.1 > cpu.pooled > 0.02


def test_an_invalid_arm_is_none() -> None:
    for broken in ("alpha.json-sync", "alpha-again.json-sync"):
        assert [pair.endpoint for pair in twins(PLAN, OUTCOMES, {broken})] == ["rows-sync"]
