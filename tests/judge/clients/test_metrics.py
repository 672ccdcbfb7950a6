"""Cold and warm figures: what they are, which times stand apart, and that they never mix."""

from __future__ import annotations

import numpy as np
import pytest
from client_facts import cold, row, warm
from hypothesis import assume, given
from hypothesis import strategies as st

from loadtest.judge.clients.metrics import (
    FAR,
    by_round,
    cold_figures,
    outliers,
    spread,
    time_s,
    warm_figures,
)
from loadtest.records.clients import Seen

TIMES = st.lists(st.floats(0.01, 100), min_size=2, max_size=20)


@pytest.mark.parametrize(
    ("times", "apart"),
    [
        ([], ()),
        ([1.0], ()),
        ([1.0, 9.0], ()),
        ([1.0, 1.02, 0.98, 1.01], ()),
        ([1.0, 1.02, 0.98, 1.01, 1.5], (4,)),
        # Most are alike to the last digit: whatever differs is far from them.
        ([2.0, 2.0, 2.0, 2.0, 3.0, 2.0], (4,)),
        ([2.0, 2.0, 2.0], ()),
        ([0.1, 1.0, 1.01, 0.99, 1.0, 1.02, 30.0], (0, 6)),
    ],
)
def test_outliers(times: list[float], apart: tuple[int, ...]) -> None:
    assert outliers(times) == apart


@given(TIMES, st.sampled_from([0.125, 2.0, 1024.0]))
def test_an_outlier_is_one_in_any_unit(times: list[float], unit: float) -> None:
    # Powers of two, so that rounding plays no part.
    assume(float(np.median(np.abs(np.array(times) - np.median(times)))) > 1e-6)
    assert outliers([time * unit for time in times]) == outliers(times)


@given(TIMES)
def test_fewer_than_half_stand_apart(times: list[float]) -> None:
    assert len(outliers(times)) < len(times) / 2 + 1
    assert pytest.approx(10 * 1.4826) == FAR


def test_normal_times_hardly_ever_stand_apart() -> None:
    """Ten standard deviations: in 1,000 rows of 10 rounds a handful, by few rounds' chance."""
    rng = np.random.default_rng(5)
    rows = 1 + 0.05 * rng.standard_normal((1_000, 10))
    assert sum(bool(outliers(list(times))) for times in rows) <= 10


@given(st.lists(st.floats(0.3, 30), min_size=1, max_size=10))
def test_cold_figures(times: list[float]) -> None:
    of = row()
    figures = cold_figures([cold(of, number, time) for number, time in enumerate(times)])
    assert figures is not None
    slack = 1e-9 * figures.max_s
    assert figures.min_s - slack <= figures.mean_s <= figures.max_s + slack
    assert figures.min_s <= figures.median_s <= figures.max_s
    assert (figures.stdev_s is None) == (len(times) == 1)
    assert figures.user_s == pytest.approx(0.8 * figures.mean_s)
    assert figures.start_s == pytest.approx(0.02)
    assert figures.work_s == pytest.approx(figures.mean_s - 0.2)


def test_an_outlier_is_named_by_its_round() -> None:
    of = row()
    times = [0.5, 0.51, 3.0, 0.5, 0.49]
    figures = cold_figures([cold(of, number, time) for number, time in enumerate(times)])
    assert figures is not None
    assert [(outlier.round, outlier.seconds) for outlier in figures.outliers] == [(3, 3.0)]
    assert figures.mean_s == pytest.approx(1.0)  # it counts all the same


def test_warm_figures() -> None:
    of = row()
    figures = warm_figures(
        [warm(of, number, us) for number, us in enumerate((100.0, 110.0, 300.0))]
    )
    assert figures is not None
    assert figures.call_us == pytest.approx(110)
    assert figures.goodput == pytest.approx(1e6 / 110)
    assert figures.cpu_us == pytest.approx(77)
    assert figures.samples == 3_000
    assert figures.p50_us == 1_100
    assert figures.connections == 10


def test_a_percentile_needs_its_samples() -> None:
    of = row(requests=300)
    figures = warm_figures([warm(of)])
    assert figures is not None
    assert figures.p90_us is not None
    assert figures.p99_us is None


def test_cold_and_warm_never_mix() -> None:
    of = row()
    both = [cold(of, 0, 0.5), warm(of, 0, 150.0)]
    made_cold, made_warm = cold_figures(both), warm_figures(both)
    assert made_cold is not None
    assert made_warm is not None
    assert made_cold.mean_s == 0.5
    assert made_warm.call_us == pytest.approx(150)
    assert by_round(both, "cold") == {of.id: [0.5]}
    assert by_round(both, "warm")[of.id] == [pytest.approx(150e-6)]
    assert cold_figures([both[1]]) is None
    assert warm_figures([both[0]]) is None


def test_the_last_outcome_of_a_round_wins_and_a_failed_one_has_no_time() -> None:
    of = row()
    second = [warm(of, 0, 100.0), warm(of, 0, 200.0), warm(of, 2, 150.0, status="failed")]
    assert by_round(second, "warm") == {of.id: [pytest.approx(200e-6), None, None]}


def test_unknown_is_none() -> None:
    of = row()
    figures = warm_figures([warm(of, seen=None)])
    assert figures is not None
    assert figures.connections is None
    assert figures.spread is None
    assert spread([1.0]) is None
    assert time_s(warm(of, answers=0)) is None
    some = [warm(of, 0, seen=Seen(connections=8, requests=1_100)), warm(of, 1, seen=None)]
    figures = warm_figures(some)
    assert figures is not None
    assert figures.connections == 8
