"""What must hold of the statistics, whatever the data; their promises are in `test_promises`."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from judged_table import findings
from scipy import stats
from simulated import rates

from loadtest.stats.ratios import Comparison, half_width, moderated, paired, unpaired
from loadtest.stats.significance import finding

rate = st.floats(0.1, 1e5)
rounds = st.lists(st.tuples(rate, rate), min_size=2, max_size=8)
compare = pytest.mark.parametrize("compare", [paired, unpaired], ids=["paired", "unpaired"])


def arms(both: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [base for base, _ in both], [new for _, new in both]


def alike(first: Comparison, second: Comparison, by: float = 1.0) -> None:
    """Check that `other` is `one` with every ratio multiplied."""
    for a, b in ((first.ratio, second.ratio), (first.low, second.low), (first.high, second.high)):
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
    intervals = moderated([paired(*arms(both)) for both in table])
    second = moderated([paired([by * b for b, _ in both], [n for _, n in both]) for both in table])
    for interval, other, both in zip(intervals, second, table, strict=True):
        assert interval.p is not None
        assert 0 <= interval.p <= 1
        assert interval.ratio == paired(*arms(both)).ratio
        assert interval.low is not None
        assert other.low == pytest.approx(interval.low / by, rel=1e-4)


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
    comparison = compare([100.0], [150.0])
    assert comparison.ratio == pytest.approx(1.5)
    assert (comparison.low, comparison.high, comparison.p) == (None, None, None)
    assert comparison.rounds == 1
    assert finding(comparison, 0.05) == "inconclusive"
    assert half_width(comparison) is None
    nothing = compare([None], [3.0])
    assert (nothing.ratio, nothing.rounds) == (None, 0)
    assert findings([comparison, nothing], 0.05) == ("inconclusive", "inconclusive")


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
    interval = paired([100, 100, 100], [95, 100, 104])
    half = half_width(interval)
    assert half is not None
    assert interval.low is not None
    assert interval.high == pytest.approx(interval.low * (1 + half) ** 2)
