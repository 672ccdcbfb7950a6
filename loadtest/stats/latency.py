"""Latency histograms: back-fill undone, merged, summed up as percentiles and a curve; pure."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from loadtest.records.measured import Histogram, Loaded
from loadtest.records.planned import Record

Ints = NDArray[np.int64]


def pooled(
    stored: Iterable[tuple[Histogram, Loaded]], connections: int
) -> tuple[Histogram, Histogram]:
    """Return the latencies of several loads together: as measured, and back-filled as stored.

    What was measured is without the samples that wrk added for coordinated omission, see
    `_recovered`; raises ValueError where a load's counts are not its latencies'.
    """
    backfilled = [(_arrays(histogram), loaded) for histogram, loaded in stored]
    raw = [
        # Other tools add none.
        _recovered(*arrays, loaded, connections) if loaded.generator == "wrk" else arrays
        for arrays, loaded in backfilled
    ]
    return _merged(raw), _merged([arrays for arrays, _ in backfilled])


def backfilled(loaded: Loaded, connections: int, max_us: int) -> bool:
    """Return whether wrk added samples to a load whose highest latency was `max_us`.

    It adds some below each latency of more than 2e (see `_recovered`) and changes nothing else. A
    printed maximum is good to half a percent: where that is too coarse to tell, it is taken so.
    """
    if loaded.answers < connections:
        return False
    expected_us = loaded.duration_us // (loaded.answers // connections)
    return max_us * 1.01 > 2 * expected_us


def merge(histograms: Iterable[Histogram]) -> Histogram:
    """Return all samples in one histogram."""
    return _merged([_arrays(histogram) for histogram in histograms])


def count(histogram: Histogram) -> int:
    """Return the number of samples."""
    return sum(histogram.counts)


def mean(histogram: Histogram) -> float | None:
    """Return the mean in microseconds, None without a sample."""
    samples = count(histogram)
    if not samples:
        return None
    values, counts = _arrays(histogram)
    # As floats: of what a file of others may hold, whole numbers would run over.
    return float(values.astype(np.float64) @ counts) / samples


ON_TIME = Histogram(values_us=(0,), counts=(1,))
"""How late requests were sent that have no schedule."""


def percentile(histogram: Histogram, p: float, late: Histogram = ON_TIME) -> int | None:
    """Return the smallest latency in microseconds that `p` percent of all samples do not exceed.

    None without a sample. The nearest rank: the answer is always one that was measured.

    With how `late` the requests were sent, latencies count from their schedule: see `_at`.
    """
    if not 0 < p <= 100:
        raise ValueError(f"a percentile is above 0 and at most 100, not {p}")
    return _at(histogram, (p,), late)[0] if count(histogram) else None


def _recovered(values: Ints, counts: Ints, loaded: Loaded, connections: int) -> tuple[Ints, Ints]:
    """Return the latencies that were measured, without those wrk added for coordinated omission.

    wrk (`src/stats.c: stats_correct`) takes e = duration // (answers // connections) as the time
    an answer should take and, walking upwards from 2e, adds each bin's count to the bins e, 2e, ...
    below it, down to but not including e. So a bin m above e holds raw[m] + raw[m + e] + ..., and
    raw[m] = bin[m] - bin[m + e]; a bin up to e is untouched. wrk lists no bin below its lowest
    sample: what it added there cannot be seen, and nothing was measured there.
    """
    if loaded.answers < connections or not values.size:
        return values, counts
    expected_us = loaded.duration_us // (loaded.answers // connections)
    at = np.minimum(np.searchsorted(values, values + expected_us), values.size - 1)
    above = np.where(values[at] == values + expected_us, counts[at], 0)
    raw = counts - np.where(values > expected_us, above, 0)
    if (raw < 0).any():
        raise ValueError("these latencies and these counts are not of the same load")
    return values[raw > 0], raw[raw > 0]


def _merged(arrays: Sequence[tuple[Ints, Ints]]) -> Histogram:
    if not arrays:
        return Histogram(values_us=(), counts=())
    values = np.concatenate([values for values, _ in arrays])
    if not values.size:
        return Histogram(values_us=(), counts=())
    # Runs that are sorted already: a merge sort is several times as fast as the default.
    order = np.argsort(values, kind="stable")
    values = values[order]
    counts = np.concatenate([counts for _, counts in arrays])[order]
    first = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))
    return _histogram(values[first], np.add.reduceat(counts, first))


def _arrays(histogram: Histogram) -> tuple[Ints, Ints]:
    return _array(histogram.values_us), _array(histogram.counts)


def _array(numbers: tuple[int, ...]) -> Ints:
    # By way of bytes: numpy takes more than twice as long to look at each number of a tuple.
    return np.frombuffer(struct.pack(f"{len(numbers)}q", *numbers), dtype=np.int64)


def _histogram(values: Ints, counts: Ints) -> Histogram:
    return Histogram(values_us=tuple(values.tolist()), counts=tuple(counts.tolist()))


PERCENTILES = (
    0.0,
    10.0,
    25.0,
    50.0,
    75.0,
    90.0,
    95.0,
    98.0,
    99.0,
    99.5,
    99.9,
    99.95,
    99.99,
    99.999,
)
"""0 is the lowest latency; the highest, 100, is added where there is any."""

BEYOND = 10
"""Samples above a percentile; with fewer it hangs on a handful of answers. p99 needs 1,000."""


class Curve(Record, frozen=True, kw_only=True):
    """The latencies of a cell, all rounds together, at as many percentiles as they allow for."""

    percentiles: tuple[float, ...]
    """Ascending; 0 and 100 are the lowest and the highest, a single answer each."""
    raw_us: tuple[int, ...]
    """Latencies as measured, at a rate from the schedule; one a percentile."""


def curve(raw: Histogram, late: Histogram = ON_TIME) -> Curve | None:
    """Return as many percentiles as the samples allow for; None without a sample.

    From the schedule, where some were sent `late`: as `percentile`.
    """
    samples = sum(raw.counts)
    if not samples:
        return None
    shown = (*(p for p in PERCENTILES if p <= 50 or samples * (100 - p) / 100 >= BEYOND), 100.0)
    return Curve(percentiles=shown, raw_us=_at(raw, shown, late))


def _at(histogram: Histogram, percentiles: tuple[float, ...], late: Histogram) -> tuple[int, ...]:
    """Return the latencies by the nearest rank, as `percentile` does one by one.

    Which latency and which lateness are of one request is not known: they are added as if they were
    independent of each other, by bisection of the distribution of the sum.
    """
    values, counts = _arrays(histogram)
    late_us, requests = _arrays(late)
    below = np.concatenate(([0], np.cumsum(counts)))
    shares = requests / requests.sum()
    # Sums of shares are good to some digits only.
    needed = np.array(percentiles) / 100 * below[-1] * (1 - 1e-12)
    if late_us.size == 1:  # nothing to add up, as in all closed loops
        return tuple((values[np.searchsorted(below[1:], needed)] + late_us[0]).tolist())
    low = np.full(len(percentiles), values[0] + late_us[0])
    high = np.full(len(percentiles), values[-1] + late_us[-1])
    while (low < high).any():
        middle = (low + high) // 2
        ranks = np.searchsorted(values, np.subtract.outer(middle, late_us), side="right")
        enough = below[ranks] @ shares >= needed
        low, high = np.where(enough, low, middle + 1), np.where(enough, middle, high)
    return tuple(low.tolist())


SAMPLES_NEEDED: dict[float, int] = {50: 10, 90: 100, 99: 1_000, 99.9: 10_000}
"""Samples for a percentile: with fewer, it hangs on a handful of answers and isn't shown."""
