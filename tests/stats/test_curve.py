"""Percentile curves: few points, and none that hangs on a handful of answers."""

from __future__ import annotations

from builders import loaded
from hypothesis import given
from hypothesis import strategies as st

from loadtest.records.measured import Histogram
from loadtest.stats.latency import BEYOND, curve, percentile, pooled
from loadtest.stats.latency import merge as merged

COUNTS = st.dictionaries(st.integers(1, 10**7), st.integers(1, 5_000), min_size=1, max_size=50)


def histogram(counts: dict[int, int]) -> Histogram:
    values = sorted(counts)
    return Histogram(values_us=tuple(values), counts=tuple(counts[value] for value in values))


@given(COUNTS)
def test_points_are_the_histograms_own_percentiles(counts: dict[int, int]) -> None:
    of = histogram(counts)
    points = curve(of)
    assert points
    assert len(points.percentiles) <= 20
    for p, us in zip(points.percentiles, points.raw_us, strict=True):
        assert us == (percentile(of, p) if p else min(counts))
    assert (points.raw_us[0], points.raw_us[-1]) == (min(counts), max(counts))


@given(COUNTS)
def test_no_point_hangs_on_a_handful_of_answers(counts: dict[int, int]) -> None:
    points = curve(histogram(counts))
    assert points
    samples = sum(counts.values())
    beyond = [samples * (100 - p) / 100 for p in points.percentiles if 50 < p < 100]
    assert all(each >= BEYOND for each in beyond)


def test_no_sample_no_curve() -> None:
    assert curve(histogram({})) is None


@given(st.lists(COUNTS, max_size=4), st.integers(1, 40))
def test_pooled_is_each_recovered_and_all_merged(
    rounds: list[dict[int, int]], connections: int
) -> None:
    # More connections than answers: wrk adds nothing, and nothing is undone.
    stored = [(histogram(each), loaded(connections - 1)) for each in rounds]
    raw, backfilled = pooled(stored, connections)
    assert backfilled == merged(of for of, _ in stored)
    assert raw == merged(pooled([each], connections)[0] for each in stored)
