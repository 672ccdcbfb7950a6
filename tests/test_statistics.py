"""The promises of the statistics, measured by simulation, and what must hold whatever the data.

Noise is log-normal with a standard deviation of 4 % between launches, and two kinds with heavier
tails: Student's t with 3 degrees of freedom, and stalls, where one round in ten loses much more.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from loadtest.findings import LOOKS, adjust, finding, findings, level, margin, ranks, undecided
from loadtest.statistics import (
    Comparison,
    half_width,
    moderated,
    noise_floor,
    paired,
    unpaired,
)

Floats = NDArray[np.float64]
CV = 0.04
KINDS = ("normal", "t3", "stalls")


def noise(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Return log rates with a standard deviation of 1."""
    if kind == "t3":
        return rng.standard_t(3, shape) / math.sqrt(3)
    if kind == "stalls":
        lost = 3 * rng.exponential(1, shape) * (rng.random(shape) < 0.1)
        return (rng.standard_normal(shape) - lost) / math.sqrt(1 + 0.1 * 18 - 0.09)
    return rng.standard_normal(shape)


def rates(logs: Floats) -> list[list[float]]:
    return [[float(rate) for rate in np.exp(row)] for row in logs]


def pairs(
    kind: str, cells: int, rounds: int, rng: np.random.Generator, by: float = 0.0
) -> list[Comparison]:
    """Return comparisons of as many cells with themselves, made faster by a share."""
    base, new = CV * noise(kind, (2, cells, rounds), rng)
    faster = new + math.log1p(by)
    return [paired(b, n) for b, n in zip(rates(base), rates(faster), strict=True)]


def claims(found: tuple[str, ...]) -> int:
    return sum(one in ("higher", "lower") for one in found)


# Promises ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rounds", [3, 5, 10])
def test_a_paired_interval_holds_the_truth_19_times_in_20(kind: str, rounds: int) -> None:
    made = pairs(kind, 2_000, rounds, np.random.default_rng(1))
    held = np.mean([one.low <= 1 <= one.high for one in made if one.low and one.high])
    assert 0.935 <= held <= 0.985
    assert np.mean([one.low <= one.ratio <= one.high for one in made if one.low]) > 0.999  # type: ignore[operator]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rounds", [3, 5, 10])
def test_so_does_a_moderated_one(kind: str, rounds: int) -> None:
    rng = np.random.default_rng(2)
    held = []
    for _ in range(20):
        noises = rng.uniform(0.25, 2.25, (60, 1))
        logs = CV * noises * noise(kind, (60, rounds), rng)
        table = moderated([paired([1.0] * rounds, row) for row in rates(logs)])
        held += [one.low <= 1 <= one.high for one in table if one.low and one.high]
    assert 0.93 <= np.mean(held) <= 0.985


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("rounds", "least"), [(3, 0.93), (5, 0.90), (10, 0.91)])
def test_an_unpaired_interval_holds_the_truth(kind: str, rounds: int, least: float) -> None:
    """Resampling 5 rounds costs some of the 95 %; below 5 nothing is resampled."""
    rng = np.random.default_rng(3)
    held = []
    for _ in range(150):
        base, new = rates(CV * noise(kind, (2, rounds), rng))
        made = unpaired(base, new)
        assert made.method == ("t" if rounds < 5 else "bootstrap")
        assert made.low is not None
        assert made.high is not None
        held.append(made.low <= 1 <= made.high)
    assert np.mean(held) >= least


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rounds", [3, 5, 10])
def test_at_most_one_table_in_twenty_has_a_false_alarm(kind: str, rounds: int) -> None:
    """Twelve servers against the same reference at six endpoints, each with a noise of its own.

    Without a margin, to measure the test alone; noise that a launch shares spans the endpoints.
    """
    rng = np.random.default_rng(4)
    alarms = 0
    for _ in range(100):
        own = noise(kind, (13, 6, rounds), rng) * rng.uniform(0.01, 0.09, (13, 6, 1))
        logs = own + 0.02 * rng.standard_normal((13, 1, rounds))
        ratios = rates((logs[1:] - logs[:1]).reshape(-1, rounds))
        table = [paired([1.0] * rounds, row) for row in ratios]
        alarms += claims(findings(table, margin=0)) > 0
    assert alarms <= 8  # 5 of 100, and luck


