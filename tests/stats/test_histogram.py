"""Histograms: wrk's back-fill is undone exactly, and percentiles are what was measured."""

from __future__ import annotations

from collections import Counter

import pytest
from builders import loaded
from hypothesis import given
from hypothesis import strategies as st

from loadtest.records.measured import Histogram
from loadtest.stats.latency import backfilled, count, mean, merge, percentile, pooled

latencies = st.lists(st.integers(min_value=1, max_value=3_000), min_size=1, max_size=60)


def histogram(samples: Counter[int]) -> Histogram:
    bins = sorted((value, n) for value, n in samples.items() if n)
    return Histogram(values_us=tuple(v for v, _ in bins), counts=tuple(n for _, n in bins))


def as_wrk_leaves_it(samples: Counter[int], expected: int) -> Histogram:
    """Return the histogram after wrk's correction, as its script sees it: nothing below min."""
    data = Counter(samples)
    lowest, highest = min(samples), max(samples)
    for n in range(2 * expected, highest + 1):
        added, m = data[n], n - expected
        while added and m > expected:
            data[m] += added
            m -= expected
    return histogram(Counter({value: n for value, n in data.items() if value >= lowest}))


@given(latencies, st.integers(min_value=1, max_value=8), st.integers(min_value=1, max_value=4_000))
def test_pooled_undoes_the_backfill(samples: list[int], connections: int, expected_us: int) -> None:
    answers = len(samples)
    raw = Counter(samples)
    if answers < connections:
        assert pooled([(histogram(raw), loaded(answers))], connections)[0] == histogram(raw)
        return
    counted = loaded(answers, duration_us=expected_us * (answers // connections))
    stored = as_wrk_leaves_it(raw, expected_us), counted
    assert pooled([stored], connections)[0] == histogram(raw)


@given(latencies, st.integers(min_value=1, max_value=8), st.integers(min_value=1, max_value=4_000))
def test_where_nothing_was_backfilled_the_text_is_as_measured(
    samples: list[int], connections: int, expected_us: int
) -> None:
    raw = Counter(samples)
    counted = loaded(len(samples), duration_us=expected_us * (len(samples) // connections))
    if not backfilled(counted, connections, max(samples)) and len(samples) >= connections:
        assert as_wrk_leaves_it(raw, expected_us) == histogram(raw)


def test_what_another_tool_stored_is_as_it_measured() -> None:
    """wrk alone fills in: here its back-fill would seem to have made the 5 of 250 us."""
    theirs = Histogram(values_us=(150, 250), counts=(5, 5))
    ours, others = (
        loaded(answers=10, duration_us=1_000, generator=name) for name in ("wrk", "wrk2")
    )
    assert pooled([(theirs, ours)], connections=1)[0].counts == (5,)
    assert pooled([(theirs, others)], connections=1) == (theirs, theirs)


def test_pooled_refuses_counts_of_another_load() -> None:
    ours = Histogram(values_us=(150, 250), counts=(1, 5))
    with pytest.raises(ValueError, match="not of the same load"):
        pooled([(ours, loaded(answers=10, duration_us=1_000))], connections=1)


def test_pooled_of_nothing() -> None:
    nothing = Histogram(values_us=(), counts=())
    stored = nothing, loaded(answers=10, duration_us=1_000)
    assert pooled([stored], connections=1) == (nothing, nothing)


@given(latencies, st.integers(min_value=1, max_value=100))
def test_percentile_is_the_nearest_rank(samples: list[int], p: int) -> None:
    nearest = percentile(histogram(Counter(samples)), p)
    assert nearest is not None
    assert sum(sample <= nearest for sample in samples) * 100 >= p * len(samples)
    assert sum(sample < nearest for sample in samples) * 100 < p * len(samples)


@given(
    latencies,
    st.lists(st.sampled_from([0, 0, 0, 1_000, 7_000]), min_size=1, max_size=60),
    st.integers(min_value=1, max_value=100),
)
def test_what_was_late_is_added_to_every_latency(
    samples: list[int], late: list[int], p: int
) -> None:
    sums = histogram(Counter(us + later for us in samples for later in late))
    lates = histogram(Counter(late))
    assert percentile(histogram(Counter(samples)), p, lates) == percentile(sums, p)


@pytest.mark.parametrize(
    ("late", "p99"),
    [
        ({0: 1_000}, 990),
        # So few that slower ones take the place of each, or so little that it is added.
        ({0: 998, 50_000: 2}, 992),
        ({0: 500, 1: 500}, 991),
        ({0: 980, 50_000: 20}, 50_500),
    ],
)
def test_a_percentile_has_room_for_what_was_late(late: dict[int, int], p99: int) -> None:
    of = histogram(Counter(range(1, 1_001)))
    assert percentile(of, 99, histogram(Counter(late))) == p99


@given(latencies, latencies)
def test_merge_adds_up(some: list[int], more: list[int]) -> None:
    merged = merge([histogram(Counter(some)), histogram(Counter(more))])
    assert merged == histogram(Counter(some + more))
    assert count(merged) == len(some) + len(more)
    assert mean(merged) == pytest.approx(sum(some + more) / len(some + more))


def test_without_samples_all_is_unknown() -> None:
    nothing = merge([])
    assert (count(nothing), mean(nothing), percentile(nothing, 99)) == (0, None, None)


@pytest.mark.parametrize("p", [0, -1, 100.1])
def test_percentile_of_what_is_none(p: float) -> None:
    with pytest.raises(ValueError, match="percentile"):
        percentile(merge([]), p)