@pytest.mark.parametrize(
    ("kind", "least"), [("normal", (0.97, 0.95)), ("t3", (0.95, 0.95)), ("stalls", (0.94, 0.92))]
)
def test_five_rounds_find_20_percent_and_ten_rounds_10(
    kind: str, least: tuple[float, float]
) -> None:
    """Of a single comparison, with the margin of 5 %."""
    rng = np.random.default_rng(5)
    for rounds, by, needed in ((5, 0.20, least[0]), (10, 0.10, least[1])):
        made = pairs(kind, 1_000, rounds, rng, by)
        assert np.mean([finding(one, margin(None)) == "higher" for one in made]) >= needed
        alike = [finding(one, margin(None)) for one in pairs(kind, 1_000, rounds, rng)]
        assert claims(tuple(alike)) <= 0.03 * len(alike)


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_of_twelve_finds_as_much(kind: str) -> None:
    """One server of twelve differs from the reference: Holm costs little, once noise is shared."""
    rng = np.random.default_rng(6)
    for rounds, by in ((5, 0.20), (10, 0.10)):
        found = 0
        for _ in range(100):
            logs = CV * noise(kind, (13, rounds), rng)
            logs[1] += math.log1p(by)
            base, *others = rates(logs)
            found += findings([paired(base, one) for one in others], 0.05)[0] == "higher"
        assert found >= 88


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("endpoints", "rounds"), [(10, 3), (10, 10), (30, 5)])
def test_identical_arms_stay_within_the_noise_floor(kind: str, endpoints: int, rounds: int) -> None:
    """Of two more arms of that run, 19 in 20 endpoints; one in 10 where few rounds have stalls."""
    rng = np.random.default_rng(7)
    beyond = []
    for _ in range(60):
        arms = CV * noise(kind, (4, endpoints, rounds), rng)
        first, second, third, fourth = (rates(arm) for arm in arms)
        floor = noise_floor(zip(first, second, strict=True))
        assert floor is not None
        for one, other in zip(third, fourth, strict=True):
            mean = np.mean(np.log(other) - np.log(one))
            beyond.append(abs(mean) > math.log1p(floor))
    assert 0.02 <= np.mean(beyond) <= 0.1


@pytest.mark.parametrize("looks", [1, 13])
def test_looking_again_after_each_round_needs_a_stricter_level(looks: int) -> None:
    rng = np.random.default_rng(8)
    alarms = 0
    for _ in range(60):
        base, new = (CV * rng.standard_normal((6, 15)) for _ in range(2))
        for rounds in range(3, 16):
            ratios = rates((new - base)[:, :rounds])
            found = findings([paired([1.0] * rounds, row) for row in ratios], 0.05, looks)
            if claims(found) or "inconclusive" not in found:
                alarms += claims(found) > 0
                break
    assert alarms <= 3 if looks > 1 else alarms >= 5


@pytest.mark.parametrize("looks", [2, 5, 10, 20])
def test_the_levels_of_several_looks(looks: int) -> None:
    steps = np.random.default_rng(9).standard_normal((40_000, looks))
    reached = np.abs(steps.cumsum(axis=1)) / np.sqrt(np.arange(1, looks + 1)) > LOOKS[looks]
    assert reached.any(axis=1).mean() == pytest.approx(0.05, abs=0.004)


def test_a_level_for_any_number_of_looks() -> None:
    levels = [level(looks) for looks in range(1, 40)]
    assert levels[0] == 0.05
    assert levels == sorted(levels, reverse=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("servers", [3, 13])
def test_identical_servers_share_a_rank(kind: str, servers: int) -> None:
    rng = np.random.default_rng(10)
    split = 0
    for _ in range(100):
        own = noise(kind, (servers, 3), rng) * rng.uniform(0.01, 0.09, (servers, 1))
        named = {str(number): row for number, row in enumerate(rates(own))}
        split += max(ranks(named, 0.05).values()) > 1
    assert split <= 9


# What must hold ----------------------------------------------------------------------------------

rate = st.floats(0.1, 1e5)
rounds = st.lists(st.tuples(rate, rate), min_size=2, max_size=8)
compare = pytest.mark.parametrize("compare", [paired, unpaired], ids=["paired", "unpaired"])


def arms(both: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [base for base, _ in both], [new for _, new in both]


def alike(one: Comparison, other: Comparison, by: float = 1.0) -> None:
    """Check that `other` is `one` with every ratio multiplied."""
    for a, b in ((one.ratio, other.ratio), (one.low, other.low), (one.high, other.high)):
        assert a is not None
        assert b is not None
        assert math.log(a) + math.log(by) == pytest.approx(math.log(b), abs=1e-6)


@given(rounds)
def test_swapped_arms_invert_the_ratio(both: list[tuple[float, float]]) -> None:
    base, new = arms(both)
    there, back = paired(base, new), paired(new, base)
    assert there.low
    assert there.high
    assert there.ratio
    assert back.p == pytest.approx(there.p, abs=1e-6)
    inverted = Comparison(
        ratio=1 / there.ratio,
        low=1 / there.high,
        high=1 / there.low,
        p=there.p,
        rounds=there.rounds,
        method=there.method,
        estimate=None,
    )
    alike(inverted, back)


@compare
@given(both=rounds, by=st.floats(0.01, 100))
def test_the_unit_does_not_matter(
    compare: Callable[..., Comparison], both: list[tuple[float, float]], by: float
) -> None:
    base, new = arms(both)
    alike(compare(base, new), compare([by * b for b in base], [by * n for n in new]))


@compare
@given(both=rounds, by=st.floats(0.01, 100))
def test_a_factor_shifts_ratio_and_interval(
    compare: Callable[..., Comparison], both: list[tuple[float, float]], by: float
) -> None:
    base, new = arms(both)
    alike(compare(base, new), compare(base, [by * n for n in new]), by)


@given(rounds)
def test_the_order_of_rounds_does_not_matter(both: list[tuple[float, float]]) -> None:
    alike(paired(*arms(both)), paired(*arms(sorted(both))))


@given(both=rounds)
def test_what_scipy_says(both: list[tuple[float, float]]) -> None:
    base, new = arms(both)
    assume(min(np.std(np.log(each)) for each in (base, new, np.divide(new, base))) > 1e-6)
    assert paired(base, new).p == pytest.approx(stats.ttest_rel(np.log(new), np.log(base)).pvalue)
    assert unpaired(base, new).p == pytest.approx(stats.ttest_ind(np.log(new), np.log(base)).pvalue)


@given(st.lists(rounds, max_size=8), st.floats(0.01, 100))
def test_any_table_can_be_moderated(table: list[list[tuple[float, float]]], by: float) -> None:
    made = moderated([paired(*arms(both)) for both in table])
    again = moderated([paired([by * b for b, _ in both], [n for _, n in both]) for both in table])
    for one, other, both in zip(made, again, table, strict=True):
        assert one.p is not None
        assert 0 <= one.p <= 1
        assert one.ratio == paired(*arms(both)).ratio
        assert one.low is not None
        assert other.low == pytest.approx(one.low / by, rel=1e-4)


def test_a_cell_that_is_steady_by_chance_borrows_noise_from_its_table() -> None:
    rng = np.random.default_rng(12)
    table = [paired([1.0] * 3, row) for row in rates(0.05 * rng.standard_normal((20, 3)))]
    lucky = paired([100, 100, 100], [104, 104.3, 103.7])
    assert lucky.p is not None
    assert lucky.p < 0.005
    *_, drawn = moderated([*table, lucky])
    assert drawn.p is not None
    assert drawn.p > 5 * lucky.p


def test_a_round_without_one_of_them_does_not_count() -> None:
    assert paired([1, None, 3, 5], [2, 7, None, 9]) == paired([1, 5], [2, 9])
    assert unpaired([1, None, 3], [None, 2, 7]) == unpaired([1, 3], [2, 7])


@compare
def test_one_round_gives_a_ratio_and_no_certainty(compare: Callable[..., Comparison]) -> None:
    one = compare([100.0], [150.0])
    assert (one.ratio, one.low, one.high, one.p, one.rounds) == (pytest.approx(1.5), *[None] * 3, 1)
    assert finding(one, 0.05) == "inconclusive"
    assert half_width(one) is None
    nothing = compare([None], [3.0])
    assert (nothing.ratio, nothing.rounds) == (None, 0)
    assert findings([one, nothing], 0.05) == ("inconclusive", "inconclusive")


@compare
def test_a_failure_is_no_rate(compare: Callable[..., Comparison]) -> None:
    with pytest.raises(ValueError, match="a failure"):
        compare([1.0, 0.0], [1.0, 1.0])


@compare
def test_no_noise_is_certain(compare: Callable[..., Comparison]) -> None:
    same, more = compare([100.0] * 5, [100.0] * 5), compare([100.0] * 5, [120.0] * 5)
    assert (same.ratio, same.p, finding(same, 0.05)) == (1, 1, "equivalent")
    assert (more.p, finding(more, 0.05), finding(more, 0.25)) == (0, "higher", "equivalent")


def test_half_width_is_a_share_either_way() -> None:
    one = paired([100, 100, 100], [95, 100, 104])
    half = half_width(one)
    assert half is not None
    assert one.low is not None
    assert one.high == pytest.approx(one.low * (1 + half) ** 2)


@given(st.lists(st.none() | st.floats(0, 1), max_size=12))
def test_holm(ps: list[float | None]) -> None:
    adjusted = adjust(ps)
    known = sorted(
        (p, a) for p, a in zip(ps, adjusted, strict=True) if p is not None and a is not None
    )
    assert [a is None for a in adjusted] == [p is None for p in ps]
    assert all(p <= a <= min(1, p * len(known)) for p, a in known)
    assert [a for _, a in known] == sorted(a for _, a in known)
    if known:
        assert known[0][1] == min(1, known[0][0] * len(known))


def test_noise_floor_needs_both_arms() -> None:
    assert noise_floor([]) is None
    assert noise_floor([([1.0, None], [None, 2.0])]) is None
    assert noise_floor([([100.0, 100.0], [100.0, 100.0])]) == 0
    assert margin(None) == margin(0.01) == 0.05
    assert margin(0.08) == 0.08


# Ranks -------------------------------------------------------------------------------------------

FAST, ALIKE, SLOW = [100.0, 103, 98, 101, 99], [99.0, 101, 100, 97, 102], [60.0, 62, 59, 61, 58]


def test_who_cannot_be_told_apart_shares_a_rank() -> None:
    named = {"slow": SLOW, "alike": ALIKE, "fast": FAST}
    assert ranks(named, 0.05) == {"fast": 1, "alike": 1, "slow": 3}
    assert ranks(named, None) == ranks(named, 0.05)
    assert ranks(named, 0.9) == {"fast": 1, "alike": 1, "slow": 1}


def test_what_was_not_measured_has_no_rank() -> None:
    assert ranks({"fast": FAST, "none": [None] * 5}, None) == {"fast": 1}
    assert ranks({}, None) == {}
    assert ranks({"once": [5.0, *[None] * 4], "fast": FAST}, None) == {"fast": 1, "once": 1}


def test_a_rank_is_open_until_it_is_equivalent_or_told_apart() -> None:
    assert undecided({"fast": FAST, "alike": ALIKE, "slow": SLOW}, 0.05) == frozenset()
    wild = [80.0, 112, 95, 120, 84]
    assert undecided({"fast": FAST, "wild": wild, "slow": SLOW}, 0.05) == {"fast", "wild"}
    assert undecided({"fast": FAST[:1], "slow": SLOW[:1]}, 0.05) == {"fast", "slow"}


@given(
    st.lists(
        st.lists(st.none() | st.sampled_from([10.0, 10.5, 11, 20, 21]), min_size=4, max_size=4),
        max_size=6,
    )
)
def test_ranks_do_not_hang_on_names_or_their_order(given_rates: list[list[float | None]]) -> None:
    named = dict(zip("abcdef", given_rates, strict=False))
    renamed = dict(reversed([(f"x{ord('z') - ord(key)}", row) for key, row in named.items()]))
    found, again = ranks(named, 0.02), ranks(renamed, 0.02)
    assert {f"x{ord('z') - ord(key)}": rank for key, rank in found.items()} == again
    for rank in set(found.values()):
        assert rank == 1 + sum(other < rank for other in found.values())


def test_noise_shows_no_likeness() -> None:
    """A run so noisy that half the rate is within its margin has not shown that nothing changed."""
    halved = paired([100.0, 101.0, 99.0, 100.0], [50.0, 60.0, 45.0, 52.0])
    assert finding(halved, margin=40.0) == "equivalent"
    assert finding(halved, margin=40.0, near=0.05) == "inconclusive"
